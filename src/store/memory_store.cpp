#include "store/memory_store.h"

#include <algorithm>
#include <map>
#include <mutex>

#include "base/platform.h"
#include "store/memory_tables.h"
#include "store/table_store.h"

namespace skein::store {
namespace {

class MemoryImages final : public Images {
 public:
  Stored<void> put(std::string_view id, std::vector<std::byte> image) override {
    const std::lock_guard lock(mutex_);
    images_.insert_or_assign(std::string(id), std::move(image));
    return {};
  }

  Stored<std::optional<std::vector<std::byte>>> get(std::string_view id) override {
    const std::lock_guard lock(mutex_);
    const auto found = images_.find(id);
    return found == images_.end() ? std::nullopt : std::optional(found->second);
  }

  void drop(std::string_view id) override {
    const std::lock_guard lock(mutex_);
    if (const auto found = images_.find(id); found != images_.end()) images_.erase(found);
  }

  void keep_only(const std::function<bool(std::string_view)>&) override {}

 private:
  std::mutex mutex_;
  std::map<std::string, std::vector<std::byte>, std::less<>> images_;
};

}  // namespace

std::unique_ptr<Store> memory_store(Options options) {
  return std::make_unique<TableStore>(std::make_unique<MemoryTables>(),
                                      std::make_unique<MemoryImages>(), std::move(options));
}

Budget within_memory(Budget most) {
  const auto free = static_cast<int64_t>(memory_available());
  if (free == 0) return most;
  for (int64_t* const bytes : {&most.snapshot_bytes, &most.log_bytes, &most.queue_bytes})
    *bytes = std::min(*bytes, free / 16);
  return most;
}

}  // namespace skein::store
