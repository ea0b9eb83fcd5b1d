// From the tree of a regular expression to a term. Sequences, choices and repetitions are terms as
// they are. What asks for its place (^ $ \b) is not: whether it holds depends on what stands before
// and behind. Anchors at the edges of the pattern, where nearly all of them are, only say that no
// other text stands there. For any other pattern each part gets a table (regex_places.h).
#include "constrain/regex.h"

#include <map>

#include "constrain/regex_places.h"
#include "constrain/regex_syntax.h"

namespace skein::constrain {
namespace {

using regex::Kind;
using regex::Node;
using regex::Syntax;

bool is_assertion(Kind kind) { return kind >= Kind::begin; }

// One alternative of the whole pattern, without the anchors at its edges.
struct Branch {
  std::vector<uint32_t> parts;
  bool begins = false;  // had a ^
  bool ends = false;    // had a $
};

class Compiler {
 public:
  Compiler(Terms& terms, const Syntax& syntax, const RegexOptions& options)
      : terms_(terms), syntax_(syntax), options_(options) {}

  Checked<Term> run() {
    const Term any = terms_.repeat(regex::spelled(terms_, options_, CharSet::all()), 0, kUnbounded);
    std::vector<Branch> branches = branches_of_root();
    for (const Branch& branch : branches)
      if (asks_for_place(branch)) return regex::with_places(terms_, syntax_, options_);
    std::vector<Term> plain = plain_terms();
    std::vector<Term> choices;
    for (const Branch& branch : branches) {
      std::vector<Term> parts;
      if (options_.search && !branch.begins) parts.push_back(any);
      for (uint32_t part : branch.parts) parts.push_back(plain[part]);
      if (options_.search && !branch.ends) parts.push_back(any);
      choices.push_back(terms_.sequence(parts));
    }
    return terms_.either(choices);
  }

 private:
  std::vector<Branch> branches_of_root() {
    const Node& root = syntax_.nodes[syntax_.root];
    std::vector<uint32_t> choices = {syntax_.root};
    if (root.kind == Kind::choice) choices = root.parts;
    std::vector<Branch> out;
    for (uint32_t choice : choices) out.push_back(branch_of(choice));
    return out;
  }

  Branch branch_of(uint32_t choice) {
    const Node& node = syntax_.nodes[choice];
    Branch branch;
    branch.parts = {choice};
    // `(^a$)` is a sequence that is the group itself.
    if (node.kind == Kind::sequence) branch.parts = node.parts;
    auto& parts = branch.parts;
    // A line's anchors are at the text's edges only if no other text may stand there.
    const auto is = [&](uint32_t part, Kind text, Kind line) {
      const Kind kind = syntax_.nodes[part].kind;
      return kind == text || (kind == line && !options_.search);
    };
    size_t first = 0;
    while (first < parts.size() && is(parts[first], Kind::begin, Kind::line_begin)) ++first;
    size_t last = parts.size();
    while (last > first && is(parts[last - 1], Kind::end, Kind::line_end)) --last;
    branch.begins = first > 0;
    branch.ends = last < parts.size();
    parts = {parts.begin() + static_cast<std::ptrdiff_t>(first),
             parts.begin() + static_cast<std::ptrdiff_t>(last)};
    return branch;
  }

  bool asks_for_place(const Branch& branch) {
    if (asks_.empty()) {
      asks_.resize(syntax_.nodes.size());
      for (size_t n = 0; n < asks_.size(); ++n) {
        const Node& node = syntax_.nodes[n];
        asks_[n] = is_assertion(node.kind);
        for (uint32_t part : node.parts) asks_[n] = asks_[n] || asks_[part];
      }
    }
    for (uint32_t part : branch.parts)
      if (asks_[part]) return true;
    return false;
  }

  // Of every node; those with assertions in them are read by nobody.
  std::vector<Term> plain_terms() {
    std::vector<Term> out;
    std::map<CharSet, Term> sets;
    for (const Node& node : syntax_.nodes) {
      std::vector<Term> parts;
      for (uint32_t part : node.parts) parts.push_back(out[part]);
      switch (node.kind) {
        case Kind::set: {
          const auto [known, is_new] = sets.try_emplace(node.set, Term::none);
          if (is_new) known->second = regex::spelled(terms_, options_, node.set);
          out.push_back(known->second);
          break;
        }
        case Kind::sequence: out.push_back(terms_.sequence(parts)); break;
        case Kind::choice: out.push_back(terms_.either(parts)); break;
        case Kind::repeat: out.push_back(terms_.repeat(parts[0], node.min, node.max)); break;
        default: out.push_back(Term::empty);
      }
    }
    return out;
  }

  Terms& terms_;
  const Syntax& syntax_;
  const RegexOptions& options_;
  std::vector<uint8_t> asks_;
};

}  // namespace

Checked<Term> add_regex(Grammar& grammar, std::string_view pattern, RegexDialect dialect,
                        const RegexOptions& options) {
  auto syntax = regex::parse(pattern, dialect, options);
  if (!syntax) return tl::unexpected(Problems{std::move(syntax).error()});
  auto term = Compiler(grammar.terms, *syntax, options).run();
  if (term && grammar.terms.full())
    return tl::unexpected(Problems{{"constraint_too_large", "1:1",
                                    "the pattern is too large for an automaton; write a shorter "
                                    "one or split it"}});
  return term;
}

}  // namespace skein::constrain
