#include "constrain/matcher.h"

#include <mutex>

namespace skein::constrain {
namespace {

using Config = Automaton::Config;
using Trouble = Automaton::Trouble;

// Of reading the whole text again.
constexpr uint64_t kMostAgainWork = 16 * Matcher::kMostCallWork;

}  // namespace

// Runs `what` on tables that nobody changes meanwhile, from where the text ends. Tables that are
// full are made anew, once; what does not fit into empty ones is an error.
template <typename What>
auto Matcher::locked(const What& what) -> Result<decltype(what())> {
  const Constraint& c = *constraint_;
  const std::lock_guard lock(c.mutex_);
  for (int attempt = 0;; ++attempt) {
    if (epoch_ != c.epoch_) find_place();
    if (c.automaton_.trouble() == Trouble::none) {
      c.automaton_.allow(kMostCallWork);
      auto value = what();
      if (c.automaton_.trouble() == Trouble::none) {
        c.held_ = c.automaton_.bytes_held() + c.masks_.bytes_held();
        return value;
      }
    }
    if (c.automaton_.trouble() == Trouble::items || attempt > 0) {
      const bool items = c.automaton_.trouble() == Trouble::items;
      c.automaton_.forgive();
      if (c.automaton_.spoiled()) begin_anew();
      return items ? fail(Code::unsupported,
                          "the answer has too many readings under its grammar at byte {}; make the "
                          "grammar less ambiguous",
                          text_.size())
                   : fail(Code::unsupported,
                          "at byte {} of the answer its grammar needs more memory than it may have",
                          text_.size());
    }
    begin_anew();
  }
}

void Matcher::begin_anew() {
  const Constraint& c = *constraint_;
  c.automaton_.reset();
  c.masks_.clear();
  ++c.epoch_;
}

void Matcher::find_place() {
  const Constraint& c = *constraint_;
  c.automaton_.allow(kMostAgainWork);
  config_ = c.automaton_.start();
  size_t at = 0;
  for (const TokenRead& token : tokens_) {
    config_ = read(config_, std::string_view(text_).substr(at, token.at - at));
    config_ = c.automaton_.next_token(config_, token.id);
    at = token.at;
  }
  config_ = read(config_, std::string_view(text_).substr(at));
  epoch_ = c.automaton_.trouble() == Trouble::none ? c.epoch_ : 0;
}

Config Matcher::read(Config from, std::string_view bytes) const {
  for (const char byte : bytes) {
    if (from == Automaton::kDead) break;
    from = constraint_->automaton_.next(from, static_cast<uint8_t>(byte));
  }
  return from;
}

Result<MaskPtr> Matcher::mask() {
  return locked([&] { return constraint_->masks_.of(config_); });
}

Result<MaskPtr> Matcher::walked_mask() {
  return locked([&] { return constraint_->masks_.walked(config_); });
}

Result<bool> Matcher::accept(int32_t id) {
  const std::string_view bytes = constraint_->words().bytes_of(id);
  return locked([&] {
    Automaton& automaton = constraint_->automaton_;
    const Config by_token =
        automaton.has_tokens(config_) ? automaton.next_token(config_, id) : Automaton::kDead;
    const Config by_bytes = bytes.empty() ? Automaton::kDead : read(config_, bytes);
    if (automaton.trouble() != Trouble::none) return false;
    if (by_token == Automaton::kDead && by_bytes == Automaton::kDead) return false;
    // A token that a grammar names by its number is that token, also where its letters would fit.
    if (by_token != Automaton::kDead)
      tokens_.push_back({text_.size(), id});
    else
      text_ += bytes;
    config_ = by_token != Automaton::kDead ? by_token : by_bytes;
    return true;
  });
}

Result<bool> Matcher::accept_bytes(std::string_view bytes) {
  return locked([&] {
    const Config to = read(config_, bytes);
    if (to == Automaton::kDead || constraint_->automaton_.trouble() != Trouble::none) return false;
    config_ = to;
    text_ += bytes;
    return true;
  });
}

Result<bool> Matcher::can_end() {
  return locked([&] { return constraint_->automaton_.can_end(config_); });
}

bool Matcher::only_end() {
  Automaton& automaton = constraint_->automaton_;
  if (!automaton.can_end(config_) || automaton.has_tokens(config_)) return false;
  if (automaton.must_end(config_)) return true;
  for (const uint8_t byte : automaton.classes().representatives)
    if (automaton.next(config_, byte) != Automaton::kDead) return false;
  return true;
}

Result<bool> Matcher::must_end() {
  return locked([&] { return only_end(); });
}

Result<uint32_t> Matcher::place() {
  return locked([&] { return config_; });
}

// ---- forced text
// ------------------------------------------------------------------------------------

Result<std::string> Matcher::forced_bytes(size_t most) {
  return locked([&] {
    Automaton& automaton = constraint_->automaton_;
    const auto& classes = automaton.classes();
    std::array<uint16_t, 256> sizes{};
    for (const uint8_t group : classes.of) ++sizes[group];
    std::string bytes;
    for (Config at = config_; bytes.size() < most;) {
      if (automaton.can_end(at) || automaton.has_tokens(at)) break;
      Config to = Automaton::kDead;
      uint8_t byte = 0;
      size_t ways = 0;
      for (size_t group = 0; group < classes.count() && ways < 2; ++group) {
        const Config there = automaton.next(at, classes.representatives[group]);
        if (there == Automaton::kDead) continue;
        ways += sizes[group];
        to = there;
        byte = classes.representatives[group];
      }
      if (ways != 1) break;
      bytes += static_cast<char>(byte);
      at = to;
    }
    return bytes;
  });
}

Result<std::vector<int32_t>> Matcher::forced() {
  const Words& words = constraint_->words();
  std::vector<int32_t> ids;
  if (!words.greedy()) return ids;
  SK_TRY(const std::string bytes, forced_bytes());
  if (bytes.empty()) return ids;
  // What nothing follows ends as if everything did.
  Matcher after = *this;
  SK_TRY(const bool read, after.accept_bytes(bytes));
  SK_TRY(const bool over, after.must_end());
  for (std::string_view rest = bytes; read && !rest.empty();) {
    const Words::Match match = words.longest_match(rest);
    if (match.word < 0 || (match.open && !over)) break;
    ids.push_back(match.word);
    rest.remove_prefix(match.length);
  }
  return ids;
}

}  // namespace skein::constrain
