// What tests say about a reader's answer.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "io/build.h"

namespace skein::test {

// One readable sentence: it names the file, stays on one line, and is not a page long.
inline void expect_sentence(const Error& error, std::string_view file_name) {
  EXPECT_NE(error.message.find(file_name), std::string::npos) << error.message;
  EXPECT_EQ(error.message.find('\n'), std::string::npos) << error.message;
  EXPECT_GT(error.message.size(), file_name.size() + 8) << error.message;
  EXPECT_LT(error.message.size(), 800u) << error.message;
  EXPECT_EQ(escaped(error.message, 4096), error.message) << "holds raw bytes of the file";
}

// `file` is refused with `code`, in a sentence that contains `fact`.
inline void expect_refused(std::string_view file, Code code, std::string_view fact,
                           std::string_view what = "") {
  SCOPED_TRACE(std::string(what.empty() ? fact : what));
  const auto container = open(file);
  ASSERT_FALSE(container) << "was accepted";
  EXPECT_STREQ(code_name(container.error().code), code_name(code)) << container.error().message;
  EXPECT_NE(container.error().message.find(fact), std::string::npos) << container.error().message;
  expect_sentence(container.error(), "file.x");
}

inline void expect_accepted(std::string_view file, std::string_view what = "") {
  SCOPED_TRACE(std::string(what));
  const auto container = open(file);
  EXPECT_TRUE(container) << container.error().message;
}

}  // namespace skein::test
