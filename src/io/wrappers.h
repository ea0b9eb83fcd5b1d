// Names as trainers save them: every module that is wrapped puts a word of its own into the names
// of the tensors below it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "tensor/stored.h"

namespace skein::io {

// Takes the wrappers' words off the names of a container's tensors, wherever they stand and however
// they nest, and leaves a note of it. `model.` and `base_model.` are words at the beginning only,
// and not where Hugging Face's own names begin so. Done a second time it changes nothing.
//
// Every reader of a container gets its names through this, so that models, adapters and states are
// treated alike. Error: corrupt (two tensors of a model become one).
Status unwrap_names(Container& container);

}  // namespace skein::io
