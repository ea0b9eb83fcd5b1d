// Where responses stay after they were given: documents by id, of whoever asked for them. Memory is
// the one kind that needs nothing; another that outlives the process stands behind the same calls.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/hash.h"

namespace skein::server {

// From any thread; a call may wait for a disk. What is another tenant's is not there.
class ResponseStore {
 public:
  virtual ~ResponseStore() = default;

  // Error: memory (it is larger than all that a tenant may have), or what the kind has of its own;
  // nothing is kept then.
  virtual Status put(const Digest& tenant, const std::string& id, std::string document) = 0;
  virtual Result<std::optional<std::string>> get(const Digest& tenant, const std::string& id) = 0;
  // False: it was not there.
  virtual Result<bool> remove(const Digest& tenant, const std::string& id) = 0;
};

struct ResponseMemory {
  int64_t bytes = 0;         // of all; what was not asked for the longest goes first
  int64_t tenant_bytes = 0;  // of one tenant, whose own go first
};
std::unique_ptr<ResponseStore> responses_in_memory(const ResponseMemory& memory);

}  // namespace skein::server
