// Where the tests find their files.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>

namespace skein::test {

// A file of the project: tests/fixtures/<name>.
inline std::filesystem::path fixture(const std::string& name) {
  return std::filesystem::path(SKEIN_SOURCE_DIR) / "tests" / "fixtures" / name;
}

// A file that is not there, in a folder that is not there: nobody else can have made it.
inline std::filesystem::path missing_file(const std::string& name) {
  return fixture("missing") / name;
}

// A file that stays outside the project because others own it (vocabularies, rwkv.cpp's models):
// $SKEIN_SHARED/<name>, by default ../shared beside the checkout.
inline std::filesystem::path shared_file(const std::string& name) {
  const char* folder = std::getenv("SKEIN_SHARED");
  const std::filesystem::path base =
      folder ? std::filesystem::path(folder)
             : std::filesystem::path(SKEIN_SOURCE_DIR).parent_path() / "shared";
  return base / name;
}

}  // namespace skein::test

// Skips a test, loudly, when a file from elsewhere is not on this machine.
#define SK_NEEDS_SHARED(name)                                           \
  if (!std::filesystem::exists(::skein::test::shared_file(name)))       \
  GTEST_SKIP() << "SKIPPED: needs " << ::skein::test::shared_file(name) \
               << "; set SKEIN_SHARED to the folder that holds it"
