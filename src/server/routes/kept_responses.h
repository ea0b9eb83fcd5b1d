// Responses as documents of a store, which outlive the process where the store does.
#pragma once

#include <memory>

#include "server/routes/response_store.h"
#include "store/store.h"

namespace skein::server {

// `ttl_ms`: how long one is kept after it was given; 0: for ever. Nothing else makes one go.
std::unique_ptr<ResponseStore> responses_in_store(std::shared_ptr<store::Store> store,
                                                  int64_t ttl_ms);

}  // namespace skein::server
