// States that are made of a file's numbers.
#include <utility>

#include "run/saved_state.h"
#include "run/state_file.h"
#include "server/query.h"
#include "server/routes/state_fields.h"
#include "server/routes/state_json.h"
#include "server/routes/state_making.h"
#include "store/snapshot.h"

namespace skein::server {
namespace {

// A file's state with what is known of its history.
struct Upload {
  StateTree::Kept state;
  std::vector<int32_t> tokens;
  std::string text;
};

Result<Upload> read_upload(const Model& model, std::string_view body, std::string_view name) {
  const auto file = std::as_bytes(std::span(body));
  Upload out;
  if (is_saved_state(file)) {
    SK_TRY(SavedState saved, parse_saved_state(file, name));
    out.tokens = std::move(saved.tokens);
    out.text = std::move(saved.text);
  }
  SK_TRY(State state, import_state(file, name, model.state_layout()));
  out.state = std::make_shared<const Session::Snapshot>(Session::Snapshot{std::move(state), {}});
  return out;
}

// Its bytes are at fault, whatever is wrong with them, but for want of memory.
ApiError upload_error(const Error& error) {
  if (error.code == Code::memory) return api_error(error);
  if (error.code == Code::mismatch)
    return {.status = 409, .message = error.message, .code = "state_mismatch", .may_retry = false};
  return {.status = 400, .message = error.message, .code = "invalid_state_file"};
}

}  // namespace

void take_state_file(Service& service, const ExchangePtr& exchange) {
  const std::string& query = exchange->head.query;
  const auto wishes = read_wishes(query);
  if (!wishes) return answer_error(exchange, wishes.error());
  const auto served = service.model_named(*exchange, query_value(query, "model"));
  if (!served) return answer_error(exchange, served.error());
  const Host& host = *(*served)->host;
  auto upload = read_upload(host.model(), exchange->body, "the state");
  exchange->body = {};
  if (!upload) return answer_error(exchange, upload_error(upload.error()));
  const std::string form = upload->tokens.empty() ? "tuned" : "text";
  store::NodeDraft draft{.id = store::new_id(),
                         .parent = {},
                         .fingerprint = fingerprint_of(host.model()),
                         .name = wishes->name,
                         .tokens = std::move(upload->tokens),
                         .text = std::move(upload->text),
                         .extra = write_notes({.kind = wishes->kind.value_or(form),
                                               .form = wishes->kind ? form : "",
                                               .model = host.name(),
                                               .finish = {}}),
                         .pinned = wishes->pinned.value_or(false),
                         .ttl_ms = wishes->ttl_ms.value_or(0),
                         .origin = store::image_of(upload->state)};
  const std::string id = draft.id;
  store::Changes changes;
  changes.nodes.push_back(draft);
  if (const auto done = service.store().commit(service.tenant_of(*exchange), std::move(changes));
      !done)
    return answer_error(exchange, making_error(done.error(), draft));
  const auto node = node_of(service, *exchange, id);
  if (!node) return answer_error(exchange, node.error());
  exchange->answer->send({.status = 201, .body = state_text(service, *node)});
}

}  // namespace skein::server
