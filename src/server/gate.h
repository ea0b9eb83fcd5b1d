// The gate in front of the HTTP library: reads a header section byte by byte and lets in only what
// every reader of HTTP understands alike. Requests that two programs could cut differently are how
// one client's bytes become another's request.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "base/error.h"
#include "server/http.h"

namespace skein::server {

// Where the header section at the beginning of `bytes` ends, behind its blank line; nothing: more
// has to come. Refuses what can become none, before it is all there: too long, too many lines, a
// line end that is half of one, a first byte that begins no method.
tl::expected<std::optional<size_t>, Refusal> end_of_head(std::string_view bytes);

// A whole header section. Refused: more or fewer than one Host; lengths that are no length or two;
// any Transfer-Encoding but chunked alone; both together; folded lines; control characters; a body
// that is compressed; a version that is not 1.0 or 1.1; a target of another host.
tl::expected<Head, Refusal> examine(std::string_view section);

}  // namespace skein::server
