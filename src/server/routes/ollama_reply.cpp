#include "server/routes/ollama_reply.h"

#include <chrono>
#include <ctime>
#include <utility>

namespace skein::server {
namespace {

using Piece = text::CallReader::Piece;

std::string date_text(std::time_t seconds) {
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  char text[32];
  return {text, std::strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &parts)};
}

// JSON has line ends only between its parts, where a blank does as well.
std::string in_one_line(std::string json) {
  for (char& c : json)
    if (c == '\n' || c == '\r') c = ' ';
  return json;
}

class OllamaReply final : public TextReply {
 public:
  OllamaReply(ReplyPlan given, OllamaPlan wanted) : TextReply(std::move(given)), wanted_(wanted) {
    if (plan().calls) reader_.emplace(*plan().calls);
  }

 private:
  // Between two lines a blank means nothing.
  Response stream_head() const override {
    return {.type = "application/x-ndjson", .ping_text = " "};
  }
  bool ends_long() const override { return keeps_all() || wanted_.context; }
  bool keeps_entry(const Event& event, bool thought) const override {
    return plan().logprobs && event.id >= 0 && !thought;
  }

  void take_prompt(const Order& order, std::vector<TokenScore>) override {
    if (wanted_.context) context_ = order.prompt;
  }
  // Those that belong to the answer: where it ends inside a token, that part of it anew.
  void told(size_t index, const Event& event, const Generation& generation) override {
    if (wanted_.context) {
      if (event.id >= 0) ++generated_, context_.push_back(event.id);
      if (event.finish == Finish::stop) {
        const size_t beyond = generated_ - std::min(generated_, generation.read_count());
        context_.resize(context_.size() - static_cast<size_t>(beyond));
        const auto rest = tokenizer().encode(generation.unread_text());
        if (rest) context_.insert(context_.end(), rest->begin(), rest->end());
      }
    }
    TextReply::told(index, event, generation);
  }

  // ---- A stream, a line at a time.
  void write_event(size_t, const Event& event, size_t fresh) override {
    if (!event.thinking.empty()) write_line({}, event.thinking, 0);
    if (!plan().calls) {
      if (!event.text.empty() || fresh > 0) write_line(event.text, {}, fresh);
      return;
    }
    tell(reader_->push(event.text), fresh);
    if (event.finish != Finish::running) tell(reader_->finish(), 0);
  }

  // A call is told when it is whole: its arguments are an object here.
  void tell(const std::vector<Piece>& pieces, size_t fresh) {
    for (const Piece& piece : pieces) switch (piece.kind) {
        case Piece::Kind::text: write_line(piece.text, {}, std::exchange(fresh, 0)); break;
        case Piece::Kind::call: call_ = {piece.text, {}, false}; break;
        case Piece::Kind::arguments: call_.arguments += piece.text; break;
        case Piece::Kind::end: write_line({}, {}, std::exchange(fresh, 0), &call_); break;
      }
    if (fresh > 0) write_line({}, {}, fresh);
  }

  void write_line(std::string_view text, std::string_view thinking, size_t fresh,
                  const AnswerCall* call = nullptr) {
    JsonWriter json;
    begin(json);
    write_said(json, text, thinking, {call, call ? size_t{1} : 0});
    json.member("done", false);
    write_logprobs(json, fresh);
    answer().write(json.end_object().text() + "\n");
  }
  void write_end() override {
    answer().write(last(/*tells_all=*/false) + "\n");
    answer().end();
  }
  void write_failure(const ApiError& error) override {
    answer().write(error_text(error, ErrorForm::ollama) + "\n");
  }
  std::string whole() override { return last(/*tells_all=*/true); }

  // ---- What both have.
  void begin(JsonWriter& json) const {
    json.begin_object().member("model", tagged(plan().host->name()));
    json.member("created_at", time_text());
  }

  void write_said(JsonWriter& json, std::string_view text, std::string_view thinking,
                  std::span<const AnswerCall> calls) {
    if (wanted_.is_chat) json.key("message").begin_object().member("role", "assistant");
    json.member(wanted_.is_chat ? "content" : "response", text);
    if (!thinking.empty()) json.member("thinking", thinking);
    if (!calls.empty()) write_calls(json, calls);
    if (wanted_.is_chat) json.end_object();
  }
  void write_calls(JsonWriter& json, std::span<const AnswerCall> calls) {
    json.key("tool_calls").begin_array();
    for (const AnswerCall& call : calls) {
      json.begin_object().member("id", call_id(plan().id, 0, calls_)).key("function");
      json.begin_object().member("index", static_cast<int64_t>(calls_++));
      json.member("name", call.name).key("arguments").raw(in_one_line(call.arguments));
      json.end_object().end_object();
    }
    json.end_array();
  }

  // The answer, or the end of a stream of it.
  std::string last(bool tells_all) {
    const Choice& one = choices()[0];
    JsonWriter json;
    begin(json);
    bool cut = false;
    if (tells_all) {
      AnswerParts parts = parts_of(plan(), one.text);
      // The beginning of a call is nothing that could be called.
      cut = !parts.calls.empty() && !parts.calls.back().whole;
      if (cut) parts.calls.pop_back();
      write_said(json, parts.text, one.thinking, parts.calls);
    } else {
      cut = reader_ && reader_->inside();
      write_said(json, {}, {}, {});
    }
    json.member("done", true);
    json.member("done_reason", reason_name(one.finish, cut ? Called::cut : Called::nothing));
    if (wanted_.context) {
      json.key("context").begin_array();
      for (const int32_t id : context_) json.value(int64_t{id});
      json.end_array();
    }
    write_times(json);
    if (tells_all) write_logprobs(json, one.entries.size());
    return json.end_object().text();
  }

  // Nanoseconds.
  void write_times(JsonWriter& json) const {
    const auto in_ns = [](double ms) { return static_cast<int64_t>(ms * 1e6); };
    const auto [before, reading, answering] = times();
    const Spent used = spent();
    json.member("total_duration", in_ns(before + reading + answering));
    json.member("load_duration", in_ns(before)).member("prompt_eval_count", used.prompt);
    json.member("prompt_eval_duration", in_ns(reading)).member("eval_count", used.tokens);
    json.member("eval_duration", in_ns(answering));
  }

  void write_logprobs(JsonWriter& json, size_t count) const {
    if (!plan().logprobs || count == 0) return;
    const std::vector<Entry>& entries = choices()[0].entries;
    json.key("logprobs").begin_array();
    for (const Entry& entry : std::span(entries).last(count)) {
      json.begin_object();
      write_token(json, entry.id, entry.logprob.value_or(0));
      if (!entry.top.empty()) {
        json.key("top_logprobs").begin_array();
        for (const TokenProbability& top : entry.top) {
          write_token(json.begin_object(), top.id, top.logprob);
          json.end_object();
        }
        json.end_array();
      }
      json.end_object();
    }
    json.end_array();
  }

  const OllamaPlan wanted_;
  std::optional<text::CallReader> reader_;  // of a stream with calls
  AnswerCall call_;
  size_t calls_ = 0;              // told
  std::vector<int32_t> context_;  // of the prompt and what was generated
  int64_t generated_ = 0;         // of those
};

}  // namespace

std::string tagged(const std::string& name) {
  return name.find(':') == std::string::npos ? name + ":latest" : name;
}

std::string time_text() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const auto us = std::chrono::duration_cast<std::chrono::microseconds>(now).count();
  return fmt::format("{}.{:06}Z", date_text(static_cast<std::time_t>(us / 1000000)), us % 1000000);
}
std::string time_text(int64_t seconds) {
  return date_text(static_cast<std::time_t>(seconds)) + "Z";
}

std::shared_ptr<Reply> make_ollama_reply(ReplyPlan plan, OllamaPlan wanted) {
  return std::make_shared<OllamaReply>(std::move(plan), wanted);
}

}  // namespace skein::server
