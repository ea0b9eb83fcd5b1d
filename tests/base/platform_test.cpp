#include "base/platform.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cstring>

namespace skein {
namespace {

// 16 MiB that were asked for with this advice and written.
double share_with(int advice) {
  constexpr size_t kBytes = size_t{16} << 20;
  void* memory =
      ::mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return -1;
  ::madvise(memory, kBytes, advice);
  std::memset(memory, 1, kBytes);
  const double share = huge_page_share({static_cast<const std::byte*>(memory), kBytes});
  ::munmap(memory, kBytes);
  return share;
}

TEST(Platform, huge_pages_are_told_from_small_ones) {
  EXPECT_EQ(share_with(MADV_NOHUGEPAGE), 0);
  if (huge_page_setting().empty() || huge_page_setting().find("[never]") != std::string::npos)
    GTEST_SKIP() << "SKIPPED: this machine gives no huge pages";
  EXPECT_GT(share_with(MADV_HUGEPAGE), 0.5);
}

TEST(Platform, memory_that_is_not_mapped_has_no_pages) { EXPECT_EQ(huge_page_share({}), 0); }

TEST(Platform, sizes_of_caches_are_read_as_the_system_writes_them) {
  EXPECT_EQ(bytes_of_cache("48K"), 48u << 10);
  EXPECT_EQ(bytes_of_cache("266240K"), 266240u << 10);
  EXPECT_EQ(bytes_of_cache("4M"), 4u << 20);
  for (const char* wrong : {"", "K", "48", "48KB", "-1K", "99999999999999999999K"})
    EXPECT_EQ(bytes_of_cache(wrong), 0u) << wrong;
}

}  // namespace
}  // namespace skein
