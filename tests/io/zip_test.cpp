// Archives that say two things at once. Each disagreement has its own sentence.
#include "io/zip.h"

#include <gtest/gtest.h>

#include "base/limits.h"
#include "io/build.h"
#include "io/expect.h"

namespace skein::test {
namespace {

ZipSpec good() { return checkpoint(good_pickle()); }

TEST(Zip, honest_archives_of_every_kind_are_accepted) {
  expect_accepted(zip(good()), "plain");
  for (const char* descriptor : {"32", "64", "32 bare", "64 bare"}) {
    ZipSpec spec = good();
    spec.descriptor = descriptor;
    expect_accepted(zip(spec), descriptor);
    spec.wide = true;
    expect_accepted(zip(spec), std::string("zip64 ") + descriptor);
  }
  ZipSpec spec = good();
  spec.wide = true;
  expect_accepted(zip(spec), "zip64");
  spec = good();
  spec.comment = "made by a test";
  expect_accepted(zip(spec), "comment");
  spec = good();
  spec.local_extra = "FB" + le(uint16_t{5}) + "ZZZZZ";
  expect_accepted(zip(spec), "padding");
  spec = good();
  spec.flags = 1 << 11;
  expect_accepted(zip(spec), "UTF-8 names");
}

// Torch writes a 64-bit descriptor, and a zip64 field that holds only the offset, for a small entry
// beyond 4 GiB, while sizes in its local header are zero.
TEST(Zip, local_zip64_field_beside_zero_sizes_is_torchs_habit) {
  ZipSpec spec = good();
  spec.descriptor = "64";
  spec.local_extra = le(uint16_t{1}) + le(uint16_t{8}) + le(uint64_t{0});
  expect_accepted(zip(spec));
}

TEST(Zip, local_header_and_directory_have_to_agree) {
  struct Row {
    const char* what;
    const char* fact;
    std::function<void(std::string& local, std::string& central)> change;
  };
  const Row rows[] = {
      {"name", "is called m/evil.pkl",
       [](std::string& local, std::string&) { local.replace(30, 10, "m/evil.pkl"); }},
      {"flags", "flags or method", [](std::string& local, std::string&) { local[7] = 8; }},
      {"method", "flags or method", [](std::string& local, std::string&) { local[8] = 8; }},
      {"CRC", "size or CRC", [](std::string& local, std::string&) { local[14] ^= 1; }},
      {"compressed", "size or CRC", [](std::string& local, std::string&) { local[18] ^= 1; }},
      {"size", "size or CRC", [](std::string& local, std::string&) { local[22] ^= 1; }},
      {"central sizes", "has sizes", [](std::string&, std::string& central) { central[20] ^= 1; }},
      {"central mark", "ends before its last entry",
       [](std::string&, std::string& central) { central[2] = 9; }},
      {"saturated size", "lacks its zip64 sizes",
       [](std::string&, std::string& central) { central.replace(24, 4, "\xff\xff\xff\xff"); }},
      {"local saturated size", "size or CRC",
       [](std::string& local, std::string&) { local.replace(22, 4, "\xff\xff\xff\xff"); }},
      {"shorter name", "is called m/data.pk",
       [](std::string& local, std::string&) { local[26] = 9; }},
  };
  for (const Row& row : rows) {
    ZipSpec spec = good();
    spec.change = [&row](size_t part, std::string& local, std::string& central) {
      if (part == 0) row.change(local, central);
    };
    expect_refused(zip(spec), Code::corrupt, row.fact, row.what);
  }
  ZipSpec spec = good();
  spec.change = [](size_t part, std::string& local, std::string&) {
    if (part == 1) local[3] = 5;
  };
  expect_refused(zip(spec), Code::corrupt, "m/data/0 has no local header");
}

TEST(Zip, what_is_not_supported_is_named) {
  ZipSpec spec = good();
  spec.flags = 1;
  expect_refused(zip(spec), Code::unsupported, "encrypted");
  spec = good();
  spec.method = 8;
  expect_refused(zip(spec), Code::unsupported, "compressed");
  for (const int bit : {4, 5, 6, 12, 13}) {
    spec = good();
    spec.flags = static_cast<uint16_t>(1 << bit);
    expect_refused(zip(spec), Code::unsupported, "flags");
  }
  spec = good();
  spec.central_extra = le(uint16_t{0x7075}) + le(uint16_t{5}) + "\1....";
  expect_refused(zip(spec), Code::unsupported, "second name");
  spec = good();
  spec.change_end = [](std::string& end) { end[4] = 1; };
  expect_refused(zip(spec), Code::unsupported, "several parts");
}

TEST(Zip, bytes_of_nobody_and_bytes_of_two_are_refused) {
  ZipSpec spec = good();
  spec.before_first = "PK\3\4";  // still taken for a zip
  expect_refused(zip(spec), Code::corrupt, "before the first zip entry");
  spec = good();
  spec.between = "gap";
  expect_refused(zip(spec), Code::corrupt, "belong to no entry");
  spec = good();
  spec.before_directory = "gap";
  expect_refused(zip(spec), Code::corrupt, "belong to no entry");
  spec = good();
  spec.before_end = "gap";
  expect_refused(zip(spec), Code::corrupt, "between the zip directory and its end");
  spec = good();
  spec.behind = "gap";
  expect_refused(zip(spec), Code::corrupt, "end record is missing");
  spec = good();
  spec.descriptor = "32";
  spec.between = "x";
  expect_refused(zip(spec), Code::corrupt, "belong to no entry");
  spec = good();
  spec.change = [](size_t part, std::string&, std::string& central) {
    if (part == 1) std::memset(central.data() + 42, 0, 4);  // shares the pickle's header
  };
  expect_refused(zip(spec), Code::corrupt, "overlaps");
}

TEST(Zip, entry_that_reaches_into_the_directory_is_refused) {
  ZipSpec spec = good();
  spec.change = [](size_t part, std::string& local, std::string& central) {
    if (part != 2) return;
    local[18] = local[22] = 40;
    central[20] = central[24] = 40;
  };
  expect_refused(zip(spec), Code::corrupt, "overlaps what follows");
}

TEST(Zip, one_end_record_and_one_directory) {
  const std::string whole = zip(good());
  const std::string end = whole.substr(whole.size() - 22);
  expect_refused(whole + end, Code::corrupt, "two end records");
  ZipSpec spec = good();
  spec.comment = end;  // an end record of its own inside the comment of another
  expect_refused(zip(spec), Code::corrupt, "two end records");
  spec = good();
  spec.change_end = [](std::string& record) { record[8] = record[10] = 4; };
  expect_refused(zip(spec), Code::corrupt, "cannot hold 4 entries");
  spec.change_end = [](std::string& record) { record[8] = record[10] = 2; };
  expect_refused(zip(spec), Code::corrupt, "belong to no entry");
  spec.change_end = [](std::string& record) { std::memset(record.data() + 8, 0xff, 4); };
  expect_refused(zip(spec), Code::corrupt, "cannot hold 65535 entries");
  spec.change_end = [](std::string& record) { std::memset(record.data() + 16, 0xff, 4); };
  expect_refused(zip(spec), Code::corrupt, "reaches past its end record");
}

TEST(Zip, zip64_end_record_has_to_repeat_the_other) {
  for (const size_t field : {8, 12, 16}) {
    ZipSpec spec = good();
    spec.wide = true;
    spec.change_end = [field](std::string& end) {
      const size_t record = 56 + 20;
      end[record + field] = 7;               // neither saturated nor right
      if (field == 8) end[record + 10] = 7;  // the entries stand there twice
    };
    expect_refused(zip(spec), Code::corrupt, "disagree", "field " + std::to_string(field));
  }
  ZipSpec spec = good();
  spec.wide = true;
  spec.change_end = [](std::string& end) { end[56 + 8] ^= 1; };  // the locator's offset
  expect_refused(zip(spec), Code::corrupt, "not where its locator points");
}

TEST(Zip, names_that_leave_the_archive_are_refused) {
  for (const char* name : {"../../etc/x", "/etc/x", "m/../../x", "m\\x", "..", "m/.."}) {
    ZipSpec spec = good();
    spec.parts.push_back({name, "x"});
    expect_refused(zip(spec), Code::corrupt, "leaves the archive", name);
  }
  ZipSpec spec = good();
  spec.parts.push_back({"m/a\nb", "x"});
  expect_refused(zip(spec), Code::corrupt, "control bytes");
}

TEST(Zip, duplicate_names_are_refused) {
  ZipSpec spec = good();
  spec.parts.push_back({"m/data/0", six_floats()});
  expect_refused(zip(spec), Code::corrupt, "two entries named m/data/0");
  spec = good();
  spec.parts.push_back({"m/data.pkl", good_pickle()});
  expect_refused(zip(spec), Code::corrupt, "two entries named m/data.pkl");
}

TEST(Zip, extra_fields_have_to_parse_and_zip64_stands_once) {
  ZipSpec spec = good();
  spec.local_extra = "FB" + le(uint16_t{50}) + "Z";
  expect_refused(zip(spec), Code::corrupt, "extra field that does not end");
  spec = good();
  spec.wide = true;
  spec.central_extra = le(uint16_t{1}) + le(uint16_t{24}) + std::string(24, '\0');
  expect_refused(zip(spec), Code::corrupt, "two zip64 fields");
}

TEST(Zip, pickle_checksum_is_always_checked_and_weights_on_request) {
  std::string file = zip(good());
  const size_t weights = file.find(six_floats());
  file[weights] ^= 1;
  const auto container = open(file);
  ASSERT_TRUE(container) << container.error().message;
  const auto checked = io::verify_container(bytes_of(file), *container, "file.x");
  ASSERT_FALSE(checked);
  EXPECT_STREQ(code_name(checked.error().code), "corrupt");
  EXPECT_NE(checked.error().message.find("m/data/0 has CRC"), std::string::npos);
  expect_sentence(checked.error(), "file.x");

  file = zip(good());
  file[file.find("cpu")] = 'g';  // harmless by itself: nobody reads the location
  expect_refused(file, Code::corrupt, "has CRC");
}

TEST(Zip, number_of_entries_is_bounded) {
  const auto archive = [](size_t entries) {
    ZipSpec spec;
    for (size_t i = 0; i < entries; ++i) spec.parts.push_back({std::to_string(i), ""});
    spec.wide = true;
    return zip(spec);
  };
  const size_t limit = limits::kTensors + 64;
  for (const size_t entries : {limit - 1, limit})
    EXPECT_TRUE(io::ZipArchive::read(bytes_of(archive(entries))));
  expect_refused(archive(limit + 1), Code::unsupported, "more than the limit of 16448");
}

}  // namespace
}  // namespace skein::test
