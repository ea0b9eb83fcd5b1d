#include "server/routes/response_store.h"

#include <list>
#include <map>
#include <mutex>
#include <utility>

namespace skein::server {
namespace {

class InMemory final : public ResponseStore {
 public:
  explicit InMemory(const ResponseMemory& memory) : memory_(memory) {}

  Status put(const Digest& tenant, const std::string& id, std::string document) override {
    const std::lock_guard lock(mutex_);
    Entry entry{tenant, id, std::move(document)};
    const int64_t bytes = bytes_of(entry);
    if (bytes > memory_.tenant_bytes || bytes > memory_.bytes)
      return fail(Code::memory, "a response of {} bytes is more than is kept", bytes);
    drop(find(tenant, id));
    while (tenants_[tenant] + bytes > memory_.tenant_bytes) drop(oldest_of(tenant));
    while (bytes_ + bytes > memory_.bytes) drop(entries_.begin());
    entries_.push_back(std::move(entry));
    const auto place = std::prev(entries_.end());
    places_[{tenant, id}] = place;
    bytes_ += bytes;
    tenants_[tenant] += bytes;
    return {};
  }

  Result<std::optional<std::string>> get(const Digest& tenant, const std::string& id) override {
    const std::lock_guard lock(mutex_);
    const Place place = find(tenant, id);
    if (place == entries_.end()) return std::optional<std::string>();
    entries_.splice(entries_.end(), entries_, place);
    return std::optional(place->document);
  }

  Result<bool> remove(const Digest& tenant, const std::string& id) override {
    const std::lock_guard lock(mutex_);
    const Place place = find(tenant, id);
    if (place == entries_.end()) return false;
    drop(place);
    return true;
  }

 private:
  struct Entry {
    Digest tenant{};
    std::string id, document;
  };
  using Place = std::list<Entry>::iterator;

  // With what finding it takes, about.
  static int64_t bytes_of(const Entry& entry) {
    constexpr size_t kOthers = 256;
    return static_cast<int64_t>(entry.document.size() + 2 * entry.id.size() + kOthers);
  }
  Place find(const Digest& tenant, const std::string& id) {
    const auto found = places_.find({tenant, id});
    return found == places_.end() ? entries_.end() : found->second;
  }
  Place oldest_of(const Digest& tenant) {
    Place at = entries_.begin();
    while (at != entries_.end() && at->tenant != tenant) ++at;
    return at;
  }
  void drop(Place place) {
    if (place == entries_.end()) return;
    const int64_t bytes = bytes_of(*place);
    bytes_ -= bytes;
    const auto tenant = tenants_.find(place->tenant);
    if ((tenant->second -= bytes) == 0) tenants_.erase(tenant);
    places_.erase({place->tenant, place->id});
    entries_.erase(place);
  }

  const ResponseMemory memory_;
  std::mutex mutex_;
  std::list<Entry> entries_;  // the longest not asked for first
  std::map<std::pair<Digest, std::string>, Place> places_;
  std::map<Digest, int64_t> tenants_;
  int64_t bytes_ = 0;
};

}  // namespace

std::unique_ptr<ResponseStore> responses_in_memory(const ResponseMemory& memory) {
  return std::make_unique<InMemory>(memory);
}

}  // namespace skein::server
