// The store in a folder: what survives a restart, and what is said of files that are no good.
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <map>

#include "base/file.h"
#include "store/stores.h"
#include "support/random.h"
#include "support/thorough.h"

namespace skein::test {
namespace {

namespace fs = std::filesystem;

const Tenant kMine = tenant(1);

std::string bytes_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void write(const fs::path& path, std::string_view bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

// Why it cannot be opened, with the code before it.
std::string refusal(const fs::path& folder) {
  const auto opened = store::open_sqlite_store(folder, {}, store::Durability::process);
  if (opened) return "opened";
  return std::string(code_name(opened.error().code)) + ": " + opened.error().message;
}

TEST(SqliteStore, what_was_kept_is_there_after_a_restart_with_either_durability) {
  for (const auto durability : {store::Durability::process, store::Durability::power}) {
    const Folder folder;
    std::string root, growing, uploaded;
    {
      auto store = *store::open_sqlite_store(folder.path(), {}, durability);
      store::NodeDraft first = draft("", {1, 2}, "ab"), second, third = draft("", {}, "");
      first.name = "name";
      first.extra = "{\"a\":1}";
      first.fingerprint = second.fingerprint = tenant(7);
      root = put(*store, kMine, first);
      third.origin = image(50, 3);
      uploaded = put(*store, kMine, third);
      second = draft(root, {3}, "c");
      second.fingerprint = tenant(7);
      second.growing = true;
      growing = put(*store, kMine, second);
      ASSERT_TRUE(store->append(std::vector{store::Growth{kMine, growing, {4}, "d"}}));
      ASSERT_TRUE(store->commit(kMine, moved("chat", root, 0)));
      ASSERT_TRUE(store->commit(kMine, moved("chat", root, 1)));
      ASSERT_TRUE(store->commit(kMine, document("k", "d", "{}")));
      ASSERT_TRUE(store->keep_snapshot(kMine, root, image(100)));
      ASSERT_TRUE(store->flush());
    }
    auto store = open_sqlite(folder.path(), {});
    const auto node = store->node(kMine, "name");
    ASSERT_TRUE(node.has_value());
    EXPECT_EQ(node->id, root);
    EXPECT_EQ(node->extra, "{\"a\":1}");
    EXPECT_EQ(node->fingerprint, tenant(7));
    EXPECT_EQ(store->node(kMine, growing)->stage, store::Stage::cut);
    EXPECT_EQ(store->path(kMine, growing)->text, "abcd");
    EXPECT_EQ((*store->beginning(kMine, growing))->image.size(), 100u);
    EXPECT_EQ((*store->beginning(kMine, uploaded))->image.size(), 50u);
    EXPECT_EQ(store->session(kMine, "chat")->version, 2u);
    EXPECT_EQ(store->document(kMine, "k", "d")->json, "{}");
    EXPECT_EQ(store->usage()->snapshot_bytes, 150);
    store::NodeDraft next = draft(growing, {5}, "e");
    next.fingerprint = tenant(7);
    EXPECT_EQ(outcome(store->commit(kMine, changes(next))), "done");
  }
}

TEST(SqliteStore, only_its_owner_reads_it) {
  const Folder outer;
  const fs::path folder = outer.path() / "a" / "store";
  auto store = open_sqlite(folder, {});
  const std::string id = put(*store, kMine, draft("", {1}, "secret"));
  ASSERT_TRUE(store->keep_snapshot(kMine, id, image(100)));
  ASSERT_TRUE(store->flush());
  EXPECT_EQ(fs::status(folder).permissions(), fs::perms::owner_all);
  EXPECT_EQ(fs::status(folder / "snapshots" / id).permissions(),
            fs::perms::owner_read | fs::perms::owner_write);
  ASSERT_TRUE(store->remove(kMine, id));
  ASSERT_TRUE(store->flush());
  EXPECT_EQ(bytes_of(folder / "skein.db").find("secret"), std::string::npos);
  EXPECT_FALSE(fs::exists(folder / "snapshots" / id));
}

TEST(SqliteStore, a_damaged_snapshot_is_never_used) {
  const Folder folder;
  auto store = open_sqlite(folder.path(), {});
  const std::string root = put(*store, kMine, draft("", {1}, "a"));
  const std::string leaf = put(*store, kMine, draft(root, {2}, "b"));
  const auto keep = [&](const std::string& id, int value) {
    ASSERT_TRUE(store->keep_snapshot(kMine, id, image(200, value)));
    ASSERT_TRUE(store->flush());
  };
  keep(root, 1);
  keep(leaf, 2);
  const fs::path file = folder.path() / "snapshots" / leaf;
  const std::string whole = bytes_of(file);
  std::vector<std::string> wrong = {"", whole.substr(0, whole.size() - 1), whole + "x",
                                    bytes_of(folder.path() / "snapshots" / root)};
  Random random(1);
  for (size_t i = 0; i < whole.size(); i += thorough() ? 1 : 23) {
    wrong.push_back(whole);
    wrong.back()[i] = static_cast<char>(wrong.back()[i] ^ (1 << random.below(8)));
  }
  int64_t damaged = 0;
  for (const std::string& bytes : wrong) {
    write(file, bytes);
    const auto begin = store->beginning(kMine, leaf);
    ASSERT_TRUE(begin.has_value() && *begin);
    EXPECT_EQ((*begin)->node, root);
    EXPECT_EQ(store->usage()->damaged, ++damaged);
    keep(leaf, 2);
    EXPECT_EQ((*store->beginning(kMine, leaf))->node, leaf);
  }
  fs::remove(file);
  EXPECT_EQ((*store->beginning(kMine, leaf))->node, root);
  fs::remove_all(folder.path() / "snapshots");
  EXPECT_FALSE(store->beginning(kMine, leaf)->has_value());
  EXPECT_EQ(store->path(kMine, leaf)->text, "ab");
}

TEST(SqliteStore, an_origin_that_was_damaged_is_an_error_and_nothing_else) {
  const Folder folder;
  auto store = open_sqlite(folder.path(), {});
  store::NodeDraft uploaded = draft("", {}, "");
  uploaded.origin = image(50);
  const std::string id = put(*store, kMine, uploaded);
  const std::string child = put(*store, kMine, draft(id, {1}, "a"));
  write(folder.path() / "snapshots" / id, "SkeinIm1 or so");
  EXPECT_EQ(outcome(store->beginning(kMine, child)), "broken");
  EXPECT_EQ(store->path(kMine, child)->text, "a");
  EXPECT_EQ(outcome(store->remove(kMine, child)), "done");
}

TEST(SqliteStore, snapshots_that_a_killed_process_left_are_cleared_away) {
  const Folder folder;
  std::string id;
  {
    auto store = open_sqlite(folder.path(), {});
    id = put(*store, kMine, draft("", {1}, "a"));
    ASSERT_TRUE(store->keep_snapshot(kMine, id, image(10)));
    ASSERT_TRUE(store->flush());
  }
  const std::string left = store::new_id();
  write(folder.path() / "snapshots" / left, "half");
  write(folder.path() / "snapshots" / "README", "not ours");
  auto store = open_sqlite(folder.path(), {});
  EXPECT_FALSE(fs::exists(folder.path() / "snapshots" / left));
  EXPECT_TRUE(fs::exists(folder.path() / "snapshots" / "README"));
  EXPECT_EQ((*store->beginning(kMine, id))->node, id);
}

TEST(SqliteStore, a_file_that_is_none_is_refused_with_the_remedy_and_stays_as_it_is) {
  const auto starts = [](const std::string& text, const char* beginning) {
    EXPECT_TRUE(text.starts_with(beginning)) << text;
    EXPECT_EQ(text.find('\n'), std::string::npos) << text;
  };
  const auto refused = [&](const std::string& bytes, const char* code, const char* remedy) {
    const Folder folder;
    write(folder.database(), bytes);
    const std::string text = refusal(folder.path());
    starts(text, code);
    EXPECT_NE(text.find(remedy), std::string::npos) << text;
    EXPECT_EQ(bytes_of(folder.database()), bytes);
  };
  refused(std::string(5000, 'x'), "mismatch: ", "name another folder");
  refused("tiny", "mismatch: ", "name another folder");
  std::string ours;
  {
    const Folder folder;
    {
      auto store = open_sqlite(folder.path(), {});
      for (int i = 0; i < 200; ++i) put(*store, kMine, draft("", {i}, std::string(200, 'a')));
    }
    ours = bytes_of(folder.database());
  }
  std::string foreign = ours;
  foreign.replace(68, 4, "abcd");  // the application that a database is of
  refused(foreign, "mismatch: ", "name another folder");
  std::string newer = ours;
  newer[63] = 99;  // the version of the schema
  refused(newer, "unsupported: ", "newer Skein");
  std::string holed = ours;
  std::fill_n(holed.begin() + static_cast<std::ptrdiff_t>(ours.size() / 2), 4096, '\x55');
  refused(holed, "corrupt: ", "backup");
  refused(ours.substr(0, ours.size() / 2), "corrupt: ", "backup");
  const Folder folder;
  write(folder.path() / "file", "");
  starts(refusal(folder.path() / "file"), "io: ");
  starts(refusal(folder.path() / "file" / "below"), "io: ");
  fs::create_directory(folder.database());
  starts(refusal(folder.path()), "io: ");
}

TEST(SqliteStore, a_store_belongs_to_one_process) {
  const Folder folder;
  auto store = open_sqlite(folder.path(), {});
  const std::string text = refusal(folder.path());
  EXPECT_NE(text.find("another process has it"), std::string::npos) << text;
  const pid_t child = ::fork();
  if (child == 0) {
    const bool said = refusal(folder.path()).find("another process has it") != std::string::npos;
    _exit(said ? 0 : 1);
  }
  int status = 1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(put(*store, kMine, draft("", {1}, "")).size(), 35u);
  store.reset();
  EXPECT_EQ(refusal(folder.path()), "opened");
}

TEST(SqliteStore, what_cannot_be_written_is_said_to_be_so) {
  if (::geteuid() == 0) GTEST_SKIP() << "SKIPPED: root may write everything";
  const Folder folder;
  open_sqlite(folder.path(), {}).reset();
  fs::permissions(folder.database(), fs::perms::owner_read);
  fs::permissions(folder.path(), fs::perms::owner_read | fs::perms::owner_exec);
  const std::string text = refusal(folder.path());
  fs::permissions(folder.path(), fs::perms::owner_all);
  EXPECT_TRUE(text.starts_with("io: ")) << text;
  EXPECT_NE(text.find("mode"), std::string::npos) << text;
}

// Of a whole store everything that can be read, or why not.
std::map<std::string, std::string> all_of(store::Store& store,
                                          const std::vector<std::string>& ids) {
  std::map<std::string, std::string> out;
  const auto tell = [&](const std::string& what, const auto& result, const auto& text) {
    out[what] = result ? text(*result) : outcome(result);
  };
  for (const std::string& id : ids) {
    tell("node " + id, store.node(kMine, id), [](const store::Node& node) {
      return fmt::format("{} {} {} {} {} {}", node.parent, node.name, node.tokens, node.ttl_ms,
                         node.pinned, node.extra);
    });
    tell("path " + id, store.path(kMine, id), [](const store::Path& path) {
      return fmt::format("{} {}", path.text, fmt::join(path.tokens, ","));
    });
    tell("document " + id, store.document(kMine, "k", id),
         [](const store::Document& document) { return document.json; });
    tell("session " + id, store.session(kMine, id), [](const store::Session& session) {
      return fmt::format("{} {}", session.node, session.version);
    });
  }
  return out;
}

// Builds one with some of everything; the ids of its nodes.
std::vector<std::string> build(store::Store& store) {
  std::vector<std::string> ids;
  for (int i = 0; i < 12; ++i) {
    store::NodeDraft node = draft(i % 4 ? ids.back() : "", {i, 2 * i}, "text " + std::to_string(i));
    node.name = "name " + std::to_string(i);
    node.extra = "{\"n\":" + std::to_string(i) + "}";
    node.ttl_ms = i % 3 ? 0 : int64_t{1} << 40;
    node.pinned = i == 5;
    ids.push_back(put(store, kMine, node));
    EXPECT_TRUE(store.commit(kMine, document("k", ids.back(), std::string(100, 'd'))));
    EXPECT_TRUE(store.commit(kMine, moved(ids.back(), ids.back(), 0)));
  }
  return ids;
}

TEST(SqliteStore, a_changed_bit_changes_nothing_that_is_read) {
  const Folder folder;
  std::vector<std::string> ids;
  std::map<std::string, std::string> right;
  {
    auto store = open_sqlite(folder.path(), {});
    ids = build(*store);
    right = all_of(*store, ids);
  }
  const std::string whole = bytes_of(folder.database());
  ASSERT_GT(whole.size(), 40'000u);
  Random random(3);
  const int trials = thorough() ? 1000 : 100;
  int refused = 0, read = 0, broken = 0;
  for (int trial = 0; trial < trials; ++trial) {
    std::string changed = whole;
    const size_t at = random.below(changed.size());
    changed[at] = static_cast<char>(changed[at] ^ (1 << random.below(8)));
    write(folder.database(), changed);
    auto opened = store::open_sqlite_store(folder.path(), {}, store::Durability::process);
    if (!opened) {
      EXPECT_FALSE(opened.error().message.empty());
      ++refused;
      continue;
    }
    ++read;
    for (const auto& [what, is] : all_of(**opened, ids)) {
      broken += is == "broken";
      EXPECT_TRUE(is == right.at(what) || is == "broken")
          << "byte " << at << ": " << what << " is " << is << ", not " << right.at(what);
    }
  }
  EXPECT_GT(read, 0);
  EXPECT_GT(refused + broken, 0);
}

TEST(SqliteStore, a_log_that_is_damaged_after_a_crash_loses_its_end_and_invents_nothing) {
  const Folder folder, crashed;
  std::vector<std::string> ids;
  std::map<std::string, std::string> right;
  auto store = open_sqlite(folder.path(), {});
  ids = build(*store);
  right = all_of(*store, ids);
  const std::string database = bytes_of(folder.database());
  const std::string log = bytes_of(folder.path() / "skein.db-wal");
  ASSERT_GT(log.size(), 10'000u);
  Random random(4);
  for (int trial = 0; trial < (thorough() ? 300 : 40); ++trial) {
    std::string changed = log;
    const size_t at = random.below(changed.size());
    changed[at] = static_cast<char>(changed[at] ^ (1 << random.below(8)));
    if (trial % 2) changed.resize(at);
    write(crashed.database(), database);
    write(crashed.path() / "skein.db-wal", changed);
    auto opened = store::open_sqlite_store(crashed.path(), {}, store::Durability::process);
    ASSERT_TRUE(opened.has_value()) << opened.error().message;
    bool ended = false;
    for (const std::string& id : ids) {
      const auto node = (*opened)->node(kMine, id);
      EXPECT_FALSE(node && ended) << "an older one is lost and " << id << " is not";
      ended = !node;
    }
    for (const auto& [what, is] : all_of(**opened, ids))
      EXPECT_TRUE(is == right.at(what) || is == "missing") << what << " is " << is;
  }
}

TEST(SqliteStore, a_full_disk_refuses_and_loses_nothing) {
  const Folder folder;
  auto store = open_sqlite(folder.path(), {});
  std::vector<std::string> ids = build(*store);
  ASSERT_TRUE(store->keep_snapshot(kMine, ids[0], image(1000)));
  ASSERT_TRUE(store->flush());
  const auto right = all_of(*store, ids);
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto handler = ::signal(SIGXFSZ, SIG_IGN);
  rlimit tight = before;
  tight.rlim_cur = fs::file_size(folder.path() / "skein.db-wal") + 100'000;
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &tight), 0);
  int full = 0, done = 0;
  std::vector<std::string> kept;
  std::string last;
  for (int i = 0; i < 200; ++i) {
    store::NodeDraft node = draft("", {i}, std::string(3000, 'a'));
    const std::string id = node.id;
    const auto committed = store->commit(kMine, changes(std::move(node)));
    if (committed) kept.push_back(id);
    done += committed.has_value();
    if (committed) continue;
    full += committed.error().trouble == Trouble::full;
    last = committed.error().message;
  }
  store::NodeDraft uploaded = draft("", {}, "");
  uploaded.origin = image(4'000'000);
  const std::string origin = outcome(store->commit(kMine, changes(uploaded)));
  const auto while_full = all_of(*store, ids);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  ::signal(SIGXFSZ, handler);
  EXPECT_GT(done, 0);
  EXPECT_EQ(done + full, 200) << last;
  EXPECT_GT(full, 50);
  EXPECT_NE(origin, "done");
  EXPECT_EQ(while_full, right);
  EXPECT_EQ(outcome(store->node(kMine, uploaded.id)), "missing");
  kept.push_back(put(*store, kMine, draft("", {1}, "again")));
  store.reset();
  store = open_sqlite(folder.path(), {});
  ASSERT_TRUE(store);
  EXPECT_EQ(all_of(*store, ids), right);
  for (const std::string& id : kept) EXPECT_EQ(outcome(store->node(kMine, id)), "done");
}

TEST(SqliteStore, a_copy_while_it_is_in_use_is_a_store) {
  const Folder folder, copy;
  auto opened = store::open_sqlite_store(folder.path(), {}, store::Durability::process);
  ASSERT_TRUE(opened.has_value());
  const std::vector<std::string> ids = build(**opened);
  EXPECT_EQ(outcome((*opened)->copy_to(copy.database())), "done");
  EXPECT_EQ(outcome((*opened)->copy_to(copy.database())), "conflict");
  put(**opened, kMine, draft("", {1}, "later"));
  auto second = open_sqlite(copy.path(), {});
  ASSERT_TRUE(second);
  EXPECT_EQ(all_of(*second, ids), all_of(**opened, ids));
  EXPECT_EQ(second->usage()->nodes, 12);
}

TEST(Database, each_version_of_a_schema_is_made_of_the_one_before) {
  const Folder folder;
  const char* const versions[] = {"CREATE TABLE a(x INTEGER); INSERT INTO a VALUES(41)",
                                  "ALTER TABLE a ADD COLUMN y INTEGER DEFAULT 0; UPDATE a SET x = "
                                  "x + 1",
                                  "SELECT nonsense"};
  const auto open = [&](size_t count) {
    return store::Database::open(folder.database(),
                                 {.application = 7, .versions = std::span(versions).first(count)});
  };
  const auto x = [](store::Database& database) {
    store::Statement select = *database.prepare("SELECT x FROM a");
    store::Run run(select);
    return run.step().value_or(false) ? run.integer(0) : -1;
  };
  {
    auto first = open(1);
    ASSERT_TRUE(first.has_value()) << first.error().message;
    EXPECT_EQ(x(*first), 41);
  }
  // One that fails leaves the old one.
  EXPECT_FALSE(open(3).has_value());
  for (int times = 0; times < 2; ++times) {
    auto second = open(2);
    ASSERT_TRUE(second.has_value()) << second.error().message;
    EXPECT_EQ(x(*second), 42);
  }
  const auto older = open(1);
  ASSERT_FALSE(older.has_value());
  EXPECT_EQ(older.error().code, Code::unsupported);
}

}  // namespace
}  // namespace skein::test
