#include "constrain/gbnf.h"

#include <algorithm>

#include "constrain/grammar_parser.h"

namespace skein::constrain {
namespace {

bool is_plain_name(char c) { return is_letter(c) || is_digit(c) || c == '-' || c == '_'; }
// A dot belongs to a name only if a rule is called so: `a.` is the rule a and any character.
bool is_dotted_name(char c) { return is_plain_name(c) || c == '.'; }

class Parser : private GrammarParser {
 public:
  using GrammarParser::GrammarParser;

  Checked<Term> run() {
    find_dotted_names();
    skip_blank(true);
    while (!reader_.done())
      if (auto problem = rule()) return tl::unexpected(Problems{std::move(*problem)});
    return book_.finish("root");
  }

 private:
  static constexpr Escapes kEscapes{"nrt\"\\[]", "\n\r\t\"\\[]"};

  // Blanks and comments; line ends too if `lines`.
  void skip_blank(bool lines) {
    while (!reader_.done()) {
      const char c = reader_.peek();
      if (c == '#')
        reader_.take_while([](char other) { return other != '\n' && other != '\r'; });
      else if (c == ' ' || c == '\t' || (lines && (c == '\n' || c == '\r')))
        reader_.skip(1);
      else
        break;
    }
  }

  void find_dotted_names() {
    TextReader reader = reader_;
    const std::string_view text = reader.rest();
    for (size_t at = text.find("::="); at != std::string_view::npos;
         at = text.find("::=", at + 3)) {
      size_t end = at;
      while (end > 0 && (text[end - 1] == ' ' || text[end - 1] == '\t')) --end;
      size_t begin = end;
      while (begin > 0 && is_dotted_name(text[begin - 1])) --begin;
      const std::string_view name = text.substr(begin, end - begin);
      if (name.find('.') != std::string_view::npos) dotted_names_.push_back(name);
    }
    std::sort(dotted_names_.begin(), dotted_names_.end());
  }

  std::string_view name() {
    const size_t begin = reader_.at();
    const std::string_view dotted = reader_.take_while(is_dotted_name);
    if (std::binary_search(dotted_names_.begin(), dotted_names_.end(), dotted)) return dotted;
    reader_.go_to(begin);
    return reader_.take_while(is_plain_name);
  }

  Fault rule() {
    const size_t at = reader_.at();
    if (reader_.peek() == '|')
      return fault(at, "a rule ends with its line; put the | at the end of the line before");
    const std::string_view rule_name = name();
    if (rule_name.empty()) return expected("the name of a rule");
    skip_blank(false);
    if (!reader_.take("::=")) return expected(fmt::format("::= behind \"{}\"", rule_name));
    const uint32_t number = book_.named(rule_name, at);
    if (book_.is_defined(number))
      return fault(at,
                   fmt::format("the rule \"{}\" is defined twice; write its alternatives with |",
                               rule_name));
    book_.begin(number);
    skip_blank(true);
    begin_body(at);
    while (!at_end_of_rule())
      if (auto problem = element()) return problem;
    if (nested()) return fault(open_.back().at, "the ( has no ) that closes it");
    book_.define(number, close());
    skip_blank(true);
    return std::nullopt;
  }

  bool at_end_of_rule() const {
    return reader_.done() || (!nested() && (reader_.peek() == '\n' || reader_.peek() == '\r'));
  }

  Fault element() {
    const size_t at = reader_.at();
    const char c = reader_.peek();
    Fault problem;
    switch (c) {
      case '"': problem = literal(); break;
      case '[': problem = characters(); break;
      case '(': problem = open(')'); break;
      case ')': problem = close_bracket(); break;
      case '|':
        reader_.skip(1);
        end_choice();
        skip_blank(true);
        break;
      case '.':
        reader_.skip(1);
        put_term(grammar_.terms.any_character());
        break;
      case '*':
      case '+':
      case '?':
        problem = repeat(c == '+' ? 1 : 0, c == '?' ? 1 : kUnbounded, at);
        reader_.skip(1);
        break;
      case '{': {
        uint32_t min = 0;
        uint32_t max = 0;
        problem = counts(min, max, false);
        if (!problem) problem = repeat(min, max, at);
        break;
      }
      case '<': problem = token(false); break;
      case '!':
        reader_.skip(1);
        if (reader_.peek() != '<') return expected("a token, <name> or <[id]>, behind !");
        problem = token(true);
        break;
      default: problem = call();
    }
    skip_blank(nested());
    return problem;
  }

  Fault call() {
    const size_t at = reader_.at();
    const std::string_view rule_name = name();
    if (rule_name.empty())
      return expected(nested() ? "a part of the rule or the ) that closes the ("
                               : "a part of the rule: a name, \"text\", [characters] or (");
    if (reader_.starts_with("::=") || (reader_.peek() == ' ' && next_is_definition()))
      return fault(at, nested() ? "a new rule begins, and the ( before it is open"
                                : "a new rule begins on a line of its own");
    put(book_.add_rule(book_.named(rule_name, at)));
    return std::nullopt;
  }

  bool next_is_definition() const {
    TextReader reader = reader_;
    reader.take_while([](char c) { return c == ' ' || c == '\t'; });
    return reader.starts_with("::=");
  }

  Fault token(bool negated) {
    Term term = Term::none;
    if (auto problem = tokens(negated, false, term)) return problem;
    put_term(term);
    return std::nullopt;
  }

  Fault literal() {
    std::string text;
    if (auto problem = quoted(kEscapes, text)) return problem;
    put_term(grammar_.terms.literal(text));
    return std::nullopt;
  }

  Fault characters() {
    const size_t at = reader_.at();
    const std::string_view unclosed = "the [ has no ] that closes it";
    reader_.skip(1);
    const bool negated = reader_.take('^');
    CharSet set;
    while (!reader_.take(']')) {
      const size_t range_at = reader_.at();
      uint32_t first = 0;
      if (auto problem = character(kEscapes, at, unclosed, first)) return problem;
      uint32_t last = first;
      if (reader_.peek() == '-' && reader_.peek(1) != ']' && reader_.peek(1) != '\0') {
        reader_.skip(1);
        if (auto problem = character(kEscapes, at, unclosed, last)) return problem;
      }
      if (last < first)
        return fault(range_at, fmt::format("the range {} goes backwards", reader_.from(range_at)));
      set.add(first, last);
    }
    if (reader_.from(at).size() == (negated ? 3U : 2U))
      return fault(at, negated ? "[^] has no characters; any character is written ."
                               : "[] has no characters");
    if (negated) set.negate();
    put_term(grammar_.terms.characters(set.ranges()));
    return std::nullopt;
  }

  std::vector<std::string_view> dotted_names_;
};

}  // namespace

Checked<Term> add_gbnf(Grammar& grammar, std::string_view text, const GrammarOptions& options) {
  if (auto problem = check_text(text, options.most_bytes, "the grammar", "invalid_grammar"))
    return tl::unexpected(Problems{std::move(*problem)});
  return Parser(grammar, text, options).run();
}

}  // namespace skein::constrain
