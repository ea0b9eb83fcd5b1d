// A text to measure models on where nobody names one.
#pragma once

#include <string_view>

namespace skein {

// Some prose, a table, code and a few languages: 3 KB that no benchmark has and no training set
// had.
std::string_view sample_text();

}  // namespace skein
