#include "constrain/regex_syntax.h"

#include <string>

#include "constrain/regex_sets.h"

namespace skein::constrain::regex {
namespace {

constexpr size_t kMostNesting = 256;

struct Flags {
  bool ignore_case = false;
  bool dot_all = false;
  bool multi_line = false;
};

// What is left of the place a quantifier would stand at.
enum class Before : uint8_t { nothing, atom, assertion, quantifier };

// An open group.
struct Group {
  size_t at = 0;
  Flags flags;  // as they were before it
  std::vector<uint32_t> choices;
  std::vector<uint32_t> parts;
};

struct Counts {
  uint32_t min = 0;
  uint32_t max = 0;
};

class Parser {
 public:
  Parser(std::string_view pattern, RegexDialect dialect, const RegexOptions& options)
      : reader_(pattern),
        dialect_(dialect),
        allow_lazy_(options.allow_lazy),
        flags_{options.ignore_case, options.dot_all, options.multi_line} {}

  Read<Syntax> run() {
    groups_.emplace_back();
    while (!reader_.done())
      if (auto problem = step()) return tl::unexpected(std::move(*problem));
    if (groups_.size() > 1)
      return refuse(reader_, groups_.back().at, "the ( has no ) that closes it");
    out_.root = close();
    return std::move(out_);
  }

 private:
  using Fault = std::optional<Problem>;

  bool ecma() const { return dialect_ == RegexDialect::ecma; }

  Fault fault(size_t at, std::string message) {
    return refuse(reader_, at, std::move(message)).value();
  }

  uint32_t add(Node node) {
    out_.nodes.push_back(std::move(node));
    return static_cast<uint32_t>(out_.nodes.size() - 1);
  }

  void put(Node node, Before kind) {
    groups_.back().parts.push_back(add(std::move(node)));
    before_ = kind;
  }

  void put_set(CharSet set) {
    Node node;
    node.kind = Kind::set;
    node.set = std::move(set);
    put(std::move(node), Before::atom);
  }

  void put_character(uint32_t c) {
    CharSet set(c, c);
    if (flags_.ignore_case) set.add_other_cases();
    put_set(std::move(set));
  }

  void put_assertion(Kind kind) {
    Node node;
    node.kind = kind;
    put(std::move(node), Before::assertion);
  }

  Fault step() {
    const size_t at = reader_.at();
    const char c = reader_.peek();
    switch (c) {
      case '(': return open();
      case ')':
        if (groups_.size() == 1) return fault(at, "the ) closes no (");
        reader_.skip(1);
        return close_group();
      case '|':
        reader_.skip(1);
        end_choice();
        return std::nullopt;
      case '*':
      case '+':
      case '?': return quantify();
      case '{':
        if (const auto counts = peek_counts()) return quantify();
        if (ecma() && reader_.starts_with("{,"))
          return fault(at, "{,n} is no count in ECMA-262; write {0,n}");
        break;
      case '[': {
        reader_.skip(1);
        auto set = bracketed(reader_, dialect_, flags_.ignore_case);
        if (!set) return std::move(set).error();
        put_set(std::move(*set));
        return std::nullopt;
      }
      case '.':
        reader_.skip(1);
        put_set(dot(dialect_, flags_.dot_all));
        return std::nullopt;
      case '^':
        reader_.skip(1);
        put_assertion(flags_.multi_line ? Kind::line_begin : Kind::begin);
        return std::nullopt;
      case '$':
        reader_.skip(1);
        put_assertion(flags_.multi_line ? Kind::line_end : Kind::end);
        return std::nullopt;
      case '\\': return escape();
      default: break;
    }
    put_character(reader_.take_character());
    return std::nullopt;
  }

  Fault escape() {
    reader_.skip(1);
    const char c = reader_.peek();
    if (!ecma() && c == 'Q') return quoted();
    if (c == 'b' || c == 'B' || (!ecma() && (c == 'A' || c == 'z'))) {
      reader_.skip(1);
      put_assertion(c == 'b'   ? Kind::boundary
                    : c == 'B' ? Kind::no_boundary
                    : c == 'A' ? Kind::begin
                               : Kind::end);
      return std::nullopt;
    }
    auto set = class_escape(reader_, dialect_, flags_.ignore_case);
    if (!set) return std::move(set).error();
    if (*set) {
      put_set(std::move(**set));
      return std::nullopt;
    }
    const auto character = character_escape(reader_, dialect_, false);
    if (!character) return character.error();
    put_character(*character);
    return std::nullopt;
  }

  // \Q...\E; without \E up to the end.
  Fault quoted() {
    reader_.skip(1);
    while (!reader_.done() && !reader_.take("\\E")) put_character(reader_.take_character());
    return std::nullopt;
  }

  // {n}, {n,} or {n,m} at the reader; any other brace is itself.
  std::optional<Counts> peek_counts() const {
    TextReader reader = reader_;
    reader.skip(1);
    const auto min = reader.take_number(kMostRepetitions);
    if (!min) return std::nullopt;
    Counts counts{*min, *min};
    if (reader.take(',')) counts.max = reader.take_number(kMostRepetitions).value_or(kUnbounded);
    if (!reader.take('}')) return std::nullopt;
    return counts;
  }

  Fault quantify() {
    const size_t at = reader_.at();
    if (before_ == Before::quantifier)
      return fault(at, reader_.peek() == '+'
                           ? "possessive quantifiers (*+, ++, ?+) cannot be used"
                           : "two quantifiers in a row; put the first one into a group, (?:...)");
    if (before_ == Before::nothing || (ecma() && before_ == Before::assertion))
      return fault(
          at, fmt::format("there is nothing before {} that it could repeat", shown(reader_, at)));
    Counts counts;
    switch (reader_.peek()) {
      case '*': counts = {0, kUnbounded}; break;
      case '+': counts = {1, kUnbounded}; break;
      case '?': counts = {0, 1}; break;
      default:
        counts = *peek_counts();
        while (reader_.peek() != '}') reader_.skip(1);
    }
    reader_.skip(1);
    if (counts.min > kMostRepetitions ||
        (counts.max != kUnbounded && counts.max > kMostRepetitions))
      return fault(at, fmt::format("counts go up to {}", kMostRepetitions));
    if (counts.min > counts.max)
      return fault(at, fmt::format("the count {} is upside down", reader_.from(at)));
    if (reader_.take('?') && !allow_lazy_)
      return fault(at,
                   "lazy quantifiers cannot be used here; make the whole rule lazy, NAME[lazy]");
    Node node;
    node.kind = Kind::repeat;
    node.min = counts.min;
    node.max = counts.max;
    node.parts.push_back(groups_.back().parts.back());
    groups_.back().parts.pop_back();
    put(std::move(node), Before::quantifier);
    return std::nullopt;
  }

  Fault open() {
    const size_t at = reader_.at();
    reader_.skip(1);
    Group group{at, flags_, {}, {}};
    if (reader_.take('?')) {
      if (auto problem = group_head(at)) return problem;
      if (reader_.from(at).back() == ')') return std::nullopt;  // flags for what follows
    } else if (reader_.peek() == '*' && is_letter(reader_.peek(1))) {
      return fault(at, "verbs such as (*FAIL) cannot be used");
    }
    if (groups_.size() > kMostNesting)
      return fault(at, fmt::format("groups are nested deeper than {}", kMostNesting));
    groups_.push_back(std::move(group));
    before_ = Before::nothing;
    return std::nullopt;
  }

  // Behind `(?`.
  Fault group_head(size_t at) {
    if (reader_.take(':')) return std::nullopt;
    if (reader_.starts_with("=") || reader_.starts_with("!"))
      return fault(at, "looking ahead, (?= and (?!, cannot be used; say what may follow instead");
    if (reader_.starts_with("<=") || reader_.starts_with("<!"))
      return fault(at, "looking behind, (?<= and (?<!, cannot be used; say what may stand there");
    if (reader_.peek() == '>') return fault(at, "atomic groups, (?>, cannot be used");
    if (reader_.peek() == 'R' || reader_.peek() == '&' || is_digit(reader_.peek()) ||
        reader_.starts_with("P>"))
      return fault(at,
                   "recursion cannot be used; write a grammar, whose rules may call themselves");
    if (reader_.starts_with("P="))
      return fault(at, "(?P= refers back to a group, which no automaton can do");
    if (reader_.peek() == 'P' && ecma())
      return fault(at, "(?P<name>...) is not part of ECMA-262; write (?<name>...)");
    if (reader_.take("P<") || reader_.take('<')) return group_name(at);
    if (!ecma() && (is_letter(reader_.peek()) || reader_.peek() == '-')) return group_flags(at);
    if (is_letter(reader_.peek()) || reader_.peek() == '-')
      return fault(at, "flags such as (?i) cannot be used in `pattern`; write both cases, [aA]");
    return fault(at, fmt::format("{} behind (? is not known", shown(reader_, reader_.at())));
  }

  Fault group_name(size_t at) {
    if (reader_.take_while(is_word_letter).empty() || !reader_.take('>'))
      return fault(at, "the name of a group has letters, digits and _, and ends in >");
    return std::nullopt;
  }

  Fault group_flags(size_t at) {
    bool on = true;
    bool any = false;
    while (true) {
      const char c = reader_.peek();
      reader_.skip(reader_.done() ? 0 : 1);
      switch (c) {
        case 'i': flags_.ignore_case = on; break;
        case 's': flags_.dot_all = on; break;
        case 'm': flags_.multi_line = on; break;
        case 'U': break;  // which of several matches is meant makes no difference
        case '-':
          if (!on) return fault(at, "the flags of a group have two -");
          on = false;
          any = false;
          continue;
        case ':':
        case ')':
          if (any) return std::nullopt;
          [[fallthrough]];
        default: return fault(at, "a group's flags are i, m, s and U, as in (?i) and (?s-i:...)");
      }
      any = true;
    }
  }

  void end_choice() {
    Group& group = groups_.back();
    group.choices.push_back(sequence_of(std::move(group.parts)));
    group.parts.clear();
    before_ = Before::nothing;
  }

  uint32_t sequence_of(std::vector<uint32_t> parts) {
    if (parts.size() == 1) return parts.front();
    Node node;
    node.parts = std::move(parts);
    return add(std::move(node));
  }

  uint32_t close() {
    end_choice();
    std::vector<uint32_t> choices = std::move(groups_.back().choices);
    groups_.pop_back();
    if (choices.size() == 1) return choices.front();
    Node node;
    node.kind = Kind::choice;
    node.parts = std::move(choices);
    return add(std::move(node));
  }

  Fault close_group() {
    flags_ = groups_.back().flags;
    const uint32_t inside = close();
    groups_.back().parts.push_back(inside);
    before_ = Before::atom;
    return std::nullopt;
  }

  TextReader reader_;
  RegexDialect dialect_;
  bool allow_lazy_;
  Flags flags_;
  Syntax out_;
  std::vector<Group> groups_;
  Before before_ = Before::nothing;
};

}  // namespace

Read<Syntax> parse(std::string_view pattern, RegexDialect dialect, const RegexOptions& options) {
  if (auto problem = check_text(pattern, options.most_bytes, "the pattern", "invalid_regex"))
    return tl::unexpected(std::move(*problem));
  return Parser(pattern, dialect, options).run();
}

}  // namespace skein::constrain::regex
