#include "run/generate.h"

#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <cmath>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "base/finite.h"

namespace skein {

using text::Decision;
using text::StopMatcher;

std::string_view finish_name(Finish finish) {
  switch (finish) {
    case Finish::running: return "running";
    case Finish::stop: return "stop";
    case Finish::end_of_text: return "end_of_text";
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

Result<Generation> Generation::start(Session& session, const text::Tokenizer* tokenizer,
                                     Sampler sampler, const GenerateOptions& options) {
  if (LogitBounds* rough = session.rough_logits()) SK_TRY_STATUS(rough->make_all_exact());
  if (session.logits().empty())
    return fail(Code::argument, "nothing was read yet, so there is nothing to continue");
  const text::StopOptions& stop = options.stops;
  if (!tokenizer &&
      (stop.chat || !stop.stop_strings.empty() || stop.policy != text::StopPolicy::none))
    return fail(Code::argument, "stop strings need a vocabulary; name its file with --vocab");
  if (options.drafter && (options.draft < 1 || options.draft > Lookahead::kMostGuesses))
    return fail(Code::argument, "{} guesses in a pass; it has to be 1 to {}", options.draft,
                Lookahead::kMostGuesses);
  SK_TRY(StopMatcher stops, StopMatcher::create(options.stops));
  return Generation(session, tokenizer, std::move(sampler), options, std::move(stops));
}

Generation::Generation(Session& session, const text::Tokenizer* tokenizer, Sampler sampler,
                       const GenerateOptions& options, StopMatcher stops)
    : session_(&session),
      ahead_(session, options.drafter, options.drafter ? static_cast<size_t>(options.draft) : 0,
             options.draft_cost),
      start_(session.state().tokens_read()),
      tokenizer_(tokenizer),
      sampler_(std::move(sampler)),
      options_(options),
      stops_(std::move(stops)),
      has_planes_(session.model().info().two_plane != TwoPlane::off && !options.drafter &&
                  !options.all_logits && !options.logprobs && !sampler_.needs_all_logits()),
      kept_(session.state()) {
  recent_.reserve(static_cast<size_t>(2 * kKeepEvery));
  if (options_.max_tokens == 0) finish_ = Finish::length;
}

Status Generation::next(Event& event) {
  event.id = -1;
  event.forced = false;
  event.thinking.clear();
  event.text.clear();
  event.top.clear();
  event.finish = finish_;
  if (finish_ != Finish::running) return {};
  const bool timed = pending_ >= 0 && may_be_rough();
  const auto start = std::chrono::steady_clock::now();
  Status status = read_pending(event);
  const bool rough = ahead_.rough_logits() != nullptr;
  if (status && finish_ == Finish::running) status = choose(event);
  if (timed)
    way_.learn(rough ? FasterWay::kSecond : FasterWay::kFirst,
               std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  if (!status) {
    finish_ = Finish::interrupted;
    // A token after which there are no numbers is never read.
    if (status.error().code == Code::corrupt) pending_ = -1;
    // The first error is the one to be told; where this fails too, the state has read less.
    static_cast<void>(go_back(read_));
    read_ = static_cast<int64_t>(session_->state().tokens_read() - start_);
  }
  event.finish = finish_;
  return status;
}

Status Generation::read_pending(Event& event) {
  if (pending_ < 0) return {};
  keep_state();
  SK_TRY_STATUS(ahead_.feed(pending_, guesses_allowed(), choose_rough()));
  pending_ = -1;
  ++read_;
  if (!asked_) return {};
  asked_ = false;
  StopMatcher::Step step = stops_.resolve(next_turn_is_likely());
  if (step.decision == Decision::stop) return end(Finish::stop, std::move(step), event);
  show(std::move(step), event);
  return {};
}

// How many guesses could come true: none where the next tokens are decided already or an end is
// near, and never more than what would be the last token but one.
size_t Generation::guesses_allowed() const {
  if (asked_ || !forced_.empty()) return 0;
  if (options_.max_tokens < 0) return static_cast<size_t>(options_.draft);
  return static_cast<size_t>(std::max<int64_t>(options_.max_tokens - count_ - 1, 0));
}

// Whether the next token's logits need not be known exactly, and nobody has to wait for a second
// plane that a short answer would not pay for.
bool Generation::may_be_rough() const {
  constexpr int64_t kWorthMaking = 64;
  return has_planes_ && !asked_ && (session_->model().has_second_plane() || count_ >= kWorthMaking);
}

bool Generation::choose_rough() {
  if (!may_be_rough()) return false;
  // Without room for the plane it goes on as before.
  if (!session_->prepare_rough()) has_planes_ = false;
  const bool always = session_->model().info().two_plane == TwoPlane::on;
  return has_planes_ && (always || way_.choose() == FasterWay::kSecond);
}

// Takes event.id from the logits.
Status Generation::draw(Event& event) {
  LogitBounds* rough = ahead_.rough_logits();
  if (rough && !rough->all_exact()) {
    SK_TRY(event.id, sampler_.sample(*rough, ahead_.tokens_read()));
    exact_ += static_cast<double>(rough->exact_groups()) / rough->groups();
    return {};
  }
  SK_TRY(event.id, sampler_.sample(ahead_.logits(), ahead_.tokens_read()));
  return {};
}

Status Generation::choose(Event& event) {
  const LogitBounds* bounds = ahead_.rough_logits();
  const bool rough = bounds && !bounds->all_exact();
  if (rough) ++rough_;
  // Bounds that are no numbers leave it to the logits themselves to say what is wrong.
  if (!(rough && bounds->finite()) && !fingerprint_.add(ahead_.logits())) {
    if (read_ == 0)
      return fail(Code::corrupt, "the model's numbers are not finite after what it read");
    SK_TRY_STATUS(go_back(read_ - 1));
    return fail(Code::corrupt,
                "the model's numbers are not finite any more after {} generated tokens; the state "
                "stands before the last of them",
                count_);
  }
  event.forced = !forced_.empty();
  if (event.forced) {
    event.id = forced_.back();
    forced_.pop_back();
  } else {
    SK_TRY_STATUS(draw(event));
    if (tokenizer_ ? tokenizer_->is_end(event.id) : event.id == kEndOfDocument[0]) {
      event.id = -1;
      return end(Finish::end_of_text, stops_.finish(), event);
    }
  }
  if (options_.logprobs) find_likeliest(event);
  sampler_.accept(event.id);
  pending_ = event.id;
  recent_.push_back(event.id);
  ++count_;

  if (stops_.thinking()) ++thoughts_;
  StopMatcher::Step step =
      stops_.push(tokenizer_ ? tokenizer_->bytes_of(event.id) : std::string_view());
  if (step.decision == Decision::stop) return end(Finish::stop, std::move(step), event);
  asked_ = step.decision == Decision::ask;
  show(std::move(step), event);
  if (count_ == options_.max_tokens) return end(Finish::length, stops_.finish(), event);
  if (options_.think_budget >= 0 && !closed_thought_ && stops_.thinking() &&
      thoughts_ >= std::max<int64_t>(options_.think_budget, 1)) {
    closed_thought_ = true;
    SK_TRY(forced_, tokenizer_->encode("\n</think>"));
    std::reverse(forced_.begin(), forced_.end());
  }
  return {};
}

void Generation::keep_state() {
  const auto certain = static_cast<int64_t>(stops_.restore_point());
  const State& state = ahead_.known_state();
  const auto at = static_cast<int64_t>(state.tokens_read() - start_);
  if (at > certain || at <= kept_at_) return;
  const bool may_end_here = count_ > certain && at == certain;
  if (!may_end_here && at - kept_at_ < kKeepEvery) return;
  recent_.erase(recent_.begin(), recent_.begin() + (at - kept_at_));
  kept_ = state;
  kept_at_ = at;
}

// Makes the state one that has read the first `count` generated tokens.
Status Generation::go_back(int64_t count) {
  SK_CHECK(count >= kept_at_);
  const bool lost = session_->state().lost();
  if (count == read_ && !lost) return ahead_.settle();
  const State* from = &kept_;
  int64_t from_at = kept_at_;
  const State& known = ahead_.known_state();
  if (const auto at = static_cast<int64_t>(known.tokens_read() - start_);
      !known.lost() && at > kept_at_ && at <= count) {
    from = &known;
    from_at = at;
  }
  const auto ids = std::span(recent_).subspan(static_cast<size_t>(from_at - kept_at_),
                                              static_cast<size_t>(count - from_at));
  read_ = from_at;
  SK_TRY_STATUS(ahead_.restart(*from, ids));
  read_ = count;
  return {};
}

Status Generation::end(Finish finish, StopMatcher::Step step, Event& event) {
  finish_ = finish;
  show(std::move(step), event);
  show_rest(event);
  if (finish != Finish::stop) return ahead_.settle();
  pending_ = -1;
  return go_back(static_cast<int64_t>(stops_.restore_point()));
}

Status Generation::interrupt(Event& event) {
  event = Event();
  Status status;
  if (finish_ == Finish::running) status = end(Finish::interrupted, stops_.finish(), event);
  event.finish = finish_;
  return status;
}

void Generation::resume(int64_t more) {
  SK_CHECK(finish_ == Finish::length || finish_ == Finish::interrupted);
  options_.max_tokens = more < 0 ? -1 : count_ + more;
  finish_ = more == 0 ? Finish::length : Finish::running;
}

Result<std::vector<int32_t>> Generation::settle() {
  std::vector<int32_t> ids;
  if (finish_ == Finish::stop && !unread_text().empty()) {
    SK_TRY(ids, tokenizer_->encode(unread_text()));
  } else if (pending_ >= 0) {
    ids.assign(recent_.begin() + (read_ - kept_at_), recent_.end());
  }
  if (!ids.empty()) SK_TRY_STATUS(session_->feed(ids));
  pending_ = -1;
  return ids;
}

void Generation::show(StopMatcher::Step step, Event& event) {
  if (!step.thinking.empty()) event.thinking += thinking_.push(step.thinking);
  if (!step.text.empty()) event.text += text_.push(step.text);
}

// A character that was not completed. It stays, so that what resumes can complete it.
void Generation::show_rest(Event& event) const {
  event.thinking += text::Utf8Stream(thinking_).flush();
  event.text += text::Utf8Stream(text_).flush();
}

bool Generation::next_turn_is_likely() {
  if (!options_.profile || !tokenizer_) return true;
  const std::span<const float> logits = ahead_.logits();
  probabilities_.resize(logits.size());
  const float largest = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const float logit : logits) sum += std::exp(static_cast<double>(logit) - largest);
  for (size_t i = 0; i < logits.size(); ++i)
    probabilities_[i] =
        static_cast<float>(std::exp(static_cast<double>(logits[i]) - largest) / sum);
  return text::role_holds_mass(probabilities_, *tokenizer_, *options_.profile);
}

void Generation::find_likeliest(Event& event) const {
  const std::span<const float> logits = ahead_.logits();
  const float largest = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const float logit : logits) sum += std::exp(static_cast<double>(logit) - largest);
  const double shift = largest + std::log(sum);
  const auto logprob = [&](int32_t id) {
    return static_cast<double>(logits[static_cast<size_t>(id)]) - shift;
  };
  event.logprob = logprob(event.id);
  const auto better = [](const TokenProbability& a, const TokenProbability& b) {
    return a.logprob != b.logprob ? a.logprob > b.logprob : a.id < b.id;
  };
  // A heap whose front is the worst of the best so far.
  const auto wanted = static_cast<size_t>(std::max(options_.top_logprobs, 0));
  for (int32_t id = 0; wanted > 0 && id < static_cast<int32_t>(logits.size()); ++id) {
    const TokenProbability candidate = {id, logprob(id)};
    if (event.top.size() == wanted) {
      if (!better(candidate, event.top.front())) continue;
      std::pop_heap(event.top.begin(), event.top.end(), better);
      event.top.pop_back();
    }
    event.top.push_back(candidate);
    std::push_heap(event.top.begin(), event.top.end(), better);
  }
  std::sort_heap(event.top.begin(), event.top.end(), better);
}

}  // namespace skein
