// Checkpoints: tensors in storages, wrappers, prefixes, and the legacy container.
#include "io/pth.h"

#include <gtest/gtest.h>

#include "base/limits.h"
#include "io/build.h"
#include "io/expect.h"

namespace skein::test {
namespace {

using pickle::dict;
using pickle::global;
using pickle::number;
using pickle::number64;
using pickle::text;
using pickle::tuple;
using pickle::whole;

std::string one_tensor(const pickle::Tensor& tensor) {
  return pth(whole(dict(text("w") + pickle::tensor(tensor))));
}

TEST(Pth, tensors_outside_their_storage_are_corrupt_and_named) {
  struct Row {
    pickle::Tensor tensor;
    const char* fact;
  };
  const std::string huge = number64(INT64_MAX);
  const Row rows[] = {
      {{.offset = number(1)}, "reaches outside"},
      {{.offset = number(-1)}, "the offset -1"},
      {{.offset = huge}, "reaches outside"},
      {{.stride = tuple(number(4) + number(1))}, "reaches outside"},
      {{.stride = tuple(number(-3) + number(1))}, "the stride -3"},
      {{.stride = tuple(huge + huge)}, "reaches outside"},
      {{.stride = tuple(number(3))}, "2 sizes and 1 strides"},
      {{.size = tuple(number(-2) + number(3))}, "an axis of -2"},
      {{.size = tuple(huge + number(1))}, "an axis of"},
      {{.size = tuple(number(INT32_MAX) + number(INT32_MAX) + number(INT32_MAX)),
        .stride = tuple(number(0) + number(0) + number(0))},
       "product overflows"},
      {{.size = tuple(number64(int64_t{1} << 31) + number(3)), .stride = tuple(huge + number(1))},
       "reaches outside"},
      {{.count = number(7)}, "its storage 0 has 24 bytes, too few for 7 x F32"},
      {{.count = number64(1'000'000'000'000)}, "too few for 1000000000000 x F32"},
      {{.count = huge}, "too few"},
      {{.key = "1"}, "storage 1 is not in the file"},
      {{.offset = number(7), .size = tuple(number(0)), .stride = tuple(number(1))},
       "reaches outside"},
  };
  for (const Row& row : rows) {
    expect_refused(one_tensor(row.tensor), Code::corrupt, row.fact);
    expect_refused(one_tensor(row.tensor), Code::corrupt, "tensor w", row.fact);
  }
}

TEST(Pth, tensors_that_just_fit_are_accepted) {
  const pickle::Tensor good[] = {
      {.stride = tuple(number(1) + number(2))},
      {.stride = tuple(number(0) + number(1))},
      {.count = number(5), .size = tuple(number(5)), .stride = tuple(number(1))},
      {.offset = number(5), .size = tuple(""), .stride = tuple("")},
      {.offset = number(6), .size = tuple(number(0)), .stride = tuple(number(1))},
      {.size = tuple(number(0) + number64(int64_t{1} << 31))},
      {.size = tuple(repeat(number(1), 8)), .stride = tuple(repeat(number(1), 8))},
      {.sixth = "N"},
  };
  for (const auto& tensor : good) expect_accepted(one_tensor(tensor), tensor.size);
  expect_refused(
      one_tensor({.size = tuple(repeat(number(1), 9)), .stride = tuple(repeat(number(1), 9))}),
      Code::corrupt, "9 axes");
  expect_refused(one_tensor({.size = tuple(number(0) + number64((int64_t{1} << 31) + 1))}),
                 Code::corrupt, "an axis of 2147483649");
}

TEST(Pth, views_keep_offset_and_strides_in_place) {
  const auto container = open(one_tensor({.count = number(6),
                                          .offset = number(1),
                                          .size = tuple(number(2) + number(2)),
                                          .stride = tuple(number(1) + number(3))}));
  ASSERT_TRUE(container) << container.error().message;
  const StoredTensor& tensor = container->tensors[0];
  EXPECT_EQ(tensor.offset, 1);
  EXPECT_EQ(tensor.strides.text(), "[1, 3]");
  EXPECT_EQ(tensor.storage.size(), 24u);
}

// A stride of 0 repeats a number for free in the file and not for free in memory.
TEST(Pth, views_may_not_unfold_far_beyond_the_file) {
  const auto view = [](int64_t rows, int64_t columns) {
    return one_tensor({.size = tuple(number64(rows) + number64(columns)),
                       .stride = tuple(number(0) + number(0))});
  };
  expect_accepted(view(1024, 1024));
  expect_refused(view(1 << 20, 65536), Code::unsupported, "more than the file could hold");
  expect_refused(view(int64_t{1} << 31, int64_t{1} << 29), Code::unsupported,
                 "more than the file could hold");
  std::string many;
  for (int i = 0; i < 100; ++i)
    many += text("w" + std::to_string(i)) +
            pickle::tensor({.size = tuple(number(1 << 20)), .stride = tuple(number(0))});
  expect_refused(pth(whole(dict(many))), Code::unsupported, "more than the file could hold");
}

TEST(Pth, wrappers_are_unwrapped_and_noted) {
  const std::string inner = dict(text("emb.weight") + pickle::tensor());
  for (const char* wrapper : {"state_dict", "model", "module"}) {
    const auto container =
        open(pth(whole(dict(text("epoch") + number(3) + text(wrapper) + inner))));
    ASSERT_TRUE(container) << container.error().message;
    ASSERT_EQ(container->tensors.size(), 1u);
    EXPECT_EQ(container->tensors[0].name, "emb.weight");
    ASSERT_FALSE(container->notes.empty());
    EXPECT_NE(container->notes[0].find(wrapper), std::string::npos);
  }
  const auto twice = open(pth(whole(dict(text("model") + dict(text("state_dict") + inner)))));
  ASSERT_TRUE(twice) << twice.error().message;
  EXPECT_EQ(twice->tensors[0].name, "emb.weight");
}

TEST(Pth, prefixes_are_stripped_where_that_makes_the_embedding_appear) {
  for (const char* prefix : {"module.", "_forward_module.", "model.", "_forward_module.model."}) {
    const std::string p(prefix);
    const auto container = open(pth(whole(dict(text(p + "emb.weight") + pickle::tensor() +
                                               text(p + "head.weight") + pickle::tensor()))));
    ASSERT_TRUE(container) << container.error().message;
    EXPECT_EQ(container->tensors[0].name, "emb.weight");
    EXPECT_EQ(container->tensors[1].name, "head.weight");
    ASSERT_FALSE(container->notes.empty());
    EXPECT_NE(container->notes[0].find("wrappers'"), std::string::npos);
  }
  const auto fla = open(pth(whole(dict(text("model.embeddings.weight") + pickle::tensor()))));
  ASSERT_TRUE(fla);
  EXPECT_EQ(fla->tensors[0].name, "model.embeddings.weight");
  expect_refused(pth(whole(dict(text("model.emb.weight") + pickle::tensor() + text("emb.weight") +
                                pickle::tensor()))),
                 Code::corrupt, "are both emb.weight");
  // Of what no model has, two names are two tensors.
  const auto apart =
      open(pth(whole(dict(text("model.emb.weight") + pickle::tensor() + text("model.x") +
                          pickle::tensor() + text("x") + pickle::tensor()))));
  ASSERT_TRUE(apart) << apart.error().message;
  EXPECT_EQ(apart->tensors[1].name, "model.x");
  EXPECT_EQ(apart->tensors[2].name, "x");
}

TEST(Pth, scalars_are_metadata_and_other_values_are_ignored_and_noted) {
  const auto container =
      open(pth(whole(dict(text("epoch") + number(3) + number(1) + pickle::tensor() + text("w") +
                          pickle::tensor() + text("loss") + "G" + std::string(8, '\0') +
                          text("none") + "N" + text("big") + "\x8a\x0a" + std::string(10, '\7')))));
  ASSERT_TRUE(container) << container.error().message;
  ASSERT_EQ(container->tensors.size(), 1u);
  ASSERT_EQ(container->notes.size(), 1u);
  EXPECT_NE(container->notes[0].find("4 values"), std::string::npos) << container->notes[0];
  EXPECT_NE(container->notes[0].find("one without a name"), std::string::npos);
  EXPECT_EQ(container->metadata, (Metadata{{"epoch", int64_t{3}}}));
}

TEST(Pth, what_holds_no_weights_says_so) {
  for (const std::string& body :
       {number(3), dict(text("epoch") + number(3)), std::string("}"), std::string("]"),
        "](" + pickle::tensor() + number(1) + "e", pickle::tensor(), std::string("N"),
        global("torch", "FloatStorage"), tuple(pickle::tensor())})
    expect_refused(pth(whole(body)), Code::unsupported, "no weights in this file");
}

TEST(Pth, names_are_unique_short_and_printable) {
  expect_refused(pth(whole(dict(text("w") + pickle::tensor() + text("w") + pickle::tensor()))),
                 Code::corrupt, "w stands twice");
  const auto named = [](std::string_view name) {
    return pth(whole(dict(text(name) + pickle::tensor())));
  };
  expect_refused(named("a\nb"), Code::corrupt, "control bytes");
  expect_refused(named("a\x7f"), Code::corrupt, "control bytes");
  expect_refused(named(""), Code::corrupt, "empty name");
  const auto limit = limits::kNameBytes;
  for (const auto fits : {limit - 1, limit}) expect_accepted(named(std::string(fits, 'n')));
  expect_refused(named(std::string(limit + 1, 'n')), Code::corrupt, "name of 257 bytes");
}

TEST(Pth, archive_has_one_pickle_and_little_endian_weights) {
  ZipSpec spec = checkpoint(good_pickle());
  spec.parts.push_back({"n/data.pkl", good_pickle()});
  expect_refused(zip(spec), Code::corrupt, "two pickles");
  spec.parts = {{"m/version", "3\n"}};
  expect_refused(zip(spec), Code::corrupt, "without data.pkl");
  expect_refused(zip({}), Code::corrupt, "without data.pkl");
  spec = checkpoint(good_pickle());
  spec.parts.push_back({"m/byteorder", "big"});
  expect_refused(zip(spec), Code::unsupported, "big-endian");
  spec.parts.back().data = "little";
  expect_accepted(zip(spec));
  spec.parts.back().data = "middle\n";
  expect_refused(zip(spec), Code::corrupt, "byte order is \"middle\\x0a\"");
}

TEST(Pth, pickle_larger_than_the_header_limit_is_refused) {
  const auto padded = [](uint64_t size) {
    const std::string body = dict(text("w") + pickle::tensor());
    const size_t around = whole(text("") + body + "\x86").size();
    return pth(whole(text(std::string(size - around, 'x')) + body + "\x86"));
  };
  // At the limit the pickle is read, and turns out to be a pair; above, it is not looked at.
  expect_refused(padded(limits::kHeaderBytes), Code::unsupported, "no weights");
  expect_refused(padded(limits::kHeaderBytes + 1), Code::unsupported,
                 "more than the limit of 16777216");
}

TEST(Pth, number_of_tensors_is_bounded_exactly) {
  const auto many = [](uint64_t count) {
    return pth(whole("]" + pickle::tensor() + "q\0a"s + repeat("h\0a"sv, count - 1)));
  };
  const auto limit = limits::kTensors;
  for (const auto fits : {limit - 1, limit}) {
    const auto container = open(many(fits));
    ASSERT_TRUE(container) << container.error().message;
    EXPECT_EQ(container->tensors.size(), fits);
  }
  expect_refused(many(limit + 1), Code::unsupported, "more than the limit of 16384");
}

// ---- the legacy container

struct Legacy {
  std::string version = whole("M\xe9\x03");
  std::string system =
      whole(dict(text("protocol_version") + number(1001) + text("little_endian") + "\x88"));
  std::string object = whole(dict(text("w") + pickle::tensor({.sixth = "N"})));
  std::string keys = whole("](" + text("0") + "e");
  std::string data = le(int64_t{6}) + six_floats();
};

std::string legacy(const Legacy& parts) {
  return "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19." + parts.version +
         parts.system + parts.object + parts.keys + parts.data;
}

// A pickle as protocols 4 and 5 write it: names and texts another way, in a frame.
std::string framed(std::string_view pickle, char protocol) {
  const std::string body(pickle.substr(2));
  return "\x80" + std::string(1, protocol) + "\x95" + le(uint64_t{body.size()}) + body;
}

TEST(PthLegacy, every_protocol_that_torch_save_takes_is_read) {
  const std::string magic = "\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";
  const Legacy parts;
  for (const char protocol : {'\2', '\3', '\4', '\5'}) {
    std::string file;
    for (const std::string& part :
         {"\x80\x02" + magic, parts.version, parts.system, parts.object, parts.keys})
      file += protocol >= 4 ? framed(part, protocol)
                            : "\x80" + std::string(1, protocol) + part.substr(2);
    const auto container = open(file + parts.data);
    ASSERT_TRUE(container) << static_cast<int>(protocol) << container.error().message;
    EXPECT_EQ(container->format, Format::pth_legacy);
    EXPECT_EQ(container->tensors[0].storage.size(), 24u);
    for (size_t size = 4; size < file.size() + parts.data.size(); ++size)
      expect_refused((file + parts.data).substr(0, size), Code::corrupt, "");
    std::string other = file;
    other[other.find("\x19.")] = '\x18';
    EXPECT_FALSE(open(other + parts.data));
  }
  expect_refused("L119547037146038801333356L\n.L1001L\n.", Code::unsupported, "protocol below 2");
}

TEST(PthLegacy, container_is_read) {
  const auto container = open(legacy({}));
  ASSERT_TRUE(container) << container.error().message;
  EXPECT_EQ(container->format, Format::pth_legacy);
  EXPECT_EQ(container->tensors[0].storage.size(), 24u);
}

// The data follows the list of keys, not the order of use, and keys are memory addresses.
TEST(PthLegacy, storages_stand_in_the_order_of_the_keys) {
  const auto named = [](std::string_view name, std::string_view key, int count) {
    return text(name) + pickle::tensor({.key = std::string(key),
                                        .count = number(count),
                                        .size = tuple(number(count)),
                                        .stride = tuple(number(1)),
                                        .sixth = "N"});
  };
  const std::string file =
      legacy({.object = whole(dict(named("a", "94012345678901", 1) + named("b", "7", 2))),
              .keys = whole("](" + text("7") + text("94012345678901") + "e"),
              .data = le(int64_t{2}) + le(1.0f) + le(2.0f) + le(int64_t{1}) + le(3.0f)});
  const auto container = open(file);
  ASSERT_TRUE(container) << container.error().message;
  float value = 0;
  std::memcpy(&value, container->tensors[0].storage.data(), sizeof(value));
  EXPECT_EQ(value, 3.0f);
}

TEST(PthLegacy, cut_at_every_byte_is_corrupt) {
  const std::string whole_file = legacy({});
  for (size_t size = 0; size < whole_file.size(); ++size)
    expect_refused(whole_file.substr(0, size), Code::corrupt, "file.x", std::to_string(size));
}

TEST(PthLegacy, every_part_is_checked) {
  expect_refused(legacy({.version = whole("M\xea\x03")}), Code::unsupported, "version 1002");
  expect_refused(legacy({.version = whole("N")}), Code::corrupt, "lacks its version");
  expect_refused(legacy({.system = whole(dict(text("little_endian") + "\x89"))}), Code::unsupported,
                 "big-endian");
  expect_refused(legacy({.system = whole("}")}), Code::corrupt, "byte order");
  expect_refused(legacy({.system = whole("N")}), Code::corrupt, "description of the machine");
  expect_refused(legacy({.keys = whole("N")}), Code::corrupt, "list of storages");
  expect_refused(legacy({.keys = whole("](" + text("1") + "e")}), Code::corrupt, "unknown");
  expect_refused(legacy({.keys = whole("](" + text("0") + text("0") + "e")}), Code::corrupt,
                 "stands twice");
  expect_refused(legacy({.keys = whole("]"), .data = ""}), Code::corrupt, "not in the file");
  expect_refused(legacy({.data = le(int64_t{-1}) + six_floats()}), Code::corrupt,
                 "claims -1 elements");
  expect_refused(legacy({.data = le(INT64_MAX) + six_floats()}), Code::corrupt, "claims");
  expect_refused(legacy({.data = le(int64_t{5}) + six_floats()}), Code::corrupt, "4 bytes follow");
  expect_refused(legacy({.data = le(int64_t{5}) + six_floats().substr(4)}), Code::corrupt,
                 "too few for 6 x F32");
  expect_refused(legacy({.data = le(int64_t{6}) + six_floats() + "x"}), Code::corrupt,
                 "1 bytes follow");
  expect_refused(legacy({.object = whole(global("os", "system") + tuple(text("x")) + "R")}),
                 Code::unsupported, "os.system");
}

}  // namespace
}  // namespace skein::test
