// Whether a text is of a term, calls and all: the plainest reader of grammars there is, to judge
// others.
#pragma once

#include <map>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

#include "constrain/grammar.h"

namespace skein::constrain {

class Recognizer {
 public:
  Recognizer(Grammar& grammar, Term start) : grammar_(grammar) { add(start, kBottom, now_); }

  // False, and it stays so, if no text goes on like this.
  bool read(uint8_t byte) {
    std::set<Item> next;
    for (const auto& [term, parent] : now_) {
      const Term rest = grammar_.terms.next(term, byte);
      if (rest != Term::none) add(rest, parent, next);
    }
    now_ = std::move(next);
    return !now_.empty();
  }
  bool read(std::string_view text) {
    for (const char c : text)
      if (!read(static_cast<uint8_t>(c))) return false;
    return true;
  }
  bool may_end() const {
    for (const auto& [term, parent] : now_)
      if (parent == kBottom && grammar_.terms.nullable(term)) return true;
    return false;
  }

  static bool matches(Grammar& grammar, Term start, std::string_view text) {
    Recognizer recognizer(grammar, start);
    return recognizer.read(text) && recognizer.may_end();
  }

 private:
  static constexpr int kBottom = -1;
  using Item = std::pair<Term, int>;  // a term, and the frame that follows it

  void add(Term term, int parent, std::set<Item>& out) {
    std::vector<Item> open{{term, parent}};
    while (!open.empty()) {
      const Item item = open.back();
      open.pop_back();
      if (item.first == Term::none || !out.insert(item).second) continue;
      if (grammar_.terms.nullable(item.first) && item.second != kBottom)
        open.push_back(frames_[static_cast<size_t>(item.second)]);
      if (grammar_.terms.regular(item.first)) continue;
      for (const Terms::Entry& entry : grammar_.terms.entries(item.first)) {
        const Term body = grammar_.rules[grammar_.terms.rule(entry.head)];
        open.push_back(
            {body, entry.tail == Term::empty ? item.second : frame({entry.tail, item.second})});
      }
    }
  }
  int frame(const Item& item) {
    const auto [known, added] = numbers_.emplace(item, static_cast<int>(frames_.size()));
    if (added) frames_.push_back(item);
    return known->second;
  }

  Grammar& grammar_;
  std::set<Item> now_;
  std::vector<Item> frames_;
  std::map<Item, int> numbers_;
};

}  // namespace skein::constrain
