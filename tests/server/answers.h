// Reading what the server's answers hold. What is not there is a value that no answer has.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace skein::test {

inline Json choice(const Json& json, size_t index = 0) {
  return (*json.find("choices").array())[index];
}
inline std::string text(const Json& json, std::string_view key = "text") {
  return std::string(json.find(key).string().value_or("?"));
}
inline int64_t whole(const Json& json) {
  int64_t out = -1;
  json.integer(out);
  return out;
}
inline double number(const Json& json) {
  double out = -1;
  json.number(out);
  return out;
}
inline std::vector<double> numbers(const Json& json) {
  std::vector<double> out;
  for (const Json& each : *json.array()) out.push_back(each.is_null() ? 0 : number(each));
  return out;
}

}  // namespace skein::test
