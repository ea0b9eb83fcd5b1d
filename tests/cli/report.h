// What a command says with --json, for tests that look into it.
#pragma once

#include <gtest/gtest.h>

#include <string_view>
#include <utility>

#include "base/json.h"
#include "cli/program.h"

namespace skein::test {

// Its whole output; false, with a failure, if that is no JSON.
inline Json json_of(const Ran& ran) {
  EXPECT_EQ(ran.code, 0) << ran.err;
  auto json = parse_json(ran.out, 1 << 20);
  EXPECT_TRUE(json) << ran.out << ran.err;
  return json ? std::move(*json) : Json();
}

inline double number(const Json& json, std::string_view key) {
  double value = -1;
  const Json member = json.find(key);
  EXPECT_TRUE(member && member->number(value)) << key;
  return value;
}

}  // namespace skein::test
