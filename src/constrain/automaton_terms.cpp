// What an automaton remembers of its terms: how deep they go, whether they read, what they call,
// and what they look like to a word.
#include <algorithm>

#include "constrain/automaton.h"

namespace skein::constrain {
namespace {

using Kind = Terms::Kind;

constexpr Term kUnknown{0xffffffff};
constexpr Need kUnknownNeed{0xfffe, 0xfffe};

size_t place(Term t) { return static_cast<uint32_t>(t); }

}  // namespace

Need Automaton::need(Term root) {
  if (terms_.regular(root)) return {};
  if (needs_.size() < terms_.size()) needs_.resize(terms_.size(), kUnknownNeed);
  const auto known = [&](Term t) { return terms_.regular(t) ? Need{} : needs_[place(t)]; };
  std::vector<Term> stack{root};
  while (!stack.empty()) {
    const Term t = stack.back();
    const size_t depth = stack.size();
    terms_.spend(4 + terms_.children(t).size());
    for (const Term part : terms_.children(t))
      if (known(part).at_end == kUnknownNeed.at_end) stack.push_back(part);
    if (stack.size() > depth) continue;
    stack.pop_back();
    Need value;
    const std::span<const Term> parts = terms_.children(t);
    switch (terms_.kind(t)) {
      case Kind::call: {
        const uint16_t body = rule_needs_[terms_.rule(t)];
        value = {body, static_cast<uint16_t>(body + 1)};
        break;
      }
      case Kind::sequence: {
        const Need first = known(parts[0]), rest = known(parts[1]);
        value = {std::max(first.inside, rest.at_end), std::max(first.inside, rest.inside)};
        break;
      }
      case Kind::either:
        value = known(parts[0]);
        for (const Term part : parts) {
          value.at_end = std::min(value.at_end, known(part).at_end);
          value.inside = std::min(value.inside, known(part).inside);
        }
        break;
      case Kind::repeat:
        if (terms_.minimum(t) > 0) value = {known(parts[0]).inside, known(parts[0]).inside};
        break;
      default: break;
    }
    needs_[place(t)] = value;
  }
  return needs_[place(root)];
}

bool Automaton::reads(Term t) {
  // By its first part, mostly: what is no intersection nor complement reads unless it is empty.
  while (!terms_.fragile(t) || terms_.kind(t) == Kind::sequence) {
    if (terms_.regular(t) && !terms_.fragile(t)) return t != Term::empty;
    if (terms_.kind(t) != Kind::sequence) break;
    const Term head = terms_.children(t)[0];
    if (terms_.regular(head) && !terms_.fragile(head)) return true;
    if (terms_.nullable(head)) break;
    t = head;
  }
  if (terms_.kind(t) == Kind::call || terms_.kind(t) == Kind::tokens) return false;
  if (reads_.size() <= place(t)) reads_.resize(terms_.size());
  if (reads_[place(t)] == 0) {
    const std::vector<uint8_t> bytes = terms_.classes(t).representatives;
    const bool some = std::ranges::any_of(
        bytes, [&](uint8_t byte) { return terms_.prune(terms_.next(t, byte)) != Term::none; });
    if (terms_.full()) return true;  // what was found counts for nothing
    if (reads_.size() <= place(t)) reads_.resize(terms_.size());
    reads_[place(t)] = some ? 1 : 2;
  }
  return reads_[place(t)] == 1;
}

std::span<const Terms::Entry> Automaton::entries(Term t) {
  if (entries_at_.size() <= place(t)) entries_at_.resize(terms_.size());
  if (entries_at_[place(t)].at == kUnset) {
    const std::vector<Terms::Entry> all = terms_.entries(t);
    entries_at_[place(t)] = {static_cast<uint32_t>(entries_.size()),
                             static_cast<uint32_t>(all.size())};
    entries_.insert(entries_.end(), all.begin(), all.end());
  }
  const Entries known = entries_at_[place(t)];
  return std::span(entries_).subspan(known.at, known.count);
}

// ---- out of a word's sight
// ------------------------------------------------------------------------

// Counts inside intersections and complements stay: what they exclude may be far away.
Term Automaton::clamp(Term root) {
  if (clamps_.size() < terms_.size()) clamps_.resize(terms_.size(), kUnknown);
  const auto seen = [&](Term t) {
    if (terms_.kind(t) == Kind::both || terms_.kind(t) == Kind::except) return t;
    return clamps_[place(t)];
  };
  std::vector<Term> stack{root};
  while (!stack.empty()) {
    const Term t = stack.back();
    const size_t depth = stack.size();
    terms_.spend(4 + terms_.children(t).size());
    if (seen(t) == kUnknown)
      for (const Term part : terms_.children(t))
        if (seen(part) == kUnknown) stack.push_back(part);
    if (stack.size() > depth) continue;
    stack.pop_back();
    if (seen(t) != kUnknown) continue;
    std::vector<Term> parts(terms_.children(t).begin(), terms_.children(t).end());
    bool same = true;
    for (Term& part : parts) {
      same = same && seen(part) == part;
      part = seen(part);
    }
    Term out = t;
    if (terms_.kind(t) == Kind::repeat) {
      uint32_t min = terms_.minimum(t), max = terms_.maximum(t);
      if (min > limits_.word) min = kNever;
      if (max > limits_.word) max = kUnbounded;
      out = terms_.repeat(parts[0], min, max);
    } else if (terms_.kind(t) == Kind::call) {
      const uint32_t rule = terms_.rule(t);
      if (rule < clamped_rules_) out = terms_.call(rule + clamped_rules_);
    } else if (!same) {
      out = terms_.kind(t) == Kind::sequence ? terms_.sequence(parts) : terms_.either(parts);
    }
    if (clamps_.size() < terms_.size()) clamps_.resize(terms_.size(), kUnknown);
    clamps_[place(t)] = out;
  }
  return seen(root);
}

// Twins of all rules, if there is a count to clamp anywhere.
void Automaton::add_clamped_rules() {
  bool any = false;
  for (uint32_t t = 0; t < terms_.size() && !any; ++t)
    any = terms_.kind(Term{t}) == Kind::repeat &&
          ((terms_.maximum(Term{t}) != kUnbounded && terms_.maximum(Term{t}) > limits_.word) ||
           terms_.minimum(Term{t}) > limits_.word);
  if (!any) {
    limits_.word = 0;
    return;
  }
  clamped_rules_ = static_cast<uint32_t>(rules_.size());
  for (uint32_t rule = 0; rule < clamped_rules_; ++rule) rules_.push_back(clamp(rules_[rule]));
  for (uint32_t rule = 0; rule < clamped_rules_; ++rule) rule_needs_.push_back(rule_needs_[rule]);
}

Frames::Node Automaton::clamp_node(Frames::Node root) {
  if (clamped_nodes_.size() < frames_.size()) clamped_nodes_.resize(frames_.size(), kUnset);
  std::vector<Frames::Node> stack{root};
  while (!stack.empty()) {
    const Frames::Node node = stack.back();
    const size_t depth = stack.size();
    if (clamped_nodes_[node] == kUnset && !frames_.in_cycle(node))
      for (const Frames::Way& way : frames_.ways(node))
        if (clamped_nodes_[way.below] == kUnset) stack.push_back(way.below);
    if (stack.size() > depth) continue;
    stack.pop_back();
    if (clamped_nodes_[node] != kUnset) continue;
    Frames::Node made = node;
    if (!frames_.in_cycle(node)) {
      Frames::Content content{{}, frames_.ends(node)};
      const std::vector<Frames::Way> ways(frames_.ways(node).begin(), frames_.ways(node).end());
      for (const Frames::Way& way : ways) {
        terms_.spend(4 + content.ways.size() / 16);
        const Frames::Way there{clamp(way.tail), clamped_nodes_[way.below]};
        content.add(std::span(&there, 1), false);
      }
      made = frames_.make(content);
      if (clamped_nodes_.size() < frames_.size()) clamped_nodes_.resize(frames_.size(), kUnset);
    }
    clamped_nodes_[node] = made;
  }
  return clamped_nodes_[root];
}

Automaton::Config Automaton::clamped(Config config) {
  if (limits_.word == 0 || trouble_ != Trouble::none) return config;
  if (records_[config].clamped != kUnset) return records_[config].clamped;
  begin_step();
  const Record r = records_[config];
  std::vector<Item> items;
  for (size_t n = 0; n < r.item_count; ++n) {
    const Item item = items_[r.items + n];
    items.push_back({clamp(item.term), clamp_node(item.node)});
  }
  std::vector<TokenWay> tokens;
  for (size_t n = 0; n < r.token_count; ++n) {
    const TokenWay way = token_ways_[r.tokens + n];
    tokens.push_back({way.set, clamp(way.tail), clamp_node(way.node)});
  }
  join_by_node(items);
  std::sort(items.begin(), items.end());
  std::sort(tokens.begin(), tokens.end());
  tokens.erase(std::unique(tokens.begin(), tokens.end()), tokens.end());
  if (end_step()) return config;
  const Config made = intern(items, tokens, r.can_end);
  records_[config].clamped = made;
  return made;
}

}  // namespace skein::constrain
