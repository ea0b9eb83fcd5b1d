// A conversation into a state file, with its turns and branches, and back.
#include <algorithm>

#include "base/file_writer.h"
#include "base/limits.h"
#include "run/chat.h"
#include "run/state_file.h"

namespace skein {

// A beginning that was itself loaded is in the file; all other states are read again when somebody
// goes there.
Result<SavedChat> Chat::saved() {
  SavedChat out;
  out.system = system_;
  std::map<int64_t, size_t> places;
  for (const auto& [id, one] : nodes_) {  // parents first
    SavedTurn turn;
    turn.parent = one.parent < 0 ? -1 : static_cast<int64_t>(places.at(one.parent));
    turn.closed = one.closed;
    turn.attempt = one.attempt;
    turn.user = one.user;
    turn.answer = one.answer;
    turn.prompt_ids = one.prompt_ids;
    turn.answer_ids = one.answer_ids;
    if (one.loaded) {
      const StateTree::Kept root = states_.find(one.root, {}).kept;
      SK_TRY(const StateFile file, StateFile::make(root->state, one.prompt_ids, one.loaded_text));
      turn.state = file.bytes();
    }
    places.emplace(id, out.turns.size());
    out.turns.push_back(std::move(turn));
  }
  for (const auto& [name, head] : heads_) {
    if (name == branch_) out.branch = out.branches.size();
    out.branches.push_back({name, places.at(head)});
  }
  return out;
}

Status Chat::save(const std::filesystem::path& path) {
  SK_TRY(const State* state, this->state());
  SK_TRY_STATUS(check_exportable(*state));
  SK_TRY(const std::string text, transcript());
  std::vector<int32_t> ids;
  for (const int64_t id : path_to(head())) {
    const Node& one = node(id);
    ids.insert(ids.end(), one.prompt_ids.begin(), one.prompt_ids.end());
    ids.insert(ids.end(), one.answer_ids.begin(), one.answer_ids.end());
  }
  if (nodes_.size() > limits::kChatTurns || heads_.size() > limits::kChatBranches)
    return fail(Code::argument, "a file holds {} turns and {} branches at most", limits::kChatTurns,
                limits::kChatBranches);
  SK_TRY(const SavedChat chat, saved());
  SK_TRY(const StateFile file, StateFile::make(*state, ids, text, &chat));
  if (file.size() > limits::kStateFileBytes)
    return fail(Code::argument, "the file would have {} bytes, more than the limit of {}",
                file.size(), limits::kStateFileBytes);
  return write_file(path, file.pieces(), {.spare_inputs = true});
}

Status Chat::load(const std::filesystem::path& path) {
  SK_TRY(const std::vector<std::byte> bytes, read_file(path, limits::kStateFileBytes));
  const std::string name = escaped(path.filename().string());
  if (!is_saved_state(bytes)) {
    SK_TRY(State state, import_state(bytes, name, session_.model().state_layout()));
    begin_at(std::move(state), {}, {});
    return {};
  }
  SK_TRY(SavedState saved, parse_saved_state(bytes, name));
  SK_TRY(State state, to_state(saved, bytes, session_.model().state_layout(), name));
  if (saved.chat) return take_over(std::move(*saved.chat), std::move(state), name);
  begin_at(std::move(state), std::move(saved.tokens), std::move(saved.text));
  return {};
}

void Chat::begin_at(State state, std::vector<int32_t> tokens, std::string text) {
  Node start;
  start.closed = start.loaded = true;
  start.prompt_ids = std::move(tokens);
  start.loaded_text = std::move(text);
  start.root = states_.plant(std::move(state));
  set_head(add(std::move(start)));
}

// Whether the state is what this branch of the file's conversation leads to.
Status Chat::check_path(const SavedChat& chat, const std::vector<std::optional<State>>& roots,
                        const State& state, std::string_view name) const {
  std::vector<size_t> path;
  for (int64_t at = static_cast<int64_t>(chat.branches[chat.branch].turn); at >= 0;
       at = chat.turns[static_cast<size_t>(at)].parent)
    path.push_back(static_cast<size_t>(at));
  std::reverse(path.begin(), path.end());
  const std::optional<State>& root = roots[path[0]];
  uint64_t read = root ? root->tokens_read() : 0, hash = root ? root->tokens_hash() : 0;
  for (const size_t at : path) {
    const SavedTurn& turn = chat.turns[at];
    if (!turn.closed)
      return fail(Code::corrupt, "{}: the conversation has no end of its last turn", name);
    for (const auto* ids : {&turn.prompt_ids, &turn.answer_ids}) {
      if (ids == &turn.prompt_ids && roots[at]) continue;  // the state has read them
      read += ids->size();
      hash = tokens_hash_after(hash, *ids);
    }
  }
  if (read != state.tokens_read() || hash != state.tokens_hash())
    return fail(Code::corrupt, "{}: the state has read something else than its conversation says",
                name);
  return {};
}

// All of a file's conversation. Where there is but one branch here, it goes; else the present one
// goes on with the file's present one, and the file's others get a name that is free.
Status Chat::take_over(SavedChat chat, State state, const std::string& name) {
  const int64_t vocab = session_.model().vocab();
  std::vector<std::optional<State>> roots(chat.turns.size());
  std::vector<std::string> texts(chat.turns.size());
  for (size_t i = 0; i < chat.turns.size(); ++i) {
    const SavedTurn& turn = chat.turns[i];
    for (const auto* ids : {&turn.prompt_ids, &turn.answer_ids})
      for (const int32_t id : *ids)
        if (id < 0 || id >= vocab)
          return fail(Code::corrupt, "{}: the conversation has token {}, the model's are 0 to {}",
                      name, id, vocab - 1);
    if (turn.state.empty()) continue;
    SK_TRY(SavedState saved, parse_saved_state(turn.state, name));
    SK_TRY(roots[i], to_state(saved, turn.state, session_.model().state_layout(), name));
    texts[i] = std::move(saved.text);
  }
  SK_TRY_STATUS(check_path(chat, roots, state, name));

  drop_open();
  std::vector<int64_t> ids;
  for (size_t i = 0; i < chat.turns.size(); ++i) {
    SavedTurn& turn = chat.turns[i];
    Node made;
    made.parent = turn.parent < 0 ? -1 : ids[static_cast<size_t>(turn.parent)];
    made.user = std::move(turn.user);
    made.answer = std::move(turn.answer);
    made.attempt = turn.attempt;
    made.closed = turn.closed;
    made.loaded = roots[i].has_value();
    made.loaded_text = std::move(texts[i]);
    if (turn.parent < 0) made.root = made.loaded ? states_.plant(std::move(*roots[i])) : fresh_;
    made.prompt_ids = std::move(turn.prompt_ids);
    made.answer_ids = std::move(turn.answer_ids);
    ids.push_back(add(std::move(made)));
  }
  const std::string& present = chat.branches[chat.branch].name;
  if (heads_.size() == 1) {
    heads_.clear();
    branch_ = present;
  }
  for (const SavedBranch& branch : chat.branches) {
    std::string free = &branch.name == &present ? branch_ : branch.name;
    for (int n = 1; &branch.name != &present && (free == branch_ || heads_.contains(free)); ++n)
      free = fmt::format("loaded-{}", n);
    heads_[free] = ids[branch.turn];
  }
  system_ = std::move(chat.system);
  const Path path = path_of(head());
  current().ended = states_.keep(path.root, path.ids, {std::move(state), {}});
  sweep();
  return {};
}

}  // namespace skein
