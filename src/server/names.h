// Other words for the roles than the model's: Ai00's `names` and RWKV-Runner's `user_name` and
// `assistant_name`.
#pragma once

#include <memory>

#include "server/fields.h"
#include "server/served.h"

namespace skein::server {

// The way of writing turns with those words, which lives for itself; null: none are asked for. What
// is wrong is refused in `fields`.
std::shared_ptr<const text::Profile> read_names(const text::Profile& wording, Fields& fields);

// The same model with that wording, as long as both are there.
Served with_wording(const Served& served, const std::shared_ptr<const text::Profile>& wording);

}  // namespace skein::server
