// What answers have in common, whichever API's: choices that grow token by token, told at once at
// the end or as a stream. What is written here of its own accord is OpenAI's form; others have
// theirs in server/routes.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "server/host.h"
#include "server/site.h"
#include "server/state_trace.h"
#include "server/turn_keeper.h"
#include "server/workers.h"
#include "text/tools.h"

namespace skein::server {

// How the answer to a request is to be written.
struct ReplyPlan {
  std::shared_ptr<Exchange> exchange;
  const Host* host = nullptr;
  Workers* workers = nullptr;  // who writes what is long
  std::string id;              // "chatcmpl-..."
  bool stream = false;
  bool include_usage = false;
  int64_t ping_seconds = 0;
  size_t choices = 1;  // that are made
  size_t shown = 1;    // of each prompt's: the best of them
  size_t prompts = 1;
  int64_t prompt_tokens = 0;
  bool logprobs = false;
  size_t top = 0;
  bool echo = false;
  bool token_ids = false;
  bool ai00 = false;  // with what clients of Ai00 look for, beside the rest
  std::shared_ptr<const text::Profile> wording{};  // what the orders point to, where it is theirs
  const text::CallForm* calls = nullptr;  // how calls of functions stand in the answers, if at all
  std::vector<std::string> relaxed{};     // places in a schema that do not hold, as was asked for
  size_t opening_ids = 0;                 // of the prompt, that are the answers' already
  std::shared_ptr<TurnKeeper> keeper{};   // where answers become states with ids
  bool must_keep = true;                  // the answer fails where that does not succeed
  std::optional<TraceWish> trace{};       // of a stream of one answer: how it moves the state
  Source source{};                        // for whom those are read, where somebody wants them
};

// A letter of its own for every token: its text where that is one, "bytes:\xNN" where it is none,
// its name or number where it has no text.
std::string token_label(const text::Tokenizer& tokenizer, int32_t id);
// The bytes of all of them. An id that the vocabulary lacks has none, and takes no other's along.
std::string text_of(const text::Tokenizer& tokenizer, std::span<const int32_t> ids);
// "stop", "tool_calls" or "length".
enum class Called : uint8_t { nothing, whole, cut };  // the last call of an answer
std::string_view reason_name(Finish finish, Called called = Called::nothing);

// An answer with the calls of functions told apart from its text.
struct AnswerCall {
  std::string name, arguments;
  bool whole = false;
};
struct AnswerParts {
  std::string text;
  std::vector<AnswerCall> calls;
};
AnswerParts parts_of(const ReplyPlan& plan, const std::string& answer);
// "call_...", of the call of this number in a choice of the reply with this id.
std::string call_id(std::string_view reply, size_t choice, size_t call);

class TextReply : public Reply, public std::enable_shared_from_this<TextReply> {
 public:
  explicit TextReply(ReplyPlan plan);

  void accepted() override;
  bool gone() const override { return cut_ || answer().gone(); }
  bool full() const override { return plan_.stream && answer().full(); }
  void reused(const Order&, size_t tokens) override { cached_ += static_cast<int64_t>(tokens); }
  void read(const Order& order, Findings findings) override;
  bool watches() const override { return plan_.trace.has_value(); }
  void stands(size_t index, const State& state, int64_t tokens) override;
  void told(size_t index, const Event& event, const Generation& generation) override;
  void failed(const ApiError& error) override;
  void finished() override;

 protected:
  struct Entry {  // of a token
    int32_t id = 0;
    std::optional<double> logprob;  // none: it is the first of a prompt
    std::vector<TokenProbability> top;
  };
  struct Choice {
    std::string text, thinking;
    std::vector<Entry>
        entries;  // with logprobs or ids: of its tokens, behind the prompt's if echoed
    Finish finish = Finish::running;
    std::string stop_string;  // of the request, that ended it; empty: it was something else
    int64_t tokens = 0, thoughts = 0;  // with the one that ended it
    double logprobs = 0;               // their sum
  };

  const ReplyPlan& plan() const { return plan_; }
  Answer& answer() const { return *plan_.exchange->answer; }
  const text::Tokenizer& tokenizer() const { return plan_.host->tokenizer(); }
  const std::vector<Choice>& choices() const { return choices_; }
  Choice& choice(size_t index) { return choices_[index]; }

  // A stream's head: what kind of stream it is, and how it says that it lives.
  virtual Response stream_head() const { return {.type = "text/event-stream"}; }
  // "chat.completion" or "text_completion", and the same of a stream; of those that have chunk() or
  // whole() from here.
  virtual std::string_view object(bool /*chunk*/) const { return {}; }
  // Chunks that begin each choice.
  virtual void write_opening() {}
  // What an event brought: `fresh` entries at the end of the choice's, `thought`: of a thought.
  virtual void write_event(size_t index, const Event& event, size_t fresh) = 0;
  virtual bool keeps_entry(const Event& event, bool thought) const = 0;
  // A choice of an answer that is no stream.
  virtual void write_choice(JsonWriter&, size_t, size_t) {}
  // What a prompt that was read adds to each of its choices.
  virtual void take_prompt(const Order&, std::vector<TokenScore>) {}
  // Whether choices have all of their text and entries; of a stream otherwise only what is new.
  virtual bool keeps_all() const { return !plan_.stream; }
  // Whether the end of it is too long for the engine's thread to write.
  virtual bool ends_long() const { return keeps_all(); }

  // Where all of it is kept, on a worker's thread: the answer, or the end of a stream.
  virtual std::string whole();
  virtual void write_end();
  // In a stream, before it is closed.
  virtual void write_failure(const ApiError& error);

  // A chunk with one choice, whose members `write` writes.
  template <typename F>
  void chunk(F write) {
    JsonWriter json;
    begin_object(json, true);
    json.key("choices").begin_array();
    write(json);
    json.end_array();
    if (plan_.include_usage) json.key("usage").null();
    // Whoever leaves in the middle knows by then where to go on.
    if (plan_.keeper && !std::exchange(state_told_, true)) write_state(json);
    if (!traced_.empty()) json.key("state_trace").raw("[" + std::exchange(traced_, {}) + "]");
    send_chunk(json.end_object().text());
  }

  int64_t created() const { return created_; }
  struct Spent {  // tokens
    int64_t prompt = 0, cached = 0, tokens = 0, thoughts = 0;
  };
  Spent spent() const;
  struct Times {  // ms: until it was let in, until the prompts were read, and from then on
    double before_ms = 0, prompt_ms = 0, answer_ms = 0;
  };
  Times times() const;
  void write_timings(JsonWriter& json) const;
  void write_state(JsonWriter& json) const;  // with a keeper
  // Its label, probability and bytes, as members.
  void write_token(JsonWriter& json, int32_t id, double logprob) const;

 private:
  void conclude();
  void conclude_kept();
  void begin_object(JsonWriter& json, bool chunk) const;
  void send_chunk(const std::string& json);
  void write_usage(JsonWriter& json) const;
  std::vector<size_t> shown() const;

  const ReplyPlan plan_;
  const int64_t created_;
  std::vector<Choice> choices_;
  std::chrono::steady_clock::time_point accepted_at_{}, read_at_{}, last_at_{};
  int64_t cached_ = 0;  // tokens of prompts that were not read again
  int64_t total_ = 0;   // tokens of all choices
  size_t kept_bytes_ = 0;
  bool cut_ = false;
  bool state_told_ = false;
  std::optional<StateTrace> trace_;
  std::string traced_;  // that the next chunk brings
};

std::shared_ptr<Reply> make_chat_reply(ReplyPlan plan);
std::shared_ptr<Reply> make_completion_reply(ReplyPlan plan);

}  // namespace skein::server
