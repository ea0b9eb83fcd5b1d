// Random grammars with recursion of every kind, and what each of their rules has to mean: the texts
// of at most five letters, by adding until nothing is new.
#pragma once

#include <memory>
#include <random>
#include <string>
#include <vector>

#include "constrain/grammar.h"
#include "constrain/small_languages.h"
#include "constrain/words.h"
#include "text/support.h"

namespace skein::constrain::test {

class RandomGrammar {
 public:
  explicit RandomGrammar(uint32_t seed) : regular_(grammar.terms, seed), random_(seed * 7919 + 1) {
    const uint32_t rules = 1 + below(4);
    for (uint32_t n = 0; n < rules; ++n) grammar.add_rule();
    languages_.resize(rules);
    for (uint32_t n = 0; n < rules; ++n) bodies_.push_back(tree(2 + static_cast<int>(below(7))));
    for (bool changed = true; changed;) {
      changed = false;
      for (uint32_t n = 0; n < rules; ++n) {
        const Language more = meaning(bodies_[n]);
        changed = changed || more != languages_[n];
        languages_[n] = more;
      }
    }
    for (uint32_t n = 0; n < rules; ++n) grammar.rules[n] = term(bodies_[n]);
    grammar.root = grammar.terms.call(0);
  }

  const Language& language() const { return languages_[0]; }

  Grammar grammar;

 private:
  enum class Kind : uint8_t { regular, sequence, either, repeat, call };
  struct Node {
    Kind kind;
    Meant regular{};
    std::vector<Node> parts{};
    uint32_t min = 0, max = 0;  // min: of a call, the rule
  };

  uint32_t below(uint32_t bound) { return static_cast<uint32_t>(random_() % bound); }

  Node tree(int size) {
    if (size <= 1) {
      if (below(2) == 0)
        return {.kind = Kind::call, .min = below(static_cast<uint32_t>(languages_.size()))};
      return {.kind = Kind::regular, .regular = regular_.tree(1 + static_cast<int>(below(4)))};
    }
    const int left = 1 + static_cast<int>(below(static_cast<uint32_t>(size) - 1));
    const uint32_t kind = below(7);
    Node out{.kind = kind < 3 ? Kind::sequence : kind < 6 ? Kind::either : Kind::repeat};
    out.parts.push_back(tree(left));
    if (out.kind != Kind::repeat) out.parts.push_back(tree(size - left));
    out.min = below(3);
    out.max = below(2) == 0 ? kUnbounded : out.min + below(3);
    return out;
  }

  Language meaning(const Node& node) const {
    switch (node.kind) {
      case Kind::regular: return node.regular.language;
      case Kind::sequence: return concatenated(meaning(node.parts[0]), meaning(node.parts[1]));
      case Kind::either: return meaning(node.parts[0]) | meaning(node.parts[1]);
      case Kind::repeat: return repeated(meaning(node.parts[0]), node.min, node.max);
      case Kind::call: return languages_[node.min];
    }
    return {};
  }

  Term term(const Node& node) {
    Terms& terms = grammar.terms;
    switch (node.kind) {
      case Kind::regular: return node.regular.term;
      case Kind::sequence: return terms.sequence(term(node.parts[0]), term(node.parts[1]));
      case Kind::either: return terms.either(term(node.parts[0]), term(node.parts[1]));
      case Kind::repeat: return terms.repeat(term(node.parts[0]), node.min, node.max);
      case Kind::call: return terms.call(node.min);
    }
    return Term::none;
  }

  RandomTerms regular_;
  std::mt19937 random_;
  std::vector<Node> bodies_;
  std::vector<Language> languages_;
};

// Every byte, and some words of a, b and c that are longer.
inline const std::shared_ptr<const Words>& small_words() {
  static const auto words = std::make_shared<const Words>([] {
    std::vector<std::string> more;
    for (size_t n = 4; n < 100; n += 1 + n / 20) more.push_back(test::texts()[n]);
    more.insert(more.end(), {"abcabc", "aaaaaaaa", "cccc", "abx", "x\xc3", "\xa9y", "ab\xc3\xa9"});
    const std::string text = text::test::small_vocab(more);
    return text::test::must(text::world_from_vocab_file(text::test::as_bytes(text), "small words"));
  }());
  return words;
}

}  // namespace skein::constrain::test
