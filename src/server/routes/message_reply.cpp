// The answer of /v1/messages: blocks, one after another, whole or as named events.
#include <utility>

#include "server/routes/message_request.h"

namespace skein::server {
namespace {

using Piece = text::CallReader::Piece;

class MessageReply final : public TextReply {
 public:
  MessageReply(ReplyPlan given, Host& host) : TextReply(std::move(given)), host_(host) {
    if (plan().calls) reader_.emplace(*plan().calls);
  }

 private:
  enum class Block : uint8_t { none, thinking, text, call };

  Response stream_head() const override {
    return {.type = "text/event-stream",
            .ping_text = "event: ping\ndata: {\"type\": \"ping\"}\n\n"};
  }

  // ---- What was read, and what of it is kept where it was asked for.
  // The first event tells it, so it waits for that; the stream's head does not.
  void reused(const Order& order, size_t tokens) override {
    TextReply::reused(order, tokens);
    created_ = created(order, false);
    if (plan().stream && !std::exchange(begun_, true)) write_beginning();
  }
  void read(const Order& order, Findings findings) override {
    created_ = created(order, true);
    TextReply::read(order, std::move(findings));
  }

  // Tokens behind those that were read before, up to the last place where a state is kept because
  // it was asked for. `there`: it is looked for.
  int64_t created(const Order& order, bool there) const {
    PrefixStates& states = host_.states();
    if (!order.shared || !states.keeps()) return 0;
    const int64_t cached = spent().cached;
    int64_t out = 0;
    for (const size_t mark : order.asked_marks) {
      const size_t at = states.usable(order.start, mark);
      const auto fresh = static_cast<int64_t>(at) - cached;
      if (fresh <= out) continue;
      if (!there || states.exactly(order.start, std::span(order.prompt).first(at))) out = fresh;
    }
    return out;
  }

  void write_usage(JsonWriter& json) const {
    const Spent used = spent();
    json.key("usage").begin_object();
    json.member("input_tokens", used.prompt - used.cached - created_);
    json.member("cache_creation_input_tokens", created_);
    json.member("cache_read_input_tokens", used.cached);
    json.member("output_tokens", used.tokens).end_object();
  }

  // ---- A stream.
  template <typename F>
  void event(std::string_view type, F write) {
    JsonWriter json;
    write(json.begin_object().member("type", type));
    answer().write(fmt::format("event: {}\ndata: {}\n\n", type, json.end_object().text()));
  }

  void begin_message(JsonWriter& json) const {
    json.begin_object().member("id", plan().id).member("type", "message");
    json.member("role", "assistant").member("model", plan().host->name());
  }

  void write_beginning() {
    event("message_start", [&](JsonWriter& json) {
      begin_message(json.key("message"));
      json.key("content").begin_array().end_array();
      json.key("stop_reason").null().key("stop_sequence").null();
      write_usage(json);
      json.end_object();
    });
  }

  void write_event(size_t, const Event& one, size_t) override {
    if (!one.thinking.empty()) {
      open(Block::thinking);
      delta("thinking_delta", "thinking", one.thinking);
    }
    if (!reader_) {
      if (!one.text.empty()) write_text(one.text);
      return;
    }
    write_pieces(reader_->push(one.text));
    if (one.finish != Finish::running) write_pieces(reader_->finish());
  }

  void write_pieces(const std::vector<Piece>& pieces) {
    for (const Piece& piece : pieces) switch (piece.kind) {
        case Piece::Kind::text: write_text(piece.text); break;
        case Piece::Kind::call: open_call(piece.text); break;
        case Piece::Kind::arguments: delta("input_json_delta", "partial_json", piece.text); break;
        case Piece::Kind::end: close(); break;
      }
  }

  void write_text(std::string_view text) {
    open(Block::text);
    delta("text_delta", "text", text);
  }

  void open(Block block) {
    if (open_ == block) return;
    close();
    open_ = block;
    event("content_block_start", [&](JsonWriter& json) {
      json.member("index", index_).key("content_block");
      block == Block::thinking ? write_thought(json, "") : write_words(json, "");
    });
  }

  void open_call(const std::string& name) {
    close();
    open_ = Block::call;
    event("content_block_start", [&](JsonWriter& json) {
      json.member("index", index_).key("content_block");
      write_call(json, calls_++, name, "{}");
    });
  }

  void close() {
    if (std::exchange(open_, Block::none) == Block::none) return;
    event("content_block_stop", [&](JsonWriter& json) { json.member("index", index_); });
    ++index_;
  }

  void delta(std::string_view type, std::string_view name, std::string_view text) {
    event("content_block_delta", [&](JsonWriter& json) {
      json.member("index", index_).key("delta").begin_object();
      json.member("type", type).member(name, text).end_object();
    });
  }

  void write_end() override {
    close();
    const bool any = reader_ && reader_->calls() > 0;
    event("message_delta", [&](JsonWriter& json) {
      json.key("delta").begin_object();
      write_stop(json, !any ? Called::nothing : reader_->inside() ? Called::cut : Called::whole);
      json.end_object();
      write_usage(json);
      if (plan().keeper) write_state(json);
    });
    event("message_stop", [](JsonWriter&) {});
    answer().end();
  }

  void write_failure(const ApiError& error) override {
    answer().write("event: error\ndata: " + error_text(error, ErrorForm::anthropic) + "\n\n");
  }

  // ---- A whole answer.
  std::string whole() override {
    const Choice& one = choices()[0];
    const AnswerParts parts = parts_of(plan(), one.text);
    JsonWriter json;
    begin_message(json);
    json.key("content").begin_array();
    if (!one.thinking.empty()) write_thought(json, one.thinking);
    if (!parts.text.empty()) write_words(json, parts.text);
    // What was cut is no object, and nobody is to run it.
    for (size_t i = 0; i < parts.calls.size(); ++i)
      if (parts.calls[i].whole) write_call(json, i, parts.calls[i].name, parts.calls[i].arguments);
    json.end_array();
    write_stop(json, parts.calls.empty()        ? Called::nothing
                     : parts.calls.back().whole ? Called::whole
                                                : Called::cut);
    write_usage(json);
    if (plan().keeper) write_state(json);
    return json.end_object().text();
  }

  void write_stop(JsonWriter& json, Called called) const {
    const Choice& one = choices()[0];
    const std::string_view reason = reason_name(one.finish, called);
    const bool by_string = reason == "stop" && !one.stop_string.empty();
    json.member("stop_reason", reason == "length"       ? "max_tokens"
                               : reason == "tool_calls" ? "tool_use"
                               : by_string              ? "stop_sequence"
                                                        : "end_turn");
    json.key("stop_sequence");
    by_string ? json.value(one.stop_string) : json.null();
  }

  static void write_words(JsonWriter& json, std::string_view text) {
    json.begin_object().member("type", "text").member("text", text).end_object();
  }
  // Thoughts come back from nowhere, so that nothing signs them.
  static void write_thought(JsonWriter& json, std::string_view text) {
    json.begin_object().member("type", "thinking").member("thinking", text);
    json.member("signature", "").end_object();
  }
  // `input`: JSON.
  void write_call(JsonWriter& json, size_t number, std::string_view name,
                  std::string_view input) const {
    json.begin_object().member("type", "tool_use");
    json.member("id", "toolu_" + call_id(plan().id, 0, number).substr(5));
    json.member("name", name).key("input").raw(input);
    json.end_object();
  }

  bool keeps_entry(const Event&, bool) const override { return false; }

  Host& host_;
  std::optional<text::CallReader> reader_;
  bool begun_ = false;
  int64_t created_ = 0;
  // Of a stream.
  Block open_ = Block::none;
  int64_t index_ = 0;
  size_t calls_ = 0;
};

}  // namespace

std::shared_ptr<Reply> make_message_reply(ReplyPlan plan, Host& host) {
  return std::make_shared<MessageReply>(std::move(plan), host);
}

}  // namespace skein::server
