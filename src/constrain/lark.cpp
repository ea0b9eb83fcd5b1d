#include "constrain/lark.h"

#include "constrain/grammar_parser.h"
#include "constrain/lark_common.h"
#include "constrain/regex.h"
#include "text/unicode.h"

namespace skein::constrain {
namespace {

constexpr size_t kMostRegexBytes = 4096;

bool is_upper_name(std::string_view name) {
  const size_t first = name.find_first_not_of('_');
  return first != std::string_view::npos && name[first] >= 'A' && name[first] <= 'Z';
}

class Parser : private GrammarParser {
 public:
  using GrammarParser::GrammarParser;

  Checked<Term> run() {
    skip_blank(true);
    while (!reader_.done()) {
      Fault problem = reader_.peek() == '%' ? directive() : rule();
      if (!problem) problem = end_of_line();
      if (problem) return tl::unexpected(Problems{std::move(*problem)});
    }
    return book_.finish("start");
  }

 private:
  static constexpr Escapes kEscapes{"nrtfv\"\\'/", "\n\r\t\f\v\"\\'/"};

  // Blanks and comments; line ends too if `lines`.
  void skip_blank(bool lines) {
    const auto in_line = [](char c) { return c != '\n'; };
    while (!reader_.done()) {
      const char c = reader_.peek();
      if (c == '#' || reader_.starts_with("//"))
        reader_.take_while(in_line);
      else if (c == ' ' || c == '\t' || c == '\f' || c == '\r' || (lines && c == '\n'))
        reader_.skip(1);
      else
        break;
    }
  }

  Fault end_of_line() {
    skip_blank(false);
    if (!reader_.done() && reader_.peek() != '\n') return expected("the end of the line");
    skip_blank(true);
    return std::nullopt;
  }

  // The alternatives of a rule may stand on lines of their own.
  bool at_end_of_body() {
    skip_blank(nested());
    if (reader_.done()) return true;
    if (nested() || reader_.peek() != '\n') return false;
    const size_t at = reader_.at();
    skip_blank(true);
    if (reader_.peek() == '|') return false;
    reader_.go_to(at);
    return true;
  }

  std::string_view name() {
    const size_t begin = reader_.at();
    while (is_word_letter(reader_.peek()) || (reader_.peek() == '-' && reader_.peek(1) != '>'))
      reader_.skip(1);
    const std::string_view taken = reader_.from(begin);
    if (!taken.empty() && !is_digit(taken.front()) && taken.front() != '-') return taken;
    reader_.go_to(begin);
    return {};
  }

  // --- Statements ---

  Fault directive() {
    const size_t at = reader_.at();
    reader_.skip(1);
    const std::string_view word = name();
    skip_blank(false);
    if (word == "import") return import();
    if (word == "ignore") {
      const uint32_t rule = book_.named(fmt::format("%ignore {}", at), at);
      book_.set_terminal(rule);
      book_.add_ignored(rule);
      return body(rule, at);
    }
    if (word == "llguidance") {
      if (reader_.take('{')) {
        skip_blank(true);
        if (reader_.take('}')) return std::nullopt;
      }
      return fault(at, "options of %llguidance cannot be used; an empty {} can");
    }
    return fault(at,
                 fmt::format("%{} cannot be used; there are %import common.NAME, %ignore and, in "
                             "rules, %json",
                             escaped(word, 40)));
  }

  Fault import() {
    const size_t at = reader_.at();
    if (!reader_.take("common"))
      return fault(at,
                   "imports from other modules than common cannot be used; write the rules here");
    if (reader_.take('.')) return import_name();
    skip_blank(false);
    if (!reader_.take('(')) return expected(". or ( behind common");
    do {
      skip_blank(true);
      if (auto problem = import_name()) return problem;
      skip_blank(true);
    } while (reader_.take(','));
    if (!reader_.take(')')) return expected("a , or the ) that closes the names");
    return std::nullopt;
  }

  Fault import_name() {
    const size_t at = reader_.at();
    const std::string_view imported = name();
    const auto regex = lark_common(imported);
    if (!regex)
      return fault(
          at, fmt::format("the module common has no terminal \"{}\" here", escaped(imported, 40)));
    skip_blank(false);
    std::string_view as = imported;
    if (reader_.take("->")) {
      skip_blank(false);
      as = name();
      if (!is_upper_name(as)) return expected("the terminal's new name, in capital letters");
    }
    const uint32_t rule = book_.named(as, at);
    if (auto problem = check_new(rule, as, at)) return problem;
    book_.set_terminal(rule);
    book_.begin(rule);
    const auto term = add_regex(grammar_, *regex, RegexDialect::re2);
    book_.define(rule, book_.add_term(term.value_or(Term::none)));
    return std::nullopt;
  }

  Fault check_new(uint32_t rule, std::string_view rule_name, size_t at) const {
    if (!book_.is_defined(rule)) return std::nullopt;
    return fault(at,
                 fmt::format("\"{}\" is defined twice; write its alternatives with |", rule_name));
  }

  Fault rule() {
    const size_t at = reader_.at();
    reader_.take_while([](char c) { return c == '?' || c == '!'; });
    const std::string_view rule_name = name();
    if (rule_name.empty()) return expected("the name of a rule, or %import or %ignore");
    const uint32_t number = book_.named(rule_name, at);
    if (auto problem = check_new(number, rule_name, at)) return problem;
    if (is_upper_name(rule_name)) book_.set_terminal(number);
    if (reader_.peek() == '[')
      if (auto problem = attributes(number)) return problem;
    if (reader_.peek() == '{') return fault(reader_.at(), "templates cannot be used");
    if (reader_.peek() == '.') return fault(reader_.at(), "priorities cannot be used");
    skip_blank(false);
    if (reader_.starts_with("::"))
      return fault(reader_.at(), "rules with parameters, ::, cannot be used");
    if (!reader_.take(':')) return expected(fmt::format(": behind \"{}\"", rule_name));
    return body(number, at);
  }

  // [lazy, suffix="..."] behind the name of a rule, whose body is then one terminal.
  Fault attributes(uint32_t rule) {
    bool lazy = false;
    std::string suffix;
    reader_.skip(1);
    do {
      skip_blank(false);
      const size_t at = reader_.at();
      const std::string_view attribute = name();
      if (attribute == "lazy") {
        lazy = true;
      } else if (attribute == "suffix" && reader_.take('=')) {
        lazy = true;
        if (reader_.peek() != '"') return expected("a text in quotes behind suffix=");
        if (auto problem = quoted(kEscapes, suffix)) return problem;
      } else if (attribute == "capture") {
        std::string ignored;
        if (reader_.take('='))
          if (auto problem = quoted(kEscapes, ignored)) return problem;
      } else {
        return fault(at,
                     fmt::format("\"{}\" cannot be used behind a rule's name; there are lazy and "
                                 "suffix=\"...\"",
                                 escaped(attribute, 40)));
      }
      skip_blank(false);
    } while (reader_.take(','));
    if (!reader_.take(']')) return expected("a , or the ] behind the rule's name");
    if (lazy) {
      book_.set_terminal(rule);
      book_.set_lazy(rule, std::move(suffix));
    }
    return std::nullopt;
  }

  Fault body(uint32_t rule, size_t at) {
    book_.begin(rule);
    begin_body(at);
    in_terminal_ = book_.is_terminal(rule);
    while (!at_end_of_body())
      if (auto problem = element()) return problem;
    if (nested())
      return fault(open_.back().at,
                   fmt::format("the bracket has no {} that closes it", open_.back().closing));
    book_.define(rule, close());
    return std::nullopt;
  }

  // --- Elements ---

  Fault element() {
    const size_t at = reader_.at();
    if (auto known = structure()) return *std::move(known);
    switch (reader_.peek()) {
      case '"': return string();
      case '/': return pattern();
      case '~': return tilde();
      case '{': return braces();
      case '<': return token();
      case '%': return embedded();
      case '-':
        if (reader_.take("->")) return alias();
        break;
      case '&': return fault(at, "the operator & cannot be used");
      case '@': return fault(at, "other grammars, @name, cannot be used");
      case '.': return fault(at, "any character is written /./");
      case '\'': return fault(at, "texts stand in double quotes");
      default: return call();
    }
    return expected("a part of the rule");
  }

  Fault call() {
    const size_t at = reader_.at();
    const std::string_view called = name();
    if (called.empty())
      return expected(nested() ? fmt::format("a part of the rule or {}", open_.back().closing)
                               : "a part of the rule: a name, \"text\", /regex/, ( or [");
    if (reader_.starts_with("::"))
      return fault(reader_.at(), "rules with parameters, ::, cannot be used");
    if (reader_.peek() == ':')
      return fault(at, "a new rule begins, and a bracket before it is open");
    put(book_.add_rule(book_.named(called, at), !in_terminal_));
    return std::nullopt;
  }

  // ~3 or ~2..5 behind a part.
  Fault tilde() {
    const size_t at = reader_.at();
    reader_.skip(1);
    skip_blank(false);
    if (!is_digit(reader_.peek()))
      return fault(
          at, "the operator ~ before a part cannot be used; behind one it counts, as in ~2..5");
    const uint32_t min = reader_.take_number(kMostRepetitions).value_or(0);
    uint32_t max = min;
    skip_blank(false);
    if (reader_.take("..")) {
      skip_blank(false);
      const auto most = reader_.take_number(kMostRepetitions);
      if (!most) return expected("the largest count behind ..");
      max = *most;
    }
    if (max > kMostRepetitions || min > kMostRepetitions)
      return fault(at, fmt::format("counts go up to {}", kMostRepetitions));
    if (min > max) return fault(at, fmt::format("the counts {} are upside down", reader_.from(at)));
    return repeat(min, max, at);
  }

  Fault braces() {
    const size_t at = reader_.at();
    if (const char next = reader_.peek(1); !is_digit(next) && next != ',' && next != ' ')
      return fault(at, "templates cannot be used");
    uint32_t min = 0;
    uint32_t max = 0;
    if (auto problem = counts(min, max, true)) return problem;
    return repeat(min, max, at);
  }

  Fault alias() {
    skip_blank(false);
    if (name().empty()) return expected("a name behind ->");
    return std::nullopt;
  }

  Fault token() {
    const size_t at = reader_.at();
    if (in_terminal_) return fault(at, "tokens stand in rules only, not in terminals");
    Term term = Term::none;
    if (auto problem = tokens(false, true, term)) return problem;
    put_term(term, true);
    return std::nullopt;
  }

  // %json {...}
  Fault embedded() {
    const size_t at = reader_.at();
    reader_.skip(1);
    const std::string_view word = name();
    skip_blank(true);
    if (word != "json" || reader_.peek() != '{')
      return fault(at, fmt::format("%{} cannot be used in a rule; there is %json {{...}}",
                                   escaped(word, 40)));
    if (in_terminal_) return fault(at, "%json stands in rules only, not in terminals");
    const auto schema = take_object();
    if (!schema) return fault(at, "the { of the schema has no } that closes it");
    const auto term = add_schema(grammar_, *schema, options_.schema);
    if (!term) {
      Problem problem = term.error().front();
      problem.message = fmt::format("in the schema at {}: {}", problem.where, problem.message);
      problem.where = reader_.place(at);
      return problem;
    }
    put_term(*term, true);
    return std::nullopt;
  }

  // A JSON object, as long as its brackets and quotes agree.
  std::optional<std::string_view> take_object() {
    const size_t begin = reader_.at();
    size_t depth = 0;
    bool in_string = false;
    while (!reader_.done()) {
      const char c = reader_.peek();
      reader_.skip(1);
      if (in_string && c == '\\' && !reader_.done()) reader_.skip(1);
      if (c == '"') in_string = !in_string;
      if (in_string) continue;
      if (c == '{') ++depth;
      if (c == '}' && --depth == 0) return reader_.from(begin);
    }
    return std::nullopt;
  }

  // --- Texts ---

  Fault string() {
    const size_t at = reader_.at();
    std::string value;
    if (auto problem = quoted(kEscapes, value)) return problem;
    if (reader_.starts_with("..")) return range(at, value);
    if (reader_.take('i')) {
      put_term(without_case(value), !in_terminal_);
      return std::nullopt;
    }
    put_term(grammar_.terms.literal(value), !in_terminal_);
    return std::nullopt;
  }

  Term without_case(std::string_view value) {
    std::vector<Term> parts;
    for (TextReader reader(value); !reader.done();) {
      const uint32_t c = reader.take_character();
      CharSet set(c, c);
      set.add_other_cases();
      parts.push_back(grammar_.terms.characters(set.ranges()));
    }
    return grammar_.terms.sequence(parts);
  }

  // "a".."z"
  Fault range(size_t at, std::string_view first) {
    reader_.skip(2);
    std::string last;
    if (reader_.peek() != '"') return expected("the last character in quotes behind ..");
    if (auto problem = quoted(kEscapes, last)) return problem;
    const text::Character from = text::first_character(first);
    const text::Character to = text::first_character(last);
    if (from.length == 0 || to.length == 0 || from.length != first.size() ||
        to.length != last.size())
      return fault(at, "a range goes from one character to another");
    if (to.code < from.code)
      return fault(at, fmt::format("the range {} goes backwards", reader_.from(at)));
    const Terms::Range characters{from.code, to.code};
    put_term(grammar_.terms.characters({&characters, 1}), !in_terminal_);
    return std::nullopt;
  }

  Fault pattern() {
    const size_t at = reader_.at();
    reader_.skip(1);
    const size_t begin = reader_.at();
    while (!reader_.done() && reader_.peek() != '/' && reader_.peek() != '\n')
      reader_.skip(reader_.peek() == '\\' && reader_.rest().size() > 1 ? 2 : 1);
    const std::string_view inside_slashes = reader_.from(begin);
    if (!reader_.take('/')) return fault(at, "the / has no second one that ends the regex");
    RegexOptions options;
    options.most_bytes = kMostRegexBytes;
    options.allow_lazy = false;
    for (char flag : reader_.take_while(is_letter)) {
      switch (flag) {
        case 'i': options.ignore_case = true; break;
        case 's': options.dot_all = true; break;
        case 'm': options.multi_line = true; break;
        case 'u': break;  // characters are Unicode's anyhow
        default: return fault(at, fmt::format("the flag {} of a regex cannot be used", flag));
      }
    }
    const auto term = add_regex(grammar_, inside_slashes, RegexDialect::re2, options);
    if (!term) return inside(begin, term.error().front());
    put_term(*term, !in_terminal_);
    return std::nullopt;
  }

  bool in_terminal_ = false;
};

}  // namespace

Checked<Term> add_lark(Grammar& grammar, std::string_view text, const GrammarOptions& options) {
  if (auto problem = check_text(text, options.most_bytes, "the grammar", "invalid_grammar"))
    return tl::unexpected(Problems{std::move(*problem)});
  return Parser(grammar, text, options).run();
}

}  // namespace skein::constrain
