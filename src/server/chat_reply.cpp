// The answer of /v1/chat/completions.
#include <utility>

#include "server/text_reply.h"

namespace skein::server {
namespace {

class ChatReply final : public TextReply {
 public:
  using TextReply::TextReply;

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
    if (!event.text.empty() || fresh > 0)
      delta(index, Finish::running, fresh,
            [&](JsonWriter& json) { json.member("content", event.text); });
    if (event.finish != Finish::running) delta(index, event.finish, 0, [](JsonWriter&) {});
  }

  // The probabilities stand beside the content, so those of thoughts and of the end do not.
  bool keeps_entry(const Event& event, bool thought) const override {
    return plan().logprobs && event.id >= 0 && !thought;
  }

  void write_choice(JsonWriter& json, size_t index, size_t shown_as) override {
    const Choice& one = choices()[index];
    json.begin_object().member("index", static_cast<int64_t>(shown_as));
    json.key("message").begin_object().member("role", "assistant").member("content", one.text);
    if (!one.thinking.empty()) json.member("reasoning_content", one.thinking);
    json.key("refusal").null().end_object();
    write_logprobs(json, one, one.entries.size());
    json.member("finish_reason", reason_name(one.finish)).end_object();
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
      finish == Finish::running ? json.null() : json.value(reason_name(finish));
      json.end_object();
    });
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
};

}  // namespace

std::shared_ptr<Reply> make_chat_reply(ReplyPlan plan) {
  return std::make_shared<ChatReply>(std::move(plan));
}

}  // namespace skein::server
