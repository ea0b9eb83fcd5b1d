// What the parsers of grammars' texts have in common: a stack of open brackets instead of
// recursion, and the parts that every language has.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "constrain/char_set.h"
#include "constrain/grammar_text.h"
#include "constrain/rule_book.h"
#include "constrain/text_reader.h"

namespace skein::constrain {

using Fault = std::optional<Problem>;

class GrammarParser {
 public:
  GrammarParser(Grammar& grammar, std::string_view text, const GrammarOptions& options)
      : grammar_(grammar), options_(options), reader_(text), book_(grammar, text) {}

 protected:
  // An open bracket; the first one is the rule itself.
  struct Open {
    size_t at = 0;
    char closing = '\0';
    std::vector<uint32_t> choices;
    std::vector<uint32_t> parts;
  };

  Fault fault(size_t at, std::string message) const {
    return Problem{"invalid_grammar", reader_.place(at), std::move(message)};
  }
  // "expected X, found Y".
  Fault expected(std::string_view what) const {
    return fault(reader_.at(),
                 fmt::format("expected {}, found {}", what, shown(reader_, reader_.at())));
  }

  // A problem of a text that begins at `begin` and has no line ends.
  Fault inside(size_t begin, Problem problem) const;

  void begin_body(size_t at) { open_.assign(1, {at, '\0', {}, {}}); }
  bool nested() const { return open_.size() > 1; }
  Fault open(char closing);
  uint32_t close();  // the bracket, and what is in it
  void end_choice();
  void put(uint32_t item) { open_.back().parts.push_back(item); }
  void put_term(Term term, bool lexeme = false) { put(book_.add_term(term, lexeme)); }
  Fault repeat(uint32_t min, uint32_t max, size_t at);

  // A bracket, |, *, + or ? at the reader, as Lark and KBNF write them; nothing: it is none of
  // those.
  std::optional<Fault> structure();

  // `{m}`, `{m,}` or `{m,n}`; `{,n}` if `open_start`.
  Fault counts(uint32_t& min, uint32_t& max, bool open_start);

  // The bracket that closes the last open one: [...] is optional, {...} stands any number of times.
  Fault close_bracket();

  // What may follow a backslash, but for xHH, uHHHH and UHHHHHHHH.
  struct Escapes {
    std::string_view letters;
    std::string_view meanings;
  };
  // A character, or the escape of one; `at_end` is what is wrong with `begin` where there is none.
  Fault character(const Escapes& escapes, size_t begin, std::string_view at_end, uint32_t& out);
  // A text between two quotes of the same kind, the first of which is at the reader.
  Fault quoted(const Escapes& escapes, std::string& out);

  // `<[1,3-5]>`, `<[^1]>`, `<[*]>`, `<name>` at the reader. `lists`: more than one id.
  Fault tokens(bool negated, bool lists, Term& out);

  Grammar& grammar_;
  const GrammarOptions& options_;
  TextReader reader_;
  RuleBook book_;
  std::vector<Open> open_;
};

}  // namespace skein::constrain
