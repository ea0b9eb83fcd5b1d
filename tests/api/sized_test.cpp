// Structs that begin with their size, between programs and libraries of different versions.
#include "api/sized.h"

#include <gtest/gtest.h>

namespace skein::api {
namespace {

struct First {
  uint32_t size;
  int32_t a;
};
struct Second {
  uint32_t size;
  int32_t a;
  int32_t b;
  int32_t c;
};
struct Third {
  uint32_t size;
  int32_t a;
  int32_t b;
  int32_t c;
  int32_t d;
};

TEST(SizedStruct, an_older_program_gets_the_defaults_of_what_it_does_not_know) {
  const First given = {sizeof given, 1};
  Second read = {sizeof read, -1, -2, -3};
  ASSERT_TRUE(read_sized(reinterpret_cast<const Second*>(&given), sizeof(First), "s", read));
  EXPECT_EQ(read.size, sizeof read);
  EXPECT_EQ(read.a, 1);
  EXPECT_EQ(read.b, -2);
  EXPECT_EQ(read.c, -3);
}

TEST(SizedStruct, a_newer_program_may_set_only_what_this_library_knows) {
  Third given = {sizeof given, 1, 2, 3, 0};
  Second read = {};
  ASSERT_TRUE(read_sized(reinterpret_cast<const Second*>(&given), sizeof(First), "s", read));
  EXPECT_EQ(read.c, 3);
  given.d = 1;
  read.c = -3;
  const Status status =
      read_sized(reinterpret_cast<const Second*>(&given), sizeof(First), "s", read);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, Code::argument);
  EXPECT_EQ(read.c, -3);
}

TEST(SizedStruct, sizes_that_no_version_has_are_arguments) {
  for (const uint32_t size : {0u, 4u, 7u, 4097u, UINT32_MAX}) {
    Second given = {size, 1, 2, 3}, other = {};
    EXPECT_EQ(read_sized(&given, sizeof(First), "s", other).error().code, Code::argument) << size;
    EXPECT_EQ(write_sized(other, sizeof(First), "s", &given).error().code, Code::argument) << size;
    EXPECT_EQ(given.a, 1);
  }
}

TEST(SizedStruct, writing_stays_inside_the_callers_struct_and_zeros_what_is_unknown) {
  const Second value = {sizeof value, 1, 2, 3};
  struct {
    First older;
    int32_t behind;
  } small = {{sizeof(First), 0}, 77};
  ASSERT_TRUE(write_sized(value, sizeof(First), "s", reinterpret_cast<Second*>(&small)));
  EXPECT_EQ(small.older.size, sizeof(First));
  EXPECT_EQ(small.older.a, 1);
  EXPECT_EQ(small.behind, 77);
  Third newer = {sizeof newer, 0, 0, 0, 5};
  ASSERT_TRUE(write_sized(value, sizeof(First), "s", reinterpret_cast<Second*>(&newer)));
  EXPECT_EQ(newer.size, sizeof newer);
  EXPECT_EQ(newer.c, 3);
  EXPECT_EQ(newer.d, 0);
}

}  // namespace
}  // namespace skein::api
