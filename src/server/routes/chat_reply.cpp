// The answer of /v1/chat/completions.
#include <utility>

#include "server/text_reply.h"

namespace skein::server {
namespace {

using Piece = text::CallReader::Piece;

class ChatReply final : public TextReply {
 public:
  explicit ChatReply(ReplyPlan given) : TextReply(std::move(given)) {
    if (plan().calls) readers_.assign(plan().choices, text::CallReader(*plan().calls));
  }

 private:
  std::string_view object(bool chunk) const override {
    return chunk ? "chat.completion.chunk" : "chat.completion";
  }

  // Before the prompt is read, so that whoever waits sees that somebody is there.
  void write_opening() override {
    for (size_t i = 0; i < plan().choices; ++i)
      delta(i, Finish::running, 0,
            [](JsonWriter& json) { json.member("role", "assistant").member("content", ""); });
  }

  void write_event(size_t index, const Event& event, size_t fresh) override {
    if (!event.thinking.empty())
      delta(index, Finish::running, 0,
            [&](JsonWriter& json) { json.member("reasoning_content", event.thinking); });
    const bool ends = event.finish != Finish::running;
    if (plan().calls) {
      write_pieces(index, readers_[index].push(event.text), fresh);
      if (ends) write_pieces(index, readers_[index].finish(), 0);
    } else if (!event.text.empty() || fresh > 0) {
      delta(index, Finish::running, fresh,
            [&](JsonWriter& json) { json.member("content", event.text); });
    }
    if (ends) delta(index, event.finish, 0, [](JsonWriter&) {});
  }

  // What a token brought, with its probability beside the first piece or alone.
  void write_pieces(size_t index, const std::vector<Piece>& pieces, size_t fresh) {
    for (const Piece& piece : pieces) {
      if (piece.kind == Piece::Kind::end) continue;
      delta(index, Finish::running, std::exchange(fresh, 0), [&](JsonWriter& json) {
        if (piece.kind == Piece::Kind::text) {
          json.member("content", piece.text);
          return;
        }
        const size_t call = calls_before(index, pieces, piece);
        json.key("tool_calls").begin_array().begin_object();
        json.member("index", static_cast<int64_t>(call));
        if (piece.kind == Piece::Kind::call)
          json.member("id", call_id(plan().id, index, call)).member("type", "function");
        json.key("function").begin_object();
        if (piece.kind == Piece::Kind::call) json.member("name", piece.text);
        json.member("arguments", piece.kind == Piece::Kind::call ? "" : piece.text);
        json.end_object().end_object().end_array();
      });
    }
    if (fresh > 0)
      delta(index, Finish::running, fresh, [](JsonWriter& json) { json.member("content", ""); });
  }

  // The number of the call that a piece belongs to, of those that the reader has seen by now.
  size_t calls_before(size_t index, const std::vector<Piece>& pieces, const Piece& piece) const {
    size_t behind = 0;
    for (const Piece& each : pieces)
      behind += each.kind == Piece::Kind::call && &each > &piece ? 1 : 0;
    return readers_[index].calls() - behind - 1;
  }

  // The probabilities stand beside the content, so those of thoughts and of the end do not.
  bool keeps_entry(const Event& event, bool thought) const override {
    return plan().logprobs && event.id >= 0 && !thought;
  }

  void write_choice(JsonWriter& json, size_t index, size_t shown_as) override {
    const Choice& one = choices()[index];
    const AnswerParts parts = parts_of(plan(), one.text);
    json.begin_object().member("index", static_cast<int64_t>(shown_as));
    json.key("message").begin_object().member("role", "assistant").key("content");
    parts.text.empty() && !parts.calls.empty() ? json.null() : json.value(parts.text);
    if (!one.thinking.empty()) json.member("reasoning_content", one.thinking);
    if (!parts.calls.empty()) write_calls(json, index, parts.calls);
    json.key("refusal").null().end_object();
    write_logprobs(json, one, one.entries.size());
    json.member("finish_reason", reason_name(one.finish, called(parts))).end_object();
  }

  void write_calls(JsonWriter& json, size_t index, const std::vector<AnswerCall>& calls) const {
    json.key("tool_calls").begin_array();
    for (size_t i = 0; i < calls.size(); ++i) {
      json.begin_object().member("id", call_id(plan().id, index, i)).member("type", "function");
      json.key("function").begin_object().member("name", calls[i].name);
      json.member("arguments", calls[i].arguments).end_object().end_object();
    }
    json.end_array();
  }

  template <typename F>
  void delta(size_t index, Finish finish, size_t fresh, F write) {
    chunk([&](JsonWriter& json) {
      json.begin_object().member("index", static_cast<int64_t>(index));
      json.key("delta").begin_object();
      write(json);
      json.end_object();
      write_logprobs(json, choices()[index], fresh);
      json.key("finish_reason");
      finish == Finish::running ? json.null() : json.value(reason_name(finish, called(index)));
      json.end_object();
    });
  }

  static Called called(const AnswerParts& parts) {
    if (parts.calls.empty()) return Called::nothing;
    return parts.calls.back().whole ? Called::whole : Called::cut;
  }
  Called called(size_t index) const {
    if (!plan().calls || readers_[index].calls() == 0) return Called::nothing;
    return readers_[index].inside() ? Called::cut : Called::whole;
  }

  // Of the last `count` entries.
  void write_logprobs(JsonWriter& json, const Choice& one, size_t count) const {
    json.key("logprobs");
    if (!plan().logprobs || (plan().stream && count == 0)) {
      json.null();
      return;
    }
    json.begin_object().key("content").begin_array();
    for (size_t i = one.entries.size() - count; i < one.entries.size(); ++i) {
      const Entry& entry = one.entries[i];
      json.begin_object();
      write_token(json, entry.id, entry.logprob.value_or(0));
      json.key("top_logprobs").begin_array();
      for (const TokenProbability& top : entry.top) {
        json.begin_object();
        write_token(json, top.id, top.logprob);
        json.end_object();
      }
      json.end_array().end_object();
    }
    json.end_array().key("refusal").null().end_object();
  }

  std::vector<text::CallReader> readers_;  // of the choices of a stream, where there are calls
};

}  // namespace

std::shared_ptr<Reply> make_chat_reply(ReplyPlan plan) {
  return std::make_shared<ChatReply>(std::move(plan));
}

}  // namespace skein::server
