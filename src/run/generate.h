// Token after token of a session, as events: text in whole characters, thoughts apart, and an end
// with an exact account of what the state has read.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "constrain/matcher.h"
#include "run/faster_way.h"
#include "run/lookahead.h"
#include "run/sampler.h"
#include "run/task.h"
#include "text/stops.h"
#include "text/utf8_stream.h"

namespace skein {

enum class Finish : uint8_t {
  running,
  stop,         // a stop string, or the end of the turn
  end_of_text,  // the model drew a token that ends a document or a turn
  complete,     // of what the constraint allows nothing can follow
  length,       // max_tokens
  interrupted,  // by interrupt(), or by an error
};
// "stop", "end_of_text", "complete", "length", "interrupted".
std::string_view finish_name(Finish finish);

// A profile's starting values.
Sampling sampling_of(const text::SamplerDefaults& defaults);

struct TokenProbability {
  int32_t id = 0;
  double logprob = 0;  // natural logarithm, of the model's own distribution
};

// The logarithm of the probability of `id`, and in `top` the likeliest tokens, the best first and
// of equals the lowest id first: `count` of them.
double token_logprob(std::span<const float> logits, int32_t id, size_t count,
                     std::vector<TokenProbability>& top);

// What one token brought. Views and vectors belong to the caller's Event, which is used again.
struct Event {
  int32_t id = -1;            // drawn or forced; -1: the step only ended the generation
  bool forced = false;        // nothing else could stand there, so that none was drawn
  int64_t count = 0;          // Generation::count() with it, and so on: several events
  int64_t certain_count = 0;  // may come of one step
  int64_t thought_count = 0;
  std::string thinking;               // to be shown now, before `text`; whole characters
  std::string text;                   // to be shown now; whole characters
  int32_t ending = -1;                // of end_of_text: the token that said so
  double logprob = 0;                 // of `id` or `ending`, when asked for
  std::vector<TokenProbability> top;  // the likeliest, best first, when asked for
  Finish finish = Finish::running;    // otherwise this is the last event
};

struct GenerateOptions {
  int64_t max_tokens = -1;  // negative: no limit
  text::StopOptions stops{};
  const text::Profile* profile = nullptr;  // StopPolicy::tentative asks it; may be null otherwise
  // Tokens of thought after which the thought is closed; negative: no limit, 0 counts as 1 (the
  // think mode `fake` is the way to have none).
  int64_t think_budget = -1;
  std::vector<int32_t> ends{};  // tokens that end the text, beside those of the vocabulary
  // Holds the answer to a grammar: only tokens that it allows are drawn, and ends only where it may
  // end. Where one token alone can follow it is taken and not drawn, and the answer ends where
  // nothing can. Stops look at the text as ever, so they have to fit it.
  std::optional<constrain::Matcher> constraint{};
  bool logprobs = false;
  int32_t top_logprobs = 0;  // how many alternatives to report
  // Guesses what comes, so that one pass may bring several tokens; null: none. It has seen what the
  // session has read and outlives the generation. Tokens, logits and states are the same with it.
  Drafter* drafter = nullptr;
  int64_t draft = 16;                  // guesses in a pass, 1 to Lookahead::kMostGuesses
  std::optional<double> draft_cost{};  // see DraftLength; how many are tried is then reproducible
  // Every logit is computed, so that there is a fingerprint of all of them, also where a two-plane
  // head would find the token without.
  bool all_logits = false;
  // Of all logits; where it is of no use it costs a tenth of the choice of a token.
  bool fingerprint = true;
};

// A 64-bit number that names logits by their bits: equal on every machine that computes the same.
class LogitsFingerprint {
 public:
  // False if one of them is not finite; it counts all the same.
  bool add(std::span<const float> logits);
  uint64_t value() const { return value_; }

 private:
  uint64_t value_ = 0;
};

// The loop as a machine: an Engine reads what it wants read, and it makes an event of what comes of
// that. Memory does not grow with the number of tokens.
//
// What the state has read is read_count() of the generated tokens (drawn and forced ones, in the
// order of the events), after whatever the session had read before; while it runs the state may be
// elsewhere:
//   - after stop: those that belong to the answer as a whole. Never the stop. Where the answer ends
//     inside a token, unread_text() is the part of the answer before that.
//   - after complete, length and interrupted: all but the last, which was drawn and not read, and
//   those that
//     were forced after it.
//   - after end_of_text: all (the token that ends it is no event and is not read).
// settle() reads what is missing, so that the state stands for exactly what was shown.
//
// Whoever takes the events may be another thread than the engine's: between Next::event and the
// take() of the last event that waits the generation is his, and so it is after its last event.
class Generation final : public Task {
 public:
  // Reads `prompt` and goes on from there; without one the session must have logits. The session
  // outlives this and is its own until it has ended, like the tokenizer (null: ids only, no text,
  // no stop strings). Errors: argument (ids out of range, no logits, stop strings).
  static Result<std::shared_ptr<Generation>> start(Session& session,
                                                   std::span<const int32_t> prompt,
                                                   const text::Tokenizer* tokenizer,
                                                   Sampler sampler, const GenerateOptions& options);
  static Result<std::shared_ptr<Generation>> start(Session& session,
                                                   const text::Tokenizer* tokenizer,
                                                   Sampler sampler,
                                                   const GenerateOptions& options) {
    return start(session, {}, tokenizer, std::move(sampler), options);
  }

  // The next of the events that wait, if one does. The event's buffers are used again for a later
  // one.
  bool take(Event& event);
  // Ends it between two tokens, with the text that was held back: the event after those that may
  // wait is the last.
  void interrupt() { cancel(); }
  // After length or interrupted: go on as if it had not ended, for at most `more` tokens.
  void resume(int64_t more);
  // Takes that back, where no engine could have it.
  void stay_ended(Finish finish);
  // Reads what was shown and not read. The ids beyond read_count() tokens that this means: the last
  // ones, or those of unread_text(). The engine reads them (Engine::wait()), and settled() is
  // then true, or settle() may be called once more. Nothing can be resumed afterwards.
  Result<std::vector<int32_t>> settle();
  const Result<bool>& settled() const { return settled_; }

  // Of what ended it before its time: errors of Sampler::sample, Model::eval and of the
  // constraint (constrain::Matcher); corrupt when the
  // logits are not finite, and the state has then read the tokens before the one that did it.
  const Status& status() const { return status_; }
  // Events may still wait: the last of them says the same.
  Finish finish() const { return finish_; }
  std::span<const int32_t> prompt() const { return prompt_; }
  // From any thread.
  size_t prompt_read() const { return prompt_read_.load(std::memory_order_relaxed); }
  int64_t count() const { return count_; }  // tokens generated
  int64_t read_count() const { return read_; }
  // Of count(), those that belong to the answer whatever follows.
  int64_t certain_count() const { return static_cast<int64_t>(stops_.restore_point()); }
  int64_t thought_count() const { return thoughts_; }  // of count(), those inside a thought
  std::string_view unread_text() const { return stops_.remainder(); }
  // After stop: the stop string that did it; empty: it was the end of a turn.
  std::string_view stop_string() const { return stops_.stop_string(); }
  // None if logits stayed between bounds or nobody asked for it.
  std::optional<uint64_t> fingerprint() const {
    return rough_ > 0 || !options_.fingerprint ? std::nullopt : std::optional(fingerprint_.value());
  }
  int64_t rough_count() const { return rough_; }  // tokens drawn from logits between bounds
  // The share of the head that those have read exactly.
  double exact_share() const { return rough_ > 0 ? exact_ / static_cast<double>(rough_) : 0; }
  int64_t drafted_count() const { return ahead_.drafted(); }    // guesses tried
  int64_t accepted_count() const { return ahead_.accepted(); }  // guesses that saved a pass
  const Sampler& sampler() const { return sampler_; }

  Next next(Scratch& scratch) override;
  Reading reading() override;
  Next took(Done done, Scratch& scratch) override;
  void abandon() noexcept override;
  void spent(double seconds) override;

 private:
  // What is being read, and so what follows when it was.
  enum class Reads : uint8_t {
    nothing,
    prompt,
    token,    // the last one, with guesses: another one is chosen then
    closing,  // of an end that lies back: the last event goes out then
    rescue,   // after an error: so that read_count() is true
    missing,  // settle()
  };

  Generation(Session& session, std::span<const int32_t> prompt, const text::Tokenizer* tokenizer,
             Sampler sampler, const GenerateOptions& options, text::StopMatcher stops);

  void begin_text();
  void keep_row(std::span<const float> row) noexcept;
  void add_event();
  Next tell();
  Next give_up(Status status);
  Next go_on(Scratch& scratch);
  Next after_token(Scratch& scratch);
  Next follow(Status status, Scratch& scratch);
  size_t guesses_allowed(const Scratch& scratch) const;
  // Generated, and to be read next.
  std::span<const int32_t> unread() const {
    if (leaves_unread_) return {};
    return std::span(recent_).subspan(static_cast<size_t>(read_ - kept_at_));
  }
  // Whether the next token is known without what the model makes of those before.
  bool is_decided() const { return !forced_.empty() && !asked_ && !options_.logprobs; }
  bool may_be_rough() const;
  bool choose_rough();
  Status resolve(Scratch& scratch);
  Status choose(Scratch& scratch);
  Status check_numbers();
  Status place(int32_t id);
  Status look_ahead();
  constrain::Matcher* constraint() { return options_.constraint ? &*options_.constraint : nullptr; }
  Allowed allowed(Scratch& scratch) const;
  Status draw(Scratch& scratch);
  std::span<const float> logits();
  void keep_state();
  void plan_back(int64_t count);
  void end(Finish finish, text::StopMatcher::Step step);
  void show(text::StopMatcher::Step step);
  void show_rest();
  bool next_turn_is_likely(Scratch& scratch);
  bool ends_text(int32_t id) const;

  Session* session_;
  std::vector<int32_t> prompt_;
  std::atomic<size_t> prompt_read_{0};
  Lookahead ahead_;
  uint64_t start_ = 0;  // tokens that the session had read before the first generated one
  const text::Tokenizer* tokenizer_;
  Sampler sampler_;
  GenerateOptions options_;
  text::StopMatcher stops_;
  text::Utf8Stream text_;
  text::Utf8Stream thinking_;
  Finish finish_ = Finish::running;
  Status status_;
  Result<bool> settled_ = false;
  LogitsFingerprint fingerprint_;
  bool has_planes_;
  FasterWay way_;
  bool asked_rough_ = false;  // of the last token's reading
  bool timed_ = false;        // whether the faster way is to learn of it
  int64_t rough_ = 0;
  double exact_ = 0;

  Event event_;                     // the one that is being made
  std::vector<Event> told_events_;  // [0, filled_) wait for take(), from taken_ on
  size_t filled_ = 0, taken_ = 0;
  std::atomic<bool> waits_{false};  // for take()

  Reads reads_ = Reads::nothing;
  std::span<const int32_t> again_{};  // what closing and rescue read
  std::vector<int32_t> missing_;
  int64_t back_to_ = 0;  // generated tokens that have been read then

  int64_t count_ = 0;
  int64_t told_ = 0;  // of those, in events
  int64_t read_ = 0;
  int64_t thoughts_ = 0;
  bool leaves_unread_ = false;   // what was not read is never read
  bool asked_ = false;           // the stops want to know what follows the last token
  std::vector<int32_t> forced_;  // to come, last first
  bool closed_thought_ = false;
  constrain::MaskPtr mask_;  // of the next token, once it is known
  bool may_end_ = false;     // the constraint allows it here

  // Going back is copying a state and reading the few tokens since. The copy is made where an end
  // may turn out to be, and otherwise every kKeepEvery tokens.
  static constexpr int64_t kKeepEvery = 64;
  State kept_;
  int64_t kept_at_ = 0;          // generated tokens it has read
  std::vector<int32_t> recent_;  // generated since
};

}  // namespace skein
