#include "text/stops.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/limits.h"
#include "text/unicode.h"

namespace skein::text {
namespace {

constexpr std::string_view kThinkBegin = "<think";

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

}  // namespace

StopMatcher::Pattern::Pattern(std::string_view text) : literal(text), fallback(text.size(), 0) {
  for (size_t n = 1; n < literal.size(); ++n) {
    size_t length = fallback[n - 1];
    while (length > 0 && literal[n] != literal[length]) length = fallback[length - 1];
    if (literal[n] == literal[length]) ++length;
    fallback[n] = static_cast<uint16_t>(length);
  }
}

bool StopMatcher::Pattern::advance(char c) {
  while (matched > 0 && (matched == literal.size() || literal[matched] != c))
    matched = fallback[matched - 1];
  if (literal[matched] == c) ++matched;
  return matched == literal.size();
}

Result<StopMatcher> StopMatcher::create(const StopOptions& options) {
  if (options.stop_strings.size() > limits::kStopStrings)
    return fail(Code::argument, "{} stop strings are more than {}", options.stop_strings.size(),
                limits::kStopStrings);
  StopMatcher out;
  out.chat_ = options.chat;
  out.keeps_blanks_ = options.keeps_blanks;
  if (options.chat) {
    // The prompt's own text moves the phase and is no stop, so it passes before the stops are set.
    out.origin_ = -static_cast<int64_t>(options.opening.size());
    out.released_ = out.visible_end_ = out.origin_;
    out.enter(Phase::lead);
    Step ignored;
    for (const char c : options.opening) out.take(c, ignored);
  }
  out.policy_ = options.policy;
  for (const std::string& text : options.stop_strings) {
    if (text.empty()) return fail(Code::argument, "a stop string is empty");
    if (text.size() > limits::kStopBytes)
      return fail(Code::argument, "a stop string has {} bytes, more than {}", text.size(),
                  limits::kStopBytes);
    if (first_invalid_utf8(text) != std::string_view::npos)
      return fail(Code::argument, "the stop string '{}' is not valid UTF-8", escaped(text));
    out.stops_.emplace_back(text);
  }
  for (const std::string_view word : options.role_words) {
    for (const std::string_view colon : {":", "："}) {
      const std::string role = std::string(word) + std::string(colon);
      if (options.policy == StopPolicy::role) out.role_lines_.emplace_back("\n" + role);
      if (options.policy == StopPolicy::tentative) out.roles_.push_back(role);
    }
  }
  return out;
}

StopMatcher::Step StopMatcher::push(std::string_view token_bytes) {
  SK_CHECK(!stopped_);
  unanswered_ = false;
  Step step;
  for (const char c : token_bytes) take(c, step);
  token_ends_.push_back(now());
  return finish_push(std::move(step));
}

StopMatcher::Step StopMatcher::resolve(bool stop) {
  unanswered_ = false;
  if (stop && tentative_) stop_at(blank_begin_);
  return finish_push({});
}

StopMatcher::Step StopMatcher::finish() {
  Step step;
  release(strips() ? without_blanks(now()) : now(), step);
  forget();
  return step;
}

StopMatcher::Step StopMatcher::finish_push(Step step) {
  release(stopped_ ? end_ : held_from(), step);
  forget();
  // Once something visible follows the blank line, that says more than the distribution before it.
  if (stopped_) {
    step.decision = Decision::stop;
  } else if (tentative_ && unanswered_ && after_blank_.empty()) {
    step.decision = Decision::ask;
  }
  return step;
}

std::string_view StopMatcher::remainder() const { return between(certain_end_, released_); }

std::string_view StopMatcher::overshoot() const { return between(released_, now()); }

void StopMatcher::take(char c, Step& step) {
  stream_ += c;
  if (stopped_) return;
  switch (phase_) {
    case Phase::lead: take_lead(c); break;
    case Phase::thought: take_thought(c, step); break;
    case Phase::body: match(c, true); break;
  }
  if (!is_blank(c)) visible_end_ = now();
}

void StopMatcher::take_lead(char c) {
  if (is_blank(c) && tag_matched_ == 0) {
    match(c, !after_thought_);
    return;
  }
  match(c, true);
  if (stopped_) return;
  if (c != kThinkBegin[tag_matched_]) {
    phase_ = Phase::body;
  } else if (++tag_matched_ == kThinkBegin.size()) {
    released_ = now();
    enter(Phase::thought);
  }
}

void StopMatcher::take_thought(char c, Step& step) {
  if (!think_end_.advance(c)) return;
  release(without_blanks(now() - static_cast<int64_t>(think_end_.literal.size())), step);
  released_ = now();
  after_thought_ = true;
  enter(Phase::lead);
  tentative_ = policy_ == StopPolicy::tentative;  // with nobody to ask: only a role is an end here
  blank_begin_ = released_;
  after_blank_.clear();
}

void StopMatcher::enter(Phase phase) {
  phase_ = phase;
  phase_begin_ = released_;
  nothing_shown_ = true;
  tag_matched_ = 0;
  tentative_ = unanswered_ = false;
  for (Pattern& pattern : stops_) pattern.matched = 0;
  for (Pattern& pattern : role_lines_) pattern.matched = 0;
  blank_line_.matched = think_end_.matched = 0;
}

// `all` false: only a role ends the answer here, between a thought and what is visible after it.
void StopMatcher::match(char c, bool all) {
  int64_t begin = now();
  const auto advance = [&](Pattern& pattern) {
    if (!pattern.advance(c)) return false;
    const int64_t at = now() - static_cast<int64_t>(pattern.literal.size());
    return std::exchange(begin, std::min(begin, at)) > at;
  };
  for (Pattern& pattern : role_lines_) advance(pattern);
  if (all)
    for (size_t i = 0; i < stops_.size(); ++i)
      if (advance(stops_[i])) stopped_by_ = i;
  if (all && policy_ == StopPolicy::blank_line && advance(blank_line_)) stopped_by_ = SIZE_MAX;
  if (begin < now()) {
    stop_at(begin);
  } else if (policy_ == StopPolicy::tentative && (all || tentative_)) {
    match_after_blank_line(c);
  }
}

void StopMatcher::match_after_blank_line(char c) {
  const bool blank_line = blank_line_.advance(c);
  if (!tentative_) {
    if (!blank_line) return;
    tentative_ = unanswered_ = true;
    blank_begin_ = now() - static_cast<int64_t>(blank_line_.literal.size());
    if (strips()) blank_begin_ = without_blanks(blank_begin_);
    after_blank_.clear();
    return;
  }
  if (after_blank_.empty() && is_blank(c)) return;
  after_blank_ += c;
  const auto begins = [&](const std::string& role) { return role.starts_with(after_blank_); };
  if (std::none_of(roles_.begin(), roles_.end(), begins)) {
    tentative_ = unanswered_ = false;
  } else if (std::find(roles_.begin(), roles_.end(), after_blank_) != roles_.end()) {
    stop_at(blank_begin_);
  }
}

void StopMatcher::stop_at(int64_t match_begin) {
  stopped_ = true;
  end_ = strips() ? without_blanks(match_begin) : match_begin;
}

// What may still turn out to be the beginning of a stop or of a tag, or a blank at the end.
int64_t StopMatcher::held_from() const {
  if (phase_ == Phase::lead) return released_;
  if (phase_ == Phase::thought)
    return without_blanks(now() - static_cast<int64_t>(think_end_.matched));
  size_t held = blank_line_.matched;
  for (const Pattern& pattern : stops_) held = std::max(held, pattern.matched);
  for (const Pattern& pattern : role_lines_) held = std::max(held, pattern.matched);
  int64_t from = now() - static_cast<int64_t>(held);
  if (tentative_) from = std::min(from, blank_begin_);
  return strips() ? without_blanks(from) : from;
}

// The end of what is visible before `upto`.
int64_t StopMatcher::without_blanks(int64_t upto) const {
  if (upto >= visible_end_) return std::max(visible_end_, released_);
  while (upto > released_ && is_blank(at(upto - 1))) --upto;
  return upto;
}

void StopMatcher::release(int64_t upto, Step& step) {
  if (strips() && nothing_shown_ && released_ < upto) {
    if (phase_ == Phase::thought && released_ == phase_begin_ && at(released_) == '>') ++released_;
    while (released_ < upto && is_blank(at(released_))) ++released_;
  }
  if (released_ >= upto) return;
  nothing_shown_ = false;
  (phase_ == Phase::thought ? step.thinking : step.text) += between(released_, upto);
  released_ = upto;
}

void StopMatcher::forget() {
  while (!token_ends_.empty() && token_ends_.front() <= released_) {
    certain_end_ = token_ends_.front();
    token_ends_.pop_front();
    ++certain_tokens_;
  }
  const int64_t keep = std::min(released_, certain_end_);
  if (keep > origin_) {
    stream_.erase(0, static_cast<size_t>(keep - origin_));
    origin_ = keep;
  }
}

std::string_view StopMatcher::between(int64_t begin, int64_t end) const {
  if (end <= begin) return {};
  return std::string_view(stream_).substr(static_cast<size_t>(begin - origin_),
                                          static_cast<size_t>(end - begin));
}

}  // namespace skein::text
