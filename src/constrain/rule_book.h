// The rules that a grammar's text has, as they are read: names used before they are defined, and
// the ways to put parts together that all the languages share. In the end they become terms of a
// Grammar.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "constrain/grammar.h"

namespace skein::constrain {

// Something in the body of a rule. Parts have smaller numbers than what they are parts of.
struct Item {
  enum class Kind : uint8_t { term, rule, sequence, choice, repeat };
  Kind kind = Kind::sequence;
  // A unit that what is ignored may stand before; for a rule: if that is a terminal.
  bool lexeme = false;
  Term term = Term::none;  // of a term
  uint32_t rule = 0;       // of a rule
  uint32_t min = 0;        // of a repetition
  uint32_t max = 0;
  std::vector<uint32_t> parts;
};

// Of a regular term, the texts that do not begin with a shorter one of its texts.
Term shortest(Terms& terms, Term term);

class RuleBook {
 public:
  RuleBook(Grammar& grammar, std::string_view text) : grammar_(grammar), text_(text) {}

  uint32_t add(Item item);
  uint32_t add_term(Term term, bool lexeme = false);
  uint32_t add_rule(uint32_t rule, bool lexeme = false);
  uint32_t add_sequence(std::vector<uint32_t> parts);
  uint32_t add_choice(std::vector<uint32_t> parts);
  uint32_t add_repeat(uint32_t what, uint32_t min, uint32_t max);

  // The number of the rule of this name; `at` is kept, an offset in the text, if it is new.
  uint32_t named(std::string_view name, size_t at);
  // A rule begins: the items that follow are its own.
  void begin(uint32_t rule);
  void define(uint32_t rule, uint32_t body);
  bool is_defined(uint32_t rule) const { return rules_[rule].body.has_value(); }

  // A terminal is regular: it calls only others of its kind, and none in a circle.
  void set_terminal(uint32_t rule) { rules_[rule].terminal = true; }
  bool is_terminal(uint32_t rule) const { return rules_[rule].terminal; }
  // Of its texts those in which no shorter one is; with what follows it, if it is not empty, which
  // then belongs to them.
  void set_lazy(uint32_t rule, std::string suffix);

  // A terminal that may stand, any number of times, before each lexeme but the first one.
  void add_ignored(uint32_t rule) { ignored_rules_.push_back(rule); }

  // The term of the rule `root`, or what is wrong with the rules.
  Checked<Term> finish(std::string_view root);

 private:
  struct Rule {
    std::string name;
    size_t at = 0;
    uint32_t first_item = 0;
    uint32_t end_item = 0;
    std::optional<uint32_t> body;
    bool terminal = false;
    bool lazy = false;
    std::string suffix;
  };
  // A rule has two forms if something is ignored: as it begins the text, with at least one lexeme,
  // and as it goes on behind others.
  enum class Form : uint8_t { later, first };
  enum class Step : uint8_t { not_yet, open, done };
  struct Made {
    Step step = Step::not_yet;
    std::optional<uint32_t> number;  // in the grammar, if it is called
    Term term = Term::none;          // what stands for it when it is done
    uint32_t size = 0;
  };
  struct Value {
    Term term = Term::none;
    uint32_t size = 0;
  };

  Problems undefined() const;
  std::optional<Problem> circular_terminal() const;
  std::vector<uint32_t> calls_of(uint32_t rule) const;
  std::vector<uint32_t> callees_first(std::span<const uint32_t> roots) const;
  bool is_lexeme(const Item& item) const;
  // The rules of which something is true by their parts, as soon as it is.
  std::vector<uint8_t> rules_where(const std::vector<uint32_t>& order, bool productive) const;
  bool item_where(const Item& item, bool productive, const std::vector<uint8_t>& items,
                  const std::vector<uint8_t>& rules) const;

  Made& made(uint32_t rule, Form form) { return made_[rule * 2 + static_cast<uint32_t>(form)]; }
  std::optional<Problem> make_all(std::span<const uint32_t> order);
  std::optional<Problem> make(uint32_t rule, Form form);
  std::optional<Problem> cut_short(const Rule& rule, Value& value);
  Value value_of_rule(uint32_t rule, Form form);
  Value later(const Item& item);
  Value first(const Item& item);
  Value joined(std::span<const Value> parts);
  Value chosen(std::span<const Value> parts);
  Value repeated(Value what, uint32_t min, uint32_t max);

  Problem problem(std::string_view code, size_t at, std::string message) const;

  Grammar& grammar_;
  std::string_view text_;
  std::vector<Item> items_;
  std::vector<Rule> rules_;
  std::map<std::string, uint32_t, std::less<>> names_;
  std::vector<uint32_t> ignored_rules_;
  Term ignored_ = Term::empty;

  std::vector<Made> made_;
  std::vector<uint8_t> may_be_empty_;  // rules that may be without any lexeme
  std::vector<uint8_t> empty_items_;
  std::vector<Value> later_;  // by item
  std::vector<Value> first_;
  bool too_many_firsts_ = false;
};

}  // namespace skein::constrain
