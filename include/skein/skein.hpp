// Skein for C++17: skein.h with objects that free themselves and exceptions for failures.
//
// Everything here is inline and stands on the C functions, whose comments in skein.h say what they
// do, what may fail, which threads may call and what a forked process may do. What differs on this
// side of the border:
//
//   - a failure is an exception of type skein::Error, which has the C API's code and sentence;
//   - State and Sampler are values: copying one clones it, == compares every bit;
//   - buffers are vectors, and where ids or bytes are taken, anything with data() and size() will
//   do.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "skein/models.hpp"

namespace skein {
inline namespace v0 {

enum class Language : int32_t {
  schema = SK_LANGUAGE_SCHEMA,
  object = SK_LANGUAGE_OBJECT,
  regex = SK_LANGUAGE_REGEX,
  grammar = SK_LANGUAGE_GRAMMAR,
  kbnf = SK_LANGUAGE_KBNF,
};
enum class Whitespace : int32_t {
  bounded = SK_WHITESPACE_BOUNDED,
  compact = SK_WHITESPACE_COMPACT,
  any = SK_WHITESPACE_ANY,
};

// Which texts an answer may be.
class Constraint {
 public:
  // `flags` of SK_CONSTRAINT_*. The text of Language::object is empty.
  Constraint(const Vocabulary& vocabulary, Language language, std::string_view text,
             Whitespace whitespace = Whitespace::bounded, uint32_t flags = 0) {
    sk_constraint_params params = {};
    params.language = static_cast<int32_t>(language);
    params.text = text.data();
    params.text_size = text.size();
    params.whitespace = static_cast<int32_t>(whitespace);
    params.flags = flags;
    make(vocabulary, params);
  }
  // One of these texts.
  Constraint(const Vocabulary& vocabulary, const std::vector<std::string>& choices) {
    std::vector<const char*> texts;
    for (const std::string& text : choices) texts.push_back(text.c_str());
    sk_constraint_params params = {};
    params.language = SK_LANGUAGE_CHOICES;
    params.choices = texts.data();
    params.choice_count = texts.size();
    make(vocabulary, params);
  }

  const sk_constraint* get() const { return handle_.get(); }

 private:
  void make(const Vocabulary& vocabulary, sk_constraint_params& params) {
    params.size = sizeof params;
    sk_constraint* out = nullptr;
    detail::check(sk_constraint_new(vocabulary.get(), &params, &out));
    handle_.reset(out);
  }

  detail::Handle<sk_constraint, sk_constraint_free> handle_{};
};

// One text under a constraint, for who draws its tokens himself. Copying one makes a fork.
class Matcher {
 public:
  explicit Matcher(const Constraint& constraint) {
    sk_matcher* out = nullptr;
    detail::check(sk_matcher_new(constraint.get(), &out));
    handle_.reset(out);
  }
  Matcher(Matcher&&) noexcept = default;
  Matcher& operator=(Matcher&&) noexcept = default;
  Matcher(const Matcher& other) : handle_(clone(other.handle_.get())) {}
  Matcher& operator=(const Matcher& other) {
    if (this != &other) handle_.reset(clone(other.handle_.get()));
    return *this;
  }

  // Id n may come next if bit n % 64 of element n / 64 is set.
  std::vector<uint64_t> mask() {
    return detail::fetched<std::vector<uint64_t>>(
        [&](uint64_t* out, size_t capacity, size_t* count) {
          return sk_matcher_mask(get(), out, capacity, count);
        });
  }
  // False, and nothing has changed: it may not come.
  bool accept(int32_t id) {
    int32_t accepted = 0;
    detail::check(sk_matcher_accept(get(), id, &accepted));
    return accepted != 0;
  }
  bool read(std::string_view text) {
    int32_t accepted = 0;
    detail::check(sk_matcher_read(get(), text.data(), text.size(), &accepted));
    return accepted != 0;
  }
  bool can_end() {
    int32_t can = 0;
    detail::check(sk_matcher_end(get(), &can, nullptr));
    return can != 0;
  }
  bool must_end() {
    int32_t must = 0;
    detail::check(sk_matcher_end(get(), nullptr, &must));
    return must != 0;
  }
  std::vector<int32_t> forced() {
    return detail::fetched<std::vector<int32_t>>([&](int32_t* out, size_t capacity, size_t* count) {
      return sk_matcher_forced(get(), out, capacity, count);
    });
  }
  // It lives until the next change.
  std::string_view text() const {
    const char* text = nullptr;
    size_t size = 0;
    detail::check(sk_matcher_text(handle_.get(), &text, &size));
    return {text, size};
  }

  sk_matcher* get() { return handle_.get(); }

 private:
  static sk_matcher* clone(const sk_matcher* from) {
    sk_matcher* out = nullptr;
    detail::check(sk_matcher_clone(from, &out));
    return out;
  }

  detail::Handle<sk_matcher, sk_matcher_free> handle_{};
};

enum class Finish : int32_t {
  none = SK_FINISH_NONE,
  stop = SK_FINISH_STOP,
  end_of_text = SK_FINISH_END_OF_TEXT,
  length = SK_FINISH_LENGTH,
  cancelled = SK_FINISH_CANCELLED,
  error = SK_FINISH_ERROR,
  complete = SK_FINISH_COMPLETE,
};

struct Message {
  std::string role;  // "system", "user", "assistant" or "tool"
  std::string text;
};

// sk_generate_params, with strings of its own.
struct Request {
  std::vector<int32_t> prompt;    // or
  std::vector<Message> messages;  // a conversation that is to be answered
  std::string think;              // a way of thinking; empty: the model's own
  Sampling sampling;
  std::vector<std::string> stop;
  int64_t max_tokens = 0;    // 0: no limit
  int64_t think_budget = 0;  // 0: no limit
  int32_t draft = 0;
  bool logprobs = false;
  int32_t top_logprobs = 0;
  bool ids_only = false;
  const Constraint* constraint = nullptr;  // of the answer; it is only looked at by start()
  std::string constrained_text{};          // with a prompt: what stands of the answer already
};

// What a step brought. Its texts live until the generation's next event.
struct Event {
  int32_t id = -1;  // -1: none, only the end
  Finish finish = Finish::none;
  bool forced = false;
  std::string_view text{};
  std::string_view thinking{};
  double logprob = 0;
  View<sk_token_logprob> top{nullptr, 0};
};

class Engine;

// One text that goes on, turned by its engine. Freeing one that has not ended cancels it.
class Generation {
 public:
  // The event that waits, if one does. Throws what ended it, instead of its last event.
  bool poll(Event& event) {
    struct sk_event got = {};
    got.size = sizeof got;
    int32_t there = 0;
    detail::check(sk_generation_poll(get(), &got, &there));
    if (there != 0) event = converted(got);
    return there != 0;
  }
  // The next one, stepping the engine. Not after the last.
  Event next() {
    struct sk_event got = {};
    got.size = sizeof got;
    detail::check(sk_generation_next(get(), &got));
    return converted(got);
  }
  // All of the text from here to the end, stepping the engine.
  std::string rest() {
    std::string out;
    for (Finish finish = Finish::none; finish == Finish::none;) {
      const Event event = next();
      out += event.text;
      finish = event.finish;
    }
    return out;
  }
  void cancel() { detail::check(sk_generation_cancel(get())); }
  void resume(int64_t more = 0) { detail::check(sk_generation_resume(get(), more)); }
  struct sk_generation_info info() const {
    struct sk_generation_info out = {};
    out.size = sizeof out;
    detail::check(sk_generation_info(handle_.get(), &out));
    return out;
  }
  // What state() has read since it began. After the end.
  std::vector<int32_t> tokens() {
    return detail::fetched<std::vector<int32_t>>([&](int32_t* out, size_t capacity, size_t* count) {
      return sk_generation_tokens(get(), out, capacity, count);
    });
  }
  // Of exactly what was shown. After the end.
  State state() {
    sk_state* out = nullptr;
    detail::check(sk_generation_state(get(), &out));
    return State(out);
  }

  sk_generation* get() { return handle_.get(); }

 private:
  friend class Engine;
  explicit Generation(sk_generation* handle) : handle_(handle) {}

  static Event converted(const struct sk_event& from) {
    Event out;
    out.id = from.id;
    out.finish = static_cast<Finish>(from.finish);
    out.forced = from.forced != 0;
    out.text = {from.text, from.text_size};
    out.thinking = {from.thinking, from.thinking_size};
    out.logprob = from.logprob;
    out.top = {from.top, from.top_count};
    return out;
  }

  detail::Handle<sk_generation, sk_generation_free> handle_{};
};

// Turns any number of generations of one model together. It keeps what it needs of the model.
class Engine {
 public:
  explicit Engine(const Model& model, double patience = 0) {
    sk_engine_params params = {};
    params.size = sizeof params;
    params.patience = patience;
    sk_engine* out = nullptr;
    detail::check(sk_engine_new(model.get(), &params, &out));
    handle_.reset(out);
  }

  Generation start(const Request& request) { return start(request, nullptr); }
  // After `state`, which stays as it is.
  Generation start(const Request& request, const State& state) {
    return start(request, state.get());
  }
  // One step for all; false if there was nothing to do but for events that wait.
  bool step() {
    int32_t moved = 0;
    detail::check(sk_engine_step(get(), &moved));
    return moved != 0;
  }
  size_t active() const {
    size_t count = 0;
    detail::check(sk_engine_active(handle_.get(), &count));
    return count;
  }

  sk_engine* get() { return handle_.get(); }

 private:
  Generation start(const Request& request, const sk_state* state) {
    std::vector<sk_message> messages;
    for (const Message& message : request.messages)
      messages.push_back({message.role.c_str(), message.text.c_str()});
    std::vector<const char*> stop;
    for (const std::string& text : request.stop) stop.push_back(text.c_str());
    sk_generate_params params = {};
    params.size = sizeof params;
    params.flags =
        (request.ids_only ? SK_GENERATE_IDS : 0u) | (request.logprobs ? SK_GENERATE_LOGPROBS : 0u);
    params.prompt = request.prompt.data();
    params.prompt_count = request.prompt.size();
    params.messages = messages.data();
    params.message_count = messages.size();
    params.think = request.think.empty() ? nullptr : request.think.c_str();
    params.sampling = &request.sampling;
    params.stop = stop.data();
    params.stop_count = stop.size();
    params.max_tokens = request.max_tokens;
    params.think_budget = request.think_budget;
    params.draft = request.draft;
    params.top_logprobs = request.top_logprobs;
    params.constraint = request.constraint ? request.constraint->get() : nullptr;
    params.constrained_text = request.constrained_text.data();
    params.constrained_size = request.constrained_text.size();
    sk_generation* out = nullptr;
    detail::check(sk_generation_start(get(), state, &params, &out));
    return Generation(out);
  }

  detail::Handle<sk_engine, sk_engine_free> handle_{};
};

}  // namespace v0
}  // namespace skein
