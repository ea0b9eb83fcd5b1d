// What every store does, whatever it keeps its rows in.
#include <algorithm>
#include <set>
#include <thread>

#include "base/platform.h"
#include "store/stores.h"

namespace skein::test {
namespace {

class Store : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (GetParam() == std::string_view("redis")) SK_NEEDS_REDIS();
    open({});
  }

  // A new, empty one.
  void open(store::Budget budget) {
    const std::string_view kind = GetParam();
    store_.reset();
    folder_ = std::make_unique<Folder>();
    const store::Options options = clock_.options(budget);
    store_ = kind == "memory"   ? store::memory_store(options)
             : kind == "sqlite" ? open_sqlite(folder_->path(), options)
                                : open_redis(redis_at(shared_redis(), fresh_prefix()), options);
    ASSERT_TRUE(store_);
  }

  store::Store& store() { return *store_; }
  std::string put(store::NodeDraft node) { return test::put(store(), kMine, std::move(node)); }
  std::string put(const std::string& parent, std::vector<int32_t> tokens, std::string text) {
    return put(draft(parent, std::move(tokens), std::move(text)));
  }
  void keep(const std::string& id, size_t bytes) {
    ASSERT_EQ(outcome(store().keep_snapshot(kMine, id, image(bytes))), "done");
    ASSERT_EQ(outcome(store().flush()), "done");
  }
  // The node whose snapshot a path begins with.
  std::string begins(const std::string& id) {
    const auto found = store().beginning(kMine, id);
    if (!found) return outcome(found);
    return *found ? (*found)->node : "none";
  }
  std::string seen(const std::string& id) { return outcome(store().node(kMine, id)); }

  const Tenant kMine = tenant(1), kOther = tenant(2);
  Clock clock_;

 private:
  std::unique_ptr<Folder> folder_;
  std::unique_ptr<store::Store> store_;
};

TEST_P(Store, a_path_is_what_was_committed_along_it) {
  const std::string root = put("", {1, 2, 3}, "Hello");
  const std::string left = put(root, {4}, std::string("\0\xff", 2));
  const std::string right = put(root, {5, 6}, "there");
  const std::string leaf = put(left, {}, "");
  const auto path = store().path(kMine, leaf);
  ASSERT_TRUE(path.has_value());
  EXPECT_EQ(path->tokens, (std::vector<int32_t>{1, 2, 3, 4}));
  EXPECT_EQ(path->text, std::string("Hello\0\xff", 7));
  ASSERT_EQ(path->steps.size(), 3u);
  EXPECT_EQ(path->steps[0].id, root);
  EXPECT_EQ(path->steps[1].tokens, 1u);
  EXPECT_EQ(path->steps[2].id, leaf);
  const auto node = store().node(kMine, right);
  ASSERT_TRUE(node.has_value());
  EXPECT_EQ(node->tokens, 5u);
  EXPECT_EQ(node->own_tokens, 2u);
  EXPECT_EQ(node->parent, root);
  EXPECT_EQ(node->created_ms, clock_.ms);
}

TEST_P(Store, a_commit_is_there_whole_or_not_at_all) {
  const std::string root = put("", {1}, "a");
  ASSERT_EQ(outcome(store().commit(kMine, moved("chat", root, 0))), "done");
  ASSERT_EQ(outcome(store().commit(kMine, document("response", "resp_1", "{}"))), "done");
  const auto before = store().usage();
  const auto turn = [&] {
    Changes all = changes(draft(root, {2}, "b"));
    all.nodes.back().name = "turn";
    all.nodes.push_back(draft(all.nodes[0].id, {3}, "c"));
    all.sessions.push_back({"chat", all.nodes[1].id, 1, 0});
    all.documents.push_back({"response", "resp_2", "{}", false, 0});
    return all;
  };
  Changes orphan = turn();
  orphan.nodes[1].parent = store::new_id();
  EXPECT_EQ(outcome(store().commit(kMine, orphan)), "missing");
  Changes late = turn();
  late.sessions[0].expected = 7;
  EXPECT_EQ(outcome(store().commit(kMine, late)), "conflict");
  Changes twice = turn();
  twice.documents[0].id = "resp_1";
  EXPECT_EQ(outcome(store().commit(kMine, twice)), "conflict");
  Changes nameless = turn();
  nameless.nodes[1].name = "turn";
  EXPECT_EQ(outcome(store().commit(kMine, nameless)), "conflict");
  const auto after = store().usage();
  EXPECT_EQ(after->nodes, before->nodes);
  EXPECT_EQ(after->log_bytes, before->log_bytes);
  EXPECT_EQ(outcome(store().node(kMine, "turn")), "missing");
  EXPECT_EQ(store().session(kMine, "chat")->version, 1u);

  const Changes good = turn();
  const auto committed = store().commit(kMine, good);
  ASSERT_TRUE(committed.has_value()) << committed.error().message;
  ASSERT_EQ(committed->sessions.size(), 1u);
  EXPECT_EQ(committed->sessions[0].version, 2u);
  EXPECT_EQ(store().session(kMine, "chat")->node, good.nodes[1].id);
  EXPECT_EQ(store().document(kMine, "response", "resp_2")->json, "{}");
}

TEST_P(Store, what_is_anothers_is_missing_in_the_words_for_what_never_was) {
  store::NodeDraft named = draft("", {1}, "secret");
  named.name = "mine";
  const std::string id = put(named);
  keep(id, 100);
  ASSERT_EQ(outcome(store().commit(kMine, moved("chat", id, 0))), "done");
  ASSERT_EQ(outcome(store().commit(kMine, document("response", "resp_1", "1"))), "done");
  const std::string never = store::new_id();
  const auto words = [](auto result, const std::string& name) {
    EXPECT_FALSE(result.has_value());
    if (result) return std::string("done");
    std::string text = result.error().message;
    if (const size_t at = text.find(name); at != std::string::npos)
      text.replace(at, name.size(), "#");
    return store::trouble_name(result.error().trouble) + (": " + text);
  };
  EXPECT_EQ(words(store().node(kOther, id), id), words(store().node(kOther, never), never));
  EXPECT_EQ(words(store().path(kOther, id), id), words(store().path(kOther, never), never));
  EXPECT_EQ(words(store().beginning(kOther, id), id),
            words(store().beginning(kOther, never), never));
  EXPECT_EQ(words(store().remove(kOther, id), id), words(store().remove(kOther, never), never));
  EXPECT_EQ(words(store().change(kOther, id, {.pinned = true}), id),
            words(store().change(kOther, never, {.pinned = true}), never));
  EXPECT_EQ(words(store().keep_snapshot(kOther, id, image(1)), id),
            words(store().keep_snapshot(kOther, never, image(1)), never));
  EXPECT_EQ(words(store().drop_snapshot(kOther, id), id),
            words(store().drop_snapshot(kOther, never), never));
  EXPECT_EQ(words(store().commit(kOther, changes(draft(id, {2}, ""))), id),
            words(store().commit(kOther, changes(draft(never, {2}, ""))), never));
  EXPECT_EQ(words(store().commit(kOther, moved("a", id, 0)), id),
            words(store().commit(kOther, moved("a", never, 0)), never));
  EXPECT_EQ(outcome(store().node(kOther, "mine")), "missing");
  EXPECT_EQ(outcome(store().session(kOther, "chat")), "missing");
  EXPECT_EQ(outcome(store().remove_session(kOther, "chat", {})), "missing");
  EXPECT_EQ(outcome(store().document(kOther, "response", "resp_1")), "missing");
  EXPECT_EQ(outcome(store().remove_document(kOther, "response", "resp_1")), "missing");
  EXPECT_TRUE(store().list(kOther, {})->items.empty());
  EXPECT_TRUE(store().list(kOther, {.parent = id})->items.empty());
  EXPECT_TRUE(store().sessions(kOther, {})->items.empty());
  EXPECT_TRUE(store().documents(kOther, "response", {})->items.empty());
  EXPECT_TRUE(store().nodes(kOther, std::vector{id})->empty());
  // And nothing is in his way.
  EXPECT_EQ(outcome(store().commit(kOther, document("response", "resp_1", "2"))), "done");
  EXPECT_EQ(store().document(kMine, "response", "resp_1")->json, "1");
}

TEST_P(Store, of_two_writers_of_a_session_one_is_told) {
  const std::string a = put("", {1}, "a"), b = put(a, {2}, "b"), c = put(a, {3}, "c");
  EXPECT_EQ(outcome(store().commit(kMine, moved("chat", a, 3))), "missing");
  EXPECT_EQ(outcome(store().commit(kMine, moved("chat", a, 0))), "done");
  EXPECT_EQ(outcome(store().commit(kMine, moved("chat", b, 1))), "done");
  EXPECT_EQ(outcome(store().commit(kMine, moved("chat", c, 1))), "conflict");
  EXPECT_EQ(outcome(store().commit(kMine, moved("chat", c, 0))), "conflict");
  EXPECT_EQ(store().session(kMine, "chat")->node, b);
  EXPECT_EQ(outcome(store().commit(kMine, moved("chat", c, {}))), "done");
  EXPECT_EQ(store().session(kMine, "chat")->version, 3u);
  EXPECT_EQ(outcome(store().remove_session(kMine, "chat", 2)), "conflict");
  EXPECT_EQ(outcome(store().remove_session(kMine, "chat", 3)), "done");
  EXPECT_EQ(outcome(store().session(kMine, "chat")), "missing");
}

TEST_P(Store, threads_that_compare_and_set_lose_no_turn) {
  constexpr int kThreads = 4, kTurns = 25;
  const std::string root = put("", {0}, "");
  ASSERT_EQ(outcome(store().commit(kMine, moved("chat", root, 0))), "done");
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i)
    threads.emplace_back([&, i] {
      for (int turn = 0; turn < kTurns;) {
        const auto session = store().session(kMine, "chat");
        Changes next = changes(draft(session->node, {i * kTurns + turn}, ""));
        next.sessions.push_back({"chat", next.nodes[0].id, session->version, 0});
        const auto committed = store().commit(kMine, std::move(next));
        if (committed)
          ++turn;
        else
          ASSERT_EQ(committed.error().trouble, Trouble::conflict);
      }
    });
  for (std::thread& thread : threads) thread.join();
  const auto session = store().session(kMine, "chat");
  EXPECT_EQ(session->version, 1u + kThreads * kTurns);
  const auto path = store().path(kMine, session->node);
  std::vector<int32_t> tokens(path->tokens.begin() + 1, path->tokens.end());
  std::sort(tokens.begin(), tokens.end());
  ASSERT_EQ(tokens.size(), size_t{kThreads * kTurns});
  for (int i = 0; i < kThreads * kTurns; ++i) EXPECT_EQ(tokens[static_cast<size_t>(i)], i);
}

TEST_P(Store, a_node_grows_until_it_is_finished) {
  store::NodeDraft growing = draft("", {1}, "a");
  growing.growing = true;
  const std::string id = put(growing);
  EXPECT_EQ(outcome(store().commit(kMine, changes(draft(id, {9}, "")))), "invalid");
  EXPECT_EQ(outcome(store().keep_snapshot(kMine, id, image(1))), "invalid");
  const std::string whole = put("", {1}, "");
  const std::vector<store::Growth> step = {{kMine, id, {2}, "b"},
                                           {kOther, id, {66}, "?"},
                                           {kMine, whole, {66}, "?"},
                                           {kMine, store::new_id(), {66}, "?"},
                                           {kMine, id, {3}, "c"}};
  const auto gone = store().append(step);
  ASSERT_TRUE(gone.has_value());
  EXPECT_EQ(*gone, (std::vector<size_t>{1, 2, 3}));
  EXPECT_EQ(store().node(kMine, id)->own_tokens, 3u);
  EXPECT_EQ(store().path(kMine, id)->text, "abc");
  Changes last;
  last.finished.push_back({id, {4}, "d", "{\"finish\":\"stop\"}"});
  EXPECT_EQ(outcome(store().commit(kOther, last)), "missing");
  EXPECT_EQ(outcome(store().commit(kMine, last)), "done");
  EXPECT_EQ(outcome(store().commit(kMine, last)), "invalid");
  EXPECT_EQ(store().append(std::vector{store::Growth{kMine, id, {5}, "e"}})->size(), 1u);
  const auto node = store().node(kMine, id);
  EXPECT_EQ(node->stage, store::Stage::whole);
  EXPECT_EQ(node->tokens, 4u);
  EXPECT_EQ(node->extra, "{\"finish\":\"stop\"}");
  EXPECT_EQ(store().path(kMine, id)->tokens, (std::vector<int32_t>{1, 2, 3, 4}));
}

TEST_P(Store, what_stands_behind_a_removed_node_keeps_its_path) {
  store::NodeDraft first = draft("", {1}, "a");
  first.name = "first";
  const std::string root = put(first), middle = put(root, {2}, "b"), leaf = put(middle, {3}, "c");
  EXPECT_EQ(outcome(store().remove(kMine, root)), "done");
  EXPECT_EQ(outcome(store().remove(kMine, middle)), "done");
  for (const std::string& id : {root, middle, std::string("first")}) EXPECT_EQ(seen(id), "missing");
  EXPECT_EQ(outcome(store().commit(kMine, changes(draft(middle, {4}, "")))), "missing");
  EXPECT_EQ(store().list(kMine, {})->items.size(), 1u);
  const auto path = store().path(kMine, leaf);
  ASSERT_TRUE(path.has_value());
  EXPECT_EQ(path->text, "abc");
  EXPECT_TRUE(path->steps[0].removed);
  EXPECT_FALSE(path->steps[2].removed);
  first.id = store::new_id();
  EXPECT_EQ(outcome(store().commit(kMine, changes(first))), "done");  // the name is free
  EXPECT_EQ(outcome(store().remove(kMine, first.id)), "done");
  EXPECT_EQ(outcome(store().remove(kMine, leaf)), "done");
  const auto usage = store().usage();
  EXPECT_EQ(usage->nodes, 0);
  EXPECT_EQ(usage->tokens, 0) << "nobody wants them any more";
  EXPECT_EQ(usage->log_bytes, 0);
}

TEST_P(Store, a_session_holds_its_node) {
  const std::string id = put("", {1}, "a");
  ASSERT_EQ(outcome(store().commit(kMine, moved("chat", id, 0))), "done");
  EXPECT_EQ(outcome(store().remove(kMine, id)), "conflict");
  EXPECT_EQ(outcome(store().remove_session(kMine, "chat", {})), "done");
  EXPECT_EQ(outcome(store().remove(kMine, id)), "done");
}

TEST_P(Store, what_was_not_used_for_its_time_is_gone_unless_something_holds_it) {
  const auto brief = [&](const std::string& parent) {
    store::NodeDraft node = draft(parent, {1}, "a");
    node.ttl_ms = 1000;
    return node;
  };
  const std::string idle = put(brief("")), used = put(brief("")), held = put(brief("")),
                    begun = put(brief(""));
  store::NodeDraft pinned_draft = brief(""), growing_draft = brief(""), named_draft = brief("");
  pinned_draft.pinned = growing_draft.growing = true;
  named_draft.name = "x";
  const std::string pinned = put(pinned_draft), growing = put(growing_draft);
  put(named_draft);
  const std::string parent = put(brief("")), child = put(parent, {2}, "b");
  ASSERT_EQ(outcome(store().commit(kMine, moved("chat", held, 0))), "done");
  Changes brief_session = moved("brief", idle, 0), brief_document = document("r", "d", "{}");
  brief_session.sessions[0].ttl_ms = brief_document.documents[0].ttl_ms = 500;
  ASSERT_EQ(outcome(store().commit(kMine, brief_session)), "done");
  ASSERT_EQ(outcome(store().commit(kMine, brief_document)), "done");
  clock_.ms += 600;
  ASSERT_EQ(outcome(store().change(kMine, used, {.extra = "1"})), "done");
  EXPECT_EQ(begins(begun), "none");
  EXPECT_EQ(outcome(store().session(kMine, "brief")), "missing");
  EXPECT_EQ(outcome(store().document(kMine, "r", "d")), "missing");
  clock_.ms += 600;
  for (const int swept : {0, 1}) {
    EXPECT_EQ(seen(idle), "missing") << swept;
    for (const std::string& id : {used, held, begun, pinned, growing, child})
      EXPECT_EQ(seen(id), "done") << swept;
    EXPECT_EQ(seen(parent), "missing");
    EXPECT_EQ(store().path(kMine, child)->text, "ab");
    EXPECT_EQ(store().list(kMine, {})->items.size(), 6u);
    if (swept) continue;
    named_draft.id = store::new_id();
    EXPECT_EQ(put(named_draft), named_draft.id) << "its name is free before it is swept";
    ASSERT_EQ(outcome(store().remove(kMine, "x")), "missing");  // by id only
    ASSERT_EQ(outcome(store().remove(kMine, named_draft.id)), "done");
    EXPECT_EQ(outcome(store().sweep()), "done");
  }
  EXPECT_EQ(store().usage()->documents, 0);
  EXPECT_EQ(store().usage()->sessions, 1);
  EXPECT_EQ(store().usage()->nodes, 6);
}

TEST_P(Store, a_session_that_expired_begins_anew) {
  const std::string id = put("", {1}, "a");
  Changes brief = moved("chat", id, 0);
  brief.sessions[0].ttl_ms = 10;
  ASSERT_EQ(outcome(store().commit(kMine, brief)), "done");
  clock_.ms += 10;
  EXPECT_EQ(outcome(store().commit(kMine, moved("chat", id, 1))), "missing");
  EXPECT_EQ(outcome(store().commit(kMine, moved("chat", id, 0))), "done");
  EXPECT_EQ(store().session(kMine, "chat")->version, 1u);
}

TEST_P(Store, pages_have_each_once_the_newest_first) {
  std::vector<std::string> made;
  for (int i = 0; i < 7; ++i) made.push_back(put("", {i}, ""));
  const std::string child = put(made[0], {1}, "");
  for (int i = 0; i < 7; ++i) {
    const std::string number = std::to_string(i);
    ASSERT_EQ(outcome(store().commit(kMine, moved("s" + number, made[0], 0))), "done");
    ASSERT_EQ(outcome(store().commit(kMine, document("k", "d" + number, number))), "done");
  }
  ASSERT_EQ(outcome(store().commit(kMine, document("other", "d", ""))), "done");
  std::vector<std::string> nodes, sessions, documents;
  store::Query query{.limit = 3};
  do {
    const auto page = store().list(kMine, query);
    ASSERT_TRUE(page.has_value());
    EXPECT_LE(page->items.size(), 3u);
    for (const auto& item : page->items) nodes.push_back(item.id);
    query.after = page->next;
    if (nodes.size() == 3) {
      ASSERT_EQ(outcome(store().remove(kMine, nodes[2])), "done");
    }
  } while (!query.after.empty());
  made.push_back(child);
  std::reverse(made.begin(), made.end());
  EXPECT_EQ(nodes, made);
  do {
    const auto page = store().sessions(kMine, query);
    for (const auto& item : page->items) sessions.push_back(item.name);
    query.after = page->next;
  } while (!query.after.empty());
  EXPECT_EQ(sessions, (std::vector<std::string>{"s6", "s5", "s4", "s3", "s2", "s1", "s0"}));
  do {
    const auto page = store().documents(kMine, "k", query);
    for (const auto& item : page->items) documents.push_back(item.id);
    query.after = page->next;
  } while (!query.after.empty());
  EXPECT_EQ(documents, (std::vector<std::string>{"d6", "d5", "d4", "d3", "d2", "d1", "d0"}));
  EXPECT_EQ(store().list(kMine, {.parent = made.back()})->items.size(), 1u);
  for (const char* after : {"x", "-1", "1 OR 1=1", "99999999999999999999"})
    EXPECT_EQ(outcome(store().list(kMine, {.after = after})), "invalid") << after;
}

TEST_P(Store, nodes_are_asked_for_by_the_dozen) {
  const std::string a = put("", {1}, ""), b = put("", {2}, "");
  const std::vector<std::string> ids = {b, store::new_id(), "no id", a};
  const auto found = store().nodes(kMine, ids);
  ASSERT_TRUE(found.has_value());
  ASSERT_EQ(found->size(), 2u);
  EXPECT_EQ((*found)[0].id, b);
  EXPECT_EQ((*found)[1].id, a);
}

TEST_P(Store, what_no_client_should_send_is_refused_or_kept_as_it_is) {
  const std::string id = put("", {1}, "a");
  const std::string names[] = {"../../x",
                               std::string(1 << 20, 'x'),
                               std::string("a\0b", 3),
                               "a\nb",
                               "\x7f",
                               "\xc2\x85",
                               "\xff\xfe",
                               "'; DROP TABLE node; --",
                               "%",
                               "st_",
                               id,
                               "",
                               "caf\xc3\xa9 \xe2\x98\x83",
                               std::string(129, 'y'),
                               "node"};
  std::set<std::string> kept;
  for (const std::string& name : names) {
    store::NodeDraft node = draft("", {1}, "");
    node.name = name;
    const auto committed = store().commit(kMine, changes(node));
    if (committed) {
      kept.insert(name);
      const std::string by_name = name.empty() ? node.id : name;
      EXPECT_EQ(store().node(kMine, by_name)->id, node.id);
    } else {
      EXPECT_EQ(committed.error().trouble, Trouble::invalid);
      EXPECT_LT(committed.error().message.size(), 400u);
      EXPECT_EQ(outcome(store().node(kMine, name)), name == id ? "done" : "missing");
    }
    const auto went = store().commit(kMine, moved(name, id, 0));
    EXPECT_EQ(outcome(store().session(kMine, name)), went ? "done" : "missing");
    EXPECT_EQ(outcome(store().commit(kMine, changes(draft(name, {}, "")))),
              name.empty() || name == id ? "done" : "missing");
    EXPECT_EQ(outcome(store().path(kMine, name)), name == id ? "done" : "missing");
    EXPECT_EQ(outcome(store().document(kMine, name, name)), "missing");
    const auto written = store().commit(kMine, document("k", name, name));
    EXPECT_EQ(outcome(store().document(kMine, "k", name)), written ? "done" : "missing");
  }
  EXPECT_EQ(kept, (std::set<std::string>{"", "../../x", "'; DROP TABLE node; --", "%", "node",
                                         "caf\xc3\xa9 \xe2\x98\x83"}));
  store::NodeDraft bad = draft("", {1}, "");
  bad.id = "st_../../../../../../../../etc/passwd";
  EXPECT_EQ(outcome(store().commit(kMine, changes(bad))), "invalid");
  EXPECT_EQ(outcome(store().commit(kMine, document("../k", "d", ""))), "invalid");
  bad = draft("", {1}, "");
  bad.ttl_ms = -1;
  EXPECT_EQ(outcome(store().commit(kMine, changes(bad))), "invalid");
  bad = draft("", {1}, "");
  bad.id = id;
  EXPECT_EQ(outcome(store().commit(kMine, changes(bad))), "conflict");
  bad = draft(id, {1}, "");
  bad.fingerprint = tenant(9);
  EXPECT_EQ(outcome(store().commit(kMine, changes(bad))), "invalid");
}

TEST_P(Store, the_nearest_snapshot_before_a_node_is_where_it_begins) {
  const std::string root = put("", {1, 2}, "a"), middle = put(root, {3}, "b"),
                    leaf = put(middle, {4}, "c");
  EXPECT_EQ(begins(leaf), "none");
  keep(root, 10);
  EXPECT_EQ(begins(leaf), root);
  keep(middle, 20);
  EXPECT_EQ(begins(leaf), middle);
  EXPECT_EQ(begins(root), root);
  const auto found = store().beginning(kMine, leaf);
  EXPECT_EQ((*found)->tokens, 3u);
  EXPECT_EQ((*found)->image, std::vector<std::byte>(20, std::byte{1}));
  EXPECT_EQ(outcome(store().keep_snapshot(kMine, middle, image(30, 2))), "done");
  ASSERT_EQ(outcome(store().flush()), "done");
  EXPECT_EQ((*store().beginning(kMine, leaf))->image, std::vector<std::byte>(30, std::byte{2}));
  EXPECT_EQ(store().usage()->snapshot_bytes, 40);
  // Of a removed one too: what stands behind it is not to be read again.
  EXPECT_EQ(outcome(store().remove(kMine, middle)), "done");
  EXPECT_EQ(begins(leaf), middle);
  EXPECT_EQ(outcome(store().drop_snapshot(kMine, middle)), "done");
  EXPECT_EQ(begins(leaf), root);
  EXPECT_EQ(outcome(store().remove(kMine, leaf)), "done");
  EXPECT_EQ(store().usage()->snapshots, 1);
}

TEST_P(Store, what_grew_until_there_was_no_room_can_be_cut_and_what_a_commit_removes_is_gone) {
  open({.log_bytes = store::kRowBytes + 200});
  store::NodeDraft growing = draft("", {1}, "a");
  growing.growing = true;
  const std::string id = put(growing);
  const std::vector<store::Growth> growth = {
      {kMine, id, std::vector<int32_t>(60, 2), std::string(60, 'b')}};
  ASSERT_EQ(outcome(store().append(growth)), "done");
  Changes more;
  more.finished.push_back({.id = id, .tokens = {3}, .text = "c"});
  more.finished[0].text.resize(300);
  EXPECT_EQ(outcome(store().commit(kMine, more)), "full");
  EXPECT_EQ(store().node(kMine, id)->stage, store::Stage::growing);
  Changes end;
  end.finished.push_back({.id = id, .cut = true});
  EXPECT_EQ(outcome(store().commit(kMine, end)), "done");
  EXPECT_EQ(store().node(kMine, id)->stage, store::Stage::cut);
  EXPECT_EQ(store().path(kMine, id)->tokens.size(), 61u);
  // Beyond the budget by then, and so it stays for what does need room.
  end.finished[0] = {.id = id};
  EXPECT_EQ(outcome(store().commit(kMine, end)), "invalid");
  EXPECT_EQ(outcome(store().commit(kMine, changes(draft("", {1}, "a")))), "full");

  open({});
  const std::string root = put("", {1}, "r"), leaf = put(root, {2}, "l"), kept = put("", {3}, "k");
  const store::NodeDraft grown = [&] {
    store::NodeDraft out = draft(root, {4}, "g");
    out.growing = true;
    return out;
  }();
  ASSERT_EQ(outcome(store().commit(kMine, changes(grown))), "done");
  Changes gone;
  gone.removed = {leaf, grown.id, root, store::new_id()};
  EXPECT_EQ(outcome(store().commit(kMine, gone)), "missing");
  EXPECT_EQ(seen(leaf), "done");
  gone.removed.pop_back();
  EXPECT_EQ(outcome(store().commit(kOther, gone)), "missing");
  EXPECT_EQ(outcome(store().commit(kMine, gone)), "done");
  for (const std::string& one : {leaf, grown.id, root}) EXPECT_EQ(seen(one), "missing");
  EXPECT_EQ(store().usage()->nodes, 1);
  EXPECT_EQ(seen(kept), "done");
}

TEST_P(Store, beyond_the_budget_the_least_valuable_snapshots_go_and_no_log_does) {
  open({.snapshot_bytes = 1000});
  store::NodeDraft pinned_draft = draft("", {1}, "p");
  pinned_draft.pinned = true;
  const std::string pinned = put(pinned_draft);
  const std::string cheap = put("", {1}, "c"), dear = put("", std::vector<int32_t>(500, 1), "d"),
                    asked = put("", {1}, "e");
  for (const std::string& id : {pinned, cheap, dear, asked}) keep(id, 240);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(begins(asked), asked);
  const std::string next = put("", {1, 2}, "n");
  keep(next, 240);
  EXPECT_EQ(begins(cheap), "none");
  for (const std::string& id : {pinned, dear, asked, next}) EXPECT_EQ(begins(id), id);
  clock_.ms += 1'000'000;
  EXPECT_EQ(begins(next), next);
  keep(cheap, 240);
  EXPECT_EQ(begins(asked), "none") << "long ago";
  EXPECT_EQ(begins(pinned), pinned);
  EXPECT_LE(store().usage()->snapshot_bytes, 1000);
  EXPECT_EQ(store().usage()->evicted, 2);
  // One that fits with nothing else is not kept, and nothing goes for it.
  keep(next, 1001);
  EXPECT_EQ(store().usage()->refused, 1);
  EXPECT_EQ(begins(next), next);
  for (const std::string& id : {pinned, cheap, dear, asked, next})
    EXPECT_FALSE(store().path(kMine, id)->tokens.empty());
}

TEST_P(Store, what_came_from_elsewhere_is_kept_with_its_node) {
  open({.snapshot_bytes = 1000});
  store::NodeDraft uploaded = draft("", {}, "");
  uploaded.origin = image(400, 7);
  const std::string id = put(uploaded), child = put(id, {5}, "x");
  EXPECT_EQ((*store().beginning(kMine, child))->image, std::vector<std::byte>(400, std::byte{7}));
  EXPECT_TRUE((*store().beginning(kMine, child))->origin);
  EXPECT_EQ(outcome(store().drop_snapshot(kMine, id)), "invalid");
  EXPECT_EQ(outcome(store().keep_snapshot(kMine, id, image(1))), "invalid");
  for (int i = 0; i < 8; ++i) keep(put("", {i, i}, ""), 300);
  EXPECT_EQ(begins(child), id);
  EXPECT_EQ(outcome(store().remove(kMine, id)), "done");
  EXPECT_EQ(begins(child), id);
  // And told of, whatever else is kept on the way.
  keep(child, 10);
  EXPECT_EQ(begins(child), child);
  const auto origin = store().origin(kMine, child);
  ASSERT_TRUE(origin && *origin);
  EXPECT_EQ((*origin)->node, id);
  EXPECT_EQ((*origin)->image, std::vector<std::byte>(400, std::byte{7}));
  const auto path = store().path(kMine, child);
  EXPECT_TRUE(path->steps[0].origin && path->steps[0].removed && !path->steps[1].origin);
  EXPECT_FALSE(store().origin(kMine, put("", {1}, "a"))->has_value());
  EXPECT_EQ(outcome(store().origin(kOther, child)), "missing");
  uploaded.id = store::new_id();
  uploaded.origin = image(700);
  EXPECT_EQ(outcome(store().commit(kMine, changes(uploaded))), "full");
  EXPECT_EQ(seen(uploaded.id), "missing");
  // One that fails with its commit leaves nothing.
  uploaded.origin = image(200);
  Changes late = changes(uploaded);
  late.sessions.push_back({"chat", child, 5, 0});
  EXPECT_EQ(outcome(store().commit(kMine, late)), "missing");
  EXPECT_EQ(outcome(store().commit(kMine, changes(uploaded))), "done");
  EXPECT_EQ(outcome(store().remove(kMine, child)), "done");
  EXPECT_EQ(begins(uploaded.id), uploaded.id);
  uploaded.origin = store::Image{
      10, [] { return Result<std::vector<std::byte>>(fail(Code::corrupt, "it is none")); }};
  uploaded.id = store::new_id();
  EXPECT_EQ(outcome(store().commit(kMine, changes(uploaded))), "invalid");
}

TEST_P(Store, a_budget_of_texts_refuses_and_changes_nothing) {
  open({.log_bytes = 2 * store::kRowBytes + 1000});
  const std::string id = put("", {1}, std::string(500, 'a'));
  EXPECT_EQ(outcome(store().commit(kMine, changes(draft(id, {}, std::string(500, 'b'))))), "full");
  EXPECT_EQ(outcome(store().commit(kMine, document("k", "d", std::string(500, 'b')))), "full");
  EXPECT_EQ(store().usage()->log_bytes, store::kRowBytes + 504);
  EXPECT_EQ(outcome(store().commit(kMine, document("k", "d", std::string(490, 'b')))), "done");
  EXPECT_EQ(outcome(store().remove_document(kMine, "k", "d")), "done");
  EXPECT_EQ(outcome(store().commit(kMine, changes(draft(id, {}, std::string(490, 'b'))))), "done");
}

TEST_P(Store, rows_without_texts_take_room_too) {
  open({.log_bytes = 20 * store::kRowBytes});
  const std::string id = put("", {1}, "a");
  int made = 0;
  while (made < 100 && store().commit(kMine, changes(draft(id, {}, "")))) ++made;
  EXPECT_GT(made, 10);
  EXPECT_LT(made, 20);
  EXPECT_EQ(outcome(store().commit(kMine, moved("s", id, {}))), "full");
  ASSERT_EQ(outcome(store().remove(kMine, store().list(kMine, {.limit = 1})->items[0].id)), "done");
  ASSERT_EQ(outcome(store().commit(kMine, moved("s", id, {}))), "done");
  EXPECT_EQ(outcome(store().commit(kMine, moved("s", id, {}))), "done");
  EXPECT_LE(store().usage()->log_bytes, 20 * store::kRowBytes);
  EXPECT_EQ(outcome(store().remove_session(kMine, "s", {})), "done");
  EXPECT_EQ(outcome(store().commit(kMine, changes(draft(id, {}, "")))), "done");
}

TEST_P(Store, a_tenant_has_its_share_and_fills_no_more) {
  open({.log_bytes = 20 * store::kRowBytes, .tenant_log_bytes = 10 * store::kRowBytes});
  int made = 0;
  while (made < 100 && store().commit(kMine, changes(draft("", {1}, "a")))) ++made;
  EXPECT_EQ(made, 9);
  EXPECT_EQ(outcome(store().commit(kMine, document("k", "d", "{}"))), "full");
  EXPECT_EQ(outcome(store().commit(kOther, changes(draft("", {1}, "a")))), "done");
  ASSERT_EQ(outcome(store().remove(kMine, store().list(kMine, {.limit = 1})->items[0].id)), "done");
  EXPECT_EQ(outcome(store().commit(kMine, changes(draft("", {1}, "a")))), "done");
  EXPECT_EQ(outcome(store().commit(kMine, changes(draft("", {1}, "a")))), "full");
  ASSERT_EQ(outcome(store().erase(kMine)), "done");
  EXPECT_EQ(outcome(store().commit(kMine, changes(draft("", {1}, "a")))), "done");
}

TEST_P(Store, names_that_are_steps_of_an_address_are_none) {
  const std::string id = put("", {1}, "a");
  for (const char* name : {".", ".."}) {
    EXPECT_EQ(outcome(store().commit(kMine, moved(name, id, {}))), "invalid") << name;
    EXPECT_EQ(outcome(store().change(kMine, id, {.name = name})), "invalid") << name;
  }
  EXPECT_EQ(outcome(store().commit(kMine, moved("a/b/..", id, {}))), "done");
}

TEST_P(Store, what_waits_to_be_written_is_bounded) {
  open({.queue_bytes = 1000});
  const std::string id = put("", {1}, "a");
  std::atomic<bool> go{false};
  const store::Image slow{600, [&]() -> Result<std::vector<std::byte>> {
                            while (!go) std::this_thread::yield();
                            return std::vector<std::byte>(600);
                          }};
  EXPECT_EQ(outcome(store().keep_snapshot(kMine, id, slow)), "done");
  EXPECT_EQ(outcome(store().keep_snapshot(kMine, id, slow)), "unavailable");
  EXPECT_EQ(store().usage()->queued_bytes, 600);
  // Nobody waits for it.
  EXPECT_EQ(outcome(store().commit(kMine, changes(draft(id, {2}, "b")))), "done");
  go = true;
  EXPECT_EQ(outcome(store().flush()), "done");
  EXPECT_EQ(begins(id), id);
  EXPECT_EQ(outcome(store().keep_snapshot(kMine, id, slow)), "done");
}

TEST_P(Store, a_tenant_that_is_erased_leaves_nothing_and_others_stay) {
  const std::string mine = put("", {1}, "a"), child = put(mine, {2}, "b");
  keep(mine, 10);
  const std::string others = test::put(store(), kOther, draft("", {3}, "c"));
  for (const Tenant& whose : {kMine, kOther}) {
    ASSERT_EQ(outcome(store().commit(whose, moved("s", whose == kMine ? child : others, 0))),
              "done");
    ASSERT_EQ(outcome(store().commit(whose, document("k", "d", "{}"))), "done");
  }
  EXPECT_EQ(outcome(store().erase(kMine)), "done");
  const auto usage = store().usage(&kMine);
  EXPECT_EQ(usage->nodes + usage->sessions + usage->documents + usage->snapshots, 0);
  EXPECT_EQ(outcome(store().session(kOther, "s")), "done");
  EXPECT_EQ(store().path(kOther, others)->text, "c");
  EXPECT_EQ(store().usage()->nodes, 1);
  EXPECT_EQ(store().usage()->log_bytes, store().usage(&kOther)->log_bytes);
}

TEST_P(Store, documents_are_new_or_replaced_as_was_asked) {
  EXPECT_EQ(outcome(store().commit(kMine, document("k", "d", "1"))), "done");
  EXPECT_EQ(outcome(store().commit(kMine, document("k", "d", "2"))), "conflict");
  EXPECT_EQ(outcome(store().commit(kMine, document("k", "d", "3", true))), "done");
  EXPECT_EQ(store().document(kMine, "k", "d")->json, "3");
  EXPECT_EQ(outcome(store().document(kMine, "j", "d")), "missing");
  EXPECT_EQ(outcome(store().remove_document(kMine, "k", "d")), "done");
  EXPECT_EQ(outcome(store().remove_document(kMine, "k", "d")), "missing");
  EXPECT_EQ(store().usage()->log_bytes, 0);
}

TEST_P(Store, changes_of_a_node_are_those_that_were_asked_for) {
  const std::string id = put("", {1}, "a"), other = put("", {1}, "b");
  ASSERT_EQ(outcome(store().change(kMine, id, {.name = "n", .extra = "{}"})), "done");
  EXPECT_EQ(outcome(store().change(kMine, other, {.name = "n"})), "conflict");
  const auto changed = store().change(kMine, id, {.name = "m", .pinned = true, .ttl_ms = 5});
  ASSERT_TRUE(changed.has_value());
  EXPECT_EQ(changed->name, "m");
  EXPECT_EQ(changed->extra, "{}");
  EXPECT_EQ(outcome(store().change(kMine, other, {.name = "n"})), "done");
  EXPECT_EQ(store().node(kMine, "m")->id, id);
  EXPECT_EQ(outcome(store().change(kMine, id, {.name = ""})), "done");
  EXPECT_EQ(outcome(store().node(kMine, "m")), "missing");
  EXPECT_TRUE(store().node(kMine, id)->pinned);
}

INSTANTIATE_TEST_SUITE_P(Every, Store, testing::Values("memory", "sqlite", "redis"),
                         [](const auto& each) { return std::string(each.param); });

TEST(MemoryStore, has_no_more_than_its_share_of_the_machine) {
  const store::Budget much = store::within_memory(
      {.snapshot_bytes = INT64_MAX, .log_bytes = INT64_MAX, .queue_bytes = INT64_MAX});
  if (memory_available() > 0) {
    for (const int64_t bytes : {much.snapshot_bytes, much.log_bytes, much.queue_bytes})
      EXPECT_LE(bytes, static_cast<int64_t>(memory_total() / 16));
  }
  EXPECT_EQ(store::within_memory({.log_bytes = 1000}).log_bytes, 1000);
}

}  // namespace
}  // namespace skein::test
