#include "server/replays.h"

#include <algorithm>
#include <utility>

#include "base/limits.h"
#include "server/routes.h"

namespace skein::server {
namespace {

constexpr const char* kField = "Idempotency-Key";
constexpr const char* kKind = "reply";
constexpr int64_t kDayMs = int64_t{24} * 60 * 60 * 1000;

std::string digest_of(std::string_view what, std::string_view more) {
  Sha256 hash;
  hash.update(fmt::format("skein {} {} ", what.size(), more.size()));
  hash.update(what);
  hash.update(more);
  return hex(hash.finish());
}

}  // namespace

struct Replays::Kept {
  std::string request;  // its digest
  int64_t status = 200;
  std::string type, body;
  bool streams = false;
};

std::optional<Replays::Kept> Replays::find(const store::Tenant& tenant,
                                           const std::string& id) const {
  const auto document = store_.document(tenant, kKind, id);
  if (!document) return std::nullopt;
  const auto json = parse_json(document->json, document->json.size() + 1);
  if (!json) return std::nullopt;
  Kept out;
  out.request = json->find("request").string().value_or("");
  out.type = json->find("type").string().value_or("");
  out.body = json->find("body").string().value_or("");
  out.streams = json->find("streams").boolean().value_or(false);
  json->find("status").integer(out.status);
  return out;
}

// Where there is no room for it nothing is kept, and the answer is given all the same.
void Replays::keep(const store::Tenant& tenant, const std::string& id, const Kept& kept) const {
  JsonWriter json;
  json.begin_object().member("request", kept.request).member("status", kept.status);
  json.member("type", kept.type).member("streams", kept.streams).member("body", kept.body);
  store::Changes changes;
  changes.documents.push_back({.kind = kKind,
                               .id = id,
                               .json = json.end_object().text(),
                               .replace = true,
                               .ttl_ms = kDayMs});
  static_cast<void>(store_.commit(tenant, std::move(changes)));
}

Asked<bool> Replays::answer(const std::shared_ptr<Exchange>& exchange,
                            const store::Tenant& tenant) {
  const std::string* const key = exchange->head.find("idempotency-key");
  if (!key || exchange->head.method != "POST" || exchange->running) return false;
  if (key->empty() || key->size() > limits::kLogFieldBytes)
    return refused(fmt::format("{} has to have 1 to {} characters", kField, limits::kLogFieldBytes),
                   kField);
  const std::string id = digest_of(exchange->route->path, *key);
  const std::string request = digest_of(exchange->head.query, exchange->body);
  {
    const std::lock_guard lock(mutex_);
    std::erase_if(running_, [](const auto& one) { return one.second.expired(); });
    std::weak_ptr<void>& mark = running_[{tenant, id}];
    if (!mark.expired())
      return tl::unexpected(ApiError{.status = 409,
                                     .message = "a request with this key is being answered",
                                     .param = kField,
                                     .code = "idempotency_in_progress",
                                     .retry_seconds = 1});
    exchange->running = std::make_shared<char>();
    mark = exchange->running;
  }
  const auto found = find(tenant, id);
  if (found && found->request != request)
    return tl::unexpected(ApiError{.status = 409,
                                   .message = "another request was made with this key",
                                   .param = kField,
                                   .code = "idempotency_key_reused",
                                   .may_retry = false});
  if (found) {
    Response head{.status = static_cast<int>(found->status),
                  .type = found->type,
                  .fields = {{"Idempotent-Replayed", "true"}}};
    Answer& answer = *exchange->answer;
    if (found->streams) {
      answer.begin(std::move(head));
      answer.write(found->body);
      answer.end();
    } else {
      head.body = found->body;
      answer.send(std::move(head));
    }
    return true;
  }
  exchange->answer->on_answer([this, tenant, id, request, mark = exchange->running](
                                  const Response& head, const std::string* stream) {
    if (head.status >= 400) return;
    Kept kept{request, head.status, head.type, stream ? *stream : head.body, stream != nullptr};
    if (!stream) return keep(tenant, id, kept);
    // An engine's thread may have said the last word, and does not wait for a disk.
    workers_.owe([this, tenant, id, mark, kept = std::move(kept)] { keep(tenant, id, kept); });
  });
  return false;
}

}  // namespace skein::server
