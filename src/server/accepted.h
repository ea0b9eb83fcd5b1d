// What a client says it takes, and what it has: Accept, Accept-Encoding, If-None-Match.
#pragma once

#include <string_view>

#include "server/http.h"

namespace skein::server {

// Whether that field names it, "gzip" or "text/html", and does not refuse it with a q of 0.
// Patterns such as */* do not count: who sends one has no wish.
bool accepts(const Head& head, std::string_view field, std::string_view what);
// Whether If-None-Match has this tag, or is *: the client knows what it would be given.
bool names(const Head& head, std::string_view tag);

}  // namespace skein::server
