// Whether a grammar allows a text, by Earley's algorithm over the terms as they are: what front
// ends made is judged without the automaton.
#pragma once

#include <map>
#include <set>
#include <string_view>
#include <tuple>
#include <vector>

#include "constrain/grammar.h"

namespace skein::constrain {

class Earley {
 public:
  explicit Earley(Grammar& grammar) : grammar_(grammar) {}

  bool allows(Term root, std::string_view text) {
    text_ = text;
    seen_.clear();
    ends_.clear();
    waiting_.clear();
    // The root is a rule of its own.
    add({root, {kRoot, 0}, 0});
    while (!todo_.empty()) {
      const State state = todo_.back();
      todo_.pop_back();
      step(state);
    }
    return ends_[{kRoot, 0}].contains(text.size());
  }

 private:
  using Start = std::pair<uint32_t, size_t>;  // a rule, and where it began
  struct State {
    Term term;
    Start start;
    size_t at;
    auto operator<=>(const State&) const = default;
  };
  static constexpr uint32_t kRoot = 0xffffffff;

  void add(const State& state) {
    if (state.term != Term::none && seen_.insert(state).second) todo_.push_back(state);
  }

  void step(const State& state) {
    Terms& terms = grammar_.terms;
    if (terms.nullable(state.term) && ends_[state.start].insert(state.at).second)
      for (const auto& [tail, start] : std::vector(waiting_[state.start]))
        add({tail, start, state.at});
    if (state.at < text_.size())
      add({terms.next(state.term, static_cast<uint8_t>(text_[state.at])), state.start,
           state.at + 1});
    for (const Terms::Entry& entry : terms.entries(state.term)) {
      if (terms.kind(entry.head) != Terms::Kind::call) continue;
      const uint32_t rule = terms.rule(entry.head);
      const Start called{rule, state.at};
      waiting_[called].emplace_back(entry.tail, state.start);
      for (size_t end : std::set(ends_[called])) add({entry.tail, state.start, end});
      add({grammar_.rules.at(rule), called, state.at});
    }
  }

  Grammar& grammar_;
  std::string_view text_;
  std::set<State> seen_;
  std::vector<State> todo_;
  std::map<Start, std::set<size_t>> ends_;
  std::map<Start, std::vector<std::pair<Term, Start>>> waiting_;
};

}  // namespace skein::constrain
