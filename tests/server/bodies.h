// Bodies of requests with a field that is wrong.
#pragma once

#include <string>
#include <string_view>

#include "server/client.h"

namespace skein::test {

inline Reply send(uint16_t port, const std::string& method, const std::string& path,
                  const std::string& body, const std::string& fields = {}) {
  Client client(port);
  client.send(
      fmt::format("{} {} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                  "Content-Length: {}\r\n{}\r\n{}",
                  method, path, body.size(), fields, body));
  return client.read();
}

// A body with that field; one that stands there is given in its place.
inline std::string with_field(std::string rest, const std::string& field,
                              const std::string& value) {
  if (const size_t at = rest.find("\"" + field + "\":"); at != std::string::npos) {
    int depth = 0;
    size_t end = at;
    while (end < rest.size() && (rest[end] != ',' || depth > 0)) {
      depth += rest[end] == '[' || rest[end] == '{';
      depth -= rest[end] == ']' || rest[end] == '}';
      ++end;
    }
    rest.erase(at, end - at + (end < rest.size() ? 1 : 0));
    if (rest.ends_with(',')) rest.pop_back();
  }
  return "{" + rest + (rest.empty() ? "" : ",") + "\"" + field + "\":" + value + "}";
}

}  // namespace skein::test
