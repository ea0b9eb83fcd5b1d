#include "server/routes/response_reply.h"

#include <ctime>
#include <utility>

namespace skein::server {
namespace {

class ResponseReply final : public TextReply {
 public:
  ResponseReply(ReplyPlan given, ResponsePlan response, const Responses& responses)
      : TextReply(std::move(given)), response_(std::move(response)), responses_(responses) {
    if (plan().calls) reader_.emplace(*plan().calls);
    if (!plan().stream) return;
    // With the whole request in them: made before the queue is asked, which must not wait for it.
    for (const char* name : {"response.created", "response.in_progress"})
      opening_ += event_text(name, [&](JsonWriter& json) {
        write_response(json.key("response"), response_,
                       {.created = created(), .stored = response_.store}, {});
      });
  }

 private:
  struct Place {  // of an item that is being told
    size_t index = 0;
    std::string id;
  };

  std::string_view object(bool) const override { return "response"; }
  bool keeps_all() const override { return true; }
  bool keeps_entry(const Event& event, bool thought) const override {
    return plan().logprobs && event.id >= 0 && !thought;
  }
  void write_opening() override { answer().write(std::exchange(opening_, {})); }
  // Tokens of calls have no place for their probabilities: they are no message's.
  void told(size_t index, const Event& event, const Generation& generation) override {
    TextReply::told(index, event, generation);
    if (!plan().stream && reader_) count_entries(reader_->push(event.text));
  }
  void count_entries(const std::vector<text::CallReader::Piece>& pieces) {
    for (const auto& piece : pieces)
      if (piece.kind == text::CallReader::Piece::Kind::text)
        message_entries_ = choices()[0].entries.size();
  }
  // How many of the first tokens are the message's.
  size_t message_entries() const {
    return reader_ && reader_->calls() > 0 ? message_entries_ : choices()[0].entries.size();
  }

  // ---- The events of a stream, on the host's thread.
  void write_event(size_t, const Event& event, size_t fresh) override {
    if (!event.thinking.empty()) {
      if (!thought_) open_thought();
      tell(summarised() ? "response.reasoning_summary_text.delta" : "response.reasoning_text.delta",
           *thought_, [&](JsonWriter& json) { json.member("delta", event.thinking); });
    }
    if (reader_) return tell_pieces(reader_->push(event.text));
    if (!event.text.empty() || fresh > 0) tell_text(event.text);
  }

  // With the tokens that nobody was told of: those of text that was held back, too.
  void tell_text(std::string_view text) {
    if (!message_) open_message();
    const size_t from = std::exchange(told_entries_, choices()[0].entries.size());
    tell("response.output_text.delta", *message_, [&](JsonWriter& json) {
      json.member("delta", text);
      write_logprobs(json, from, told_entries_);
    });
  }

  void tell_pieces(const std::vector<text::CallReader::Piece>& pieces) {
    using Kind = text::CallReader::Piece::Kind;
    count_entries(pieces);
    for (const auto& piece : pieces) switch (piece.kind) {
        case Kind::text: tell_text(piece.text); break;
        case Kind::call: open_call(piece.text); break;
        case Kind::arguments:
          call_.arguments += piece.text;
          tell_of_call("response.function_call_arguments.delta",
                       [&](JsonWriter& json) { json.member("delta", piece.text); });
          break;
        case Kind::end: close_call(true); break;
      }
  }

  void open_call(const std::string& name) {
    close_thought();
    close_message();
    close_call(false);
    call_ = {.name = name, .arguments = {}, .whole = false};
    call_place_ = call_at(calls_++);
    item_event("response.output_item.added", *call_place_,
               [&](JsonWriter& json) { write_call(json, calls_ - 1, call_, "in_progress"); });
  }

  void close_call(bool whole) {
    if (!call_place_) return;
    call_.whole = whole;
    tell_of_call("response.function_call_arguments.done", [&](JsonWriter& json) {
      json.member("name", call_.name).member("arguments", call_.arguments);
    });
    item_event("response.output_item.done", *call_place_, [&](JsonWriter& json) {
      write_call(json, calls_ - 1, call_, whole ? "completed" : "incomplete");
    });
    call_place_.reset();
  }

  // Behind the thought and the message, as far as they are there.
  Place call_at(size_t number) const {
    const size_t index = (thought_ ? 1 : 0) + (message_ ? 1 : 0) + number;
    return {index, item_id("fc", response_.id, index, false)};
  }

  template <typename F>
  void tell_of_call(std::string_view type, F write) {
    answer().write(event_text(type, [&](JsonWriter& json) {
      json.member("item_id", call_place_->id);
      json.member("output_index", static_cast<int64_t>(call_place_->index));
      write(json);
    }));
  }

  void open_thought() {
    thought_ = Place{0, item_id("rs", response_.id, 0, false)};
    item_event("response.output_item.added", *thought_,
               [&](JsonWriter& json) { write_thought(json, "in_progress", std::nullopt); });
    tell(summarised() ? "response.reasoning_summary_part.added" : "response.content_part.added",
         *thought_, [&](JsonWriter& json) { write_thought_part(json.key("part"), ""); });
  }

  void close_thought() {
    if (!thought_ || std::exchange(thought_closed_, true)) return;
    const std::string& text = choices()[0].thinking;
    const bool summary = summarised();
    tell(summary ? "response.reasoning_summary_text.done" : "response.reasoning_text.done",
         *thought_, [&](JsonWriter& json) { json.member("text", text); });
    tell(summary ? "response.reasoning_summary_part.done" : "response.content_part.done", *thought_,
         [&](JsonWriter& json) { write_thought_part(json.key("part"), text); });
    item_event("response.output_item.done", *thought_,
               [&](JsonWriter& json) { write_thought(json, item_status(!has_message()), text); });
  }

  void open_message() {
    close_thought();
    const size_t index = thought_ ? 1 : 0;
    message_ = Place{index, item_id("msg", response_.id, index, false)};
    item_event("response.output_item.added", *message_, [&](JsonWriter& json) {
      begin_message(json, message_->id, "in_progress");
      json.end_array().end_object();
    });
    tell("response.content_part.added", *message_,
         [&](JsonWriter& json) { write_text_part(json.key("part"), "", 0); });
  }

  void close_message() {
    if (!message_ || std::exchange(message_closed_, true)) return;
    const Choice& one = choices()[0];
    const std::string text = parts_of(plan(), one.text).text;
    tell("response.output_text.done", *message_, [&](JsonWriter& json) {
      json.member("text", text);
      write_logprobs(json, 0, message_entries());
    });
    tell("response.content_part.done", *message_,
         [&](JsonWriter& json) { write_text_part(json.key("part"), text, message_entries()); });
    item_event("response.output_item.done", *message_,
               [&](JsonWriter& json) { write_message(json, message_->id, text); });
  }

  // ---- The end, on a worker's thread.
  void write_end() override {
    if (reader_) tell_pieces(reader_->finish());
    // What was held back to the end brought no text.
    if (reader_ && calls_ == 0 && told_entries_ < choices()[0].entries.size()) tell_text("");
    if (calls_ == 0 && has_message() && !message_) open_message();
    close_thought();
    close_message();
    close_call(false);
    const std::string object = whole();
    answer().write(event_text(incomplete() ? "response.incomplete" : "response.completed",
                              [&](JsonWriter& json) { json.key("response").raw(object); }));
    answer().end();
  }

  // Kept before it is told of, so that it can be gone on from at once.
  std::string whole() override {
    const std::vector<ResponseItem> output = items();
    StoredResponse kept{.id = response_.id,
                        .previous = response_.previous,
                        .json = object_text(output, response_.store),
                        .goes_on = response_.goes_on,
                        .input = std::move(response_.input),
                        .output = output,
                        .prompt_state = {},
                        .state = {}};
    if (plan().keeper) {
      kept.prompt_state = plan().keeper->prompt_id();
      kept.state = plan().keeper->answer_id(0);
    }
    if (!response_.store || responses_.keep(kept)) return std::move(kept.json);
    return object_text(output, false);
  }

  std::string object_text(const std::vector<ResponseItem>& output, bool stored) const {
    const Spent used = spent();
    JsonWriter json;
    write_response(json, response_,
                   {.status = incomplete() ? "incomplete" : "completed",
                    .created = created(),
                    .completed = static_cast<int64_t>(std::time(nullptr)),
                    .error = std::nullopt,
                    .tokens = ResponseOutcome::Tokens{.input = used.prompt,
                                                      .cached = used.cached,
                                                      .output = used.tokens,
                                                      .thoughts = used.thoughts},
                    .stored = stored},
                   output);
    return json.text();
  }

  void write_failure(const ApiError& error) override {
    answer().write(event_text("error", [&](JsonWriter& json) {
      json.member("code", error.code.empty() ? error_type(error.status) : error.code);
      json.member("message", error.message).key("param");
      error.param.empty() ? json.null() : json.value(error.param);
    }));
    answer().write(event_text("response.failed", [&](JsonWriter& json) {
      write_response(json.key("response"), response_,
                     {.status = "failed", .created = created(), .error = error}, {});
    }));
  }

  // ---- Items.
  bool incomplete() const { return choices()[0].finish == Finish::length; }
  bool summarised() const { return response_.summary.has_value(); }
  // A thought that the limit cut has no answer behind it.
  bool has_message() const {
    const Choice& one = choices()[0];
    return message_ || !one.text.empty() || !one.entries.empty() || one.thinking.empty() ||
           !incomplete();
  }
  std::string_view item_status(bool last) const {
    return last && incomplete() ? "incomplete" : "completed";
  }

  std::vector<ResponseItem> items() const {
    const Choice& one = choices()[0];
    std::vector<ResponseItem> out;
    if (!one.thinking.empty()) {
      JsonWriter json;
      write_thought(json, item_status(!has_message()), one.thinking);
      out.push_back({item_id("rs", response_.id, 0, false), json.text(), std::nullopt});
    }
    const AnswerParts parts = parts_of(plan(), one.text);
    if (parts.calls.empty() ? has_message() : !parts.text.empty()) {
      std::string id = item_id("msg", response_.id, out.size(), false);
      JsonWriter json;
      write_message(json, id, parts.text);
      out.push_back(
          {std::move(id), json.text(), Said{.role = text::Role::assistant, .text = parts.text}});
    }
    for (size_t i = 0; i < parts.calls.size(); ++i) add_call(out, i, parts.calls[i]);
    return out;
  }

  void add_call(std::vector<ResponseItem>& out, size_t number, const AnswerCall& call) const {
    std::string id = item_id("fc", response_.id, out.size(), false);
    JsonWriter json;
    write_call(json, number, call, call.whole ? "completed" : "incomplete", id);
    out.push_back({std::move(id), json.text(),
                   Said{.role = text::Role::assistant,
                        .text = text::render_call(*plan().calls, call.name, call.arguments),
                        .call = true}});
  }

  void write_call(JsonWriter& json, size_t number, const AnswerCall& call,
                  std::string_view status) const {
    write_call(json, number, call, status, call_place_->id);
  }
  void write_call(JsonWriter& json, size_t number, const AnswerCall& call, std::string_view status,
                  std::string_view id) const {
    json.begin_object().member("id", id).member("type", "function_call").member("status", status);
    json.member("call_id", call_id(response_.id, 0, number)).member("name", call.name);
    json.member("arguments", call.arguments).end_object();
  }

  void write_thought_part(JsonWriter& json, std::string_view text) const {
    json.begin_object().member("type", summarised() ? "summary_text" : "reasoning_text");
    json.member("text", text).end_object();
  }
  void write_thought(JsonWriter& json, std::string_view status,
                     const std::optional<std::string>& text) const {
    json.begin_object().member("id", item_id("rs", response_.id, 0, false));
    json.member("type", "reasoning").member("status", status);
    for (const bool summary : {true, false}) {
      json.key(summary ? "summary" : "content").begin_array();
      if (text && summary == summarised()) write_thought_part(json, *text);
      json.end_array();
    }
    json.end_object();
  }

  static void begin_message(JsonWriter& json, std::string_view id, std::string_view status) {
    json.begin_object().member("id", id).member("type", "message").member("status", status);
    json.member("role", "assistant").key("content").begin_array();
  }
  void write_message(JsonWriter& json, std::string_view id, std::string_view text) const {
    begin_message(json, id, item_status(true));
    write_text_part(json, text, message_entries());
    json.end_array().end_object();
  }
  void write_text_part(JsonWriter& json, std::string_view text, size_t entries) const {
    json.begin_object().member("type", "output_text").member("text", text);
    json.key("annotations").begin_array().end_array();
    write_logprobs(json, 0, entries);
    json.end_object();
  }
  void write_logprobs(JsonWriter& json, size_t begin, size_t end) const {
    json.key("logprobs").begin_array();
    const std::vector<Entry>& entries = choices()[0].entries;
    for (size_t i = begin; i < end; ++i) {
      json.begin_object();
      write_token(json, entries[i].id, entries[i].logprob.value_or(0));
      json.key("top_logprobs").begin_array();
      for (const TokenProbability& top : entries[i].top) {
        write_token(json.begin_object(), top.id, top.logprob);
        json.end_object();
      }
      json.end_array().end_object();
    }
    json.end_array();
  }

  // ---- Events.
  template <typename F>
  std::string event_text(std::string_view type, F write) {
    JsonWriter json;
    json.begin_object().member("type", type).member("sequence_number", sequence_++);
    write(json);
    return fmt::format("event: {}\ndata: {}\n\n", type, json.end_object().text());
  }
  // About an item.
  template <typename F>
  void item_event(std::string_view type, const Place& place, F write_item) {
    answer().write(event_text(type, [&](JsonWriter& json) {
      json.member("output_index", static_cast<int64_t>(place.index));
      write_item(json.key("item"));
    }));
  }
  // About its one part.
  template <typename F>
  void tell(std::string_view type, const Place& place, F write) {
    const bool summary = summarised() && thought_ && &place == &*thought_;
    answer().write(event_text(type, [&](JsonWriter& json) {
      json.member("item_id", place.id);
      json.member("output_index", static_cast<int64_t>(place.index));
      json.member(summary ? "summary_index" : "content_index", 0);
      write(json);
    }));
  }

  ResponsePlan response_;
  const Responses responses_;
  std::string opening_;
  int64_t sequence_ = 0;
  std::optional<Place> thought_, message_;  // told of in a stream
  bool thought_closed_ = false, message_closed_ = false;
  std::optional<text::CallReader> reader_;  // where there are calls
  size_t message_entries_ = 0;              // with it: tokens up to the last of text
  size_t told_entries_ = 0;                 // of a stream
  std::optional<Place> call_place_;         // of the call that is being told
  AnswerCall call_;
  size_t calls_ = 0;  // told of in a stream
};

}  // namespace

std::shared_ptr<Reply> make_response_reply(ReplyPlan plan, ResponsePlan response,
                                           const Responses& responses) {
  return std::make_shared<ResponseReply>(std::move(plan), std::move(response), responses);
}

}  // namespace skein::server
