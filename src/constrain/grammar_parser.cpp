#include "constrain/grammar_parser.h"

#include <algorithm>

#include "constrain/regex.h"
#include "text/unicode.h"

namespace skein::constrain {
namespace {

constexpr uint32_t kMostId = 1 << 30;
constexpr uint32_t kMostListedIds = 1 << 20;

}  // namespace

Fault GrammarParser::inside(size_t begin, Problem problem) const {
  TextReader column(std::string_view(problem.where).substr(2));  // behind "1:"
  const uint32_t ahead = column.take_number(kMostRepetitions).value_or(1) - 1;
  TextReader reader = reader_;
  reader.go_to(begin);
  for (uint32_t n = 0; n < ahead && !reader.done(); ++n) reader.take_character();
  problem.where = reader_.place(reader.at());
  return problem;
}

Fault GrammarParser::open(char closing) {
  const size_t at = reader_.at();
  if (open_.size() > kMostNesting)
    return fault(at, fmt::format("brackets are nested deeper than {}", kMostNesting));
  reader_.skip(1);
  open_.push_back({at, closing, {}, {}});
  return std::nullopt;
}

uint32_t GrammarParser::close() {
  end_choice();
  const uint32_t item = book_.add_choice(std::move(open_.back().choices));
  open_.pop_back();
  return item;
}

void GrammarParser::end_choice() {
  Open& now = open_.back();
  now.choices.push_back(book_.add_sequence(std::move(now.parts)));
  now.parts.clear();
}

std::optional<Fault> GrammarParser::structure() {
  const size_t at = reader_.at();
  const char c = reader_.peek();
  switch (c) {
    case '(': return open(')');
    case '[': return open(']');
    case ')':
    case ']': return close_bracket();
    case '|':
      reader_.skip(1);
      end_choice();
      return Fault();
    case '*':
    case '+':
    case '?':
      if (auto problem = repeat(c == '+' ? 1 : 0, c == '?' ? 1 : kUnbounded, at)) return problem;
      reader_.skip(1);
      return Fault();
    default: return std::nullopt;
  }
}

Fault GrammarParser::repeat(uint32_t min, uint32_t max, size_t at) {
  std::vector<uint32_t>& parts = open_.back().parts;
  if (parts.empty())
    return fault(
        at, fmt::format("there is nothing before {} that it could repeat", shown(reader_, at)));
  parts.back() = book_.add_repeat(parts.back(), min, max);
  return std::nullopt;
}

Fault GrammarParser::counts(uint32_t& min, uint32_t& max, bool open_start) {
  const auto is_blank = [](char c) { return c == ' ' || c == '\t'; };
  const size_t at = reader_.at();
  reader_.skip(1);
  reader_.take_while(is_blank);
  const auto least = reader_.take_number(kMostRepetitions);
  if (!least && (!open_start || reader_.peek() != ',')) return expected("a number");
  min = max = least.value_or(0);
  reader_.take_while(is_blank);
  if (reader_.take(',')) {
    reader_.take_while(is_blank);
    max = reader_.take_number(kMostRepetitions).value_or(kUnbounded);
    reader_.take_while(is_blank);
  }
  if (!reader_.take('}')) return expected("a } that ends the counts");
  if (min > kMostRepetitions || (max != kUnbounded && max > kMostRepetitions))
    return fault(at, fmt::format("counts go up to {}", kMostRepetitions));
  if (min > max) return fault(at, fmt::format("the counts {} are upside down", reader_.from(at)));
  return std::nullopt;
}

Fault GrammarParser::close_bracket() {
  const char c = reader_.peek();
  if (!nested()) return fault(reader_.at(), fmt::format("the {} closes nothing", c));
  if (open_.back().closing != c) return expected(std::string(1, open_.back().closing));
  reader_.skip(1);
  uint32_t inside = close();
  if (c != ')') inside = book_.add_repeat(inside, 0, c == ']' ? 1 : kUnbounded);
  put(inside);
  return std::nullopt;
}

Fault GrammarParser::character(const Escapes& escapes, size_t begin, std::string_view at_end,
                               uint32_t& out) {
  const size_t at = reader_.at();
  if (reader_.done()) return fault(begin, std::string(at_end));
  out = reader_.take_character();
  if (out != '\\') return std::nullopt;
  const char c = reader_.peek();
  if (const size_t known = escapes.letters.find(c);
      !reader_.done() && known != std::string_view::npos) {
    reader_.skip(1);
    out = static_cast<uint32_t>(escapes.meanings[known]);
    return std::nullopt;
  }
  const size_t digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
  if (digits == 0) {
    std::string known;
    for (char letter : escapes.letters) known += fmt::format("\\{} ", letter);
    return fault(at, fmt::format("{} behind the backslash; there are {}\\xHH \\uHHHH \\UHHHHHHHH",
                                 shown(reader_, reader_.at()), known));
  }
  reader_.skip(1);
  const auto value = reader_.take_hex(digits);
  if (!value)
    return fault(at, fmt::format("expected {} hexadecimal digits behind \\{}", digits, c));
  if (*value > kLastCharacter || (*value >= 0xd800 && *value <= 0xdfff))
    return fault(at, fmt::format("{} is no character of Unicode", reader_.from(at)));
  out = *value;
  return std::nullopt;
}

Fault GrammarParser::quoted(const Escapes& escapes, std::string& out) {
  const size_t at = reader_.at();
  const char quote = reader_.peek();
  const std::string unclosed = fmt::format("the {} has no second one that ends the text", quote);
  reader_.skip(1);
  while (!reader_.take(quote)) {
    uint32_t c = 0;
    if (auto problem = character(escapes, at, unclosed, c)) return problem;
    text::append_utf8(out, c);
  }
  return std::nullopt;
}

Fault GrammarParser::tokens(bool negated, bool lists, Term& out) {
  const size_t at = reader_.at();
  std::vector<int32_t> ids;
  if (!reader_.take("<[")) {
    const size_t end = reader_.rest().substr(0, 256).find('>');
    if (end == std::string_view::npos || reader_.rest().substr(0, end).find('\n') < end)
      return fault(at, "the < has no > that ends the name of a token");
    const std::string_view name = reader_.rest().substr(0, end + 1);
    const auto id = options_.token_named ? options_.token_named(name) : std::nullopt;
    if (!id)
      return fault(at, fmt::format("the vocabulary has no token of its own for {}; as text it is "
                                   "written \"{}\"",
                                   escaped(name, 80), escaped(name, 80)));
    reader_.skip(end + 1);
    out = grammar_.terms.tokens({&*id, 1}, negated);
    return std::nullopt;
  }
  if (lists && reader_.take("*]>")) {
    out = grammar_.terms.tokens({}, true);
    return std::nullopt;
  }
  if (lists && reader_.take('^')) negated = true;
  do {
    const auto first = reader_.take_number(kMostId);
    if (!first) return expected("the id of a token");
    uint32_t last = *first;
    if (lists && reader_.take('-')) {
      const auto number = reader_.take_number(kMostId);
      if (!number) return expected("the last id of the range");
      last = *number;
    }
    if (last > kMostId || last < *first || ids.size() + (last - *first) >= kMostListedIds)
      return fault(at, "that is no range of ids");
    for (uint32_t id = *first; id <= last; ++id) ids.push_back(static_cast<int32_t>(id));
  } while (lists && reader_.take(','));
  if (!reader_.take("]>")) return expected("]>, the end of the ids");
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  out = grammar_.terms.tokens(ids, negated);
  return std::nullopt;
}

}  // namespace skein::constrain
