#include "run/generate.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "base/finite.h"

namespace skein {

using text::Decision;
using text::StopMatcher;

namespace {

// Whoever took the last one left his own behind.
void clear(Event& event) noexcept {
  event.id = event.ending = -1;
  event.forced = false;
  event.thinking.clear();
  event.text.clear();
  event.top.clear();
}

}  // namespace

std::string_view finish_name(Finish finish) {
  switch (finish) {
    case Finish::running: return "running";
    case Finish::stop: return "stop";
    case Finish::end_of_text: return "end_of_text";
    case Finish::complete: return "complete";
    case Finish::length: return "length";
    case Finish::interrupted: return "interrupted";
  }
  return "";
}

Sampling sampling_of(const text::SamplerDefaults& defaults) {
  // The table writes 0.3f and means 0.3.
  const auto meant = [](float value) { return std::round(static_cast<double>(value) * 1e6) / 1e6; };
  Sampling sampling;
  sampling.temperature = meant(defaults.temperature);
  sampling.top_p = meant(defaults.top_p);
  sampling.top_k = defaults.top_k;
  sampling.presence = meant(defaults.presence);
  sampling.frequency = meant(defaults.frequency);
  sampling.penalty_decay = meant(defaults.decay);
  return sampling;
}

bool LogitsFingerprint::add(std::span<const float> logits) {
  // Four independent multiply chains, because one would cost as much as a small model's layer.
  // Whole numbers only, in a fixed order: the same on every machine.
  constexpr uint64_t kMultiplier = 0x9e3779b97f4a7c15;
  std::array<uint64_t, 4> lanes = {value_, 1, 2, 3};
  bool finite = true;
  for (size_t i = 0; i < logits.size(); ++i) {
    const auto bits = std::bit_cast<uint32_t>(logits[i]);
    finite = finite && is_finite(bits);
    uint64_t& lane = lanes[i % 4];
    lane = (lane ^ bits) * kMultiplier;
    lane ^= lane >> 29;
  }
  for (const uint64_t lane : lanes) {
    value_ = (value_ ^ lane) * kMultiplier;
    value_ ^= value_ >> 32;
  }
  return finite;
}

double token_logprob(std::span<const float> logits, int32_t id, size_t count,
                     std::vector<TokenProbability>& top) {
  const double shift = log_sum_exp(logits);
  const auto logprob = [&](int32_t each) {
    return static_cast<double>(logits[static_cast<size_t>(each)]) - shift;
  };
  const auto better = [](const TokenProbability& a, const TokenProbability& b) {
    return a.logprob != b.logprob ? a.logprob > b.logprob : a.id < b.id;
  };
  // A heap whose front is the worst of the best so far.
  top.clear();
  for (int32_t each = 0; count > 0 && each < static_cast<int32_t>(logits.size()); ++each) {
    const TokenProbability candidate = {each, logprob(each)};
    if (top.size() == count) {
      if (!better(candidate, top.front())) continue;
      std::pop_heap(top.begin(), top.end(), better);
      top.pop_back();
    }
    top.push_back(candidate);
    std::push_heap(top.begin(), top.end(), better);
  }
  std::sort_heap(top.begin(), top.end(), better);
  return logprob(id);
}

Result<std::shared_ptr<Generation>> Generation::start(Session& session,
                                                      std::span<const int32_t> prompt,
                                                      const text::Tokenizer* tokenizer,
                                                      Sampler sampler,
                                                      const GenerateOptions& options) {
  SK_TRY_STATUS(session.check(prompt));
  if (prompt.empty()) {
    if (LogitBounds* rough = session.rough_logits()) SK_TRY_STATUS(rough->make_all_exact());
    if (session.logits().empty())
      return fail(Code::argument, "nothing was read yet, so there is nothing to continue");
  }
  const text::StopOptions& stop = options.stops;
  if (!tokenizer &&
      (stop.chat || !stop.stop_strings.empty() || stop.policy != text::StopPolicy::none))
    return fail(Code::argument, "stop strings need a vocabulary; name its file with --vocab");
  if (!tokenizer && options.constraint)
    return fail(Code::argument, "a constraint needs a vocabulary; name its file with --vocab");
  if (options.drafter && (options.draft < 1 || options.draft > Lookahead::kMostGuesses))
    return fail(Code::argument, "{} guesses in a pass; it has to be 1 to {}", options.draft,
                Lookahead::kMostGuesses);
  SK_TRY(StopMatcher stops, StopMatcher::create(options.stops));
  return std::shared_ptr<Generation>(
      new Generation(session, prompt, tokenizer, std::move(sampler), options, std::move(stops)));
}

Generation::Generation(Session& session, std::span<const int32_t> prompt,
                       const text::Tokenizer* tokenizer, Sampler sampler,
                       const GenerateOptions& options, StopMatcher stops)
    : session_(&session),
      prompt_(prompt.begin(), prompt.end()),
      ahead_(session, options.drafter, options.drafter ? static_cast<size_t>(options.draft) : 0,
             options.draft_cost),
      tokenizer_(tokenizer),
      sampler_(std::move(sampler)),
      options_(options),
      stops_(std::move(stops)),
      has_planes_(session.model().info().two_plane != TwoPlane::off && !options.drafter &&
                  !options.all_logits && !options.logprobs && !sampler_.needs_all_logits()),
      kept_(session.state()) {
  recent_.reserve(static_cast<size_t>(2 * kKeepEvery));
  told_events_.resize(1);
  if (!prompt_.empty()) {
    reads_ = Reads::prompt;
    return;
  }
  ahead_.restart(session.logits());
  begin_text();
}

// What comes next is the first generated token.
void Generation::begin_text() {
  start_ = session_->state().tokens_read();
  kept_ = session_->state();
  if (options_.max_tokens == 0) finish_ = Finish::length;
}

bool Generation::take(Event& event) {
  if (!waits_.load(std::memory_order_acquire)) return false;
  std::swap(event, told_events_[taken_++]);
  if (taken_ == filled_) {
    taken_ = filled_ = 0;
    waits_.store(false, std::memory_order_release);
  }
  return true;
}

// Without memory for it the logits of the end are not known, which is no more than that.
void Generation::keep_row(std::span<const float> row) noexcept {
  try {
    session_->keep_logits(row);
  } catch (const std::bad_alloc&) {
  }
}

void Generation::add_event() {
  event_.finish = finish_;
  event_.count = count_ + (event_.ending >= 0 ? 1 : 0);
  event_.certain_count = certain_count();
  event_.thought_count = thoughts_;
  if (filled_ == told_events_.size()) told_events_.emplace_back();
  std::swap(event_, told_events_[filled_++]);
  told_ = count_;
}

Task::Next Generation::tell() {
  add_event();
  const bool ends = finish_ != Finish::running;
  // An end leaves the row of the last token read to whoever goes on from there.
  if (ends && !ahead_.ahead() && !ahead_.logits().empty()) {
    keep_row(ahead_.logits());
    ahead_.restart(session_->logits());
  }
  waits_.store(true, std::memory_order_release);
  return ends ? Next::end : Next::event;
}

Reading Generation::reading() {
  switch (reads_) {
    case Reads::prompt:
      return {.session = session_, .tokens = std::span(prompt_).subspan(prompt_read())};
    case Reads::token: return ahead_.reading();
    case Reads::missing: return {.session = session_, .tokens = missing_, .exact = true};
    case Reads::closing:
    case Reads::rescue: return {.session = session_, .tokens = again_, .exact = true};
    case Reads::nothing: break;
  }
  SK_CHECK(false);
}

Task::Next Generation::next(Scratch& scratch) {
  if (waits_.load(std::memory_order_acquire)) return Next::waiting;
  if (reads_ == Reads::prompt && take_cancel()) {
    reads_ = Reads::nothing;
    finish_ = Finish::interrupted;
    return tell();
  }
  if (reads_ != Reads::nothing) return Next::reading;
  if (finish_ != Finish::running) return Next::end;
  clear(event_);
  if (take_cancel()) {
    ahead_.forget_passing_logits();
    end(Finish::interrupted, stops_.finish());
    return reads_ != Reads::nothing ? Next::reading : tell();
  }
  return go_on(scratch);
}

// The last token is read before the next one is chosen; where a guess was right, it was.
Task::Next Generation::go_on(Scratch& scratch) {
  if (unread().empty() || is_decided()) return follow(choose(scratch), scratch);
  keep_state();
  timed_ = may_be_rough();
  asked_rough_ = choose_rough();
  if (!ahead_.push(unread(), guesses_allowed(scratch), asked_rough_)) return after_token(scratch);
  reads_ = Reads::token;
  return Next::reading;
}

Task::Next Generation::after_token(Scratch& scratch) {
  read_ = count_;
  Status status = asked_ ? resolve(scratch) : Status();
  if (status && finish_ == Finish::running) status = choose(scratch);
  return follow(std::move(status), scratch);
}

// The event is ready, unless its end lies back, and so are those of what is decided already.
Task::Next Generation::follow(Status status, Scratch& scratch) {
  for (;; status = choose(scratch)) {
    if (!status) return give_up(std::move(status));
    if (reads_ != Reads::nothing) return Next::reading;
    if (finish_ != Finish::running || !is_decided()) return tell();
    add_event();
    clear(event_);
  }
}

Task::Next Generation::took(Done done, Scratch& scratch) {
  switch (std::exchange(reads_, Reads::nothing)) {
    case Reads::prompt: {
      if (!done.status) return give_up(std::move(done.status));
      const size_t read = prompt_read() + done.tokens;
      prompt_read_.store(read, std::memory_order_relaxed);
      if (read < prompt_.size()) {
        reads_ = Reads::prompt;
        return next(scratch);
      }
      ahead_.restart(done.logits);
      begin_text();
      if (finish_ != Finish::running) return tell();
      // Also where a cancel has come: these logits are to be had now.
      clear(event_);
      return go_on(scratch);
    }
    case Reads::token: {
      // A plane that there is no room for, or that the head's numbers do not allow.
      if (asked_rough_ && done.seconds && !done.rough) has_planes_ = false;
      auto again = ahead_.took(done);
      if (!again) return give_up(tl::unexpected(std::move(again).error()));
      if (!*again) return after_token(scratch);
      reads_ = Reads::token;
      return Next::reading;
    }
    case Reads::closing:
      if (!done.status) return give_up(std::move(done.status));
      read_ = back_to_;
      ahead_.restart(done.logits);
      return tell();
    case Reads::rescue:
      // The first error is the one to be told; where this fails too, the state has read less.
      read_ = static_cast<int64_t>(session_->state().tokens_read() - start_);
      ahead_.restart(done.status ? done.logits : std::span<const float>());
      return tell();
    case Reads::missing:
      if (!done.status) {
        settled_ = tl::unexpected(std::move(done.status).error());
        return Next::end;
      }
      settled_ = true;
      keep_row(done.logits);
      return Next::end;
    case Reads::nothing: break;
  }
  SK_CHECK(false);
}

// An error ends it. What can be done is done for read_count() to be true, and it is true.
Task::Next Generation::give_up(Status status) {
  const bool in_prompt = prompt_read() < prompt_.size();
  // A token after which there are no numbers is never read.
  if (status.error().code == Code::corrupt) leaves_unread_ = true;
  const bool first = status_.has_value();
  if (first) status_ = std::move(status);
  finish_ = Finish::interrupted;
  if (in_prompt) return tell();
  if (first) plan_back(read_);
  if (reads_ != Reads::nothing) {
    reads_ = Reads::rescue;
    return Next::reading;
  }
  read_ = static_cast<int64_t>(session_->state().tokens_read() - start_);
  return tell();
}

// A token that no event told is taken back. What the state has read is what it says; settle() reads
// the rest of what was told.
void Generation::abandon() noexcept {
  reads_ = Reads::nothing;
  clear(event_);
  ahead_.drop_guesses();
  for (; count_ > told_; --count_) recent_.pop_back();
  if (prompt_read() == prompt_.size())
    read_ = static_cast<int64_t>(session_->state().tokens_read() - start_);
  asked_ = false;
  status_ = no_memory();
  finish_ = Finish::interrupted;
  // There is room for it, or the one before becomes the last.
  if (filled_ < told_events_.size()) ++filled_, clear(told_events_[filled_ - 1]);
  told_events_[filled_ - 1].finish = finish_;
  waits_.store(true, std::memory_order_release);
}

void Generation::spent(double seconds) {
  if (timed_) way_.learn(asked_rough_ ? FasterWay::kSecond : FasterWay::kFirst, seconds);
  timed_ = false;
}

Status Generation::resolve(Scratch& scratch) {
  asked_ = false;
  StopMatcher::Step step = stops_.resolve(next_turn_is_likely(scratch));
  if (step.decision == Decision::stop)
    end(Finish::stop, std::move(step));
  else
    show(std::move(step));
  return {};
}

// How many guesses could come true: none where the next tokens are decided already or an end is
// near, and never more than what would be the last token but one.
size_t Generation::guesses_allowed(const Scratch& scratch) const {
  if (asked_ || !forced_.empty()) return 0;
  if (options_.max_tokens < 0) return scratch.guesses;
  const auto left = static_cast<size_t>(std::max<int64_t>(options_.max_tokens - count_ - 1, 0));
  return std::min(left, scratch.guesses);
}

// Whether the next token's logits need not be known exactly, and nobody has to wait for a second
// plane that a short answer would not pay for.
bool Generation::may_be_rough() const {
  constexpr int64_t kWorthMaking = 64;
  return has_planes_ && !asked_ && (session_->model().has_second_plane() || count_ >= kWorthMaking);
}

bool Generation::choose_rough() {
  if (!may_be_rough()) return false;
  const bool always = session_->model().info().two_plane == TwoPlane::on;
  return always || way_.choose() == FasterWay::kSecond;
}

// Takes event_.id from the logits.
Status Generation::draw(Scratch& scratch) {
  LogitBounds* rough = ahead_.rough_logits();
  if (rough && !rough->all_exact()) {
    SK_TRY(event_.id,
           sampler_.sample(*rough, ahead_.tokens_read(), scratch.sampling, allowed(scratch)));
    exact_ += static_cast<double>(rough->exact_groups()) / rough->groups();
    return {};
  }
  SK_TRY(event_.id,
         sampler_.sample(logits(), ahead_.tokens_read(), scratch.sampling, allowed(scratch)));
  return {};
}

// Where the text may end, so do the ids that end it, whatever else they stand for.
Allowed Generation::allowed(Scratch& scratch) const {
  if (!options_.constraint) return {};
  SK_CHECK(mask_);
  if (!may_end_) return mask_->ids.bits();
  const auto bits = mask_->ids.bits();
  scratch.allowed.assign(bits.begin(), bits.end());
  const auto add = [&](std::span<const int32_t> ends) {
    for (const int32_t id : ends)
      if (const auto i = static_cast<size_t>(id); i / 64 < scratch.allowed.size())
        scratch.allowed[i / 64] |= uint64_t{1} << i % 64;
  };
  add(tokenizer_->ends());
  add(options_.ends);
  return scratch.allowed;
}

// What the constraint says of the next token.
Status Generation::look_ahead() {
  SK_TRY(forced_, constraint()->forced());
  std::reverse(forced_.begin(), forced_.end());
  if (!forced_.empty()) return {};
  SK_TRY(mask_, constraint()->mask());
  SK_TRY(may_end_, constraint()->can_end());
  if (mask_->allowed == 1 && !may_end_) forced_ = {mask_->only};
  return {};
}

// Of the last token read, all of them exact.
std::span<const float> Generation::logits() {
  return ahead_.rough_logits() ? session_->logits() : ahead_.logits();
}

// Bounds that are no numbers leave it to the logits themselves to say what is wrong.
Status Generation::check_numbers() {
  const LogitBounds* bounds = ahead_.rough_logits();
  const bool rough = bounds && !bounds->all_exact();
  if (rough) ++rough_;
  if (!rough && logits().empty())
    return fail(Code::argument, "nothing was read since it was set back, so nothing follows");
  const bool finite = (rough && bounds->finite()) ||
                      (options_.fingerprint ? fingerprint_.add(logits()) : all_finite(logits()));
  if (!finite) {
    if (read_ == 0)
      return fail(Code::corrupt, "the model's numbers are not finite after what it read");
    --read_;  // what give_up() goes back to
    return fail(Code::corrupt,
                "the model's numbers are not finite any more after {} generated tokens; the state "
                "stands before the last of them",
                count_);
  }
  return {};
}

Status Generation::choose(Scratch& scratch) {
  if (constraint() && forced_.empty() && !mask_) SK_TRY_STATUS(look_ahead());
  if (!is_decided()) SK_TRY_STATUS(check_numbers());
  event_.forced = !forced_.empty();
  if (event_.forced) {
    event_.id = forced_.back();
    forced_.pop_back();
  } else {
    SK_TRY_STATUS(draw(scratch));
  }
  if (options_.logprobs)
    event_.logprob = token_logprob(
        logits(), event_.id, static_cast<size_t>(std::max(options_.top_logprobs, 0)), event_.top);
  if (!event_.forced && ends_text(event_.id) && !(mask_ && mask_->ids[event_.id])) {
    event_.ending = std::exchange(event_.id, -1);
    end(Finish::end_of_text, stops_.finish());
    return {};
  }
  return place(event_.id);
}

// The token stands in the text: what of it is to be shown, and whether it ends here.
Status Generation::place(int32_t id) {
  bool over = false;
  if (constraint()) {
    SK_TRY(const bool fits, constraint()->accept(id));
    if (!fits)
      return fail(Code::argument,
                  "the end of a thought is forced where the constraint allows none");
    SK_TRY(over, constraint()->must_end());
    mask_.reset();
  }
  sampler_.accept(id, constraint() != nullptr);
  recent_.push_back(id);
  ++count_;

  if (stops_.thinking()) ++thoughts_;
  StopMatcher::Step step = stops_.push(tokenizer_ ? tokenizer_->bytes_of(id) : std::string_view());
  if (step.decision == Decision::stop) {
    end(Finish::stop, std::move(step));
    return {};
  }
  asked_ = step.decision == Decision::ask;
  show(std::move(step));
  if (over) {
    end(Finish::complete, stops_.finish());
    return {};
  }
  if (count_ == options_.max_tokens) {
    end(Finish::length, stops_.finish());
    return {};
  }
  if (options_.think_budget >= 0 && !closed_thought_ && stops_.thinking() &&
      thoughts_ >= std::max<int64_t>(options_.think_budget, 1)) {
    closed_thought_ = true;
    SK_TRY(forced_, tokenizer_->encode("\n</think>"));
    std::reverse(forced_.begin(), forced_.end());
  }
  return constraint() && forced_.empty() ? look_ahead() : Status();
}

bool Generation::ends_text(int32_t id) const {
  const std::vector<int32_t>& more = options_.ends;
  return (tokenizer_ ? tokenizer_->is_end(id) : id == kEndOfDocument[0]) ||
         std::find(more.begin(), more.end(), id) != more.end();
}

void Generation::keep_state() {
  const auto certain = static_cast<int64_t>(stops_.restore_point());
  const State& state = ahead_.known_state();
  const auto at = static_cast<int64_t>(state.tokens_read() - start_);
  if (at > certain || at <= kept_at_) return;
  const bool may_end_here = count_ > certain && at == certain;
  if (!may_end_here && at - kept_at_ < kKeepEvery) return;
  kept_ = state;
  recent_.erase(recent_.begin(), recent_.begin() + (at - kept_at_));
  kept_at_ = at;
}

// For a state that has read the first `count` generated tokens: sets it back and says what has to
// be read from there, if anything has.
void Generation::plan_back(int64_t count) {
  SK_CHECK(count >= kept_at_);
  const State& known = ahead_.known_state();
  const auto known_at = static_cast<int64_t>(known.tokens_read() - start_);
  const bool usable = !known.lost() && known_at >= kept_at_ && known_at <= count;
  if (usable && known_at == count && !ahead_.ahead()) {
    read_ = count;
    return;
  }
  read_ = usable ? known_at : kept_at_;
  again_ = std::span(recent_).subspan(static_cast<size_t>(read_ - kept_at_),
                                      static_cast<size_t>(count - read_));
  back_to_ = count;
  if (usable)
    ahead_.drop_guesses();
  else
    session_->restore(kept_), ahead_.restart({});
  if (!again_.empty()) reads_ = Reads::closing;
}

void Generation::end(Finish finish, StopMatcher::Step step) {
  finish_ = finish;
  show(std::move(step));
  show_rest();
  if (finish == Finish::stop) leaves_unread_ = true;
  plan_back(finish == Finish::stop ? static_cast<int64_t>(stops_.restore_point()) : read_);
}

void Generation::resume(int64_t more) {
  SK_CHECK(finish_ == Finish::length || finish_ == Finish::interrupted);
  static_cast<void>(take_cancel());  // it may have come too late
  options_.max_tokens = more < 0 || more > INT64_MAX - count_ ? -1 : count_ + more;
  clear(event_);
  leaves_unread_ = false;
  finish_ = more == 0 ? Finish::length : Finish::running;
  if (prompt_read() < prompt_.size()) reads_ = Reads::prompt;
}

void Generation::stay_ended(Finish finish) {
  finish_ = finish;
  reads_ = Reads::nothing;
}

Result<std::vector<int32_t>> Generation::settle() {
  SK_CHECK(finish_ != Finish::running);
  if (settled_ && *settled_) return std::vector<int32_t>();
  settled_ = false;
  missing_.clear();
  if (finish_ == Finish::stop && !unread_text().empty()) {
    SK_TRY(missing_, tokenizer_->encode(unread_text()));
  } else {
    missing_.assign(unread().begin(), unread().end());
  }
  if (missing_.empty())
    settled_ = true;
  else
    reads_ = Reads::missing;
  return missing_;
}

void Generation::show(StopMatcher::Step step) {
  if (!step.thinking.empty()) event_.thinking += thinking_.push(step.thinking);
  if (!step.text.empty()) event_.text += text_.push(step.text);
}

// A character that was not completed. It stays, so that what resumes can complete it.
void Generation::show_rest() {
  event_.thinking += text::Utf8Stream(thinking_).flush();
  event_.text += text::Utf8Stream(text_).flush();
}

bool Generation::next_turn_is_likely(Scratch& scratch) {
  if (!options_.profile || !tokenizer_) return true;
  softmax(logits(), scratch.probabilities);
  return text::role_holds_mass(scratch.probabilities, *tokenizer_, *options_.profile);
}

}  // namespace skein
