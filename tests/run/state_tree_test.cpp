#include "run/state_tree.h"

#include <gtest/gtest.h>

#include <array>
#include <map>
#include <set>

#include "support/models.h"
#include "support/random.h"

namespace skein {
namespace {

using Ids = std::vector<int32_t>;

std::shared_ptr<Model> model() {
  static const auto opened = test::open_model(test::fixture("models/tiny_v7.pth"), {.threads = 1});
  return opened;
}

Session::Snapshot snapshot_of(const Ids& ids) {
  State state = model()->new_state();
  state.note(ids);
  return {std::move(state), {}};
}

constexpr int64_t kPlenty = int64_t{1} << 40;

// Against a plain list of what was kept.
TEST(StateTree, finds_the_longest_kept_beginning_of_any_path) {
  test::Random random(1);
  StateTree tree(kPlenty);
  const StateTree::Root roots[] = {tree.plant(model()->new_state()),
                                   tree.plant(model()->new_state())};
  std::map<std::pair<StateTree::Root, Ids>, uint64_t> kept;
  const auto random_path = [&] {
    // Of few tokens, so that many share beginnings.
    Ids ids(random.below(14));
    for (int32_t& id : ids) id = static_cast<int32_t>(random.below(2));
    return ids;
  };
  for (int i = 0; i < 3000; ++i) {
    const StateTree::Root root = roots[random.below(2)];
    const Ids ids = random_path();
    if (random.below(3) == 0 && !ids.empty()) {
      tree.keep(root, ids, snapshot_of(ids));
      kept[{root, ids}] = snapshot_of(ids).state.tokens_hash();
    }
    const Ids asked = random_path();
    const StateTree::Found found = tree.find(root, asked);
    size_t longest = 0, common = 0;
    uint64_t hash = model()->new_state().tokens_hash();
    for (const auto& [path, its_hash] : kept) {
      if (path.first != root) continue;
      const Ids& other = path.second;
      const auto [at, unused] =
          std::mismatch(other.begin(), other.end(), asked.begin(), asked.end());
      const auto same = static_cast<size_t>(at - other.begin());
      common = std::max(common, same);
      if (same == other.size() && same > longest) longest = same, hash = its_hash;
    }
    ASSERT_EQ(found.tokens, longest);
    ASSERT_EQ(found.kept->state.tokens_hash(), hash);
    ASSERT_EQ(tree.common(root, asked), common);
    ASSERT_EQ(tree.usage().states, static_cast<int64_t>(2 + kept.size()));
  }
  // What the trees began with goes with all that went on from it.
  tree.remove(roots[0]);
  tree.remove(roots[1]);
  EXPECT_EQ(tree.usage().states, 0);
  EXPECT_EQ(tree.usage().bytes, 0);
}

TEST(StateTree, stays_within_its_budget_but_for_what_is_held) {
  test::Random random(2);
  const int64_t each = model()->new_state().bytes();
  StateTree tree(20 * each);
  const StateTree::Root root = tree.plant(model()->new_state());
  std::map<Ids, StateTree::Kept> held;
  for (int i = 0; i < 500; ++i) {
    Ids ids(1 + random.below(40));
    for (int32_t& id : ids) id = static_cast<int32_t>(random.below(3));
    auto kept = tree.keep(root, ids, snapshot_of(ids));
    if (i % 50 == 0) held[ids] = kept;
    if (held.contains(ids)) held[ids] = kept;  // the one that stands there now
    kept.reset();
    EXPECT_LE(tree.usage().bytes, 21 * each);  // one more while its keeper holds it
    EXPECT_GE(tree.usage().states, std::min(i / 5, 10));
    EXPECT_EQ(tree.find(root, ids).kept->state.tokens_read(), tree.find(root, ids).tokens);
  }
  tree.set_budget(0);
  EXPECT_EQ(tree.usage().states, static_cast<int64_t>(1 + held.size()));
  held.clear();
  tree.set_budget(0);
  EXPECT_EQ(tree.usage().states, 1);
  // No path is left either.
  const Ids any = {0, 1, 2};
  EXPECT_EQ(tree.common(root, any), 0u);
}

// What costs most to read again, was asked for most and last, stays.
TEST(StateTree, drops_what_is_worth_least) {
  const int64_t each = model()->new_state().bytes();
  const auto path = [](int32_t first, size_t length) {
    Ids ids(length, 7);
    ids[0] = first;
    return ids;
  };
  const auto left = [&](StateTree& tree, StateTree::Root root, const Ids& ids) {
    return tree.find(root, ids).tokens == ids.size();
  };
  {
    StateTree tree(kPlenty);
    const auto root = tree.plant(model()->new_state());
    tree.keep(root, path(1, 500), snapshot_of({}));
    tree.keep(root, path(2, 5), snapshot_of({}));
    tree.set_budget(2 * each + each / 2);
    EXPECT_TRUE(left(tree, root, path(1, 500)));
    EXPECT_FALSE(left(tree, root, path(2, 5)));
  }
  {
    StateTree tree(kPlenty);
    const auto root = tree.plant(model()->new_state());
    tree.keep(root, path(1, 50), snapshot_of({}));
    tree.keep(root, path(2, 50), snapshot_of({}));
    for (int i = 0; i < 5; ++i) tree.find(root, path(1, 50));
    tree.keep(root, path(3, 50), snapshot_of({}));
    tree.set_budget(3 * each + each / 2);
    EXPECT_TRUE(left(tree, root, path(1, 50)));
    EXPECT_FALSE(left(tree, root, path(2, 50)));
  }
  {  // A state that stands shortly after another saves little.
    StateTree tree(kPlenty);
    const auto root = tree.plant(model()->new_state());
    tree.keep(root, path(1, 1000), snapshot_of({}));
    tree.keep(root, path(1, 1001), snapshot_of({}));
    tree.keep(root, path(2, 30), snapshot_of({}));
    tree.set_budget(3 * each + each / 2);
    EXPECT_TRUE(left(tree, root, path(1, 1000)));
    EXPECT_FALSE(left(tree, root, path(1, 1001)));
    EXPECT_TRUE(left(tree, root, path(2, 30)));
  }
}

TEST(StateTree, a_path_may_be_longer_than_a_stack_is_deep) {
  StateTree tree(kPlenty);
  const auto root = tree.plant(model()->new_state());
  Ids ids;
  for (int i = 0; i < 3000; ++i) {
    ids.push_back(i % 2);
    tree.keep(root, ids, snapshot_of({}));
  }
  EXPECT_EQ(tree.find(root, ids).tokens, 3000u);
}

// All bytes, "ab", "bc" and the blank line. "ab" is a token, and "a" followed by "b" is the same
// text.
text::TokenizerPtr small_vocabulary() {
  std::string lines;
  for (int byte = 0; byte < 256; ++byte)
    lines += fmt::format("{} b'\\x{:02x}' 1\n", byte + 1, byte);
  lines += "257 'ab' 2\n258 'bc' 2\n259 '\\n\\n' 2\n";
  auto made = text::world_from_vocab_file(std::as_bytes(std::span(lines)), "small");
  EXPECT_TRUE(made) << (made ? "" : made.error().message);
  return std::move(*made);
}
constexpr int32_t kA = 'a' + 1, kB = 'b' + 1, kC = 'c' + 1, kAb = 257;

TEST(StateTree, finds_a_text_whatever_tokens_it_was_read_in) {
  const auto tokenizer = small_vocabulary();
  text::Profile profile;
  profile.leading_end_of_text = true;
  StateTree tree(kPlenty);
  const auto root = tree.plant(model()->new_state());
  const auto find = [&](const std::string& text) {
    auto found = tree.find_text(root, {text, {}}, *tokenizer, profile, true);
    EXPECT_TRUE(found);
    return std::move(*found);
  };
  EXPECT_EQ(find("abab").found.tokens, 0u);
  EXPECT_EQ(find("abab").rest, (Ids{0, kAb, kAb}));
  // As a model may say it: not as the tokenizer would.
  const Ids said = {0, kA, kB, kAb};
  tree.keep(root, said, snapshot_of(said));
  EXPECT_EQ(find("ababc").found.tokens, 4u);
  // "ab" + "abc" is cut as "ab", "ab", "c": the text goes on where a token ends.
  EXPECT_EQ(find("ababc").rest, (Ids{kC}));
  EXPECT_EQ(find("aba").found.tokens, 0u);
  EXPECT_EQ(find("aba").rest, (Ids{0, kAb, kA}));
  // After "a" alone the text's own token "ab" does not end.
  const Ids half = {0, kA};
  tree.keep(root, half, snapshot_of(half));
  EXPECT_EQ(find("abc").found.tokens, 0u);
  EXPECT_EQ(find("acb").found.tokens, 2u);
  EXPECT_EQ(find("acb").rest, (Ids{kC, kB}));
  // Nothing but the end of a text that stands before every text.
  const Ids zero = {0};
  tree.keep(root, zero, snapshot_of(zero));
  EXPECT_EQ(find("c").found.tokens, 1u);
  EXPECT_EQ(find("c").rest, (Ids{kC}));
  // A path without it is another text.
  const Ids bare = {kC, kC};
  tree.keep(root, bare, snapshot_of(bare));
  EXPECT_EQ(find("ccc").found.tokens, 1u);
  EXPECT_EQ(tree.find_text(root, {"ccc", {}}, *tokenizer, profile, false)->found.tokens, 2u);
}

TEST(StateTree, every_text_is_found_as_a_search_of_all_paths_would) {
  const auto tokenizer = small_vocabulary();
  const text::Profile profile;
  test::Random random(5);
  StateTree tree(kPlenty);
  const auto root = tree.plant(model()->new_state());
  std::set<Ids> paths;
  for (int i = 0; i < 2000; ++i) {
    Ids path(1 + random.below(7));
    constexpr int32_t kTokens[] = {kA, kB, kC, '\n' + 1, kAb, 258, 259};
    for (int32_t& id : path) id = kTokens[random.below(7)];
    if (random.below(4) == 0) {
      tree.keep(root, path, snapshot_of(path));
      paths.insert(path);
    }
    std::string text;
    for (size_t n = 1 + random.below(10); n > 0; --n) text += "abc\n"[random.below(4)];
    const Ids ids = *tokenizer->encode(text);
    std::set<size_t> ends;
    size_t at = 0;
    for (const int32_t id : ids) ends.insert(at += tokenizer->bytes_of(id).size());
    size_t longest = 0;
    for (const Ids& each : paths) {
      const std::string bytes = *tokenizer->decode(each);
      if (text.starts_with(bytes) && ends.contains(bytes.size()))
        longest = std::max(longest, bytes.size());
    }
    const auto found = tree.find_text(root, {text, {}}, *tokenizer, profile, false);
    ASSERT_TRUE(found);
    EXPECT_EQ(text.substr(0, longest) + *tokenizer->decode(found->rest), text);
    EXPECT_EQ(found->found.kept->state.tokens_read(), found->found.tokens);
    EXPECT_EQ(found->found.tokens == 0, longest == 0);
  }
}

// A letter is a token, and one special token looks like three of them.
class Letters final : public text::Tokenizer {
 public:
  static constexpr int32_t kMark = 200;
  Letters()
      : Tokenizer("letters", texts(),
                  {.tokens = {{"<|>", kMark}}, .end_of_text = -1, .ends = {kMark}}) {}

 private:
  static text::TokenTexts texts() {
    std::vector<text::TokenTexts::Entry> entries;
    std::array<char, 128> letters;
    for (int32_t n = 1; n < 128; ++n) {
      letters[static_cast<size_t>(n)] = static_cast<char>(n);
      entries.push_back({n, {&letters[static_cast<size_t>(n)], 1}});
    }
    return text::TokenTexts(entries, 257);
  }
  Result<std::vector<int32_t>> encode_text(std::string_view text, text::Special) const override {
    return Ids(text.begin(), text.end());
  }
};

// What people write never matches a special token, however it looks.
TEST(StateTree, special_tokens_are_found_where_markers_are) {
  const Letters tokenizer;
  const text::Profile profile;
  StateTree tree(kPlenty);
  const auto root = tree.plant(model()->new_state());
  const Ids marked = {Letters::kMark, 'x'}, written = {'<', '|', '>', 'x'};
  tree.keep(root, marked, snapshot_of(marked));
  const auto find = [&](const text::Prompt& prompt) {
    const auto found = tree.find_text(root, prompt, tokenizer, profile, false);
    EXPECT_TRUE(found) << (found ? "" : found.error().message);
    return found ? found->found.tokens : 0;
  };
  EXPECT_EQ(find({"<|>x<|>", {{0, 3}}}), 2u);
  EXPECT_EQ(find({"<|>x<|>", {}}), 0u);
  tree.keep(root, written, snapshot_of(written));
  EXPECT_EQ(find({"<|>x<|>", {}}), 4u);
  EXPECT_EQ(find({"<|>x<|>", {{0, 3}}}), 2u);
}

}  // namespace
}  // namespace skein
