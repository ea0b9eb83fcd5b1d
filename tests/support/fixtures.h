// Where the tests find their files.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>

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
// $SKEIN_SHARED/<name>, by default ../shared beside the checkout. kElsewhere lists them all.
inline std::filesystem::path shared_file(const std::string& name) {
  const char* folder = std::getenv("SKEIN_SHARED");
  const std::filesystem::path base =
      folder ? std::filesystem::path(folder)
             : std::filesystem::path(SKEIN_SOURCE_DIR).parent_path() / "shared";
  return base / name;
}

// Everything else that a test reads stands in tests/fixtures, and its absence is a failure.
inline constexpr std::string_view kElsewhere[] = {
    "data/rwkv_vocab_v20230424.txt", "data/20B_tokenizer.json", "fixtures/tokenizer_20b_hf.jsonl",
    "fixtures/rwkv.cpp/"};

// Why a test that needs this file has to fail, or nothing: a file may be absent where nobody said
// that it is there.
inline std::string shared_file_problem(const std::string& name) {
  const bool known =
      std::any_of(std::begin(kElsewhere), std::end(kElsewhere),
                  [&](std::string_view file) { return name.compare(0, file.size(), file) == 0; });
  if (!known) return name + " is none of the files that may stay outside tests/fixtures";
  if (std::getenv("SKEIN_SHARED") && !std::filesystem::exists(shared_file(name)))
    return "SKEIN_SHARED is set, and " + shared_file(name).string() + " is not there";
  return {};
}

}  // namespace skein::test

// Skips a test, loudly, when a file from elsewhere is not on this machine. ./dev test counts by
// what stands before the colon.
#define SK_NEEDS_SHARED(name)                                                            \
  switch (0)                                                                             \
  case 0:                                                                                \
  default:                                                                               \
    if (const auto problem = ::skein::test::shared_file_problem(name); !problem.empty()) \
      FAIL() << problem;                                                                 \
    else if (!std::filesystem::exists(::skein::test::shared_file(name)))                 \
    GTEST_SKIP() << "SKIPPED: needs files from elsewhere (SKEIN_SHARED): "               \
                 << ::skein::test::shared_file(name)
