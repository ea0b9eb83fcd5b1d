#include "run/chat.h"

#include <unistd.h>

#include <map>
#include <random>

#include "base/file.h"
#include "base/file_writer.h"
#include "run/state_file.h"
#include "support/bundled.h"
#include "support/models.h"

namespace skein {
namespace {

const char* const kStory = "Tell me a story.";

Sampling lively(uint64_t seed) {
  Sampling sampling;
  sampling.top_p = 0.95;
  sampling.presence = sampling.frequency = 0.1;
  sampling.seed = seed;
  return sampling;
}

class ChatTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    model_ = test::open_model(std::filesystem::path(SKEIN_SOURCE_DIR) / "models/bundled-0.pth");
  }
  static void TearDownTestSuite() { model_.reset(); }

  static ChatSettings settings(const char* profile = "bytes") {
    ChatSettings out;
    out.profile = text::profile_by_name(profile);
    out.sampling = sampling_of(out.profile->sampler);
    out.max_tokens = 400;
    return out;
  }
  static std::unique_ptr<Chat> chat(ChatSettings with = settings(), std::string system = {}) {
    auto made = Chat::create(std::make_shared<Engine>(model_), text::byte_tokenizer_257(),
                             std::move(with), std::move(system));
    EXPECT_TRUE(made);
    return std::move(*made);
  }
  static Reply say(Chat& chat, const std::string& text) {
    auto reply = chat.say(text, {});
    EXPECT_TRUE(reply) << (reply ? "" : reply.error().message);
    return reply ? *reply : Reply();
  }
  static State state(Chat& chat) {
    const auto now = chat.state();
    EXPECT_TRUE(now);
    return **now;
  }
  static std::string temporary(const char* name) {
    return (std::filesystem::temp_directory_path() / fmt::format("chat-{}-{}", name, ::getpid()))
        .string();
  }
  // A file of a conversation with a branch, and what is in it.
  static void save_two_branches(Chat& chat, const std::string& file, std::vector<std::byte>& bytes,
                                SavedState& saved) {
    say(chat, "Reverse: garden");
    ASSERT_TRUE(chat.fork("other"));
    say(chat, "Reverse: apple");
    ASSERT_TRUE(chat.save(file));
    auto read = read_file(file, 1 << 24);
    ASSERT_TRUE(read);
    bytes = std::move(*read);
    auto parsed = parse_saved_state(bytes, "a.state");
    ASSERT_TRUE(parsed && parsed->chat);
    saved = std::move(*parsed);
  }

  // Reads a text from the beginning, as nothing but the text says.
  static State state_of_text(const std::string& text) {
    std::vector<int32_t> ids = *text::byte_tokenizer_257()->encode(text);
    ids.insert(ids.begin(), 0);
    State out = model_->new_state();
    EXPECT_TRUE(model_->eval(out, ids, Want::none, nullptr));
    return out;
  }

  static std::shared_ptr<Model> model_;
};
std::shared_ptr<Model> ChatTest::model_;

TEST_F(ChatTest, answers_and_keeps_exactly_the_text_of_the_template) {
  const auto c = chat();
  EXPECT_EQ(say(*c, "Reverse: garden").text, BUNDLED_REVERSED);
  EXPECT_EQ(say(*c, "What is 12 plus 30?").text, "30");
  const std::string wanted = "User: Reverse: garden\n\nAssistant: " BUNDLED_REVERSED
                             "\n\nUser: What is 12 plus 30?\n\nAssistant: "
                             "30\n\n";
  const State end = state(*c);
  EXPECT_EQ(*c->transcript(), wanted);
  EXPECT_TRUE(end == state_of_text(wanted));
  EXPECT_EQ(end.tokens_read(), wanted.size() + 1);
}

TEST_F(ChatTest, undo_returns_the_earlier_state_bit_for_bit) {
  const auto c = chat();
  std::vector<State> ends = {state(*c)};
  for (const char* text : {"Reverse: garden", kStory, "What is 2 plus 2?"}) {
    say(*c, text);
    ends.push_back(state(*c));
  }
  EXPECT_EQ(c->turns(), 3u);
  ASSERT_TRUE(c->undo(1));
  EXPECT_TRUE(state(*c) == ends[2]);
  ASSERT_TRUE(c->undo(2));
  EXPECT_TRUE(state(*c) == ends[0]);
  EXPECT_FALSE(c->undo(1));
  EXPECT_EQ(say(*c, "Reverse: garden").text, BUNDLED_REVERSED);
  EXPECT_TRUE(state(*c) == ends[1]);
}

TEST_F(ChatTest, retry_with_the_same_seed_gives_the_same_text_and_replaces_the_turn) {
  auto with = settings();
  with.sampling = lively(11);
  const auto c = chat(with);
  const Reply first = say(*c, kStory);
  const State end = state(*c);
  const auto again = c->retry({});
  ASSERT_TRUE(again);
  EXPECT_EQ(again->text, first.text);
  EXPECT_EQ(again->fingerprint, first.fingerprint);
  EXPECT_EQ(again->prompt_tokens, 0u) << "the prompt was read again";
  EXPECT_TRUE(state(*c) == end);
  EXPECT_EQ(c->turns(), 1u);
  c->settings().sampling.seed = 12;
  EXPECT_NE(c->retry({})->text, first.text);
  EXPECT_EQ(c->turns(), 1u);
  EXPECT_EQ(c->tree().size(), 2u);
}

TEST_F(ChatTest, an_alternative_keeps_the_old_answer_as_a_branch) {
  auto with = settings();
  with.sampling = lively(11);
  const auto c = chat(with);
  const Reply first = say(*c, kStory);
  const State end = state(*c);
  std::string kept_as;
  const auto other = c->alternative({}, &kept_as);
  ASSERT_TRUE(other);
  EXPECT_NE(other->text, first.text);
  std::string kept_second;
  const auto third = c->alternative({}, &kept_second);
  EXPECT_NE(third->text, other->text);
  EXPECT_NE(third->text, first.text);
  EXPECT_NE(kept_as, kept_second);
  ASSERT_TRUE(c->switch_to(kept_as));
  EXPECT_TRUE(state(*c) == end);
}

TEST_F(ChatTest, branches_are_independent) {
  const auto c = chat();
  say(*c, "Reverse: garden");
  const State shared = state(*c);
  ASSERT_TRUE(c->fork("other"));
  EXPECT_FALSE(c->fork("other"));
  EXPECT_FALSE(c->fork("two words"));
  say(*c, kStory);
  const State other = state(*c);
  ASSERT_TRUE(c->switch_to("main"));
  EXPECT_TRUE(state(*c) == shared);
  say(*c, "What is 2 plus 2?");
  const State here = state(*c);
  EXPECT_FALSE(here == other);
  ASSERT_TRUE(c->switch_to("other"));
  EXPECT_TRUE(state(*c) == other);
  ASSERT_TRUE(c->undo(2));
  ASSERT_TRUE(c->switch_to("main"));
  EXPECT_TRUE(state(*c) == here);
  EXPECT_FALSE(c->switch_to("nowhere"));
}

TEST_F(ChatTest, a_saved_conversation_goes_on_bit_for_bit) {
  const std::string file =
      (std::filesystem::temp_directory_path() / fmt::format("chat-{}.state", ::getpid())).string();
  auto with = settings();
  with.sampling = lively(3);
  const auto c = chat(with);
  say(*c, "Reverse: garden");
  ASSERT_TRUE(c->save(file));
  const Reply here = say(*c, kStory);
  const State end = state(*c);

  const auto later = chat(with);
  ASSERT_TRUE(later->load(file));
  const Reply there = say(*later, kStory);
  EXPECT_EQ(there.text, here.text);
  EXPECT_TRUE(state(*later) == end);
  EXPECT_EQ(*later->transcript(), *c->transcript());

  const std::string second = file + "2";
  ASSERT_TRUE(later->save(second));
  ASSERT_TRUE(later->load(second));
  EXPECT_TRUE(state(*later) == end);
  EXPECT_EQ(*later->transcript(), *c->transcript());
  std::filesystem::remove(file);
  std::filesystem::remove(second);
}

// In another process nothing is left but the file: turns, branches and their answers are there.
TEST_F(ChatTest, a_saved_conversation_brings_its_turns_and_branches) {
  const std::string file = temporary("tree");
  auto with = settings();
  with.sampling = lively(3);
  const auto c = chat(with, "Be brief.");
  say(*c, "Reverse: garden");
  const State first = state(*c);
  say(*c, kStory);
  std::string kept_as;
  const auto other = c->alternative({}, &kept_as);
  ASSERT_TRUE(other);
  const State here = state(*c);
  ASSERT_TRUE(c->save(file));

  const auto later = chat(with);
  ASSERT_TRUE(later->load(file));
  EXPECT_TRUE(state(*later) == here);
  EXPECT_EQ(later->system_text(), "Be brief.");
  EXPECT_EQ(later->branch(), "main");
  EXPECT_EQ(later->branches(), c->branches());
  const auto old_tree = c->tree(), new_tree = later->tree();
  ASSERT_EQ(new_tree.size(), old_tree.size());
  for (size_t i = 0; i < old_tree.size(); ++i) {
    EXPECT_EQ(new_tree[i].answer, old_tree[i].answer);
    EXPECT_EQ(new_tree[i].branches, old_tree[i].branches);
    EXPECT_EQ(new_tree[i].current, old_tree[i].current);
  }
  EXPECT_EQ(*later->transcript(), *c->transcript());
  // Another answer is another one than those that are there, also the next.
  EXPECT_EQ(later->alternative({}, nullptr)->text, c->alternative({}, nullptr)->text);
  ASSERT_TRUE(later->switch_to(kept_as));
  ASSERT_TRUE(c->switch_to(kept_as));
  EXPECT_TRUE(state(*later) == state(*c));
  ASSERT_TRUE(later->undo(1));
  EXPECT_TRUE(state(*later) == first);
  EXPECT_EQ(later->turns(), 1u);
  ASSERT_TRUE(later->fork("more"));
  const Reply again = say(*later, "What is 2 plus 2?");
  ASSERT_TRUE(c->undo(1));
  EXPECT_EQ(say(*c, "What is 2 plus 2?").text, again.text);
  std::filesystem::remove(file);
}

TEST_F(ChatTest, a_conversation_is_loaded_beside_the_branches_that_are_there) {
  const std::string file = temporary("beside");
  const auto c = chat();
  say(*c, "Reverse: garden");
  ASSERT_TRUE(c->fork("other"));
  say(*c, kStory);
  ASSERT_TRUE(c->save(file));
  const State saved = state(*c);
  const auto later = chat();
  say(*later, "What is 2 plus 2?");
  const State mine = state(*later);
  ASSERT_TRUE(later->fork("here"));
  ASSERT_TRUE(later->load(file));
  EXPECT_EQ(later->branch(), "here");
  EXPECT_TRUE(state(*later) == saved);
  EXPECT_EQ(later->branches(), (std::vector<std::string>{"here", "loaded-1", "main"}));
  ASSERT_TRUE(later->switch_to("main"));
  EXPECT_TRUE(state(*later) == mine);
  ASSERT_TRUE(later->switch_to("loaded-1"));
  EXPECT_EQ(later->turns(), 1u);
  std::filesystem::remove(file);
}

// A tuned state, or one without its tokens, cannot be read again: it is in the file.
TEST_F(ChatTest, a_conversation_that_began_with_a_state_can_be_undone_to_it) {
  const std::string tuned = temporary("tuned"), file = temporary("began");
  State state_before = state_of_text("User: nobody knows this text\n\n");
  const auto bytes = export_pth(state_before);
  ASSERT_TRUE(bytes);
  const std::span<const std::byte> piece = *bytes;
  ASSERT_TRUE(write_file(tuned, {&piece, 1}, {}));
  const auto c = chat();
  ASSERT_TRUE(c->load(tuned));
  const State begun = state(*c);
  say(*c, "Reverse: garden");
  ASSERT_TRUE(c->save(file));
  std::filesystem::remove(tuned);
  const auto later = chat();
  ASSERT_TRUE(later->load(file));
  EXPECT_TRUE(state(*later) == state(*c));
  ASSERT_TRUE(later->undo(1));
  EXPECT_TRUE(state(*later) == begun);
  // And again, from a file that holds a file.
  ASSERT_TRUE(later->save(file));
  const auto third = chat();
  ASSERT_TRUE(third->load(file));
  EXPECT_TRUE(state(*third) == begun);
  std::filesystem::remove(file);
}

// Whoever signs a file can write anything into it.
TEST_F(ChatTest, a_conversation_that_is_not_what_its_state_has_read_is_refused) {
  const std::string file = temporary("lies");
  const auto c = chat();
  std::vector<std::byte> bytes;
  SavedState saved;
  ASSERT_NO_FATAL_FAILURE(save_two_branches(*c, file, bytes, saved));
  const State end = state(*c);
  const auto refused = [&](const char* what, const std::function<void(SavedChat&)>& change) {
    SavedChat chat_with = *saved.chat;
    change(chat_with);
    const auto out = StateFile::make(end, saved.tokens, saved.text, &chat_with);
    ASSERT_TRUE(out);
    ASSERT_TRUE(write_file(file, out->pieces(), {}));
    const auto later = chat();
    say(*later, "What is 2 plus 2?");
    const State before = state(*later);
    const auto status = later->load(file);
    ASSERT_FALSE(status) << what;
    EXPECT_EQ(status.error().code, Code::corrupt) << what << status.error().message;
    EXPECT_TRUE(state(*later) == before) << what;
    EXPECT_EQ(later->branches(), std::vector<std::string>{"main"}) << what;
  };
  refused("a token more", [](SavedChat& x) { x.turns.back().answer_ids.push_back(1); });
  refused("a token less", [](SavedChat& x) { x.turns.back().prompt_ids.pop_back(); });
  refused("another token", [](SavedChat& x) { x.turns.back().prompt_ids[0] ^= 1; });
  refused("no such token", [](SavedChat& x) { x.turns[0].answer_ids = {257}; });
  refused("a token below 0", [](SavedChat& x) { x.turns[0].answer_ids = {-1}; });
  refused("another branch", [](SavedChat& x) { x.branch = 1 - x.branch; });
  refused("an open end", [](SavedChat& x) { x.turns.back().closed = false; });
  refused("a circle", [](SavedChat& x) { x.turns[1].parent = 1; });
  refused("a later parent", [](SavedChat& x) { x.turns[1].parent = 2; });
  refused("no branches", [](SavedChat& x) { x.branches.clear(); });
  refused("one name twice", [](SavedChat& x) { x.branches[1].name = x.branches[0].name; });
  refused("a bad name", [](SavedChat& x) { x.branches[0].name = "a b"; });
  refused("an end nowhere", [](SavedChat& x) { x.branches[0].turn = 3; });
  refused("a present one nowhere", [](SavedChat& x) { x.branch = 2; });
  refused("a state in the middle", [&](SavedChat& x) { x.turns[1].state = bytes; });
  refused("a conversation inside", [&](SavedChat& x) { x.turns[0].state = bytes; });
  refused("no state", [&](SavedChat& x) { x.turns[0].state.resize(100); });
  refused("an open beginning", [](SavedChat& x) {
    x.turns.push_back({.closed = false});
    x.branches[1 - x.branch].turn = x.turns.size() - 1;
  });
  refused("a turn after an open one", [](SavedChat& x) {
    SavedTurn turn = x.turns[1];
    turn.closed = false;
    x.turns.push_back(turn);
    turn.parent = static_cast<int64_t>(x.turns.size()) - 1;
    x.turns.push_back(turn);
    x.branches[1 - x.branch].turn = x.turns.size() - 1;
  });
  std::filesystem::remove(file);
}

// What is accepted is a conversation: one can go on everywhere in it.
TEST_F(ChatTest, whatever_conversation_is_loaded_can_be_gone_on_with) {
  const std::string file = temporary("odd");
  const auto c = chat();
  std::vector<std::byte> bytes;
  SavedState saved;
  ASSERT_NO_FATAL_FAILURE(save_two_branches(*c, file, bytes, saved));
  const State end = state(*c);
  std::mt19937 random(7);
  const auto any = [&](size_t count) { return random() % std::max<size_t>(count, 1); };
  int loaded = 0;
  for (int turn = 0; turn < 24; ++turn) {
    SavedChat odd = *saved.chat;
    // The present branch stays what the state has read; beside it there may be anything.
    for (size_t added = 1 + any(3); added > 0; --added) {
      SavedTurn more = odd.turns[any(odd.turns.size())];
      more.parent = static_cast<int64_t>(any(odd.turns.size() + 1)) - 1;
      more.closed = any(3) != 0;
      more.state.clear();
      if (any(3) == 0) more.prompt_ids.clear();
      if (any(3) == 0) more.answer_ids.clear();
      if (any(3) == 0) more.user.clear();
      if (any(3) == 0) more.answer.clear();
      odd.turns.push_back(more);
      odd.branches.push_back({fmt::format("b{}", added), odd.turns.size() - 1});
    }
    const auto out = StateFile::make(end, saved.tokens, saved.text, &odd);
    ASSERT_TRUE(out);
    ASSERT_TRUE(write_file(file, out->pieces(), {}));
    const auto later = chat();
    if (!later->load(file)) continue;
    ++loaded;
    for (const std::string& branch : later->branches()) {
      ASSERT_TRUE(later->switch_to(branch));
      later->say("hi", {}).has_value();
      later->alternative({}, nullptr).has_value();
      while (later->turns() > 0) ASSERT_TRUE(later->undo(1));
    }
    EXPECT_TRUE(later->save(file));
  }
  EXPECT_GT(loaded, 5);
  std::filesystem::remove(file);
}

TEST_F(ChatTest, loading_or_saving_that_fails_changes_nothing) {
  const auto c = chat();
  say(*c, "Reverse: garden");
  const State before = state(*c);
  EXPECT_FALSE(c->load(test::missing_file("x.state")));
  EXPECT_FALSE(c->load(test::fixture("models/tiny_v7.pth")));
  EXPECT_FALSE(c->save(test::missing_file("x.state")));
  EXPECT_TRUE(state(*c) == before);
  EXPECT_EQ(c->turns(), 1u);
}

TEST_F(ChatTest, stopping_while_it_reads_leaves_the_conversation_as_it_was) {
  const auto c = chat();
  say(*c, "Reverse: garden");
  const State before = state(*c);
  std::string text;
  for (int i = 0; i < 200; ++i) text += "Sam took the stone to the beach. ";
  ChatListener listener;
  listener.reading = [](size_t done, size_t) { return done < 500; };
  const auto reply = c->say(text, listener);
  ASSERT_TRUE(reply);
  EXPECT_FALSE(reply->kept);
  EXPECT_EQ(reply->finish, Finish::interrupted);
  EXPECT_GE(reply->prompt_tokens, 500u);
  EXPECT_LT(reply->prompt_tokens, text.size());
  EXPECT_EQ(c->turns(), 1u);
  EXPECT_TRUE(state(*c) == before);
  EXPECT_FALSE(c->resume({}));
}

TEST_F(ChatTest, an_interrupted_answer_goes_on_exactly_or_stays_as_it_is) {
  auto with = settings();
  with.sampling = lively(5);
  const auto whole = chat(with);
  const std::string expected = say(*whole, kStory).text;
  ASSERT_GT(expected.size(), 60u);

  ChatListener listener;
  int events = 0;
  listener.answer = [&](const Event&) { return ++events < 30; };
  const auto c = chat(with);
  const auto cut = c->say(kStory, listener);
  ASSERT_TRUE(cut);
  EXPECT_TRUE(cut->kept);
  EXPECT_EQ(cut->finish, Finish::interrupted);
  EXPECT_TRUE(expected.starts_with(cut->text));
  EXPECT_LT(cut->text.size(), expected.size());
  EXPECT_FALSE(c->transcript()->empty());
  const auto rest = c->resume({});
  ASSERT_TRUE(rest);
  EXPECT_EQ(cut->text + rest->text, expected);
  EXPECT_TRUE(state(*c) == state(*whole));

  events = 0;
  const auto d = chat(with);
  const auto left = d->say(kStory, listener);
  const State end = state(*d);
  EXPECT_EQ(*d->transcript(), "User: Tell me a story.\n\nAssistant: " + left->text + "\n\n");
  EXPECT_TRUE(end == state_of_text(*d->transcript()));
  EXPECT_FALSE(d->resume({})) << "the turn was closed";
}

TEST_F(ChatTest, a_thought_leaves_the_history) {
  auto with = settings("g1");
  with.think = text::ThinkMode::free;
  with.think_budget = 20;
  with.max_tokens = 80;
  with.sampling = lively(8);
  const auto c = chat(with);
  const Reply reply = say(*c, kStory);
  EXPECT_FALSE(reply.thinking.empty());
  EXPECT_EQ(reply.text.find("think"), std::string::npos);
  const State end = state(*c);
  const std::string text = *c->transcript();
  EXPECT_EQ(text, "User: Tell me a story.\n\nAssistant:" +
                      text::render_answer(*with.profile, reply.text).text);
  State wanted = model_->new_state();
  ASSERT_TRUE(model_->eval(wanted, *text::byte_tokenizer_257()->encode(text), Want::none, nullptr));
  EXPECT_TRUE(end == wanted);
}

TEST_F(ChatTest, dropped_states_are_read_again_and_are_the_same) {
  auto small = settings();
  small.snapshot_bytes = 1;
  const auto c = chat(small);
  const auto roomy = chat();
  const std::vector<std::string> texts = {"Reverse: garden", "What is 2 plus 2?", "Reverse: apple",
                                          "Spell: horse"};
  std::vector<State> ends = {state(*roomy)};
  for (const std::string& text : texts) {
    EXPECT_EQ(say(*c, text).text, say(*roomy, text).text);
    ends.push_back(state(*roomy));
    EXPECT_TRUE(state(*c) == ends.back());
  }
  EXPECT_LT(c->snapshot_bytes(), roomy->snapshot_bytes());
  for (size_t left = texts.size(); left-- > 0;) {
    ASSERT_TRUE(c->undo(1));
    EXPECT_TRUE(state(*c) == ends[left]) << left;
  }
}

TEST_F(ChatTest, a_system_text_is_read_first) {
  const auto c = chat(settings("g1"), "Be brief.");
  ChatSettings& s = c->settings();
  s.max_tokens = 5;
  s.think = text::ThinkMode::none;
  say(*c, "Hi");
  EXPECT_TRUE(c->transcript()->starts_with("System: Be brief.\n\nUser: Hi\n\nAssistant:"));
  ASSERT_TRUE(c->clear());
  EXPECT_EQ(c->turns(), 0u);
  EXPECT_EQ(*c->transcript(), "System: Be brief.\n\n");
  ASSERT_TRUE(c->clear(""));
  EXPECT_EQ(*c->transcript(), "");
}

TEST_F(ChatTest, an_error_in_a_turn_leaves_the_conversation_as_it_was) {
  const auto c = chat();
  say(*c, "Reverse: garden");
  const State before = state(*c);
  for (int32_t id = 0; id < model_->vocab(); ++id) c->settings().sampling.banned.push_back(id);
  EXPECT_FALSE(c->say("Reverse: apple", {}));
  EXPECT_FALSE(c->retry({}));
  EXPECT_TRUE(state(*c) == before);
  c->settings().sampling.banned.clear();
  EXPECT_EQ(say(*c, "Reverse: apple").text, "elppa");
}

TEST_F(ChatTest, what_follows_one_of_several_turns_stands_further_in_than_those) {
  const auto c = chat();
  say(*c, "Reverse: a");
  ASSERT_TRUE(c->fork("other"));
  say(*c, "Reverse: b");
  ASSERT_TRUE(c->switch_to("main"));
  say(*c, "Reverse: c");
  say(*c, "Reverse: d");
  say(*c, "Reverse: e");
  std::map<std::string, size_t> depth;
  for (const Chat::TreeLine& line : c->tree()) depth[line.user] = line.depth;
  EXPECT_GT(depth["Reverse: b"], depth["Reverse: a"]);
  EXPECT_EQ(depth["Reverse: c"], depth["Reverse: b"]);
  EXPECT_GT(depth["Reverse: d"], depth["Reverse: c"]);
  EXPECT_EQ(depth["Reverse: e"], depth["Reverse: d"]);
}

TEST_F(ChatTest, the_tree_shows_every_turn_once) {
  const auto c = chat();
  say(*c, "Reverse: garden");
  ASSERT_TRUE(c->fork("b"));
  say(*c, "Reverse: apple");
  ASSERT_TRUE(c->switch_to("main"));
  say(*c, "Reverse: horse");
  const auto lines = c->tree();
  ASSERT_EQ(lines.size(), 4u);
  EXPECT_EQ(lines[0].user, "");
  EXPECT_EQ(lines[1].answer, BUNDLED_REVERSED);
  EXPECT_EQ(lines[2].branches, std::vector<std::string>{"b"});
  EXPECT_EQ(lines[3].branches, std::vector<std::string>{"main"});
  EXPECT_TRUE(lines[3].current);
  EXPECT_EQ(lines[2].depth, lines[1].depth + 1);
}

}  // namespace
}  // namespace skein
