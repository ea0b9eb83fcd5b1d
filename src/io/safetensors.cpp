#include "io/safetensors.h"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "base/checked.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "io/tensor_table.h"

namespace skein::io {
namespace {

constexpr size_t kLengthBytes = 8;

struct TypeName {
  std::string_view name;
  DType type;
};
constexpr TypeName kTypes[] = {
    {"F64", DType::f64}, {"F32", DType::f32},      {"F16", DType::f16}, {"BF16", DType::bf16},
    {"I64", DType::i64}, {"I32", DType::i32},      {"I16", DType::i16}, {"I8", DType::i8},
    {"U8", DType::u8},   {"BOOL", DType::boolean},
};

// The format's other types that take whole bytes, so that their ranges can be checked too. Of a
// type that is not here nobody knows how long it is.
struct UnreadType {
  std::string_view name;
  uint64_t bytes;
};
constexpr UnreadType kUnread[] = {
    {"U16", 2},     {"U32", 4},     {"U64", 8},         {"C64", 8},         {"F8_E4M3", 1},
    {"F8_E5M2", 1}, {"F8_E8M0", 1}, {"F8_E4M3FNUZ", 1}, {"F8_E5M2FNUZ", 1},
};

struct Entry {
  std::string name;
  std::string type;
  std::vector<int64_t> shape;
  uint64_t begin = 0;
  uint64_t end = 0;
};

// Reads exactly the JSON that a header may hold and nothing more general: no value is nested deeper
// than the format says, so there is no tree to build, no recursion, and an error knows its byte.
class HeaderParser {
 public:
  explicit HeaderParser(std::string_view text) : text_(text) {}

  Status parse(std::vector<Entry>& entries, Metadata& metadata);

 private:
  template <typename... Args>
  tl::unexpected<Error> wrong(fmt::format_string<Args...> text, Args&&... args) const {
    return fail(Code::corrupt, "byte {} of the file, in the JSON header: {}", kLengthBytes + at_,
                fmt::format(text, std::forward<Args>(args)...));
  }

  void skip_space() {
    while (at_ < text_.size() && std::string_view(" \t\r\n").find(text_[at_]) != text_.npos) ++at_;
  }
  bool next_is(char c) {
    skip_space();
    if (at_ == text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  bool next_word_is(std::string_view word) {
    skip_space();
    if (!text_.substr(at_).starts_with(word)) return false;
    at_ += word.size();
    return true;
  }
  Status expect(char c) {
    if (next_is(c)) return {};
    if (at_ == text_.size()) return wrong("it ends where '{}' should stand", c);
    return wrong("'{}' expected, found \"{}\"", c, escaped(text_.substr(at_, 1)));
  }

  // Calls member(key) for each member of an object, behind the colon.
  template <typename Member>
  Status object(Member&& member);
  // Calls element() for each element of an array.
  template <typename Element>
  Status array(Element&& element);
  Status string(std::string& out);
  Status escape(std::string& out);
  Status hex4(uint32_t& out);
  Status whole_number(uint64_t& out);
  Status shape(Entry& out);
  Status offsets(Entry& out);
  Status entry(Entry& out);
  Status metadata_object(Metadata& out);

  std::string_view text_;
  size_t at_ = 0;
};

template <typename Member>
Status HeaderParser::object(Member&& member) {
  SK_TRY_STATUS(expect('{'));
  if (next_is('}')) return {};
  do {
    skip_space();
    std::string key;
    SK_TRY_STATUS(string(key));
    SK_TRY_STATUS(expect(':'));
    SK_TRY_STATUS(member(std::move(key)));
  } while (next_is(','));
  return expect('}');
}

template <typename Element>
Status HeaderParser::array(Element&& element) {
  SK_TRY_STATUS(expect('['));
  if (next_is(']')) return {};
  do {
    SK_TRY_STATUS(element());
  } while (next_is(','));
  return expect(']');
}

Status HeaderParser::hex4(uint32_t& out) {
  out = 0;
  for (int i = 0; i < 4; ++i, ++at_) {
    const char c = at_ < text_.size() ? text_[at_] : '\0';
    uint32_t digit = 0;
    if (c >= '0' && c <= '9')
      digit = static_cast<uint32_t>(c - '0');
    else if (c >= 'a' && c <= 'f')
      digit = static_cast<uint32_t>(c - 'a' + 10);
    else if (c >= 'A' && c <= 'F')
      digit = static_cast<uint32_t>(c - 'A' + 10);
    else
      return wrong("four hexadecimal digits expected");
    out = out * 16 + digit;
  }
  return {};
}

bool is_plain(char c) { return c != '"' && c != '\\' && static_cast<unsigned char>(c) >= 0x20; }

void append_utf8(std::string& out, uint32_t c) {
  const auto put = [&out](uint32_t byte) { out += static_cast<char>(byte); };
  if (c < 0x80) {
    put(c);
  } else if (c < 0x800) {
    put(0xc0 | c >> 6);
    put(0x80 | (c & 63));
  } else if (c < 0x10000) {
    put(0xe0 | c >> 12);
    put(0x80 | (c >> 6 & 63));
    put(0x80 | (c & 63));
  } else {
    put(0xf0 | c >> 18);
    put(0x80 | (c >> 12 & 63));
    put(0x80 | (c >> 6 & 63));
    put(0x80 | (c & 63));
  }
}

Status HeaderParser::escape(std::string& out) {
  const char kind = at_ < text_.size() ? text_[at_] : '\0';
  constexpr std::string_view kLetters = "\"\\/bfnrt";
  constexpr std::string_view kMeanings = "\"\\/\b\f\n\r\t";
  if (const size_t i = kLetters.find(kind); i != kLetters.npos) {
    out += kMeanings[i];
    ++at_;
    return {};
  }
  if (kind != 'u') return wrong("an unknown escape");
  ++at_;
  uint32_t c = 0;
  SK_TRY_STATUS(hex4(c));
  if (c >= 0xd800 && c < 0xdc00 && text_.substr(at_, 2) == "\\u") {
    at_ += 2;
    uint32_t low = 0;
    SK_TRY_STATUS(hex4(low));
    if (low < 0xdc00 || low > 0xdfff) return wrong("half of a surrogate pair");
    c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
  } else if (c >= 0xd800 && c <= 0xdfff) {
    return wrong("half of a surrogate pair");
  }
  append_utf8(out, c);
  return {};
}

Status HeaderParser::string(std::string& out) {
  if (at_ == text_.size() || text_[at_] != '"') return wrong("a string expected");
  ++at_;
  while (at_ < text_.size()) {
    const char c = text_[at_];
    if (c == '"') {
      ++at_;
      return {};
    }
    if (c == '\\') {
      ++at_;
      SK_TRY_STATUS(escape(out));
      continue;
    }
    size_t end = at_;  // of what stands for itself
    for (size_t length = 1; end < text_.size() && is_plain(text_[end]); end += length) {
      length = utf8_length(text_.substr(end));
      if (length == 0) return wrong("not UTF-8");
    }
    if (end == at_) return wrong("a control byte inside a string");
    out += text_.substr(at_, end - at_);
    at_ = end;
  }
  return wrong("a string that does not end");
}

Status HeaderParser::whole_number(uint64_t& out) {
  skip_space();
  const size_t first = at_;
  out = 0;
  for (; at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9'; ++at_) {
    const auto digit = static_cast<uint64_t>(text_[at_] - '0');
    if (__builtin_mul_overflow(out, 10, &out) || __builtin_add_overflow(out, digit, &out))
      return wrong("a number above 64 bits");
  }
  if (at_ == first) return wrong("a whole number from 0 expected");
  if (text_[first] == '0' && at_ - first > 1) return wrong("a number with a leading zero");
  return {};
}

Status HeaderParser::shape(Entry& out) {
  return array([&]() -> Status {
    uint64_t axis = 0;
    SK_TRY_STATUS(whole_number(axis));
    if (out.shape.size() == limits::kAxes)
      return above_limit("axes of tensor " + escaped(out.name), limits::kAxes + 1, limits::kAxes);
    // What int64 cannot hold becomes one more than an axis may have, and is refused with it.
    out.shape.push_back(static_cast<int64_t>(std::min(axis, limits::kDimension + 1)));
    return {};
  });
}

Status HeaderParser::offsets(Entry& out) {
  std::vector<uint64_t> range;
  const Status parsed = array([&]() -> Status {
    if (range.size() == 2) return wrong("more than two data_offsets");
    return whole_number(range.emplace_back());
  });
  if (!parsed) return parsed;
  if (range.size() != 2) return wrong("two data_offsets expected");
  out.begin = range[0];
  out.end = range[1];
  return {};
}

Status HeaderParser::entry(Entry& out) {
  bool type = false, shape_seen = false, offsets_seen = false;
  const Status parsed = object([&](const std::string& key) -> Status {
    skip_space();
    if (key == "dtype" && !std::exchange(type, true)) return string(out.type);
    if (key == "shape" && !std::exchange(shape_seen, true)) return shape(out);
    if (key == "data_offsets" && !std::exchange(offsets_seen, true)) return offsets(out);
    return wrong("tensor {}: \"{}\" is unknown or stands twice", escaped(out.name), escaped(key));
  });
  if (!parsed) return parsed;
  if (!type || !shape_seen || !offsets_seen)
    return wrong("tensor {} needs dtype, shape and data_offsets", escaped(out.name));
  return {};
}

Status HeaderParser::metadata_object(Metadata& out) {
  return object([&](std::string key) -> Status {
    skip_space();
    std::string value;
    SK_TRY_STATUS(string(value));
    if (out.size() == limits::kMetadataKeys)
      return above_limit("metadata keys", limits::kMetadataKeys + 1, limits::kMetadataKeys);
    if (out.contains(key)) return wrong("the metadata key \"{}\" stands twice", escaped(key));
    out.emplace(std::move(key), std::move(value));
    return {};
  });
}

Status HeaderParser::parse(std::vector<Entry>& entries, Metadata& metadata) {
  if (text_.empty() || text_[0] != '{') return wrong("it does not begin with '{{'");
  bool has_metadata = false;
  const Status parsed = object([&](std::string key) -> Status {
    if (key == "__metadata__") {
      if (std::exchange(has_metadata, true)) return wrong("__metadata__ stands twice");
      if (next_word_is("null")) return Status();  // as if it were not there
      return metadata_object(metadata);
    }
    if (entries.size() == limits::kTensors)
      return above_limit("tensors", limits::kTensors + 1, limits::kTensors);
    Entry& added = entries.emplace_back();
    added.name = std::move(key);
    return entry(added);
  });
  if (!parsed) return parsed;
  skip_space();
  if (at_ != text_.size()) return wrong("something stands behind the object");
  return {};
}

DType dtype_of(const Entry& entry) {
  for (const TypeName& row : kTypes)
    if (row.name == entry.type) return row.type;
  return DType::unread;
}

// How many bytes an entry takes; of a type that is not known, those of its range.
Result<uint64_t> bytes_of(const Entry& entry, DType type) {
  SK_TRY(const uint64_t bytes, tensor_bytes(entry.name, type, entry.shape));
  if (type != DType::unread) return bytes;
  for (const UnreadType& row : kUnread) {
    if (row.name != entry.type) continue;
    // tensor_bytes counts an unread type's elements, below 2^63.
    const auto sized = checked_mul(bytes, row.bytes);
    if (sized) return *sized;
    return fail(Code::corrupt, "tensor {} has a shape whose product overflows",
                escaped(entry.name));
  }
  return entry.end < entry.begin ? 0 : entry.end - entry.begin;
}

// The ranges, sorted, have to follow each other from the first byte of the data to the last.
Status check_tiling(const std::vector<Entry>& entries, uint64_t data_bytes) {
  std::vector<size_t> order(entries.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&entries](size_t a, size_t b) {
    return std::pair(entries[a].begin, entries[a].end) <
           std::pair(entries[b].begin, entries[b].end);
  });
  uint64_t cursor = 0;
  for (const size_t i : order) {
    const Entry& entry = entries[i];
    if (entry.begin < cursor)
      return fail(Code::corrupt, "tensor {} overlaps the tensor before it, at byte {} of the data",
                  escaped(entry.name), entry.begin);
    if (entry.begin > cursor)
      return fail(Code::corrupt, "{} bytes before tensor {} belong to no tensor",
                  entry.begin - cursor, escaped(entry.name));
    cursor = entry.end;
  }
  if (cursor != data_bytes)
    return fail(Code::corrupt, "{} bytes follow the last tensor", data_bytes - cursor);
  return {};
}

// A zip is read from its end, so a file that ends like one could be shown to somebody else as a
// different model.
bool ends_as_zip(std::span<const std::byte> file) {
  constexpr size_t kEndRecord = 22;
  if (file.size() < kEndRecord) return false;
  const std::byte* end = file.data() + file.size();
  return std::memcmp(end - kEndRecord, "PK\5\6", 4) == 0 && std::memcmp(end - 2, "\0\0", 2) == 0;
}

uint64_t header_length(std::span<const std::byte> file) {
  uint64_t length = 0;
  std::memcpy(&length, file.data(), sizeof(length));
  return length;
}

}  // namespace

// A header that begins as it should is safetensors whatever its length says, so that a file cut
// short is called that; one that begins otherwise counts only if the length fits the file.
bool is_safetensors(std::span<const std::byte> file) {
  if (file.size() <= kLengthBytes) return false;
  const char first = static_cast<char>(file[kLengthBytes]);
  if (first == '{') return true;
  const uint64_t length = header_length(file);
  const bool json = std::string_view(" \t\r\n[\"").find(first) != std::string_view::npos;
  return json && length >= 2 && length <= file.size() - kLengthBytes;
}

bool is_safetensors_type(DType type) {
  return std::any_of(std::begin(kTypes), std::end(kTypes),
                     [type](const TypeName& row) { return row.type == type; });
}

Result<Container> read_safetensors(std::span<const std::byte> file) {
  if (file.size() <= kLengthBytes)
    return fail(Code::corrupt, "{} bytes are too short for safetensors", file.size());
  const uint64_t length = header_length(file);
  const auto body = file.subspan(kLengthBytes);
  if (length > body.size())
    return fail(Code::corrupt, "the header of {} bytes exceeds the file of {}", length,
                file.size());
  if (length > limits::kHeaderBytes)
    return fail(Code::unsupported, "the header is too large: {} bytes, the limit is {}", length,
                limits::kHeaderBytes);
  const auto header = body.first(static_cast<size_t>(length));
  const auto data = body.subspan(header.size());

  Container out;
  out.format = Format::safetensors;
  std::vector<Entry> entries;
  HeaderParser parser({reinterpret_cast<const char*>(header.data()), header.size()});
  SK_TRY_STATUS(parser.parse(entries, out.metadata));

  TensorTable table;
  for (const Entry& entry : entries) {
    const DType type = dtype_of(entry);
    SK_TRY(const uint64_t bytes, bytes_of(entry, type));
    if (entry.end < entry.begin || entry.end - entry.begin != bytes)
      return fail(Code::corrupt, "tensor {} takes {} bytes, but its range is {} to {}",
                  escaped(entry.name), bytes, entry.begin, entry.end);
    if (entry.end > data.size())
      return fail(Code::corrupt, "tensor {} ends at byte {} of the data, which has only {}",
                  escaped(entry.name), entry.end, data.size());
    const Shape shape{std::span<const int64_t>(entry.shape)};
    SK_TRY_STATUS(table.add({.name = entry.name,
                             .dtype = type,
                             .shape = shape,
                             .strides = shape.contiguous_strides(),
                             .storage = data.subspan(entry.begin, bytes),
                             .unread_type = type == DType::unread ? entry.type : ""}));
  }
  SK_TRY_STATUS(check_tiling(entries, data.size()));
  if (ends_as_zip(file)) return fail(Code::corrupt, "it is safetensors and a zip archive at once");
  out.tensors = std::move(table).take();
  return out;
}

}  // namespace skein::io
