// A conversation that can be undone, answered again, forked and saved: a tree of turns beside a
// tree of states, so that going anywhere is a copy of a state.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "constrain/wanted.h"
#include "run/engine.h"
#include "run/saved_chat.h"
#include "run/state_tree.h"
#include "text/template.h"

namespace skein {

// May be changed between two turns; what was said stays as it was said.
struct ChatSettings {
  const text::Profile* profile = nullptr;
  text::ThinkMode think = text::ThinkMode::none;
  Sampling sampling;
  int64_t max_tokens = -1;    // of an answer; negative: no limit
  int64_t think_budget = -1;  // of a thought; negative: no limit
  int64_t draft = 0;          // guesses tried in a pass (GenerateOptions::draft); 0: none
  std::vector<std::string> stop;
  // What an answer has to be, and the vocabulary's words that it is made of.
  constrain::Wanted wanted{};
  std::shared_ptr<const constrain::Words> words{};
  // States that are kept; beyond it the least valuable are dropped and read again when needed.
  size_t snapshot_bytes = size_t{1} << 30;
};

// Told while something happens; either may be empty. false stops it.
struct ChatListener {
  Engine::Progress reading;
  std::function<bool(const Event&)> answer;
};

struct Reply {
  std::string text;      // the answer, as it was shown
  std::string thinking;  // what came before it
  Finish finish = Finish::running;
  bool kept = true;  // false: stopped while reading, so that the conversation is as it was before
  size_t prompt_tokens = 0;
  double prompt_seconds = 0;
  int64_t tokens = 0;
  int64_t thought_tokens = 0;
  double seconds = 0;
  int64_t drafted = 0;                  // guesses tried
  int64_t accepted = 0;                 // guesses that were right
  std::optional<uint64_t> fingerprint;  // of the logits, if all of them were computed
  int64_t rough = 0;                    // tokens drawn from logits between bounds
  double exact_share = 0;               // of the head that those of the whole answer read
};

// Not for two threads at once. A call that fails or is stopped while it reads leaves the
// conversation as it was.
class Chat {
 public:
  ~Chat() { drop_open(); }
  Chat(const Chat&) = delete;
  Chat& operator=(const Chat&) = delete;

  // `system` may be empty. Errors: argument (the tokenizer cannot encode it), those of reading it.
  static Result<std::unique_ptr<Chat>> create(std::shared_ptr<Engine> engine,
                                              text::TokenizerPtr tokenizer, ChatSettings settings,
                                              std::string system = {});

  ChatSettings& settings() { return settings_; }
  const text::TokenizerPtr& tokenizer() const { return tokenizer_; }
  const std::string& system_text() const { return system_; }

  // A user's turn and its answer.
  Result<Reply> say(std::string_view text, const ChatListener& listener);
  // The last turn's answer once more, instead of the old one. With the same settings, the same.
  Result<Reply> retry(const ChatListener& listener);
  // Another answer: the seed is varied, and the branch that *kept_as names keeps the old one.
  Result<Reply> alternative(const ChatListener& listener, std::string* kept_as);
  // Goes on with an answer that was interrupted or reached its limit, as if it had not been.
  Result<Reply> resume(const ChatListener& listener);

  // How many turns the branch has.
  size_t turns() const;
  // Error: argument (there are fewer turns).
  Status undo(size_t count);
  // Begins anew in this branch, with the system text or another one.
  Status clear();
  Status clear(std::string system);

  // A new branch from here, which becomes the current one. Error: argument (a bad or a taken name).
  Status fork(const std::string& name);
  Status switch_to(const std::string& name);
  const std::string& branch() const { return branch_; }
  std::vector<std::string> branches() const;

  // Skein's state file, with the tokens and the text the state stands for, and all turns and
  // branches.
  Status save(const std::filesystem::path& path);
  // Goes on from a state file of any kind, in this branch, which begins anew with it. One that was
  // saved here brings its turns and its other branches, and where there is but this branch, their
  // names.
  Status load(const std::filesystem::path& path);

  struct TreeLine {
    size_t depth = 0;
    std::string user;  // empty: where a conversation begins
    std::string answer;
    std::vector<std::string> branches;  // that end here
    bool current = false;
  };
  // The whole tree, parents before children.
  std::vector<TreeLine> tree() const;

  // Exactly what the model has read on this branch, as far as it is known (of a state from
  // elsewhere it is not).
  Result<std::string> transcript();
  // The state at the end of this branch, with the blank line that ends its last turn.
  Result<const State*> state();
  size_t snapshot_bytes() const { return static_cast<size_t>(states_.usage().bytes); }

 private:
  struct Node {
    int64_t parent = -1;  // -1: a beginning
    std::string user;
    std::string answer;
    std::vector<int32_t> prompt_ids;  // from the parent's end to "Assistant:"; of a beginning, all
    std::vector<int32_t> answer_ids;  // from there to the end, once closed
    StateTree::Root root = -1;        // of a beginning: where its ids are read from, or
    bool loaded = false;              // a state from a file, which has read them
    std::string loaded_text;
    uint64_t attempt = 0;
    bool closed = false;    // the end of the turn was read
    StateTree::Kept ended;  // of the end of a branch, and of where it began
  };

  Chat(std::shared_ptr<Engine> engine, text::TokenizerPtr tokenizer, ChatSettings settings);

  Status read_text(std::span<const int32_t> ids);

  Node& node(int64_t id) { return nodes_.at(id); }
  const Node& node(int64_t id) const { return nodes_.at(id); }
  int64_t head() const { return heads_.at(branch_); }
  Node& current() { return node(head()); }

  Status begin(std::string system);
  void begin_at(State state, std::vector<int32_t> tokens, std::string text);
  Result<SavedChat> saved();
  Status take_over(SavedChat chat, State state, const std::string& name);
  Status check_path(const SavedChat& chat, const std::vector<std::optional<State>>& roots,
                    const State& state, std::string_view name) const;
  int64_t add(Node made);
  void set_head(int64_t id);
  void drop_open();
  void sweep();
  std::vector<int64_t> path_to(int64_t id) const;
  struct Path {
    StateTree::Root root = -1;
    std::vector<int32_t> ids;
  };
  Path path_of(int64_t id) const;

  Status close_current();
  Status stand_at_end(int64_t id);
  Result<bool> stand_at_prompt(Node& turn, const Engine::Progress& reading, Reply& reply);
  Result<Reply> answer(int64_t parent, std::string_view user, uint64_t attempt,
                       const ChatListener& listener);
  Result<Reply> answer_again(uint64_t attempt, const ChatListener& listener);
  Status generate(const ChatListener& listener, Reply& reply);
  Result<GenerateOptions> options_of(const text::Turn& wording) const;
  std::unique_ptr<Drafter> drafter(const Node& turn, std::span<const int32_t> opening);

  std::shared_ptr<Engine> engine_;
  Session session_;
  text::TokenizerPtr tokenizer_;
  TokenTraits traits_;
  ChatSettings settings_;
  std::string system_;

  StateTree states_;
  StateTree::Root fresh_;  // what conversations begin with
  std::map<int64_t, Node> nodes_;
  int64_t next_id_ = 0;
  std::map<std::string, int64_t> heads_;
  std::string branch_ = "main";

  // The answer that the session stands in, until it is closed.
  struct Open {
    std::unique_ptr<Drafter> drafter;  // the generation's; null: none
    std::shared_ptr<Generation> generation;
    std::vector<int32_t> ids;  // since the prompt: the opening, then what was generated
    size_t opening = 0;        // how many of them are the opening
    // How many of them the session has read.
    size_t read() const { return opening + static_cast<size_t>(generation->read_count()); }
  };
  std::optional<Open> open_;
};

}  // namespace skein
