// What a stream of objects, one a line, says.
#pragma once

#include <string_view>
#include <vector>

#include "server/client.h"

namespace skein::test {

inline std::vector<Json> lines_of(std::string_view body) {
  std::vector<Json> out;
  while (!body.empty()) {
    const size_t end = std::min(body.find('\n'), body.size());
    out.push_back(parse_json(body.substr(0, end), 1 << 24).value_or(Json()));
    body.remove_prefix(std::min(end + 1, body.size()));
  }
  return out;
}

}  // namespace skein::test
