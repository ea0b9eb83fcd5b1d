// Whatever shape of JSON a stranger sends: reading it takes 64 MiB and four times its size at most.
// Readers divide the shapes that take little among each other; SKEIN_TESTS=thorough gives all of
// them to each.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "cli/program.h"
#include "support/fixtures.h"
#include "support/sanitizers.h"
#include "support/thorough.h"

namespace skein::test {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMiB = size_t{1} << 20;

// At most so many keys and values, since a text with more is refused before it is parsed.
constexpr size_t kValues = 1'990'000;

// `unit` again and again between two ends, as often as it may be, and blanks up to `bytes`. Each
// '#' in it becomes its number.
std::string filled(const std::string& begin, const std::string& unit, const std::string& end,
                   size_t bytes) {
  std::string out = begin;
  out.reserve(bytes);
  size_t values = 1;
  for (const char c : unit) values += c == ',' || c == ':' || c == '[' || c == '{';
  std::string one, number;
  for (size_t n = 0; n < kValues / values; ++n) {
    one.clear();
    number = std::to_string(n);
    for (const char c : unit) c == '#' ? one += number : one += c;
    if (out.size() + one.size() + end.size() + 1 > bytes) break;
    if (n > 0) out += ',';
    out += one;
  }
  out += end;
  out.resize(bytes, ' ');
  return out;
}

struct Shape {
  const char* name;
  const char* unit;    // of an array, or of an object if it is a member
  bool worst = false;  // of those that take much: what every reader is tried with
};
constexpr Shape kShapes[] = {
    {"short_strings", "\"\""},
    {"strings_that_take_the_heap", "\"0123456789abcdef\""},
    {"escapes", "\"\\u00e9\\n\""},
    {"small_numbers", "1", true},
    {"fractions", "0.5"},
    {"nulls", "null"},
    {"empty_arrays", "[]"},
    {"empty_objects", "{}"},
    {"nested_arrays", "[[[[[[[[[[1]]]]]]]]]]"},
    {"nested_objects", "{\"a\":{\"a\":{\"a\":{}}}}"},
    {"short_keys", "\"#\":0", true},
    {"keys_with_arrays", "\"#\":[]"},
    {"keys_with_strings", "\"#\":\"\""},
    {"tokens", "\"t#\":#", true},
    {"pairs", "\"a b#\""},
    {"long_pairs", "\"0123456789abcdef 0123456789abcdef#\"", true},
    {"pairs_in_arrays", "[\"a\",\"b#\"]"},
};

std::string text_of(const Shape& shape, const std::string& before, const std::string& key,
                    const std::string& after, size_t bytes) {
  const std::string unit = shape.unit;
  const bool members = unit.find("#\":") != std::string::npos;
  return filled("{" + before + "\"" + key + "\":" + (members ? "{" : "["), unit,
                (members ? "}" : "]") + after + "}", bytes);
}

// The small vocabulary with `key` of another shape.
std::string vocabulary(const Shape& shape, const std::string& key, size_t bytes) {
  const std::string text = text_of_file(fixture("tokenizer/qwen2_small.json"));
  const size_t begin = text.find("\"" + key + "\":") + key.size() + 3;
  const std::string after = key == "vocab" ? "},\"merges\"" : key == "merges" ? "]}}" : "],\"norm";
  const size_t end = text.find(after, begin) + 1;
  const std::string unit = shape.unit;
  const bool members = unit.find("#\":") != std::string::npos;
  return filled(text.substr(0, begin) + (members ? '{' : '['), unit,
                (members ? '}' : ']') + text.substr(end), bytes);
}

// Who reads JSON of strangers, and the most that it takes of it.
struct Reader {
  const char* name;
  size_t bytes;
  std::function<std::vector<std::string>(const Folder&, const Shape&, size_t)> words;
};

void put_model(const Folder& folder) {
  fs::copy_file(fixture("models/tiny_v7.fla_fused.safetensors"), folder / "model.safetensors");
}

const Reader kReaders[] = {
    {"config", 4 * kMiB,
     [](const Folder& folder, const Shape& shape, size_t bytes) {
       put_model(folder);
       write_text(folder / "config.json", text_of(shape, "", "x", "", bytes));
       return std::vector<std::string>{"inspect", "--check", folder.path().string()};
     }},
    {"index", 4 * kMiB,
     [](const Folder& folder, const Shape& shape, size_t bytes) {
       put_model(folder);
       write_text(folder / "model.safetensors.index.json",
                  text_of(shape, "", "weight_map", "", bytes));
       return std::vector<std::string>{"inspect", "--check", folder.path().string()};
     }},
    {"tokenizer_config", 16 * kMiB,
     [](const Folder& folder, const Shape& shape, size_t bytes) {
       fs::copy_file(std::string(SKEIN_SOURCE_DIR) + "/models/bundled-0.pth", folder / "model.pth");
       write_text(folder / "tokenizer_config.json", text_of(shape, "", "x", "", bytes));
       return std::vector<std::string>{"template", (folder / "model.pth").string(), "--user", "a"};
     }},
    {"vocabulary_of_bpe", 64 * kMiB,
     [](const Folder& folder, const Shape& shape, size_t bytes) {
       write_text(folder / "v.json", vocabulary(shape, "vocab", bytes));
       return std::vector<std::string>{"tokenize", "--vocab", (folder / "v.json").string(), "a"};
     }},
    {"small_vocabulary_of_bpe", 11 * kMiB,
     [](const Folder& folder, const Shape& shape, size_t bytes) {
       write_text(folder / "v.json", vocabulary(shape, "vocab", bytes));
       return std::vector<std::string>{"tokenize", "--vocab", (folder / "v.json").string(), "a"};
     }},
    {"merges_of_bpe", 64 * kMiB,
     [](const Folder& folder, const Shape& shape, size_t bytes) {
       write_text(folder / "v.json", vocabulary(shape, "merges", bytes));
       return std::vector<std::string>{"tokenize", "--vocab", (folder / "v.json").string(), "a"};
     }},
    {"small_merges_of_bpe", 11 * kMiB,
     [](const Folder& folder, const Shape& shape, size_t bytes) {
       write_text(folder / "v.json", vocabulary(shape, "merges", bytes));
       return std::vector<std::string>{"tokenize", "--vocab", (folder / "v.json").string(), "a"};
     }},
    {"world_vocabulary", 64 * kMiB,
     [](const Folder& folder, const Shape& shape, size_t bytes) {
       write_text(folder / "v.json", text_of(shape, "", "1", "", bytes));
       return std::vector<std::string>{"tokenize", "--vocab", (folder / "v.json").string(), "a"};
     }},
    {"old_report", 4 * kMiB,
     [](const Folder& folder, const Shape& shape, size_t bytes) {
       write_text(folder / "r.json", text_of(shape, "", "samples", "", bytes));
       return std::vector<std::string>{"bench",     fixture("models/tiny_v7.pth").string(),
                                       "-b",        "1",
                                       "-n",        "1",
                                       "-p",        "1",
                                       "-r",        "1",
                                       "--compare", (folder / "r.json").string()};
     }},
};

class JsonMemory : public testing::TestWithParam<Reader> {};

TEST_P(JsonMemory, is_bounded_for_every_shape) {
  if (kAddressSanitizer || kThreadSanitizer) GTEST_SKIP() << "SKIPPED: a sanitizer's own memory";
  const Reader& reader = GetParam();
  const auto index = static_cast<size_t>(
      std::find_if(std::begin(kReaders), std::end(kReaders),
                   [&](const Reader& one) { return std::string_view(one.name) == reader.name; }) -
      std::begin(kReaders));
  for (const Shape& shape : kShapes) {
    const auto row = static_cast<size_t>(&shape - kShapes);
    const bool largest = reader.bytes > 16 * kMiB;
    if (!shape.worst && (largest || !taken(row, index, std::size(kReaders)))) continue;
    SCOPED_TRACE(shape.name);
    const Folder folder;
    const Ran ran = run(reader.words(folder, shape, reader.bytes));
    EXPECT_TRUE(ran.code == 0 || ran.code == 3) << ran.code << ": " << ran.err;
    const double most = static_cast<double>(64 * kMiB + 4 * reader.bytes) / kMiB;
    const double peak = static_cast<double>(ran.peak_bytes) / kMiB;
    EXPECT_LE(peak, most) << ran.err;
    if (std::getenv("SKEIN_VERBOSE"))
      std::printf("%-20s %-28s %6.1f of %6.1f MiB, %.2f s, exit %d %s\n", reader.name, shape.name,
                  peak, most, ran.seconds, ran.code, ran.err.substr(0, 100).c_str());
  }
}

INSTANTIATE_TEST_SUITE_P(Readers, JsonMemory, testing::ValuesIn(kReaders),
                         [](const auto& one) { return std::string(one.param.name); });

}  // namespace
}  // namespace skein::test
