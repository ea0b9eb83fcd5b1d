#include "constrain/rule_book.h"

#include <algorithm>

#include "constrain/text_reader.h"

namespace skein::constrain {
namespace {

// A terminal stands itself where it is called, if it is no larger than this: what is lazy has to be
// one regular term. Other rules are called; prepare.h has an eye to which of them are better in
// place.
constexpr uint32_t kMostInPlace = 2'000;
// Parts of a sequence that may all be its first one, if something is ignored.
constexpr size_t kMostFirsts = 256;

}  // namespace

Term shortest(Terms& terms, Term term) {
  return terms.without(term, terms.sequence(term, terms.repeat(terms.any_byte(), 1, kUnbounded)));
}

Problem RuleBook::problem(std::string_view code, size_t at, std::string message) const {
  return {std::string(code), TextReader(text_).place(at), std::move(message)};
}

uint32_t RuleBook::add(Item item) {
  items_.push_back(std::move(item));
  return static_cast<uint32_t>(items_.size() - 1);
}

uint32_t RuleBook::add_term(Term term, bool lexeme) {
  return add({.kind = Item::Kind::term, .lexeme = lexeme, .term = term, .parts = {}});
}

uint32_t RuleBook::add_rule(uint32_t rule, bool lexeme) {
  return add({.kind = Item::Kind::rule, .lexeme = lexeme, .rule = rule, .parts = {}});
}

uint32_t RuleBook::add_sequence(std::vector<uint32_t> parts) {
  if (parts.size() == 1) return parts.front();
  return add({.kind = Item::Kind::sequence, .parts = std::move(parts)});
}

uint32_t RuleBook::add_choice(std::vector<uint32_t> parts) {
  if (parts.size() == 1) return parts.front();
  return add({.kind = Item::Kind::choice, .parts = std::move(parts)});
}

uint32_t RuleBook::add_repeat(uint32_t what, uint32_t min, uint32_t max) {
  return add({.kind = Item::Kind::repeat, .min = min, .max = max, .parts = {what}});
}

uint32_t RuleBook::named(std::string_view name, size_t at) {
  if (const auto known = names_.find(name); known != names_.end()) return known->second;
  const auto number = static_cast<uint32_t>(rules_.size());
  rules_.push_back({.name = std::string(name), .at = at, .body = {}, .suffix = {}});
  names_.emplace(name, number);
  return number;
}

void RuleBook::begin(uint32_t rule) {
  rules_[rule].first_item = static_cast<uint32_t>(items_.size());
}

void RuleBook::define(uint32_t rule, uint32_t body) {
  rules_[rule].body = body;
  rules_[rule].end_item = static_cast<uint32_t>(items_.size());
}

void RuleBook::set_lazy(uint32_t rule, std::string suffix) {
  rules_[rule].lazy = true;
  rules_[rule].suffix = std::move(suffix);
}

Checked<Term> RuleBook::finish(std::string_view root) {
  const auto named = names_.find(root);
  if (named == names_.end() || !is_defined(named->second)) {
    std::string message = fmt::format("there is no rule \"{}\", where the text would begin", root);
    for (const Rule& rule : rules_)
      if (rule.body && std::equal(rule.name.begin(), rule.name.end(), root.begin(), root.end(),
                                  [](char a, char b) { return (a | 0x20) == (b | 0x20); }))
        message += fmt::format("; \"{}\" is another name", rule.name);
    return tl::unexpected(Problems{problem("invalid_grammar", 0, std::move(message))});
  }
  if (Problems all = undefined(); !all.empty()) return tl::unexpected(std::move(all));
  if (auto circle = circular_terminal()) return tl::unexpected(Problems{std::move(*circle)});

  std::vector<uint32_t> roots = ignored_rules_;
  roots.push_back(named->second);
  const std::vector<uint32_t> order = callees_first(roots);
  if (rules_where(order, true)[named->second] == 0)
    return tl::unexpected(Problems{
        problem("unsatisfiable", rules_[named->second].at,
                fmt::format("no text follows \"{}\": each of its alternatives needs another text "
                            "that never ends, or that nothing can match",
                            root))});
  may_be_empty_ = rules_where(order, false);
  made_.resize(rules_.size() * 2);
  later_.resize(items_.size());
  first_.resize(items_.size());
  empty_items_.resize(items_.size());
  if (auto wrong = make_all(order)) return tl::unexpected(Problems{std::move(*wrong)});
  if (grammar_.terms.full() || grammar_.rules.size() > Grammar::kMostRules)
    return tl::unexpected(Problems{problem("constraint_too_large", 0, "the grammar is too large")});
  if (ignored_rules_.empty()) return value_of_rule(named->second, Form::later).term;
  const Term some = value_of_rule(named->second, Form::first).term;
  return may_be_empty_[named->second] != 0 ? grammar_.terms.optional(some) : some;
}

// In this order. What is ignored comes first: it is all terminals, which nothing stands before.
std::optional<Problem> RuleBook::make_all(std::span<const uint32_t> order) {
  for (uint32_t rule : callees_first(ignored_rules_))
    if (auto wrong = make(rule, Form::later)) return wrong;
  std::vector<Term> ignored;
  for (uint32_t rule : ignored_rules_) ignored.push_back(value_of_rule(rule, Form::later).term);
  ignored_ = grammar_.terms.repeat(grammar_.terms.either(ignored), 0, kUnbounded);
  for (uint32_t rule : order)
    for (Form form : {Form::later, Form::first}) {
      if (made(rule, form).step == Step::done) continue;
      if (form == Form::first && (ignored.empty() || rules_[rule].terminal)) continue;
      if (auto wrong = make(rule, form)) return wrong;
    }
  return std::nullopt;
}

bool RuleBook::is_lexeme(const Item& item) const {
  return item.lexeme && (item.kind != Item::Kind::rule || rules_[item.rule].terminal);
}

Problems RuleBook::undefined() const {
  Problems out;
  for (const Rule& rule : rules_)
    if (!rule.body && out.size() < kMostProblems)
      out.push_back(problem("invalid_grammar", rule.at,
                            fmt::format("the rule \"{}\" is used but not defined", rule.name)));
  return out;
}

std::vector<uint32_t> RuleBook::calls_of(uint32_t rule) const {
  std::vector<uint32_t> out;
  for (uint32_t n = rules_[rule].first_item; n < rules_[rule].end_item; ++n)
    if (items_[n].kind == Item::Kind::rule) out.push_back(items_[n].rule);
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

// Depth first; in a circle some rule comes before one that it calls.
std::vector<uint32_t> RuleBook::callees_first(std::span<const uint32_t> roots) const {
  struct Visit {
    uint32_t rule;
    std::vector<uint32_t> calls;
    size_t next = 0;
  };
  std::vector<uint32_t> out;
  std::vector<uint8_t> seen(rules_.size(), 0);
  std::vector<Visit> open;
  const auto visit = [&](uint32_t rule) {
    if (seen[rule] != 0) return;
    seen[rule] = 1;
    open.push_back({rule, calls_of(rule)});
  };
  for (uint32_t root : roots) {
    visit(root);
    while (!open.empty()) {
      Visit& now = open.back();
      if (now.next < now.calls.size()) {
        visit(now.calls[now.next++]);
        continue;
      }
      out.push_back(now.rule);
      open.pop_back();
    }
  }
  return out;
}

std::optional<Problem> RuleBook::circular_terminal() const {
  // What calls only terminals that are known to end is known to end, too.
  std::vector<uint32_t> waits(rules_.size(), 0);
  std::vector<std::vector<uint32_t>> callers(rules_.size());
  std::vector<uint32_t> ready;
  for (uint32_t rule = 0; rule < rules_.size(); ++rule) {
    if (!rules_[rule].terminal) continue;
    for (uint32_t call : calls_of(rule)) {
      if (!rules_[call].terminal)
        return problem("invalid_grammar", rules_[rule].at,
                       fmt::format("the terminal \"{}\" uses the rule \"{}\"; terminals use only "
                                   "terminals",
                                   rules_[rule].name, rules_[call].name));
      ++waits[rule];
      callers[call].push_back(rule);
    }
    if (waits[rule] == 0) ready.push_back(rule);
  }
  while (!ready.empty()) {
    const uint32_t rule = ready.back();
    ready.pop_back();
    for (uint32_t caller : callers[rule])
      if (--waits[caller] == 0) ready.push_back(caller);
  }
  for (uint32_t rule = 0; rule < rules_.size(); ++rule)
    if (waits[rule] > 0)
      return problem(
          "invalid_grammar", rules_[rule].at,
          fmt::format("the terminal \"{}\" uses itself; only rules may", rules_[rule].name));
  return std::nullopt;
}

bool RuleBook::item_where(const Item& item, bool productive, const std::vector<uint8_t>& items,
                          const std::vector<uint8_t>& rules) const {
  const auto is_true = [&](uint32_t part) { return items[part] != 0; };
  switch (item.kind) {
    case Item::Kind::term:
      if (productive) return item.term != Term::none;
      return !item.lexeme && grammar_.terms.nullable(item.term);
    case Item::Kind::rule: return rules[item.rule] != 0 && (productive || !is_lexeme(item));
    case Item::Kind::sequence: return std::all_of(item.parts.begin(), item.parts.end(), is_true);
    case Item::Kind::choice: return std::any_of(item.parts.begin(), item.parts.end(), is_true);
    case Item::Kind::repeat: return item.min == 0 || is_true(item.parts[0]);
  }
  return false;
}

std::vector<uint8_t> RuleBook::rules_where(const std::vector<uint32_t>& order,
                                           bool productive) const {
  std::vector<uint8_t> items(items_.size(), 0);
  std::vector<uint8_t> rules(rules_.size(), 0);
  for (bool changed = true; changed;) {
    changed = false;
    for (uint32_t rule : order) {
      if (rules[rule] != 0) continue;
      for (uint32_t n = rules_[rule].first_item; n < rules_[rule].end_item; ++n)
        items[n] = item_where(items_[n], productive, items, rules) ? 1 : 0;
      rules[rule] = items[*rules_[rule].body];
      changed = changed || rules[rule] != 0;
    }
  }
  return rules;
}

std::optional<Problem> RuleBook::make(uint32_t number, Form form) {
  const Rule& rule = rules_[number];
  made(number, form).step = Step::open;
  for (uint32_t n = rule.first_item; n < rule.end_item; ++n) {
    if (form == Form::first) {
      empty_items_[n] = item_where(items_[n], false, empty_items_, may_be_empty_) ? 1 : 0;
      first_[n] = first(items_[n]);
    } else {
      later_[n] = later(items_[n]);
    }
  }
  if (too_many_firsts_)
    return problem("constraint_too_large", rule.at,
                   fmt::format("\"{}\" begins with more than {} parts that may be left out, while "
                               "something is ignored",
                               rule.name, kMostFirsts));
  Value value = form == Form::first ? first_[*rule.body] : later_[*rule.body];
  if (rule.lazy)
    if (auto wrong = cut_short(rule, value)) return wrong;
  Made& out = made(number, form);
  out.step = Step::done;
  if (rule.terminal && value.size <= kMostInPlace) {
    out.term = value.term;
    out.size = value.size;
    return std::nullopt;
  }
  if (!out.number) out.number = grammar_.add_rule();
  grammar_.rules[*out.number] = value.term;
  out.term = grammar_.terms.call(*out.number);
  out.size = 1;
  return std::nullopt;
}

// What is lazy ends as soon as it may.
std::optional<Problem> RuleBook::cut_short(const Rule& rule, Value& value) {
  Terms& terms = grammar_.terms;
  if (!terms.regular(value.term))
    return problem("constraint_too_large", rule.at,
                   fmt::format("\"{}\" is too large to be lazy", rule.name));
  value.term = shortest(terms, terms.sequence(value.term, terms.literal(rule.suffix)));
  value.size += 2;
  return std::nullopt;
}

RuleBook::Value RuleBook::value_of_rule(uint32_t rule, Form form) {
  Made& known = made(rule, form);
  if (known.step == Step::done) return {known.term, known.size};
  if (!known.number) known.number = grammar_.add_rule();
  return {grammar_.terms.call(*known.number), 1};
}

RuleBook::Value RuleBook::later(const Item& item) {
  std::vector<Value> parts;
  for (uint32_t part : item.parts) parts.push_back(later_[part]);
  const auto as_lexeme = [&](Value value) {
    if (is_lexeme(item)) value = {grammar_.terms.sequence(ignored_, value.term), value.size + 1};
    return value;
  };
  switch (item.kind) {
    case Item::Kind::term: return as_lexeme({item.term, 1});
    case Item::Kind::rule: return as_lexeme(value_of_rule(item.rule, Form::later));
    case Item::Kind::sequence: return joined(parts);
    case Item::Kind::choice: return chosen(parts);
    case Item::Kind::repeat: return repeated(parts[0], item.min, item.max);
  }
  return {};
}

// The texts of an item that have a lexeme, the first of which nothing ignored stands before.
RuleBook::Value RuleBook::first(const Item& item) {
  switch (item.kind) {
    case Item::Kind::term: return {item.term, 1};
    case Item::Kind::rule:
      return value_of_rule(item.rule, is_lexeme(item) ? Form::later : Form::first);
    case Item::Kind::sequence: {
      // The part with the first lexeme; those before it are empty.
      std::vector<Value> choices;
      Value rest{Term::empty, 0};
      const auto before_rest = [&](Value part) {
        return Value{grammar_.terms.sequence(part.term, rest.term), part.size + rest.size};
      };
      for (size_t n = item.parts.size(); n-- > 0;) {
        if (empty_items_[item.parts[n]] == 0) choices.clear();
        choices.push_back(before_rest(first_[item.parts[n]]));
        rest = before_rest(later_[item.parts[n]]);
      }
      too_many_firsts_ = too_many_firsts_ || choices.size() > kMostFirsts;
      if (too_many_firsts_) return {};
      return chosen(choices);
    }
    case Item::Kind::choice: {
      std::vector<Value> parts;
      for (uint32_t part : item.parts) parts.push_back(first_[part]);
      return chosen(parts);
    }
    case Item::Kind::repeat: {
      if (item.max == 0) return {};
      const uint32_t part = item.parts[0];
      const uint32_t min = empty_items_[part] != 0 || item.min == 0 ? 0 : item.min - 1;
      const uint32_t max = item.max == kUnbounded ? kUnbounded : item.max - 1;
      const Value parts[] = {first_[part], repeated(later_[part], min, max)};
      return joined(parts);
    }
  }
  return {};
}

RuleBook::Value RuleBook::joined(std::span<const Value> parts) {
  std::vector<Term> terms;
  uint32_t size = 1;
  for (const Value& part : parts) {
    terms.push_back(part.term);
    size += part.size;
  }
  return {grammar_.terms.sequence(terms), size};
}

RuleBook::Value RuleBook::chosen(std::span<const Value> parts) {
  std::vector<Term> terms;
  uint32_t size = 1;
  for (const Value& part : parts) {
    terms.push_back(part.term);
    size += part.size;
  }
  return {grammar_.terms.either(terms), size};
}

RuleBook::Value RuleBook::repeated(Value what, uint32_t min, uint32_t max) {
  return {grammar_.terms.repeat(what.term, min, max), what.size + 1};
}

}  // namespace skein::constrain
