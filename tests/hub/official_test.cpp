// The table of official models: what its names stand for, and which files are theirs.
#include "hub/official.h"

#include <gtest/gtest.h>

#include <set>

#include "hub/checksum.h"
#include "hub/source.h"
#include "hub/vocabularies.h"

namespace skein::hub {
namespace {

TEST(Official, names_are_unique_and_every_row_can_be_asked_for) {
  std::set<std::string_view> names;
  for (const OfficialModel& model : official_models()) {
    EXPECT_TRUE(names.insert(model.name).second) << model.name;
    EXPECT_EQ(find_official(model.name), &model);
    EXPECT_TRUE(hub_file(kHub, model.repo, "main", model.file)) << model.file;
    EXPECT_TRUE(is_file_of(model, model.file)) << model.file;
    EXPECT_EQ(official_of(model.file), &model) << model.file;
    EXPECT_GT(model.bytes, 300'000'000u) << model.name;
    EXPECT_TRUE(model.is_line() || Checksum::kind_of(model.sha256) == Checksum::Kind::sha256)
        << model.name;
  }
  EXPECT_NE(find_official("World7-0.1B"), nullptr);
  EXPECT_EQ(find_official("world7"), nullptr);
}

TEST(Official, a_line_takes_releases_of_its_size_and_no_trials_or_other_designs) {
  const OfficialModel& line = *find_official("g1-1.5b");
  for (const char* name :
       {"rwkv7-g1-1.5b-20250429-ctx4096.pth", "rwkv7-g1a2-1.5b-20251005-ctx8192.pth",
        "rwkv7-g0-1.5b-20250722-ctx4096.pth", "rwkv7-g2a-1.5b-20270101-ctx4096.pth"})
    EXPECT_TRUE(is_file_of(line, name)) << name;
  for (const char* name :
       {"rwkv7-g1h_preview4673-1.5b-20260701-ctx8192.pth", "rwkv7a-g1b-1.5b-20250819-ctx4096.pth",
        "rwkv7-g1-13.3b-20250429-ctx4096.pth", "rwkv7-g1-1.5b-20250429-ctx4096.gguf",
        "rwkv7-g1-1.5b.pth", "rwkv7-g-1.5b-20250429.pth", "", "rwkv7-g"})
    EXPECT_FALSE(is_file_of(line, name)) << name;
  EXPECT_EQ(newest_of(line, std::vector<std::string>{"rwkv7-g1k-1.5b-20260930-ctx25600.pth",
                                                     "rwkv7-g1-1.5b-20250429-ctx4096.pth", "x"}),
            "rwkv7-g1k-1.5b-20260930-ctx25600.pth");
  EXPECT_EQ(newest_of(line, std::vector<std::string>{"x"}), "");
}

TEST(Official, vocabularies_have_places_and_checksums) {
  for (const Vocabulary& one : vocabularies()) {
    EXPECT_EQ(vocabulary_of(one.rows), &one);
    EXPECT_EQ(find_vocabulary(one.name), &one);
    EXPECT_EQ(Checksum::kind_of(one.sha256), Checksum::Kind::sha256);
    const auto places = sources(one, kHub);
    ASSERT_TRUE(places) << places.error().message;
    ASSERT_FALSE(places->empty());
    for (const Source& place : *places) EXPECT_EQ(place.file_name, file_name(one));
  }
}

TEST(Checksums, are_those_that_git_and_the_hub_give) {
  const std::string text = "hello\n";
  const auto bytes = std::as_bytes(std::span(text));
  Checksum blob(Checksum::Kind::git_blob, text.size());
  blob.update(bytes);
  EXPECT_EQ(blob.finish(), "ce013625030ba8dba906f756967f9e9ca394464a");
  Checksum sum(Checksum::Kind::sha256, text.size());
  sum.update(bytes);
  EXPECT_EQ(sum.finish(), "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03");
  EXPECT_EQ(Checksum::kind_of(std::string(64, 'A')), Checksum::Kind::none);
  EXPECT_EQ(Checksum::kind_of(""), Checksum::Kind::none);
}

}  // namespace
}  // namespace skein::hub
