// States that go through a store are the same, bit for bit, and so is what comes next.
#include "store/snapshot.h"

#include <algorithm>

#include "store/stores.h"
#include "support/engine.h"
#include "support/fixtures.h"
#include "support/models.h"
#include "support/random.h"

namespace skein::test {
namespace {

std::shared_ptr<Model> model(const char* name) {
  return open_model(fixture(std::string("models/") + name), {.threads = 1});
}

std::vector<std::byte> bytes_of(const skein::Session& session) {
  const auto snapshot = std::make_shared<const skein::Session::Snapshot>(session.snapshot());
  auto made = store::image_of(snapshot).make();
  EXPECT_TRUE(made.has_value()) << made.error().message;
  return std::move(*made);
}

TEST(Snapshot, a_session_goes_on_from_it_as_if_nothing_had_been) {
  const std::vector<int32_t> before = {1, 2, 3, 4, 5}, after = {6, 7, 8};
  for (const char* name : {"v4.pth", "v5_2.pth", "v6.pth", "v7.pth"}) {
    const auto opened = model(name);
    skein::Session session(opened);
    ASSERT_TRUE(feed(session, before));
    const std::vector<float> logits(session.logits().begin(), session.logits().end());
    const Folder folder;
    const auto store = open_sqlite(folder.path(), {});
    const std::string id = put(*store, tenant(1), draft("", before, ""));
    ASSERT_TRUE(store->keep_snapshot(
        tenant(1), id,
        store::image_of(std::make_shared<const skein::Session::Snapshot>(session.snapshot()))));
    ASSERT_TRUE(store->flush());
    const auto begin = store->beginning(tenant(1), id);
    ASSERT_TRUE(begin.has_value() && *begin);
    const auto restored = store::to_snapshot((*begin)->image, opened->new_state().shared_layout());
    ASSERT_TRUE(restored.has_value()) << restored.error().message;
    EXPECT_EQ(restored->logits, logits);
    EXPECT_TRUE(restored->state == session.state());
    EXPECT_EQ(restored->state.tokens_hash(), session.state().tokens_hash());
    skein::Session second(opened);
    second.restore(*restored);
    EXPECT_TRUE(std::ranges::equal(second.logits(), logits));
    ASSERT_TRUE(feed(session, after));
    ASSERT_TRUE(feed(second, after));
    EXPECT_TRUE(std::ranges::equal(second.logits(), session.logits())) << name;
  }
}

TEST(Snapshot, what_is_cut_changed_or_of_another_model_is_refused) {
  const auto opened = model("tiny_v7.pth"), other = model("v6.pth");
  const auto layout = opened->new_state().shared_layout();
  skein::Session session(opened);
  ASSERT_TRUE(feed(session, std::vector<int32_t>{1, 2}));
  const std::vector<std::byte> whole = bytes_of(session);
  EXPECT_TRUE(store::to_snapshot(whole, layout).has_value());
  const auto foreign = store::to_snapshot(whole, other->new_state().shared_layout());
  ASSERT_FALSE(foreign.has_value());
  EXPECT_EQ(foreign.error().code, Code::mismatch);
  for (size_t length = 0; length < whole.size(); length += 101)
    EXPECT_FALSE(store::to_snapshot(std::span(whole).first(length), layout).has_value());
  Random random(1);
  for (int i = 0; i < 50; ++i) {
    auto changed = whole;
    // The logits behind the state have no checksum of their own here; stores have one.
    const size_t at = random.below(whole.size() - session.logits().size_bytes());
    changed[at] ^= static_cast<std::byte>(1 << random.below(8));
    EXPECT_FALSE(store::to_snapshot(changed, layout).has_value()) << at;
  }
}

}  // namespace
}  // namespace skein::test
