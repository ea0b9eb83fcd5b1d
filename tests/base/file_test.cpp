#include "base/file.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <fstream>

#include "support/sanitizers.h"

namespace skein {
namespace {

using test::kAddressSanitizer;
using test::kThreadSanitizer;

class FileTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() / fmt::format("skein_file_{}", getpid());
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::filesystem::path make(const std::string& name, size_t bytes) const {
    std::ofstream(folder_ / name) << std::string(bytes, 'x');
    return folder_ / name;
  }

  std::filesystem::path folder_;
};

Status write_text(const std::filesystem::path& path, std::string_view text) {
  const std::span<const std::byte> parts[] = {std::as_bytes(std::span(text))};
  return write_file(path, parts);
}

TEST_F(FileTest, what_is_no_regular_file_is_refused_at_once) {
  const auto fifo = folder_ / "fifo";
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  for (const auto& path : {folder_, fifo, std::filesystem::path("/dev/zero")}) {
    const auto file = File::map(path);
    ASSERT_FALSE(file) << path;
    EXPECT_EQ(file.error().code, Code::unsupported);
  }
  EXPECT_EQ(File::map(make("empty", 0)).error().code, Code::corrupt);
  EXPECT_EQ(File::map(folder_ / "missing").error().code, Code::io);
}

TEST_F(FileTest, a_file_shortened_under_its_mapping_reads_as_zeros_and_says_so) {
  const auto path = make("model", 64 * 1024);
  const auto file = File::map(path);
  ASSERT_TRUE(file);
  EXPECT_EQ(file->bytes()[40000], std::byte{'x'});
  EXPECT_TRUE(file->intact());
  std::filesystem::resize_file(path, 10);
  EXPECT_EQ(file->bytes()[60000], std::byte{0});
  EXPECT_FALSE(file->intact());
}

// Nothing that was lost has to be touched, and what is lost of a page raises no signal.
TEST_F(FileTest, a_cut_is_seen_wherever_it_is_and_what_was_zeros_is_no_loss) {
  constexpr size_t kBytes = 3 * 4096 + 1000;
  for (const auto& [zeros, left, whole] :
       std::initializer_list<std::tuple<size_t, size_t, bool>>{{0, kBytes - 1, false},
                                                               {0, 3 * 4096, false},
                                                               {0, 4096, false},
                                                               {0, 0, false},
                                                               {100, kBytes - 100, true},
                                                               {100, kBytes - 101, false},
                                                               {1000, 3 * 4096, false},
                                                               {2000, kBytes - 1, true},
                                                               {2000, 3 * 4096, false}}) {
    SCOPED_TRACE(fmt::format("{} zeros, {} left", zeros, left));
    const auto path = make("model", kBytes - zeros);
    std::filesystem::resize_file(path, kBytes);
    const auto file = File::map(path);
    ASSERT_TRUE(file);
    EXPECT_TRUE(file->intact());
    std::filesystem::resize_file(path, left);
    EXPECT_EQ(file->intact(), whole);
  }
}

// A folder of shards, or a program with many models: no number of them goes unguarded.
TEST_F(FileTest, every_one_of_thousands_of_mappings_survives_its_file) {
  constexpr size_t kFiles = 2500;
  const auto path = make("model", 64 * 1024);
  std::vector<File> files;
  for (size_t i = 0; i < kFiles; ++i) {
    auto file = File::map(path);
    ASSERT_TRUE(file) << i << ": " << file.error().message;
    files.push_back(std::move(*file));
  }
  // Places that became free are taken again.
  files.erase(files.begin() + 100, files.begin() + 200);
  while (files.size() < kFiles) files.push_back(File::map(path).value());
  std::filesystem::resize_file(path, 10);
  for (const File& file : files) {
    ASSERT_EQ(file.bytes()[60000], std::byte{0});
    ASSERT_FALSE(file.intact());
  }
}

// The system cannot read such pages for us, and would blame what is written: "Bad address".
TEST_F(FileTest, what_a_shortened_file_has_lost_is_written_as_zeros_and_the_source_is_blamed) {
  constexpr size_t kBytes = size_t{4} << 20;
  const auto path = make("model", kBytes);
  const auto file = File::map(path);
  ASSERT_TRUE(file);
  std::filesystem::resize_file(path, 5000);
  const std::span<const std::byte> parts[] = {file->bytes()};
  const Status written = write_file(folder_ / "out", parts);
  EXPECT_TRUE(written) << written.error().message;
  EXPECT_EQ(std::filesystem::file_size(folder_ / "out"), kBytes);
  EXPECT_FALSE(file->intact());
}

// Only address space is short here, as for a model that is larger than what a limit leaves.
TEST_F(FileTest, no_memory_for_a_mapping_is_memory) {
  if (kAddressSanitizer || kThreadSanitizer) GTEST_SKIP() << "SKIPPED: their own address space";
  const auto path = folder_ / "large";
  make("large", 1);
  std::filesystem::resize_file(path, uint64_t{1} << 40);  // sparse
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_AS, &before), 0);
  rlimit few = before;
  few.rlim_cur = rlim_t{1} << 39;
  ASSERT_EQ(setrlimit(RLIMIT_AS, &few), 0);
  const auto file = File::map(path);
  setrlimit(RLIMIT_AS, &before);
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().code, Code::memory) << file.error().message;
}

TEST_F(FileTest, dropping_pages_loses_nothing) {
  const auto file = File::map(make("model", 100'000));
  ASSERT_TRUE(file);
  file->drop(file->bytes().subspan(100, 90'000));
  for (const std::byte byte : file->bytes()) ASSERT_EQ(byte, std::byte{'x'});
  EXPECT_TRUE(file->intact());
}

TEST_F(FileTest, reading_is_bounded) {
  const auto path = make("vocab", 1000);
  EXPECT_EQ(read_file(path, 1000).value().size(), 1000u);
  EXPECT_EQ(read_file(path, 999).error().code, Code::unsupported);
}

TEST_F(FileTest, a_full_disk_leaves_the_old_file_and_nothing_else) {
  const auto path = folder_ / "state";
  ASSERT_TRUE(write_text(path, "the old state"));
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  rlimit small = before;
  small.rlim_cur = 1000;
  const auto handler = signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  const Status status = write_text(path, std::string(5000, 'y'));
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  signal(SIGXFSZ, handler);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, Code::io);
  EXPECT_EQ(read_file(path, 1000).value().size(), std::strlen("the old state"));
  size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder_)) files += entry.exists();
  EXPECT_EQ(files, 1u);
}

TEST_F(FileTest, a_written_file_has_the_mode_of_any_new_file) {
  const auto path = folder_ / "state";
  const mode_t mask = umask(022);
  ASSERT_TRUE(write_text(path, "x"));
  umask(mask);
  struct stat info {};
  ASSERT_EQ(stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0644u);
}

}  // namespace
}  // namespace skein
