// What outlives a process: the texts that models have read, who stands where in them, and
// documents.
//
// A node is a stretch of tokens behind its parent's; the path from the root is a whole history.
// That log of tokens is what is acknowledged: once commit() or append() has returned, it is kept as
// the implementation's header promises. A snapshot of the state at a node's end is written later,
// spares reading again, and may be dropped or damaged at any time: then the one before it on the
// path is used, and the rest is read again. The bits are the same.
//
// Every call takes the tenant that asks. What is another's is missing, in the same words as what
// never was.
//
// Any thread may call, and calls block, but for health() and news(): never the engine's nor the
// connections' thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/hash.h"

namespace skein::store {

enum class Trouble : uint8_t {
  invalid,      // the caller's mistake: a name that is none, a node that is no such parent
  missing,      // not there, any more or for this tenant
  conflict,     // somebody was faster: another version, a name or an id that is taken
  full,         // the disk, or the budget; nothing was changed
  unavailable,  // for now: another process has it, or it does not answer
  broken,       // what is there is damaged, or the disk failed
};
const char* trouble_name(Trouble trouble);

struct StoreError {
  Trouble trouble = Trouble::broken;
  std::string message;  // one sentence, of which a client may be told
};

template <typename T>
using Stored = tl::expected<T, StoreError>;

template <typename... Args>
[[nodiscard]] tl::unexpected<StoreError> refuse(Trouble trouble, fmt::format_string<Args...> text,
                                                Args&&... args) {
  return tl::unexpected(StoreError{trouble, fmt::format(text, std::forward<Args>(args)...)});
}

// Whoever sees only his own: made of a key, opaque here.
using Tenant = Digest;

// "st_" and 128 random bits. Nobody guesses one; it can be told before the node is committed.
std::string new_id();

// A snapshot's bytes (store/snapshot.h makes them), which a store asks for when it writes them:
// once, and mostly on a thread of its own.
struct Image {
  uint64_t bytes = 0;  // about as many, for the bound of what waits
  std::function<Result<std::vector<std::byte>>()> make;
};

enum class Stage : uint8_t {
  whole,
  growing,  // append() may follow, nothing may stand behind it
  cut,      // whoever made it grow ended in the middle: what was appended is there
};

struct Node {
  std::string id;
  std::string parent;  // stays when the parent is removed; empty: there was none
  std::string name;    // or empty
  Digest fingerprint{};
  Stage stage = Stage::whole;
  bool origin = false;  // begins with a snapshot that no tokens replace, see NodeDraft
  bool pinned = false;  // never expires, and its snapshot is never dropped
  int64_t created_ms = 0, used_ms = 0;  // since 1970
  // After its last use, which is a commit behind it, a session's move to it, beginning() or
  // change(); 0: for ever. What is pinned, grows, or a session stands at, stays.
  int64_t ttl_ms = 0;
  uint64_t own_tokens = 0, tokens = 0;  // behind the parent's, and with those of its path
  uint64_t own_text = 0;                // bytes behind the parent's
  uint64_t snapshot_bytes = 0;          // 0: there is none
  uint64_t hits = 0;                    // how often beginning() gave its snapshot
  std::string extra;                    // the caller's own notes, JSON
};

struct NodeDraft {
  std::string id{};      // new_id(), once
  std::string parent{};  // a whole or cut node of this tenant, or one before this in `Changes`
  Digest fingerprint{};  // of all that decides the numbers: the parent's, where there is one
  std::string name{};    // empty, or of nobody else
  std::vector<int32_t> tokens{};  // behind the parent's
  std::string text{};             // their bytes
  std::string extra{};
  bool growing = false;
  bool pinned = false;
  int64_t ttl_ms = 0;
  // A state that no reading of tokens makes, as one from a file: then there is no parent, `tokens`
  // are what is known of its history, and the image is acknowledged with the node and never
  // dropped.
  std::optional<Image> origin{};
};

// Tokens behind those of a growing node.
struct Growth {
  Tenant tenant{};
  std::string id{};
  std::vector<int32_t> tokens{};
  std::string text{};
};

// The last of them: the node is whole, or cut.
struct Finish {
  std::string id{};
  std::vector<int32_t> tokens{};
  std::string text{};
  std::string extra{};  // empty: as it was
  bool cut = false;     // more belongs to it that nobody keeps
};

// A name that moves from node to node.
struct Session {
  std::string name{};
  std::string node{};
  uint64_t version = 0;  // 1 at first, and one more with each move
  int64_t created_ms = 0, used_ms = 0;
  int64_t ttl_ms = 0;  // after its last move; 0: for ever
};

struct SessionMove {
  std::string name{};
  std::string node{};
  // The version that it has now: 0 where there must be none, nothing where that does not matter.
  std::optional<uint64_t> expected{};
  int64_t ttl_ms = 0;
};

// Text by kind and id, as a program that has a protocol keeps its own objects.
struct Document {
  std::string kind{}, id{};
  std::string json{};  // never looked into
  int64_t created_ms = 0;
  int64_t ttl_ms = 0;  // after it was written; 0: for ever
};

struct DocumentDraft {
  std::string kind{}, id{};
  std::string json{};
  bool replace = false;  // otherwise one that is there is a conflict
  int64_t ttl_ms = 0;
};

// All of it or nothing.
struct Changes {
  std::vector<NodeDraft> nodes{};
  std::vector<Finish> finished{};
  std::vector<SessionMove> sessions{};
  std::vector<DocumentDraft> documents{};
  std::vector<std::string> removed{};  // nodes, as remove() does it; those that grow, too
};

struct Committed {
  std::vector<Session> sessions{};  // as they stand now
};

// A stretch of a path. That of a removed node is there as long as something stands behind it.
struct Step {
  std::string id{};
  bool removed = false;
  int64_t created_ms = 0;
  uint64_t tokens = 0, text = 0;  // of its own
  bool origin = false;
};

struct Path {
  std::vector<Step> steps{};  // from the root to the node
  std::vector<int32_t> tokens{};
  std::string text{};
};

// Where to begin reading a path.
struct Beginning {
  std::string node{};   // whose snapshot it is
  uint64_t tokens = 0;  // of the path that it has read
  bool origin = false;
  std::vector<std::byte> image{};
};

struct NodeChange {
  std::optional<std::string> name{};  // empty: none
  std::optional<bool> pinned{};
  std::optional<int64_t> ttl_ms{};
  std::optional<std::string> extra{};
};

// Newest first. `after` is the `next` of the page before. A page of large documents is shorter.
struct Query {
  std::string after{};
  size_t limit = 100;    // at most limits::kStorePage
  std::string parent{};  // only of nodes: those behind this one
};

template <typename T>
struct Page {
  std::vector<T> items{};
  std::string next{};  // empty: this was the last
};

struct Usage {
  int64_t nodes = 0, sessions = 0, documents = 0;
  int64_t tokens = 0;
  int64_t log_bytes = 0;  // of tokens, texts, notes and documents, and a part for each row
  int64_t snapshots = 0, snapshot_bytes = 0;
  // Of this process, whoever asks.
  int64_t queued_bytes = 0;  // of snapshots that are not written yet
  int64_t evicted = 0;       // snapshots dropped for others
  int64_t refused = 0;       // not written: too many waited, no room
  int64_t damaged = 0;       // found so, and not used
};

// What can be told without waiting for the place where things are kept.
struct Health {
  bool shared = false;  // other processes may have it, too
  bool up = true;       // it answers
  uint64_t connections = 0, failures = 0;
  int64_t queued_bytes = 0, evicted = 0, refused = 0, damaged = 0;  // as in Usage
  int64_t repeated = 0;  // changes that were made again, since another process was faster
};

struct Budget {
  int64_t snapshot_bytes = int64_t{4} << 30;  // of all tenants; beyond it the least valuable go
  int64_t log_bytes = int64_t{4} << 30;       // beyond it commits are refused: full
  int64_t tenant_log_bytes = 0;               // likewise of one tenant; 0: as of all
  int64_t queue_bytes = int64_t{256} << 20;   // of snapshots that wait to be written
};

struct Options {
  Budget budget{};
  // Milliseconds since 1970. For tests.
  std::function<int64_t()> clock{};
};

class Store {
 public:
  virtual ~Store() = default;  // snapshots that wait are dropped: flush() first

  // Errors: invalid, missing (a parent, a node of a session), conflict (an id or a name that is
  // taken, a session's version), full, unavailable, broken; nothing has changed then.
  virtual Stored<Committed> commit(const Tenant& tenant, Changes changes) = 0;
  // Of any tenants, in one go: what a step of many sequences made. Those whose node is gone or does
  // not grow any more are told by their index; the others are kept.
  virtual Stored<std::vector<size_t>> append(std::span<const Growth> growths) = 0;

  // By id, or by name.
  virtual Stored<Node> node(const Tenant& tenant, std::string_view id_or_name) = 0;
  // Those of `ids` that are there, in that order.
  virtual Stored<std::vector<Node>> nodes(const Tenant& tenant,
                                          std::span<const std::string> ids) = 0;
  virtual Stored<Page<Node>> list(const Tenant& tenant, const Query& query) = 0;
  virtual Stored<Path> path(const Tenant& tenant, std::string_view id) = 0;
  // Error: conflict (the name is taken).
  virtual Stored<Node> change(const Tenant& tenant, std::string_view id,
                              const NodeChange& change) = 0;
  // What stands behind it keeps its path. Error: conflict (a session stands there).
  virtual Stored<void> remove(const Tenant& tenant, std::string_view id) = 0;

  // Soon, unless too much waits already: nobody is told whether it was written. In the place of one
  // that is there; not of a growing node nor an origin. Errors: missing, invalid, unavailable (too
  // much waits).
  virtual Stored<void> keep_snapshot(const Tenant& tenant, std::string_view id, Image image) = 0;
  // The last whole snapshot on the path to `id`, which counts as a use; nothing: it is to be read
  // from the beginning.
  virtual Stored<std::optional<Beginning>> beginning(const Tenant& tenant, std::string_view id) = 0;
  // What the path to `id` begins with that came from elsewhere, be its node removed or not;
  // nothing: no such thing. Errors: missing, broken (it is damaged, and nothing else makes it).
  virtual Stored<std::optional<Beginning>> origin(const Tenant& tenant, std::string_view id) = 0;
  // One that turned out to be of no use. Error: invalid (an origin).
  virtual Stored<void> drop_snapshot(const Tenant& tenant, std::string_view id) = 0;

  virtual Stored<Session> session(const Tenant& tenant, std::string_view name) = 0;
  virtual Stored<Page<Session>> sessions(const Tenant& tenant, const Query& query) = 0;
  // Its node stays. Error: conflict (another version).
  virtual Stored<void> remove_session(const Tenant& tenant, std::string_view name,
                                      std::optional<uint64_t> expected) = 0;

  virtual Stored<Document> document(const Tenant& tenant, std::string_view kind,
                                    std::string_view id) = 0;
  virtual Stored<Page<Document>> documents(const Tenant& tenant, std::string_view kind,
                                           const Query& query) = 0;
  virtual Stored<void> remove_document(const Tenant& tenant, std::string_view kind,
                                       std::string_view id) = 0;

  // All that a tenant has, and nothing of it stays.
  virtual Stored<void> erase(const Tenant& tenant) = 0;
  // Nothing: of all.
  virtual Stored<Usage> usage(const Tenant* tenant = nullptr) = 0;
  // Frees what is due, which nobody sees any more anyway; commits do so now and then.
  virtual Stored<void> sweep() = 0;
  // Snapshots that wait are written, and what is kept is on the disk as after a clean end.
  virtual Stored<void> flush() = 0;
  // Any thread, at once.
  virtual Health health() { return {}; }
  // What a log should say since the last call, a line each. Any thread, at once.
  virtual std::vector<std::string> news() { return {}; }
};

}  // namespace skein::store
