#include "run/chat.h"

#include <algorithm>
#include <chrono>
#include <set>
#include <utility>

#include "base/clock.h"
#include "run/held_answer.h"
#include "run/saved_chat.h"

namespace skein {
namespace {

// Each attempt draws other numbers, and the first one those of the seed itself.
uint64_t seed_of(uint64_t seed, uint64_t attempt) { return seed + attempt * 0x9e3779b97f4a7c15; }

}  // namespace

Chat::Chat(std::shared_ptr<Engine> engine, text::TokenizerPtr tokenizer, ChatSettings settings)
    : engine_(std::move(engine)),
      session_(engine_->shared_model()),
      tokenizer_(std::move(tokenizer)),
      traits_(token_traits(
          session_.model().vocab(), [this](int32_t id) { return tokenizer_->bytes_of(id); },
          tokenizer_->ends())),
      settings_(std::move(settings)),
      states_(static_cast<int64_t>(settings_.snapshot_bytes)),
      fresh_(states_.plant(session_.model().new_state())) {}

Result<std::unique_ptr<Chat>> Chat::create(std::shared_ptr<Engine> engine,
                                           text::TokenizerPtr tokenizer, ChatSettings settings,
                                           std::string system) {
  std::unique_ptr<Chat> chat(
      new Chat(std::move(engine), std::move(tokenizer), std::move(settings)));
  SK_TRY_STATUS(chat->begin(std::move(system)));
  return chat;
}

Status Chat::read_text(std::span<const int32_t> ids) {
  SK_TRY_STATUS(engine_->read(session_, ids));
  return {};
}

// A beginning with nothing read but the system text.
Status Chat::begin(std::string system) {
  Node start;
  start.root = fresh_;
  Session fresh(session_.shared_model());  // the open answer stays where it is, should this fail
  if (!system.empty()) {
    const text::Profile& profile = *settings_.profile;
    SK_TRY(start.prompt_ids,
           text::encode_prompt(*tokenizer_, profile, text::render_system(profile, system), true));
    SK_TRY_STATUS(engine_->read(fresh, start.prompt_ids));
  }
  start.closed = true;
  start.ended = states_.keep(fresh_, start.prompt_ids, {fresh.state(), {}});
  system_ = std::move(system);
  set_head(add(std::move(start)));
  return {};
}

int64_t Chat::add(Node made) {
  nodes_.emplace(next_id_, std::move(made));
  return next_id_++;
}

// From here on the session is ours alone.
void Chat::drop_open() {
  if (open_ && open_->generation->active()) engine_->forget(open_->generation);
  open_.reset();
}

void Chat::set_head(int64_t id) {
  drop_open();
  heads_[branch_] = id;
  sweep();
}

// Turns that no branch leads to any more are gone. The ends of branches keep their states, because
// people switch between them.
void Chat::sweep() {
  std::set<int64_t> reached, ends;
  for (const auto& [name, head] : heads_) {
    ends.insert(head);
    for (int64_t id = head; id >= 0 && reached.insert(id).second; id = node(id).parent) {
    }
  }
  for (auto at = nodes_.begin(); at != nodes_.end();) {
    const auto& [id, one] = *at;
    if (reached.contains(id)) {
      if (!ends.contains(id)) at->second.ended.reset();
      ++at;
      continue;
    }
    if (one.loaded) states_.remove(one.root);
    at = nodes_.erase(at);
  }
  states_.set_budget(static_cast<int64_t>(settings_.snapshot_bytes));
}

std::vector<int64_t> Chat::path_to(int64_t id) const {
  std::vector<int64_t> path;
  for (; id >= 0; id = node(id).parent) path.push_back(id);
  std::reverse(path.begin(), path.end());
  return path;
}

// What the state after a turn has read since where it began.
Chat::Path Chat::path_of(int64_t id) const {
  Path out;
  for (const int64_t each : path_to(id)) {
    const Node& one = node(each);
    if (one.parent < 0) out.root = one.root;
    if (!one.loaded) out.ids.insert(out.ids.end(), one.prompt_ids.begin(), one.prompt_ids.end());
    out.ids.insert(out.ids.end(), one.answer_ids.begin(), one.answer_ids.end());
  }
  return out;
}

// Copies the state after a turn into the session, reading again what was dropped.
Status Chat::stand_at_end(int64_t id) {
  const Path path = path_of(id);
  const StateTree::Found found = states_.find(path.root, path.ids);
  session_.restore(found.kept->state);
  SK_TRY_STATUS(read_text(std::span(path.ids).subspan(found.tokens)));
  node(id).ended = found.tokens == path.ids.size()
                       ? found.kept
                       : states_.keep(path.root, path.ids, {session_.state(), {}});
  return {};
}

// Reads the turn up to "Assistant:". False: `reading` stopped it.
Result<bool> Chat::stand_at_prompt(Node& turn, const Engine::Progress& reading, Reply& reply) {
  Path path = path_of(turn.parent);
  path.ids.insert(path.ids.end(), turn.prompt_ids.begin(), turn.prompt_ids.end());
  const StateTree::Found found = states_.find(path.root, path.ids);
  if (found.tokens == path.ids.size() && !found.kept->logits.empty()) {
    session_.restore(*found.kept);
    return true;
  }
  SK_TRY_STATUS(stand_at_end(turn.parent));
  const auto start = std::chrono::steady_clock::now();
  SK_TRY(reply.prompt_tokens, engine_->read(session_, turn.prompt_ids, reading));
  reply.prompt_seconds = seconds_since(start);
  if (reply.prompt_tokens < turn.prompt_ids.size()) return false;
  states_.keep(path.root, path.ids, session_.snapshot());
  return true;
}

// Makes the state at the end of the turn one that has read the answer as later turns are to see it:
// without a thought, cleaned, and with the blank line that ends it.
Status Chat::close_current() {
  Node& turn = current();
  if (turn.closed) return {};
  const text::Prompt wanted = text::render_answer(*settings_.profile, turn.answer);
  std::vector<int32_t> ids;
  std::string read;
  if (open_) {
    ids.assign(open_->ids.begin(), open_->ids.begin() + static_cast<int64_t>(open_->read()));
    SK_TRY(read, tokenizer_->decode(ids));
  }
  // Where what was generated begins just so, only the rest has to be read.
  std::optional<text::Prompt> missing = open_ ? wanted.after(read) : std::nullopt;
  if (!missing) {
    Reply ignored;
    drop_open();
    ids.clear();
    missing = wanted;
    SK_TRY_STATUS(stand_at_prompt(turn, {}, ignored));
  }
  SK_TRY(const std::vector<int32_t> rest,
         text::encode_prompt(*tokenizer_, *settings_.profile, *missing, false));
  drop_open();
  SK_TRY_STATUS(read_text(rest));
  ids.insert(ids.end(), rest.begin(), rest.end());
  turn.answer_ids = std::move(ids);
  turn.closed = true;
  const Path path = path_of(head());
  turn.ended = states_.keep(path.root, path.ids, {session_.state(), {}});
  return {};
}

Result<GenerateOptions> Chat::options_of(const text::Turn& wording) const {
  const text::Profile& profile = *settings_.profile;
  GenerateOptions out;
  out.max_tokens = settings_.max_tokens;
  out.stops = {.policy = profile.stop,
               .stop_strings = settings_.stop,
               .role_words = profile.role_words,
               .chat = profile.has_template(),
               .opening = wording.opening};
  out.profile = &profile;
  out.think_budget = settings_.think_budget;
  if (!settings_.wanted.says_something()) return out;
  constrain::Wanted wanted = settings_.wanted;
  wanted.beginning = beginning_of(profile, wording.opening, wanted);
  auto made = constraint_of(wanted, settings_.words);
  if (!made) return fail(Code::argument, "{}", sentence(made.error()));
  out.constraint.emplace(std::move(*made));
  end_as_turn(profile, *tokenizer_, wanted, out);
  return out;
}

Result<Reply> Chat::answer(int64_t parent, std::string_view user, uint64_t attempt,
                           const ChatListener& listener) {
  const text::Profile& profile = *settings_.profile;
  Node turn;
  turn.parent = parent;
  turn.user = user;
  turn.attempt = attempt;
  // By what was read and not by the number of turns: a state from a file has read something.
  const Path before = path_of(parent);
  const bool fresh =
      before.ids.empty() && states_.find(before.root, {}).kept->state.tokens_read() == 0;
  const text::Turn wording = text::render_turn(profile, user, fresh, settings_.think);
  SK_TRY(turn.prompt_ids, text::encode_prompt(*tokenizer_, profile, wording.prompt, fresh));
  if (turn.prompt_ids.empty()) return fail(Code::argument, "there is nothing to answer");
  SK_TRY(std::vector<int32_t> opening, tokenizer_->encode(wording.opening));
  Sampling sampling = settings_.sampling;
  sampling.seed = seed_of(sampling.seed, attempt);
  SK_TRY(Sampler sampler, Sampler::create(sampling, traits_));
  SK_TRY(GenerateOptions options, options_of(wording));

  drop_open();
  Reply reply;
  SK_TRY(const bool read, stand_at_prompt(turn, listener.reading, reply));
  if (!read) {
    reply.kept = false;
    reply.finish = Finish::interrupted;
    return reply;
  }
  SK_TRY_STATUS(read_text(opening));
  std::unique_ptr<Drafter> drafter = this->drafter(turn, opening);
  options.drafter = drafter.get();
  options.draft = settings_.draft;
  SK_TRY(std::shared_ptr<Generation> generation,
         Generation::start(session_, tokenizer_.get(), std::move(sampler), options));
  const size_t opened = opening.size();
  open_.emplace(Open{std::move(drafter), std::move(generation), std::move(opening), opened});
  SK_TRY_STATUS(generate(listener, reply));
  turn.answer = reply.text;
  heads_[branch_] = add(std::move(turn));
  sweep();
  return reply;
}

// One that has seen the conversation up to the turn's answer. Made anew for each: turns may have
// been taken back.
std::unique_ptr<Drafter> Chat::drafter(const Node& turn, std::span<const int32_t> opening) {
  if (settings_.draft <= 0) return nullptr;
  auto made = std::make_unique<PromptLookup>();
  const auto push = [&](std::span<const int32_t> ids) {
    for (const int32_t id : ids) made->push(id);
  };
  for (const int64_t id : path_to(turn.parent)) {
    push(node(id).prompt_ids);
    push(node(id).answer_ids);
  }
  push(turn.prompt_ids);
  push(opening);
  return made;
}

// Runs the open answer to its end, adding to `reply`.
Status Chat::generate(const ChatListener& listener, Reply& reply) {
  // An error, or an exception of the listener's, leaves no answer open.
  struct Closer {
    Chat* chat;
    ~Closer() {
      if (chat) chat->drop_open();
    }
  } closer{this};
  Generation& generation = *open_->generation;
  const auto start = std::chrono::steady_clock::now();
  const int64_t before = generation.count();
  const int64_t thoughts_before = generation.thought_count();
  const int64_t drafted_before = generation.drafted_count();
  const int64_t accepted_before = generation.accepted_count();
  const int64_t rough_before = generation.rough_count();
  Event event;
  const auto take = [&] {
    reply.text += event.text;
    reply.thinking += event.thinking;
    if (event.id >= 0) open_->ids.push_back(event.id);
    return !listener.answer || listener.answer(event);
  };
  for (event.finish = generation.finish(); event.finish == Finish::running;) {
    SK_TRY_STATUS(engine_->next(open_->generation, event));
    if (!take() && event.finish == Finish::running) generation.interrupt();
  }
  reply.seconds = seconds_since(start);
  reply.finish = generation.finish();
  reply.tokens = generation.count() - before;
  reply.thought_tokens = generation.thought_count() - thoughts_before;
  reply.drafted = generation.drafted_count() - drafted_before;
  reply.accepted = generation.accepted_count() - accepted_before;
  reply.fingerprint = generation.fingerprint();
  reply.rough = generation.rough_count() - rough_before;
  reply.exact_share = generation.exact_share();
  closer.chat = nullptr;
  return {};
}

Result<Reply> Chat::say(std::string_view text, const ChatListener& listener) {
  SK_TRY_STATUS(close_current());
  return answer(head(), text, 0, listener);
}

Result<Reply> Chat::answer_again(uint64_t attempt, const ChatListener& listener) {
  const int64_t old = head();
  return answer(node(old).parent, node(old).user, attempt, listener);
}

Result<Reply> Chat::retry(const ChatListener& listener) {
  if (current().parent < 0) return fail(Code::argument, "there is no answer yet to try again");
  return answer_again(current().attempt, listener);
}

Result<Reply> Chat::alternative(const ChatListener& listener, std::string* kept_as) {
  if (current().parent < 0) return fail(Code::argument, "there is no answer yet to be varied");
  // So that the answer which is kept ends as far as it came.
  SK_TRY_STATUS(close_current());
  const int64_t old = head();
  const Node& turn = node(old);
  uint64_t attempt = turn.attempt;
  for (const auto& [id, other] : nodes_)
    if (other.parent == turn.parent && other.user == turn.user)
      attempt = std::max(attempt, other.attempt);

  // Unless another branch ends there already, one is made to keep the old answer.
  std::string keeper;
  for (const auto& [name, id] : heads_)
    if (id == old && name != branch_) keeper = name;
  const bool made = keeper.empty();
  for (int n = 1; keeper.empty(); ++n)
    if (std::string name = fmt::format("alt-{}", n); !heads_.contains(name)) keeper = name;
  heads_[keeper] = old;
  auto reply = answer_again(attempt + 1, listener);
  const bool kept = reply && reply->kept;
  if (made && !kept) heads_.erase(keeper);
  if (kept_as) *kept_as = kept ? keeper : "";
  return reply;
}

Result<Reply> Chat::resume(const ChatListener& listener) {
  const Finish finish = open_ ? open_->generation->finish() : Finish::stop;
  if (finish != Finish::length && finish != Finish::interrupted)
    return fail(Code::argument, "only an answer that was just cut short can be continued");
  open_->generation->resume(settings_.max_tokens);
  Reply reply;
  SK_TRY_STATUS(generate(listener, reply));
  current().answer += reply.text;
  return reply;
}

size_t Chat::turns() const { return path_to(head()).size() - 1; }

Status Chat::undo(size_t count) {
  if (count > turns())
    return fail(Code::argument, "there {} only {} turn{} to undo", turns() == 1 ? "is" : "are",
                turns(), turns() == 1 ? "" : "s");
  int64_t id = head();
  for (size_t i = 0; i < count; ++i) id = node(id).parent;
  set_head(id);
  return {};
}

Status Chat::clear() { return begin(system_); }
Status Chat::clear(std::string system) { return begin(std::move(system)); }

Status Chat::fork(const std::string& name) {
  SK_TRY_STATUS(check_branch_name(name));
  if (heads_.contains(name))
    return fail(Code::argument, "there is a branch {} already", escaped(name));
  heads_[name] = head();
  branch_ = name;
  return {};
}

Status Chat::switch_to(const std::string& name) {
  if (!heads_.contains(name)) return fail(Code::argument, "there is no branch {}", escaped(name));
  if (name == branch_) return {};
  SK_TRY_STATUS(close_current());
  branch_ = name;
  return {};
}

std::vector<std::string> Chat::branches() const {
  std::vector<std::string> names;
  for (const auto& [name, id] : heads_) names.push_back(name);
  return names;
}

Result<const State*> Chat::state() {
  SK_TRY_STATUS(close_current());
  SK_TRY_STATUS(stand_at_end(head()));
  return &current().ended->state;
}

Result<std::string> Chat::transcript() {
  std::string out;
  for (const int64_t id : path_to(head())) {
    const Node& one = node(id);
    out += one.loaded_text;
    std::vector<int32_t> ids = one.prompt_ids;
    ids.insert(ids.end(), one.answer_ids.begin(), one.answer_ids.end());
    if (!one.closed && open_)
      ids.insert(ids.end(), open_->ids.begin(),
                 open_->ids.begin() + static_cast<int64_t>(open_->read()));
    // What a file brought has its text beside it.
    if (one.loaded_text.empty()) {
      SK_TRY(const std::string text, tokenizer_->decode(ids, text::Special::as_token));
      out += text;
    }
  }
  return out;
}

std::vector<Chat::TreeLine> Chat::tree() const {
  std::map<int64_t, std::vector<int64_t>> children;
  for (const auto& [id, one] : nodes_) children[one.parent].push_back(id);
  std::vector<TreeLine> lines;
  std::vector<std::pair<int64_t, size_t>> open;  // and its depth
  // One of several is a step further in than what it follows, and what follows it another: else it
  // would stand among those beside it.
  const auto push_children = [&](int64_t id, size_t depth) {
    const auto found = children.find(id);
    if (found == children.end()) return;
    const int64_t parent = id < 0 ? id : node(id).parent;
    depth += found->second.size() > 1 ? 1 : 0;
    depth += id >= 0 && children[parent].size() > 1 ? 1 : 0;
    for (auto child = found->second.rbegin(); child != found->second.rend(); ++child)
      open.emplace_back(*child, depth);
  };
  push_children(-1, 0);
  while (!open.empty()) {
    const auto [id, depth] = open.back();
    open.pop_back();
    const Node& one = node(id);
    TreeLine line;
    line.depth = depth;
    line.user = one.user;
    line.answer = one.answer;
    for (const auto& [name, end] : heads_)
      if (end == id) line.branches.push_back(name);
    line.current = id == head();
    lines.push_back(std::move(line));
    push_children(id, depth);
  }
  return lines;
}

}  // namespace skein
