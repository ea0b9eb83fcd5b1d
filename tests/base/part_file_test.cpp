// A file that comes in several runs.
#include "base/part_file.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

namespace skein {
namespace {

namespace fs = std::filesystem;

constexpr const char* kTag = "0123456789abcdef0123456789abcdef";

std::span<const std::byte> bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

std::string text_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

class PartFiles : public testing::Test {
 protected:
  PartFiles() {
    std::string name = (fs::temp_directory_path() / "skein-part-XXXXXX").string();
    if (::mkdtemp(name.data())) folder_ = name;
  }
  ~PartFiles() override { fs::remove_all(folder_); }
  std::vector<std::string> names() const {
    std::vector<std::string> out;
    for (const auto& entry : fs::directory_iterator(folder_))
      out.push_back(entry.path().filename().string());
    return out;
  }
  fs::path folder_;
};

TEST_F(PartFiles, what_came_is_there_for_the_next_run) {
  const fs::path target = folder_ / "model.pth";
  {
    auto part = PartFile::open(target, kTag);
    ASSERT_TRUE(part) << part.error().message;
    EXPECT_TRUE(part->append(bytes("one ")));
  }
  EXPECT_EQ(names(), std::vector<std::string>{"model.pth.0123456789abcdef.part"});
  auto part = PartFile::open(target, kTag);
  ASSERT_TRUE(part) << part.error().message;
  EXPECT_EQ(part->size(), 4u);
  EXPECT_TRUE(part->append(bytes("two")));
  std::string read;
  EXPECT_TRUE(part->read([&](std::span<const std::byte> piece) {
    read.append(reinterpret_cast<const char*>(piece.data()), piece.size());
    return true;
  }));
  EXPECT_EQ(read, "one two");
  EXPECT_TRUE(part->commit(false));
  EXPECT_EQ(names(), std::vector<std::string>{"model.pth"});
  EXPECT_EQ(text_of(target), "one two");
}

TEST_F(PartFiles, nothing_is_left_of_nothing) {
  const fs::path target = folder_ / "model.pth";
  ASSERT_TRUE(PartFile::open(target, kTag));
  EXPECT_TRUE(names().empty());
  {
    auto part = PartFile::open(target, "");
    ASSERT_TRUE(part);
    EXPECT_TRUE(part->append(bytes("x")));
    EXPECT_TRUE(part->restart());
    EXPECT_EQ(part->size(), 0u);
  }
  EXPECT_TRUE(names().empty());
}

TEST_F(PartFiles, one_at_a_time_has_it) {
  const fs::path target = folder_ / "model.pth";
  auto first = PartFile::open(target, kTag);
  ASSERT_TRUE(first);
  EXPECT_TRUE(first->append(bytes("x")));
  const auto second = PartFile::open(target, kTag);
  ASSERT_FALSE(second);
  EXPECT_NE(second.error().message.find("another process is fetching it"), std::string::npos);
  EXPECT_TRUE(PartFile::open(target, "fedcba9876543210")) << "another file";
}

TEST_F(PartFiles, what_somebody_fetches_is_not_removed) {
  fs::path path;
  {
    auto part = PartFile::open(folder_ / "model.pth", kTag);
    ASSERT_TRUE(part);
    EXPECT_TRUE(part->append(bytes("xyz")));
    path = part->path();
    const auto held = remove_part(path);
    ASSERT_FALSE(held);
    EXPECT_NE(held.error().message.find("another process is fetching it"), std::string::npos);
    EXPECT_EQ(text_of(path), "xyz");
  }
  const auto freed = remove_part(path);
  ASSERT_TRUE(freed) << freed.error().message;
  EXPECT_EQ(*freed, 3u);
  EXPECT_TRUE(names().empty());
  EXPECT_FALSE(remove_part(path));
  fs::create_symlink(folder_ / "other", path);
  std::ofstream(folder_ / "other") << "x";
  EXPECT_FALSE(remove_part(path)) << "a link";
  EXPECT_EQ(text_of(folder_ / "other"), "x");
}

TEST_F(PartFiles, links_are_followed_from_where_they_lie) {
  fs::create_directories(folder_ / "a" / "b");
  fs::create_symlink("../c.pth", folder_ / "a" / "b" / "model.pth");
  fs::create_symlink("a/b/model.pth", folder_ / "model.pth");
  auto part = PartFile::open(folder_ / "model.pth", kTag);
  ASSERT_TRUE(part) << part.error().message;
  EXPECT_TRUE(part->append(bytes("x")));
  EXPECT_EQ(text_of(part->path()), "x");
  EXPECT_TRUE(part->commit(false));
  EXPECT_EQ(text_of(folder_ / "a" / "c.pth"), "x");
}

TEST_F(PartFiles, a_file_that_is_there_stays_unless_it_is_to_be_replaced) {
  const fs::path target = folder_ / "model.pth";
  std::ofstream(target) << "old";
  for (const bool replace : {false, true}) {
    auto part = PartFile::open(target, kTag);
    ASSERT_TRUE(part);
    EXPECT_TRUE(part->restart());
    EXPECT_TRUE(part->append(bytes("new")));
    EXPECT_EQ(part->commit(replace).has_value(), replace);
    EXPECT_EQ(text_of(target), replace ? "new" : "old");
  }
}

TEST_F(PartFiles, a_link_is_followed_and_stays) {
  fs::create_directory(folder_ / "disk");
  fs::create_symlink(folder_ / "disk" / "far.pth", folder_ / "model.pth");
  auto part = PartFile::open(folder_ / "model.pth", kTag);
  ASSERT_TRUE(part) << part.error().message;
  EXPECT_TRUE(part->append(bytes("x")));
  EXPECT_EQ(part->path(), folder_ / "disk" / "far.pth.0123456789abcdef.part");
  EXPECT_EQ(text_of(part->path()), "x");
  EXPECT_TRUE(part->commit(false));
  EXPECT_TRUE(fs::is_symlink(folder_ / "model.pth"));
  EXPECT_EQ(text_of(folder_ / "disk" / "far.pth"), "x");
  EXPECT_FALSE(PartFile::open(folder_ / "disk", kTag)) << "a folder";
}

TEST(PartNames, tell_what_they_belong_to) {
  EXPECT_EQ(target_of_part("a.pth.0123456789abcdef.part"), "a.pth");
  EXPECT_EQ(target_of_part("a.pth.part"), "a.pth");
  EXPECT_EQ(target_of_part("a.0123456789abcdeg.part"), "a.0123456789abcdeg");
  EXPECT_EQ(target_of_part("a.pth"), std::nullopt);
  EXPECT_EQ(target_of_part(".part"), std::nullopt);
}

}  // namespace
}  // namespace skein
