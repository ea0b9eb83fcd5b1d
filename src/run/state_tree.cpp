#include "run/state_tree.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/check.h"

namespace skein {

int64_t StateTree::Node::bytes() const {
  const auto path = static_cast<int64_t>(sizeof(Node) + edge.size() * sizeof(int32_t));
  return path + (kept && !foreign ? static_cast<int64_t>(kept->bytes()) : 0);
}

StateTree::StateTree(int64_t bytes) : budget_(bytes) {}

// From the leaves up: a path may be longer than the stack is deep.
StateTree::~StateTree() {
  for (auto& [id, root] : roots_) {
    for (Node* node = root.get(); node;) {
      if (!node->children.empty()) {
        node = node->children.begin()->second.get();
        continue;
      }
      Node* const parent = node->parent;
      if (parent) parent->children.erase(parent->children.begin());
      node = parent;
    }
  }
}

StateTree::Node& StateTree::root_of(Root root) const {
  const auto found = roots_.find(root);
  SK_CHECK(found != roots_.end());
  return *found->second;
}

// A node comes into the count, or with -1 leaves it.
void StateTree::count(const Node& node, int sign) {
  bytes_ += sign * node.bytes();
  states_ += node.kept && !node.foreign ? sign : 0;
}

StateTree::Root StateTree::plant(State state) {
  return plant(std::make_shared<const Session::Snapshot>(Session::Snapshot{std::move(state), {}}));
}

StateTree::Root StateTree::plant(Kept kept) {
  auto node = std::make_unique<Node>();
  node->kept = std::move(kept);
  return add_root(std::move(node));
}

StateTree::Root StateTree::plant_shared(Kept shared) {
  auto node = std::make_unique<Node>();
  node->kept = std::move(shared);
  node->foreign = true;
  return add_root(std::move(node));
}

StateTree::Root StateTree::add_root(std::unique_ptr<Node> node) {
  const std::lock_guard lock(mutex_);
  count(*node, 1);
  roots_.emplace(next_root_, std::move(node));
  trim();
  return next_root_++;
}

void StateTree::remove(Root root) {
  const std::lock_guard lock(mutex_);
  for (Node* node = &root_of(root); node;) {
    if (!node->children.empty()) {
      node = node->children.begin()->second.get();
      continue;
    }
    Node* const parent = node->parent;
    count(*node, -1);
    if (parent) parent->children.erase(parent->children.begin());
    node = parent;
  }
  roots_.erase(root);
}

StateTree::Found StateTree::find(Root root, std::span<const int32_t> ids) {
  const std::lock_guard lock(mutex_);
  Node* node = &root_of(root);
  Node* best = node;
  for (;;) {
    if (node->kept) best = node;
    const auto rest = ids.subspan(node->depth);
    if (rest.empty()) break;
    const auto child = node->children.find(rest[0]);
    if (child == node->children.end()) break;
    const std::vector<int32_t>& edge = child->second->edge;
    if (rest.size() < edge.size() || !std::equal(edge.begin(), edge.end(), rest.begin())) break;
    node = child->second.get();
  }
  best->used = ++clock_;
  ++best->hits;
  return {best->depth, best->kept};
}

size_t StateTree::common(Root root, std::span<const int32_t> ids) const {
  const std::lock_guard lock(mutex_);
  const Node* node = &root_of(root);
  for (;;) {
    const auto rest = ids.subspan(node->depth);
    if (rest.empty()) return node->depth;
    const auto child = node->children.find(rest[0]);
    if (child == node->children.end()) return node->depth;
    const std::vector<int32_t>& edge = child->second->edge;
    const auto [at, unused] = std::mismatch(edge.begin(), edge.end(), rest.begin(), rest.end());
    if (at != edge.end()) return node->depth + static_cast<size_t>(at - edge.begin());
    node = child->second.get();
  }
}

namespace {

// Walks a prompt's bytes by tokens.
class Bytes {
 public:
  // `leads`: the prompt begins with the end of a text, which is no part of its bytes.
  Bytes(const text::Prompt& prompt, const text::Tokenizer& tokenizer, bool leads)
      : prompt_(prompt), tokenizer_(tokenizer), leads_(leads) {}

  // Where the prompt stands after the token, or nothing where it does not go on with it.
  std::optional<size_t> after(size_t at, int32_t id, bool first) const {
    if (first && leads_) return id == tokenizer_.end_of_text() ? std::optional(at) : std::nullopt;
    const std::string_view text = std::string_view(prompt_.text).substr(at);
    const auto marker = std::lower_bound(
        prompt_.markers.begin(), prompt_.markers.end(), at,
        [](const text::Prompt::Marker& one, size_t place) { return one.begin < place; });
    const bool has_marker = marker != prompt_.markers.end();
    const std::string_view bytes = tokenizer_.bytes_of(id);
    if (bytes.empty()) {
      const std::string_view name = tokenizer_.special_name(id);
      const bool here = has_marker && marker->begin == at && marker->length == name.size();
      if (name.empty() || !here || !text.starts_with(name)) return std::nullopt;
      return at + name.size();
    }
    if (!text.starts_with(bytes)) return std::nullopt;
    if (has_marker && marker->begin < at + bytes.size()) return std::nullopt;
    return at + bytes.size();
  }

 private:
  const text::Prompt& prompt_;
  const text::Tokenizer& tokenizer_;
  const bool leads_;
};

}  // namespace

Result<StateTree::FoundText> StateTree::find_text(Root root, const text::Prompt& prompt,
                                                  const text::Tokenizer& tokenizer,
                                                  const text::Profile& profile, bool fresh) {
  SK_TRY(const std::vector<int32_t> ids, text::encode_prompt(tokenizer, profile, prompt, fresh));
  const bool leads =
      fresh && profile.leading_end_of_text && !ids.empty() && ids[0] == tokenizer.end_of_text();
  SK_TRY(const CutText text, cut(prompt, tokenizer, ids, leads));
  return find_text(root, text);
}

Result<StateTree::CutText> StateTree::cut(const text::Prompt& prompt,
                                          const text::Tokenizer& tokenizer,
                                          std::span<const int32_t> ids, bool leads) {
  CutText out{prompt, tokenizer, ids, leads};
  const Bytes bytes(prompt, tokenizer, leads);
  out.counts.resize(prompt.text.size() + 1);
  out.ends.resize(ids.size() + 1);
  size_t at = 0;
  for (size_t i = 0; i < ids.size(); ++i) {
    const auto next = bytes.after(at, ids[i], i == 0);
    if (!next) return fail(Code::internal, "a prompt's tokens are not its text");
    at = *next;
    out.counts[at] = i + 1;
    out.ends[i + 1] = at;
  }
  return out;
}

namespace {

// Where a text stands after an edge of a path, `depth` tokens from its root, or nothing where it
// does not go on with it. As long as both are cut alike, numbers are compared and not bytes.
std::optional<size_t> after_edge(const StateTree::CutText& text, const Bytes& bytes, size_t place,
                                 std::span<const int32_t> edge, size_t depth) {
  for (size_t i = 0; i < edge.size();) {
    const bool first = depth + i == 0;
    const size_t count = first ? 0 : text.counts[place];
    if (first || count > 0) {
      const auto mine = text.ids.subspan(count);
      const auto rest = edge.subspan(i);
      const auto same = static_cast<size_t>(
          std::mismatch(rest.begin(), rest.end(), mine.begin(), mine.end()).first - rest.begin());
      if (same > 0) {
        i += same;
        place = text.ends[count + same];
        continue;
      }
    }
    const auto next = bytes.after(place, edge[i++], first);
    if (!next) return std::nullopt;
    place = *next;
  }
  return place;
}

}  // namespace

StateTree::FoundText StateTree::find_text(Root root, const CutText& text) {
  const Bytes bytes(text.prompt, text.tokenizer, text.leads);
  const std::lock_guard lock(mutex_);
  Node* best = &root_of(root);
  size_t read = 0;
  std::vector<std::pair<Node*, size_t>> open = {{best, 0}};
  while (!open.empty()) {
    const auto [node, place] = open.back();
    open.pop_back();
    if (node->kept && node->depth > 0 && text.counts[place] > read) {
      best = node;
      read = text.counts[place];
    }
    for (const auto& [first, child] : node->children)
      if (const auto to = after_edge(text, bytes, place, child->edge, node->depth))
        open.emplace_back(child.get(), *to);
  }
  best->used = ++clock_;
  ++best->hits;
  FoundText out{{best->depth, best->kept}, std::vector<int32_t>(best->depth), {}};
  for (const Node* node = best; node->parent; node = node->parent)
    std::copy(node->edge.begin(), node->edge.end(),
              out.read.begin() + static_cast<int64_t>(node->depth - node->edge.size()));
  out.rest.assign(text.ids.begin() + static_cast<int64_t>(read), text.ids.end());
  return out;
}

// Makes a node after the first `at` tokens of this one's edge. What takes memory comes before
// anything changes.
StateTree::Node& StateTree::split(Node& node, size_t at) {
  const auto cut = node.edge.begin() + static_cast<int64_t>(at);
  auto middle = std::make_unique<Node>();
  middle->edge.assign(node.edge.begin(), cut);
  std::unique_ptr<Node>& below = middle->children[node.edge[at]];
  Node& parent = *node.parent;
  std::unique_ptr<Node>& place = parent.children.at(node.edge[0]);
  count(node, -1);
  middle->parent = &parent;
  middle->depth = node.depth - (node.edge.size() - at);
  node.edge.erase(node.edge.begin(), cut);
  node.parent = middle.get();
  below = std::move(place);
  place = std::move(middle);
  count(node, 1);
  count(*place, 1);
  return *place;
}

// The node at the end of `ids`.
StateTree::Node& StateTree::make(Node& root, std::span<const int32_t> ids) {
  Node* node = &root;
  for (;;) {
    const auto rest = ids.subspan(node->depth);
    if (rest.empty()) return *node;
    const auto child = node->children.find(rest[0]);
    if (child == node->children.end()) {
      auto leaf = std::make_unique<Node>();
      leaf->parent = node;
      leaf->edge.assign(rest.begin(), rest.end());
      leaf->depth = ids.size();
      Node& made = *leaf;
      node->children.emplace(rest[0], std::move(leaf));
      count(made, 1);
      return made;
    }
    Node& next = *child->second;
    const auto [at, unused] =
        std::mismatch(next.edge.begin(), next.edge.end(), rest.begin(), rest.end());
    node =
        at == next.edge.end() ? &next : &split(next, static_cast<size_t>(at - next.edge.begin()));
  }
}

StateTree::Kept StateTree::keep(Root root, std::span<const int32_t> ids,
                                Session::Snapshot snapshot) {
  auto kept = std::make_shared<const Session::Snapshot>(std::move(snapshot));
  const std::lock_guard lock(mutex_);
  Node& node = make(root_of(root), ids);
  count(node, -1);
  node.kept = kept;
  count(node, 1);
  node.used = ++clock_;
  trim();  // while `kept` is held here
  return kept;
}

void StateTree::set_budget(int64_t bytes) {
  const std::lock_guard lock(mutex_);
  budget_ = bytes;
  trim();
}

StateTree::Usage StateTree::usage() const {
  return {.states = states_.load(std::memory_order_relaxed), .bytes = used()};
}

// What it saves and how likely that is, for its bytes: tokens since the state before it on its
// path, times how often it was asked for, by how long ago that was.
double StateTree::value_of(const Node& node) const {
  const Node* before = node.parent;
  while (!before->kept && before->parent) before = before->parent;
  const auto saved = static_cast<double>(node.depth - before->depth);
  const auto asked = static_cast<double>(1 + node.hits);
  const auto since = static_cast<double>(1 + clock_ - node.used);
  return saved * asked / since / static_cast<double>(node.bytes());
}

void StateTree::trim() {
  while (used() > budget_) {
    Node* worst = nullptr;
    double least = std::numeric_limits<double>::infinity();
    std::vector<Node*> open;
    for (auto& [id, root] : roots_) open.push_back(root.get());
    while (!open.empty()) {
      Node* const node = open.back();
      open.pop_back();
      for (auto& [first, child] : node->children) open.push_back(child.get());
      if (!node->parent || !node->kept || node->kept.use_count() > 1) continue;
      const double value = value_of(*node);
      if (value < least) worst = node, least = value;
    }
    if (!worst) return;
    count(*worst, -1);
    worst->kept.reset();
    count(*worst, 1);
    prune(worst);
  }
}

// Paths that lead to no state are gone, and a node that only joins two edges is one edge.
void StateTree::prune(Node* node) {
  while (node->parent && !node->kept && node->children.size() <= 1) {
    Node* const parent = node->parent;
    if (node->children.empty()) {
      count(*node, -1);
      parent->children.erase(node->edge[0]);
      node = parent;
      continue;
    }
    Node& below = *node->children.begin()->second;
    below.edge.reserve(node->edge.size() + below.edge.size());  // before anything changes
    std::unique_ptr<Node> child = std::move(node->children.begin()->second);
    count(*node, -1);
    count(*child, -1);
    child->edge.insert(child->edge.begin(), node->edge.begin(), node->edge.end());
    child->parent = parent;
    count(*child, 1);
    parent->children.at(child->edge[0]) = std::move(child);  // ends `node`
    return;
  }
}

}  // namespace skein
