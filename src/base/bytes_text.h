// Amounts of memory, for people.
#pragma once

#include <string>

namespace skein {

// "2.9 GiB", "512 KiB"; "12.3 GB/s".
std::string bytes_text(double bytes);
std::string rate_text(double bytes_per_second);

}  // namespace skein
