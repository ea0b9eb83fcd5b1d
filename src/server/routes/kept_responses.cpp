#include "server/routes/kept_responses.h"

#include <utility>

namespace skein::server {
namespace {

constexpr const char* kKind = "response";

// None of them is about numbers, which a client is told of when a code says corrupt.
tl::unexpected<Error> failed(const store::StoreError& error) {
  return fail(Code::io, "{}", error.message);
}

class InStore final : public ResponseStore {
 public:
  InStore(std::shared_ptr<store::Store> store, int64_t ttl_ms)
      : store_(std::move(store)), ttl_ms_(ttl_ms) {}

  Status put(const Digest& tenant, const std::string& id, std::string document) override {
    store::Changes changes;
    changes.documents.push_back(
        {.kind = kKind, .id = id, .json = std::move(document), .replace = true, .ttl_ms = ttl_ms_});
    if (const auto done = store_->commit(tenant, std::move(changes)); !done)
      return failed(done.error());
    return {};
  }

  Result<std::optional<std::string>> get(const Digest& tenant, const std::string& id) override {
    auto found = store_->document(tenant, kKind, id);
    if (found) return std::optional(std::move(found->json));
    if (found.error().trouble == store::Trouble::missing) return std::optional<std::string>();
    return failed(found.error());
  }

  Result<bool> remove(const Digest& tenant, const std::string& id) override {
    const auto removed = store_->remove_document(tenant, kKind, id);
    if (!removed && removed.error().trouble != store::Trouble::missing)
      return failed(removed.error());
    return removed.has_value();
  }

 private:
  const std::shared_ptr<store::Store> store_;
  const int64_t ttl_ms_;
};

}  // namespace

std::unique_ptr<ResponseStore> responses_in_store(std::shared_ptr<store::Store> store,
                                                  int64_t ttl_ms) {
  return std::make_unique<InStore>(std::move(store), ttl_ms);
}

}  // namespace skein::server
