#include "constrain/kbnf.h"

#include <map>

#include "constrain/grammar_parser.h"
#include "constrain/regex.h"

namespace skein::constrain {
namespace {

constexpr size_t kMostRegexBytes = 4096;
constexpr size_t kMostSubstringBytes = 4096;

class Parser : private GrammarParser {
 public:
  using GrammarParser::GrammarParser;

  Checked<Term> run() {
    Fault problem = skip_blank();
    while (!problem && !reader_.done()) problem = rule();
    if (problem) return tl::unexpected(Problems{std::move(*problem)});
    // A rule that is defined several times has all of their texts.
    for (const auto& [rule, definitions] : definitions_) {
      book_.begin(rule);
      std::vector<uint32_t> choices;
      for (uint32_t definition : definitions) choices.push_back(book_.add_rule(definition));
      book_.define(rule, book_.add_choice(std::move(choices)));
    }
    return book_.finish("start");
  }

 private:
  static constexpr Escapes kEscapes{"nrt\"'\\", "\n\r\t\"'\\"};

  // White space and (* comments *).
  Fault skip_blank() {
    while (!reader_.done()) {
      const size_t at = reader_.at();
      if (reader_.take("(*")) {
        const size_t end = reader_.rest().find("*)");
        if (end == std::string_view::npos)
          return fault(at, "the (* has no *) that ends the comment");
        reader_.skip(end + 2);
      } else if (const char c = reader_.peek(); c == ' ' || (c >= '\t' && c <= '\r')) {
        reader_.skip(1);
      } else {
        break;
      }
    }
    return std::nullopt;
  }

  std::string_view name() {
    return is_digit(reader_.peek()) ? std::string_view() : reader_.take_while(is_word_letter);
  }

  Fault rule() {
    const size_t at = reader_.at();
    const std::string_view rule_name = name();
    if (rule_name.empty()) return expected("the name of a rule");
    if (auto problem = skip_blank()) return problem;
    if (!reader_.take("::=")) return expected(fmt::format("::= behind \"{}\"", rule_name));
    const uint32_t number = book_.named(rule_name, at);
    const uint32_t definition = book_.named(fmt::format("{} {}", rule_name, at), at);
    definitions_[number].push_back(definition);
    book_.begin(definition);
    begin_body(at);
    if (auto problem = skip_blank()) return problem;
    while (!(reader_.peek() == ';' && !nested())) {
      if (reader_.done())
        return nested()
                   ? fault(open_.back().at, fmt::format("the bracket has no {} that closes it",
                                                        open_.back().closing))
                   : fault(at, fmt::format("the rule \"{}\" has no ; that ends it", rule_name));
      if (auto problem = element()) return problem;
      if (auto problem = skip_blank()) return problem;
    }
    reader_.skip(1);
    book_.define(definition, close());
    return skip_blank();
  }

  Fault element() {
    if (auto known = structure()) return *std::move(known);
    switch (reader_.peek()) {
      case '"':
      case '\'': {
        std::string value;
        if (auto problem = quoted(kEscapes, value)) return problem;
        put_term(grammar_.terms.literal(value));
        return std::nullopt;
      }
      case '#': return special();
      case '{': return open('}');
      case '}': return close_bracket();
      default: return call();
    }
  }

  Fault call() {
    const size_t at = reader_.at();
    const std::string_view called = name();
    if (called.empty())
      return expected(
          "a part of the rule: a name, 'text', #\"regex\", a bracket, or the ; that ends it");
    if (reader_.take('!')) return exception(called, at);
    put(book_.add_rule(book_.named(called, at)));
    return std::nullopt;
  }

  // except!('text') or except!('text', 50): texts in which the given one is not.
  Fault exception(std::string_view called, size_t at) {
    if (called != "except" || !reader_.take('('))
      return fault(at, fmt::format("{}! cannot be used; there is except!('text')", called));
    if (auto problem = skip_blank()) return problem;
    if (reader_.peek() != '"' && reader_.peek() != '\'')
      return fault(reader_.at(), "except! takes a text here; a rule cannot be used");
    std::string avoided;
    if (auto problem = quoted(kEscapes, avoided)) return problem;
    if (avoided.empty()) return fault(at, "every text has the empty one in it");
    if (auto problem = skip_blank()) return problem;
    uint32_t most = kUnbounded;
    if (reader_.take(',')) {
      if (auto problem = skip_blank()) return problem;
      const auto number = reader_.take_number(kMostRepetitions);
      if (!number || *number == 0 || *number > kMostRepetitions)
        return expected(fmt::format("the largest number of bytes, at most {}", kMostRepetitions));
      most = *number;
      if (auto problem = skip_blank()) return problem;
    }
    if (!reader_.take(')')) return expected("the ) that closes except!(");
    Terms& terms = grammar_.terms;
    const Term around[] = {terms.any_bytes(), terms.literal(avoided), terms.any_bytes()};
    const Term all[] = {terms.repeat(terms.any_character(), 1, kUnbounded),
                        terms.repeat(terms.any_byte(), 1, most),
                        terms.except(terms.sequence(around))};
    put_term(terms.both(all));
    return std::nullopt;
  }

  // #"regex", #e"regex that ends early", #ex"regex of what is not meant", #substrs"text".
  Fault special() {
    const size_t at = reader_.at();
    reader_.skip(1);
    const std::string_view kind = name();
    if (reader_.peek() != '"' && reader_.peek() != '\'')
      return expected("a regex in quotes behind #");
    std::string value;
    if (auto problem = quoted(kEscapes, value)) return problem;
    Terms& terms = grammar_.terms;
    if (kind == "substrs") {
      if (value.size() > kMostSubstringBytes)
        return fault(at, fmt::format("the text has {} bytes; at most {} are taken", value.size(),
                                     kMostSubstringBytes));
      put_term(parts_of(value));
      return std::nullopt;
    }
    if (!kind.empty() && kind != "e" && kind != "ex")
      return fault(at, fmt::format("#{} cannot be used; there are #, #e, #ex and #substrs", kind));
    RegexOptions options;
    options.most_bytes = kMostRegexBytes;
    const auto regex = add_regex(grammar_, value, RegexDialect::re2, options);
    if (!regex) {
      Problem problem = regex.error().front();
      problem.message = fmt::format("in the regex at {}: {}", problem.where, problem.message);
      problem.where = reader_.place(at);
      return problem;
    }
    Term term = *regex;
    if (kind == "e")
      term =
          terms.without(term, terms.sequence(term, terms.repeat(terms.any_byte(), 1, kUnbounded)));
    if (kind == "ex")
      term = terms.without(terms.repeat(terms.any_character(), 1, kUnbounded), term);
    put_term(term);
    return std::nullopt;
  }

  // What stands in a text, from any character of it to any other, but not nothing.
  Term parts_of(std::string_view value) {
    Terms& terms = grammar_.terms;
    std::vector<std::string_view> characters;
    for (TextReader reader(value); !reader.done();) {
      const size_t begin = reader.at();
      reader.take_character();
      characters.push_back(reader.from(begin));
    }
    std::vector<Term> choices;
    Term rest = Term::empty;
    for (size_t n = characters.size(); n-- > 0;) {
      choices.push_back(terms.sequence(terms.literal(characters[n]), rest));
      rest = terms.optional(choices.back());
    }
    return terms.either(choices);
  }

  std::map<uint32_t, std::vector<uint32_t>> definitions_;
};

}  // namespace

Checked<Term> add_kbnf(Grammar& grammar, std::string_view text, const GrammarOptions& options) {
  if (auto problem = check_text(text, options.most_bytes, "the grammar", "invalid_grammar"))
    return tl::unexpected(Problems{std::move(*problem)});
  return Parser(grammar, text, options).run();
}

}  // namespace skein::constrain
