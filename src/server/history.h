// What a request goes on from: a state by its id or name, or where a session stands. Its path of
// tokens is the history, and the request's text is behind it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "server/fields.h"
#include "server/host.h"
#include "server/precondition.h"
#include "store/store.h"

namespace skein::server {

enum class Returned : uint8_t { nothing, id, url, base64 };

struct History {
  // Whether the request names one, or begins one that is to be gone on from.
  bool given = false;
  bool keeps = false;  // its answer becomes a state that has an id

  store::Tenant tenant{};
  Start start{};
  std::string parent{};           // a node; empty: there is none yet
  std::vector<int32_t> tokens{};  // behind the start
  text::After after = text::After::turn;
  std::string session{};
  std::optional<uint64_t> version{};  // of the session; 0: there is none yet
  int64_t session_ttl_ms = 0;
  int64_t ttl_ms = 0;  // of the nodes that are made; 0: for ever
  Returned returned = Returned::nothing;

  bool fresh() const { return tokens.empty() && start.tokens_read() == 0; }
};

// What a node's notes say of it.
struct NodeNotes {
  std::string kind =
      "text";          // "prompt", "answer", "turn", "text", "tuned", or as a client calls it
  std::string form{};  // what a client's kind stands for: one of those
  std::string model;
  std::string finish;  // of an answer
};
std::string write_notes(const NodeNotes& notes);
NodeNotes read_notes(std::string_view json);
text::After after_of(const NodeNotes& notes);

// What decides the numbers of a model's states.
Digest fingerprint_of(const Model& model);
// 409, of a state that is another model's; `here`: what is there instead.
ApiError foreign(const store::Node& node, std::string_view here);
// Errors: 409 (it is another model's, and how).
Asked<void> check_model(const store::Node& node, const Host& host);
// 409, of a state that is not whole yet.
ApiError being_written(const store::Node& node, std::string param);
ApiError store_error(const store::StoreError& error, std::string param = {});
// Of a session's move to a state that was there: a session that is gone has moved, too.
ApiError move_error(const store::StoreError& error);

// `session`, `parent`, `state`, `return_state` of a body. Errors: 400, 404, 409.
Asked<History> open_history(store::Store& store, const store::Tenant& tenant, Host& host,
                            Fields& fields, const Precondition& wanted);
// The same fields where a request neither goes on from states nor leaves one: to ignore them would
// lose what somebody counts on.
void refuse_history(Fields& fields);
// The path to a node, and what it begins with. A state of it that the store has, and nobody else,
// is kept among the host's. `where`: the field that names it, in a refusal.
Asked<History> open_node(store::Store& store, const store::Tenant& tenant, Host& host,
                         const store::Node& node, std::string where);
// Whose texts are shared with those of a state that no tokens make. `root`: that state's id.
Digest scope_of(const store::Tenant& tenant, std::string_view root);

}  // namespace skein::server
