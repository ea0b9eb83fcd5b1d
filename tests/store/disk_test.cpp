// A disk that is full, in a file system of eight megabytes.
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

#include "store/stores.h"

namespace skein::test {
namespace {

const Tenant kMine = tenant(1);

// Takes what room there is.
void fill(const std::filesystem::path& file) {
  std::ofstream out(file, std::ios::binary | std::ios::app);
  for (const size_t size : {65536, 4096}) {
    const std::string block(size, 'x');
    while (out.write(block.data(), static_cast<std::streamsize>(size)).flush()) continue;
    out.clear();
  }
}

void use_up(const std::filesystem::path& folder) {
  auto store = open_sqlite(folder, {});
  ASSERT_TRUE(store);
  std::vector<std::string> ids;
  for (int i = 0; i < 12; ++i) {
    ids.push_back(put(*store, kMine, draft("", {i}, "text " + std::to_string(i))));
    ASSERT_TRUE(store->keep_snapshot(kMine, ids.back(), image(500'000)));
  }
  ASSERT_TRUE(store->flush());
  fill(folder / "filler");
  // Snapshots go, and turns are kept.
  const auto commit = [&](int i) {
    store::NodeDraft node = draft("", {i}, std::string(20'000, 'a'));
    const std::string id = node.id;
    const std::string what = outcome(store->commit(kMine, changes(std::move(node))));
    if (what == "done") ids.push_back(id);
    return what;
  };
  for (int i = 0; i < 60; ++i) ASSERT_EQ(commit(i), "done") << i;
  EXPECT_GT(store->usage()->evicted, 0);
  int full = 0;
  for (int i = 0; i < 2000 && full < 100; ++i) {
    const std::string what = commit(i);
    full += what == "full";
    ASSERT_TRUE(what == "full" || what == "done") << what;
  }
  EXPECT_EQ(full, 100);
  for (const std::string& id : ids) {
    EXPECT_EQ(outcome(store->path(kMine, id)), "done");
    EXPECT_EQ(outcome(store->beginning(kMine, id)), "done");
  }
  // Nor does a restart need room.
  store.reset();
  fill(folder / "filler");
  store = open_sqlite(folder, {});
  ASSERT_TRUE(store);
  std::filesystem::remove(folder / "filler");
  EXPECT_EQ(commit(0), "done");
  for (const std::string& id : ids) EXPECT_EQ(outcome(store->path(kMine, id)), "done");
}

TEST(StoreDisk, a_full_one_costs_snapshots_then_refuses_and_loses_nothing) {
  const Folder folder;
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  constexpr int kNoFileSystem = 77;
  if (child == 0) {
    const int own_user = ::geteuid() == 0 ? 0 : CLONE_NEWUSER;
    if (::unshare(CLONE_NEWNS | own_user) != 0 ||
        ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("tmpfs", folder.path().c_str(), "tmpfs", 0, "size=8m") != 0)
      _exit(kNoFileSystem);
    use_up(folder.path());
    std::fflush(nullptr);
    _exit(testing::Test::HasFailure() ? 1 : 0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  if (WEXITSTATUS(status) == kNoFileSystem)
    GTEST_SKIP() << "SKIPPED: no file system may be mounted here";
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
}  // namespace skein::test
