#include "constrain/automaton.h"

#include <algorithm>

#include "base/check.h"

namespace skein::constrain {
namespace {

// The groups that no byte set of a table of terms tells apart; what is derived has no finer ones.
ByteClasses classes_of(const Terms& terms) {
  ByteClasses out;
  std::array<uint32_t, 256> of{};
  uint32_t count = 1;
  std::vector<uint32_t> split;
  for (uint32_t t = 2; t < terms.size(); ++t) {
    if (terms.kind(Term{t}) != Terms::Kind::bytes) continue;
    const ByteSet& set = terms.set(Term{t});
    // A group with bytes in the set and bytes outside gets a second number for those outside.
    std::vector<uint32_t> inside(count), outside(count, 0xffffffff);
    for (size_t byte = 0; byte < 256; ++byte) inside[of[byte]] += set[byte];
    for (size_t byte = 0; byte < 256; ++byte) {
      const uint32_t group = of[byte];
      if (set[byte] || inside[group] == 0) continue;
      if (outside[group] == 0xffffffff) outside[group] = count++;
      of[byte] = outside[group];
    }
    inside.assign(count, 0);
    for (size_t byte = 0; byte < 256; ++byte) ++inside[of[byte]];
    split.assign(count, 0xffffffff);
    uint32_t next = 0;
    for (size_t byte = 0; byte < 256; ++byte) {
      uint32_t& number = split[of[byte]];
      if (number == 0xffffffff) number = next++;
      of[byte] = number;
    }
    count = next;
  }
  for (size_t byte = 0; byte < 256; ++byte) {
    out.of[byte] = static_cast<uint8_t>(of[byte]);
    if (of[byte] == out.representatives.size())
      out.representatives.push_back(static_cast<uint8_t>(byte));
  }
  return out;
}

template <typename T>
void sort_once_each(std::vector<T>& all) {
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
}

}  // namespace

Automaton::Automaton(Prepared&& prepared, const Limits& limits)
    : limits_(limits),
      terms_(std::move(prepared.terms)),
      rules_(std::move(prepared.rules)),
      rule_needs_(std::move(prepared.rule_needs)),
      root_(prepared.root),
      classes_(classes_of(terms_)) {
  if (limits_.word > 0) add_clamped_rules();
  limits_.depth = std::max(limits_.depth, need(root_).at_end);
  mark_ = terms_.mark();
  reset();
}

void Automaton::reset() {
  terms_.rewind(mark_);
  frames_.clear();
  records_.assign(1, {});
  table_.assign(classes_.count(), kDead);
  items_.clear();
  token_ways_.clear();
  numbers_.clear();
  needs_.clear();
  reads_.clear();
  entries_at_.clear();
  entries_.clear();
  clamps_.clear();
  clamped_nodes_.clear();
  trouble_ = Trouble::none;
  steps_ = 0;
}

size_t Automaton::bytes_held() const {
  return terms_.bytes_held() + frames_.bytes_held() + numbers_.bytes_held() +
         records_.capacity() * sizeof(Record) + table_.capacity() * sizeof(Config) +
         items_.capacity() * sizeof(Item) + token_ways_.capacity() * sizeof(TokenWay) +
         rules_.capacity() * (sizeof(Term) + sizeof(uint16_t)) + needs_.capacity() * sizeof(Need) +
         reads_.capacity() + entries_at_.capacity() * sizeof(Entries) +
         entries_.capacity() * sizeof(Terms::Entry) + clamps_.capacity() * sizeof(Term) +
         clamped_nodes_.capacity() * sizeof(Frames::Node);
}

void Automaton::begin_step() {
  step_began_ = terms_.work();
  terms_.allow(std::min(allowed(), limits_.step_work));
}

// Whether it came to trouble.
bool Automaton::end_step() {
  most_step_work_ = std::max(most_step_work_, terms_.work() - step_began_);
  // Counting what is held is not free.
  constexpr size_t kBetweenCounts = 16;
  if (!stopped() && ++steps_ % kBetweenCounts == 0 && bytes_held() > limits_.bytes)
    trouble_ = Trouble::full;
  return trouble_ != Trouble::none;
}

// Whether a step is to be broken off.
bool Automaton::stopped() {
  if (terms_.full() && trouble_ == Trouble::none)
    trouble_ = terms_.overworked() ? Trouble::items : Trouble::full;
  return trouble_ != Trouble::none;
}

// ---- reading ------------------------------------------------------------------------------------

Automaton::Config Automaton::start() {
  begin_step();
  std::vector<Item> kernel{{root_, Frames::kBottom}};
  const Config to = close(kernel);
  return end_step() ? kDead : to;
}

Automaton::Config Automaton::step(Config config, uint8_t group) {
  if (trouble_ != Trouble::none) return kDead;
  begin_step();
  const uint8_t byte = classes_.representatives[group];
  std::vector<Item> kernel;
  const Record r = records_[config];
  for (size_t n = 0; n < r.item_count; ++n) {
    const Item item = items_[r.items + n];
    const Term read = terms_.prune(terms_.next(item.term, byte));
    if (read != Term::none) kernel.push_back({read, item.node});
  }
  const Config to = close(kernel);
  if (end_step()) return kDead;
  table_[config * classes_.count() + group] = to;
  return to;
}

Automaton::Config Automaton::next_token(Config config, int32_t id) {
  if (trouble_ != Trouble::none) return kDead;
  begin_step();
  std::vector<Item> kernel;
  const Record r = records_[config];
  for (size_t n = 0; n < r.token_count; ++n) {
    terms_.spend(1);
    const TokenWay way = token_ways_[r.tokens + n];
    const bool named =
        std::ranges::binary_search(terms_.token_list(way.set), static_cast<Term>(id));
    if (named != terms_.other_tokens(way.set)) kernel.push_back({way.tail, way.node});
  }
  const Config to = close(kernel);
  return end_step() ? kDead : to;
}

// ---- a configuration ----------------------------------------------------------------------------

// Rules that are entered where a configuration stands. Their nodes are made when all ways on are
// known; until then they go by kFresh | place.
struct Automaton::Closing {
  struct Local {
    uint32_t rule;
    Frames::Content content;
    std::vector<Frames::Node> like;  // ends as these do
    bool made = false;
  };
  struct Work {
    Term term;
    Frames::Node node;
    uint16_t depth;
  };
  std::vector<Local> locals;
  std::vector<std::vector<Work>>
      queue;  // by depth, so that a rule is entered first where it is least
  std::vector<Item> items;
  std::vector<TokenWay> tokens;

  void add(Term term, Frames::Node node, uint16_t depth) {
    if (queue.size() <= depth) queue.resize(depth + size_t{1});
    queue[depth].push_back({term, node, depth});
  }
};

Automaton::Config Automaton::close(std::vector<Item>& kernel) {
  if (kernel.empty() || stopped()) return kDead;
  bool can_end = false;
  leave(kernel, can_end);
  drop_too_deep(kernel);
  join_by_node(kernel);
  if (stopped()) return kDead;
  std::vector<TokenWay> tokens;
  if (std::ranges::any_of(kernel, [&](const Item& item) { return !terms_.regular(item.term); })) {
    Closing now;
    for (const Item& item : kernel) now.add(item.term, item.node, frames_.depth(item.node));
    enter(now);
    if (stopped()) return kDead;
    const std::vector<Frames::Node> nodes = settle(now);
    if (stopped()) return kDead;
    const auto made = [&](Frames::Node node) {
      return node & Frames::kFresh ? nodes[node & ~Frames::kFresh] : node;
    };
    kernel.clear();
    for (const Item& item : now.items) kernel.push_back({item.term, made(item.node)});
    for (const TokenWay& way : now.tokens) tokens.push_back({way.set, way.tail, made(way.node)});
    sort_once_each(tokens);
    join_by_node(kernel);
  }
  std::erase_if(kernel, [&](const Item& item) { return !reads(item.term); });
  std::sort(kernel.begin(), kernel.end());
  if (kernel.size() + tokens.size() > limits_.items) trouble_ = Trouble::items;
  terms_.spend(kernel.size() + tokens.size());
  if (stopped()) return kDead;
  return intern(kernel, tokens, can_end);
}

// Items that are done go on where their node says. Nodes here are entered before the last byte.
void Automaton::leave(std::vector<Item>& kernel, bool& can_end) {
  // Few, mostly, and then looking at all of them is quickest.
  constexpr size_t kFew = 16;
  Slots seen;
  const auto hash = [](const Item& item) {
    return mixed(mixed(0, static_cast<uint32_t>(item.term)), item.node);
  };
  const auto add = [&](const Item& item) {
    const auto same = [&](uint32_t n) { return kernel[n] == item; };
    if (kernel.size() < kFew ? std::ranges::find(kernel, item) != kernel.end()
                             : seen.find(hash(item), same) != Slots::kNone)
      return;
    kernel.push_back(item);
    if (kernel.size() == kFew)
      for (uint32_t n = 0; n < kFew; ++n) seen.add(hash(kernel[n]), n);
    else if (kernel.size() > kFew)
      seen.add(hash(item), static_cast<uint32_t>(kernel.size() - 1));
  };
  if (kernel.size() >= kFew)
    for (uint32_t n = 0; n < kernel.size(); ++n) seen.add(hash(kernel[n]), n);
  for (size_t n = 0; n < kernel.size(); ++n) {
    const Item item = kernel[n];
    terms_.spend(1);
    if (!terms_.nullable(item.term)) continue;
    can_end = can_end || frames_.ends(item.node);
    terms_.spend(2 * frames_.ways(item.node).size());
    if (stopped()) return;
    for (const Frames::Way& way : frames_.ways(item.node)) add({way.tail, way.below});
  }
}

void Automaton::drop_too_deep(std::vector<Item>& kernel) {
  std::erase_if(kernel, [&](const Item& item) {
    return item.term == Term::empty ||
           frames_.depth(item.node) + need(item.term).at_end > limits_.depth;
  });
}

// What goes on alike is one item.
void Automaton::join_by_node(std::vector<Item>& items) {
  if (items.size() < 2) return;
  terms_.spend(4 * items.size());
  std::sort(items.begin(), items.end(), [](const Item& a, const Item& b) {
    return a.node != b.node ? a.node < b.node : a.term < b.term;
  });
  std::vector<Item> out;
  std::vector<Term> choices;
  for (size_t begin = 0, end = 0; begin < items.size(); begin = end) {
    choices.clear();
    for (; end < items.size() && items[end].node == items[begin].node; ++end)
      choices.push_back(items[end].term);
    out.push_back({choices.size() == 1 ? choices[0] : terms_.either(choices), items[begin].node});
  }
  items = std::move(out);
}

void Automaton::enter(Closing& now) {
  for (size_t depth = 0; depth < now.queue.size(); ++depth)
    for (size_t n = 0; n < now.queue[depth].size(); ++n) {
      const Closing::Work work = now.queue[depth][n];
      now.items.push_back({work.term, work.node});
      if (!terms_.regular(work.term)) enter_from(now, work.term, work.node, work.depth);
      terms_.spend(4);
      if (stopped()) return;
    }
}

void Automaton::enter_from(Closing& now, Term term, Frames::Node node, uint16_t depth) {
  const std::span<const Terms::Entry> all = entries(term);
  for (const auto& [head, tail] : all) {
    if (terms_.kind(head) == Terms::Kind::tokens) {
      if (depth + need(tail).at_end <= limits_.depth) now.tokens.push_back({head, tail, node});
      continue;
    }
    // Looking for the rule, and making room for its way.
    terms_.spend(4 + now.locals.size() / 4);
    if (stopped()) return;
    const uint32_t rule = terms_.rule(head);
    const bool last = tail == Term::empty;
    const auto inner = static_cast<uint16_t>(last ? depth : depth + 1);
    if (inner + rule_needs_[rule] > limits_.depth ||
        (!last && depth + need(tail).at_end > limits_.depth))
      continue;
    size_t local = 0;
    while (local < now.locals.size() && now.locals[local].rule != rule) ++local;
    const Frames::Node entered = Frames::kFresh | static_cast<Frames::Node>(local);
    if (local == now.locals.size()) {
      now.locals.push_back({.rule = rule, .content = {}, .like = {}});
      now.add(rules_[rule], entered, inner);
    }
    if (!last) {
      const Frames::Way way{tail, node};
      terms_.spend(now.locals[local].content.ways.size() / 16);
      now.locals[local].content.add(std::span(&way, 1), false);
    } else if (node != entered) {
      now.locals[local].like.push_back(node);
    }
  }
}

// Makes the nodes of what was entered.
std::vector<Frames::Node> Automaton::settle(Closing& now) {
  for (bool changed = true; changed;) {
    changed = false;
    for (Closing::Local& local : now.locals)
      for (const Frames::Node like : local.like) {
        const bool fresh = like & Frames::kFresh;
        const Frames::Content* const other =
            fresh ? &now.locals[like & ~Frames::kFresh].content : nullptr;
        const std::span<const Frames::Way> ways = fresh ? other->ways : frames_.ways(like);
        terms_.spend(1 + local.content.ways.size() + ways.size());
        if (stopped()) return {};
        changed = local.content.add(ways, fresh ? other->ends : frames_.ends(like)) || changed;
      }
  }
  std::vector<Frames::Node> nodes(now.locals.size(), Frames::kFresh);
  // Those first that stand on made ones.
  for (bool changed = true; changed;) {
    changed = false;
    for (size_t n = 0; n < nodes.size(); ++n) {
      if (!(nodes[n] & Frames::kFresh)) continue;
      Frames::Content& content = now.locals[n].content;
      terms_.spend(1 + content.ways.size());
      if (stopped()) return {};
      bool ready = true;
      for (Frames::Way& way : content.ways) {
        if (way.below & Frames::kFresh && !(nodes[way.below & ~Frames::kFresh] & Frames::kFresh))
          way.below = nodes[way.below & ~Frames::kFresh];
        ready = ready && !(way.below & Frames::kFresh);
      }
      if (!ready) continue;
      terms_.spend(4 * content.ways.size());
      sort_once_each(content.ways);
      nodes[n] = frames_.make(content);
      changed = true;
    }
  }
  // The others stand on each other.
  std::vector<size_t> left;
  for (size_t n = 0; n < nodes.size(); ++n)
    if (nodes[n] & Frames::kFresh) left.push_back(n);
  if (left.empty()) return nodes;
  std::sort(left.begin(), left.end(),
            [&](size_t a, size_t b) { return now.locals[a].rule < now.locals[b].rule; });
  std::vector<uint32_t> labels;
  std::vector<Frames::Content> members;
  std::vector<Frames::Node> place(nodes.size());
  for (size_t n = 0; n < left.size(); ++n)
    place[left[n]] = Frames::kFresh | static_cast<uint32_t>(n);
  for (const size_t n : left) {
    Frames::Content content = std::move(now.locals[n].content);
    for (Frames::Way& way : content.ways)
      if (way.below & Frames::kFresh) way.below = place[way.below & ~Frames::kFresh];
    terms_.spend(16 * (1 + content.ways.size()));  // blocks are made of them, and found
    if (stopped()) return {};
    sort_once_each(content.ways);
    labels.push_back(now.locals[n].rule);
    members.push_back(std::move(content));
  }
  const std::vector<Frames::Node> made = frames_.make_block(labels, members);
  for (size_t n = 0; n < left.size(); ++n) nodes[left[n]] = made[n];
  return nodes;
}

Automaton::Config Automaton::intern(std::vector<Item>& items, std::vector<TokenWay>& tokens,
                                    bool can_end) {
  if (items.empty() && tokens.empty() && !can_end) return kDead;
  uint64_t hash = can_end;
  for (const Item& item : items)
    hash = mixed(mixed(hash, static_cast<uint32_t>(item.term)), item.node);
  for (const TokenWay& way : tokens)
    hash =
        mixed(mixed(mixed(hash, static_cast<uint32_t>(way.set)), static_cast<uint32_t>(way.tail)),
              way.node);
  const Config known = numbers_.find(hash, [&](Config config) {
    const Record& r = records_[config];
    return r.can_end == can_end && std::ranges::equal(items_of(r), items) &&
           std::ranges::equal(std::span(token_ways_).subspan(r.tokens, r.token_count), tokens);
  });
  if (known != Slots::kNone) return known;
  const auto made = static_cast<Config>(records_.size());
  records_.push_back({.items = static_cast<uint32_t>(items_.size()),
                      .item_count = static_cast<uint32_t>(items.size()),
                      .tokens = static_cast<uint32_t>(token_ways_.size()),
                      .token_count = static_cast<uint32_t>(tokens.size()),
                      .can_end = can_end});
  items_.insert(items_.end(), items.begin(), items.end());
  token_ways_.insert(token_ways_.end(), tokens.begin(), tokens.end());
  table_.resize(table_.size() + classes_.count(), kUnset);
  numbers_.add(hash, made);
  return made;
}

}  // namespace skein::constrain
