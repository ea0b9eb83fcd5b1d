#include "server/turn_keeper.h"

#include <new>
#include <utility>

#include "base/base64.h"
#include "run/saved_state.h"
#include "server/routes/state_reading.h"
#include "server/text_reply.h"
#include "store/snapshot.h"

namespace skein::server {
namespace {

// How the end of one node went. What cannot be kept of it does not keep it growing.
struct Ended {
  bool growing = false;
  std::optional<store::StoreError> error{};
};

Ended end(store::Store& store, const store::Tenant& tenant, store::Finish finish) {
  std::string id = finish.id;
  store::Changes changes;
  changes.finished.push_back(std::move(finish));
  const auto done = store.commit(tenant, std::move(changes));
  if (done) return {};
  if (done.error().trouble == store::Trouble::missing) return {.error = done.error()};
  store::Changes less;
  less.finished.push_back({.id = std::move(id), .extra = {}, .cut = true});
  const auto cut = store.commit(tenant, std::move(less));
  return {.growing = !cut && cut.error().trouble != store::Trouble::missing, .error = done.error()};
}

}  // namespace

TurnKeeper::TurnKeeper(store::Store& store, Workers& workers, Host& host, History history,
                       std::vector<int32_t> prompt, size_t opening, size_t answers, bool is_chat)
    : store_(store),
      workers_(workers),
      host_(host),
      history_(std::move(history)),
      prompt_(prompt.begin(), prompt.end() - static_cast<std::ptrdiff_t>(opening)),
      opening_(opening),
      is_chat_(is_chat),
      answers_(answers) {
  // Nothing behind the history: it is the prompt.
  prompt_id_ = prompt_.empty() && !history_.parent.empty() ? history_.parent : store::new_id();
  for (Answer& answer : answers_) {
    answer.id = store::new_id();
    answer.ids.assign(prompt.end() - static_cast<std::ptrdiff_t>(opening), prompt.end());
    answer.certain = answer.sent = opening;
  }
}

TurnKeeper::~TurnKeeper() {
  if (!begun_) return;
  try {
    std::vector<store::Finish> rests;
    for (Answer& answer : answers_) {
      if (!answer.growing) continue;
      if (answer.finish.empty()) answer.finish = "cancelled";
      rests.push_back(rest_of(answer));
    }
    if (rests.empty()) return;
    workers_.owe([&store = store_, tenant = history_.tenant, rests = std::move(rests)] {
      for (const store::Finish& rest : rests) end(store, tenant, rest);
    });
  } catch (const std::bad_alloc&) {
  }
}

std::string TurnKeeper::text_of(std::span<const int32_t> ids) const {
  return server::text_of(host_.tokenizer(), ids);
}

std::string TurnKeeper::notes_of(std::string_view kind, std::string_view finish) const {
  return write_notes({.kind = std::string(is_chat_ ? kind : "text"),
                      .model = host_.name(),
                      .finish = std::string(finish)});
}

Asked<void> TurnKeeper::begin() {
  const Digest fingerprint = fingerprint_of(host_.model());
  store::Changes changes;
  if (prompt_id_ != history_.parent)
    changes.nodes.push_back({.id = prompt_id_,
                             .parent = history_.parent,
                             .fingerprint = fingerprint,
                             .name = {},
                             .tokens = prompt_,
                             .text = text_of(prompt_),
                             .extra = notes_of("prompt"),
                             .ttl_ms = history_.ttl_ms,
                             .origin = {}});
  for (const Answer& answer : answers_)
    changes.nodes.push_back({.id = answer.id,
                             .parent = prompt_id_,
                             .fingerprint = fingerprint,
                             .name = {},
                             .tokens = answer.ids,
                             .text = text_of(answer.ids),
                             .extra = notes_of("answer"),
                             .growing = true,
                             .ttl_ms = history_.ttl_ms,
                             .origin = {}});
  if (const auto done = store_.commit(history_.tenant, std::move(changes)); !done)
    return tl::unexpected(store_error(done.error(), "parent"));
  begun_ = true;
  for (Answer& answer : answers_) answer.growing = true;
  return {};
}

void TurnKeeper::undo() {
  store::Changes changes;
  for (Answer& answer : answers_) changes.removed.push_back(answer.id);
  if (prompt_id_ != history_.parent) changes.removed.push_back(prompt_id_);
  // What a store that does not answer keeps of it is ended as a cancelled answer is.
  if (store_.commit(history_.tenant, std::move(changes))) begun_ = false;
}

void TurnKeeper::told(size_t index, const Event& event, const Generation& generation) {
  // So few tokens are read again as soon as they are fetched.
  constexpr size_t kWorthAppending = 16;
  bool append = false;
  {
    const std::lock_guard lock(mutex_);
    Answer& answer = answers_[index];
    if (event.id >= 0) answer.ids.push_back(event.id);
    if (event.finish == Finish::running) {
      answer.certain =
          std::min(opening_ + static_cast<size_t>(event.certain_count), answer.ids.size());
    } else {
      if (event.finish == Finish::stop) {
        answer.ids.resize(
            std::min(answer.ids.size(), opening_ + static_cast<size_t>(generation.read_count())));
        const auto rest = host_.tokenizer().encode(generation.unread_text());
        if (rest) answer.ids.insert(answer.ids.end(), rest->begin(), rest->end());
      }
      answer.certain = answer.ids.size();
      answer.finish = finish_name(event.finish);
    }
    append = !appending_ && answer.certain >= answer.sent + kWorthAppending &&
             event.finish == Finish::running;
    appending_ = appending_ || append;
  }
  if (append) workers_.owe([self = shared_from_this()] { self->append(); });
}

void TurnKeeper::append() {
  const std::lock_guard order(order_);
  std::vector<store::Growth> growths;
  std::vector<std::pair<Answer*, size_t>> before;
  {
    const std::lock_guard lock(mutex_);
    appending_ = false;
    for (Answer& answer : answers_) {
      if (answer.sent >= answer.certain) continue;
      const auto ids = std::span(answer.ids).subspan(answer.sent, answer.certain - answer.sent);
      growths.push_back({history_.tenant, answer.id, {ids.begin(), ids.end()}, text_of(ids)});
      before.emplace_back(&answer, std::exchange(answer.sent, answer.certain));
    }
  }
  if (growths.empty() || store_.append(growths)) return;
  // finish() tries again.
  const std::lock_guard lock(mutex_);
  for (const auto& [answer, sent] : before) answer->sent = sent;
}

store::Finish TurnKeeper::rest_of(const Answer& answer) const {
  const auto rest = std::span(answer.ids).first(answer.certain).subspan(answer.sent);
  return {answer.id, {rest.begin(), rest.end()}, text_of(rest), notes_of("answer", answer.finish)};
}

Asked<void> TurnKeeper::finish() {
  const std::lock_guard order(order_);
  store::Changes changes;
  {
    const std::lock_guard lock(mutex_);
    for (const Answer& answer : answers_) changes.finished.push_back(rest_of(answer));
  }
  std::vector<store::Finish> rests = changes.finished;
  if (!history_.session.empty()) changes.sessions.push_back(session_move());
  std::optional<store::StoreError> lost;
  Asked<void> moved;
  if (const auto done = store_.commit(history_.tenant, std::move(changes))) {
    const std::lock_guard lock(mutex_);
    for (Answer& answer : answers_) answer.growing = false, answer.whole = true;
    if (!done->sessions.empty()) version_ = done->sessions[0].version;
  } else {
    // One that is gone or finds no room, or a session that has moved, takes no other along.
    lost = finish_each(std::move(rests));
    if (!lost && !history_.session.empty()) moved = move_session();
  }
  keep_snapshots();
  return lost ? tl::unexpected(store_error(*lost, "return_state")) : moved;
}

// The first error of one that somebody would miss.
std::optional<store::StoreError> TurnKeeper::finish_each(std::vector<store::Finish> rests) {
  std::optional<store::StoreError> out;
  for (size_t i = 0; i < rests.size(); ++i) {
    const Ended ended = end(store_, history_.tenant, std::move(rests[i]));
    const bool gone = ended.error && ended.error->trouble == store::Trouble::missing;
    if (ended.error && !gone && !out) out = ended.error;
    const std::lock_guard lock(mutex_);
    answers_[i].growing = ended.growing;
    answers_[i].whole = !ended.error;
  }
  return out;
}

store::SessionMove TurnKeeper::session_move() const {
  return {.name = history_.session,
          .node = answers_[0].id,
          .expected = history_.version,
          .ttl_ms = history_.session_ttl_ms};
}

Asked<void> TurnKeeper::move_session() {
  store::Changes changes;
  changes.sessions.push_back(session_move());
  const auto done = store_.commit(history_.tenant, std::move(changes));
  if (done) {
    version_ = done->sessions[0].version;
    return {};
  }
  return tl::unexpected(move_error(done.error()));
}

// So that another process need not read it all.
void TurnKeeper::keep_snapshots() const {
  std::vector<int32_t> ids = history_.tokens;
  ids.insert(ids.end(), prompt_.begin(), prompt_.end());
  const size_t prompt = ids.size();
  bool behind = true;
  for (const Answer& answer : answers_) {
    if (!answer.whole) continue;
    ids.resize(prompt);
    ids.insert(ids.end(), answer.ids.begin(), answer.ids.end());
    behind = keep_snapshot(answer.id, ids) && behind;
  }
  // A limit cuts an answer before its last token is read, and its state is one of nothing whole.
  ids.resize(prompt);
  if (!behind) keep_snapshot(prompt_id_, ids);
}

bool TurnKeeper::keep_snapshot(const std::string& id, std::span<const int32_t> ids) const {
  auto kept = host_.states().exactly(history_.start, ids);
  return kept && store_.keep_snapshot(history_.tenant, id, store::image_of(std::move(kept)));
}

void TurnKeeper::read_files(const Source& source, std::function<bool()> gone,
                            std::function<void()> then) {
  read_file(0, source, std::move(gone), std::move(then));
}

void TurnKeeper::read_file(size_t index, const Source& source, std::function<bool()> gone,
                           std::function<void()> then) {
  while (index < answers_.size() && !answers_[index].whole) ++index;
  if (index == answers_.size()) return then();
  auto path = store_.path(history_.tenant, answers_[index].id);
  const auto next = [self = shared_from_this(), index, source, gone, then] {
    self->read_file(index + 1, source, gone, then);
  };
  if (!path) return next();
  std::vector<int32_t> ids = history_.tokens;
  ids.insert(ids.end(), prompt_.begin(), prompt_.end());
  ids.insert(ids.end(), answers_[index].ids.begin(), answers_[index].ids.end());
  const auto take = [self = shared_from_this(), index, path = std::move(*path), next](
                        const StateTree::Kept& kept, size_t) {
    const auto file = StateFile::make(kept->state, path.tokens, path.text);
    if (file && check_exportable(kept->state)) {
      const std::vector<std::byte> bytes = file->bytes();
      const std::lock_guard lock(self->mutex_);
      self->answers_[index].file =
          base64_text({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    }
    next();
  };
  read_state_at(host_, workers_, history_.start, std::move(ids), source,
                {.gone = std::move(gone),
                 .then = take,
                 .failed = [&workers = workers_, next](const ApiError&) { workers.owe(next); }});
}

std::string TurnKeeper::answer_id(size_t index) const {
  const std::lock_guard lock(mutex_);
  return answers_[index].whole ? answers_[index].id : std::string();
}

void TurnKeeper::write(JsonWriter& json, size_t index) const {
  const std::lock_guard lock(mutex_);
  const Answer& answer = answers_[index];
  json.begin_object().member("id", answer.id).member("prompt_id", prompt_id_);
  if (answer.whole) {
    const auto tokens =
        history_.start.tokens_read() + history_.tokens.size() + prompt_.size() + answer.ids.size();
    json.member("tokens", static_cast<int64_t>(tokens));
    json.member("bytes", host_.model().info().state_bytes);
    json.member("fingerprint", hex(fingerprint_of(host_.model())));
    json.member("model", host_.name());
    if (version_ > 0)
      json.member("session", history_.session).member("version", static_cast<int64_t>(version_));
    if (history_.returned == Returned::url) json.member("url", "/v1/states/" + answer.id);
    if (wants_files()) {
      json.key("data");
      answer.file.empty() ? json.null() : json.value(answer.file);
    }
  }
  json.end_object();
}

}  // namespace skein::server
