#include "io/gguf.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <numeric>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "base/reader.h"
#include "io/tensor_table.h"

namespace skein::io {
namespace {

constexpr uint32_t kDefaultAlignment = 32;
constexpr uint32_t kMaxAlignment = 2 * limits::kMiB;  // a huge page; nobody can want more
// The least that a pair and a tensor record take: what bounds their counts before any is read.
constexpr uint64_t kPairBytes = 8 + 4 + 1;
constexpr uint64_t kTensorBytes = 8 + 4 + 4 + 8;
// Elements of all arrays together. An u8 becomes eight bytes in memory, so 16 MiB of them would
// break the bound of 64 MiB beside the strings.
constexpr uint64_t kAllElements = 4 * limits::kArrayElements;

enum ValueType : uint32_t {
  kU8,
  kI8,
  kU16,
  kI16,
  kU32,
  kI32,
  kF32,
  kBool,
  kString,
  kArray,
  kU64,
  kI64,
  kF64,
  kValueTypes,
};

// Bytes of a value; of a string or array the least.
constexpr uint64_t kValueBytes[kValueTypes] = {1, 1, 2, 2, 4, 4, 4, 1, 8, 12, 8, 8, 8};

struct TensorType {
  uint32_t id;
  DType type;
};
// 4, 5, 31 to 33 and 36 to 38 were withdrawn.
constexpr TensorType kTensorTypes[] = {
    {0, DType::f32},      {1, DType::f16},     {2, DType::q4_0},     {3, DType::q4_1},
    {6, DType::q5_0},     {7, DType::q5_1},    {8, DType::q8_0},     {9, DType::q8_1},
    {10, DType::q2_k},    {11, DType::q3_k},   {12, DType::q4_k},    {13, DType::q5_k},
    {14, DType::q6_k},    {15, DType::q8_k},   {16, DType::iq2_xxs}, {17, DType::iq2_xs},
    {18, DType::iq3_xxs}, {19, DType::iq1_s},  {20, DType::iq4_nl},  {21, DType::iq3_s},
    {22, DType::iq2_s},   {23, DType::iq4_xs}, {24, DType::i8},      {25, DType::i16},
    {26, DType::i32},     {27, DType::i64},    {28, DType::f64},     {29, DType::iq1_m},
    {30, DType::bf16},    {34, DType::tq1_0},  {35, DType::tq2_0},   {39, DType::mxfp4},
};

std::optional<DType> dtype_of(uint32_t id) {
  for (const TensorType& row : kTensorTypes)
    if (row.id == id) return row.type;
  return std::nullopt;
}

// Where a tensor lies in the data section.
struct Extent {
  uint64_t begin;
  uint64_t end;
  size_t tensor;
};

class GgufReader {
 public:
  GgufReader(std::span<const std::byte> file, bool part)
      : file_(file),
        part_(part),
        reader_(file.first(std::min<uint64_t>(file.size(), limits::kHeaderBytes))) {}

  Result<Container> read();

 private:
  Status read_head();
  Status read_pair();
  Status read_tensor();
  Status place_tensors();
  Status check_known_keys();

  Status string(std::string_view what, std::string_view& out);
  Result<std::string> name(std::string_view what);
  Status value(const std::string& key, uint32_t type);
  Status array(const std::string& key);
  template <typename Stored, typename Kept>
  Status numbers(const std::string& key, uint64_t count);
  Status strings(const std::string& key, uint64_t count);
  Status skip_nested(const std::string& key, uint64_t count);
  Status check_count(const std::string& key, uint32_t type, uint64_t count);
  Status keep(const std::string& key, MetaValue value);
  tl::unexpected<Error> cut_off(std::string_view what) const;

  std::span<const std::byte> file_;
  bool part_;
  Reader reader_;
  Container out_;
  uint64_t tensor_count_ = 0;
  uint64_t pair_count_ = 0;
  uint64_t elements_ = 0;  // of all arrays
  uint64_t alignment_ = kDefaultAlignment;
  TensorTable table_;
  std::vector<uint64_t> offsets_;  // of the tensors in table_, in the data section
};

tl::unexpected<Error> GgufReader::cut_off(std::string_view what) const {
  if (file_.size() > limits::kHeaderBytes)
    return fail(Code::unsupported, "{} does not end within the limit of {} bytes of metadata", what,
                limits::kHeaderBytes);
  return fail(Code::corrupt, "the file ends inside {}, at byte {}", what, reader_.offset());
}

Status GgufReader::string(std::string_view what, std::string_view& out) {
  const uint64_t length = reader_.u64();
  if (reader_.ok() && length > file_.size() - reader_.offset())
    return fail(Code::corrupt, "{} claims {} bytes, more than are left", what, length);
  out = reader_.text(length);
  return reader_.ok() ? Status() : Status(cut_off(what));
}

Result<std::string> GgufReader::name(std::string_view what) {
  std::string_view out;
  SK_TRY_STATUS(string(what, out));
  SK_TRY_STATUS(check_name(what, out));
  return std::string(out);
}

Status GgufReader::keep(const std::string& key, MetaValue value) {
  if (!reader_.ok()) return cut_off("the value of " + escaped(key));
  if (!out_.metadata.emplace(key, std::move(value)).second)
    return fail(Code::corrupt, "the key {} stands twice", escaped(key));
  return {};
}

Status GgufReader::check_count(const std::string& key, uint32_t type, uint64_t count) {
  if (type >= kValueTypes)
    return fail(Code::corrupt, "{} is an array of the unknown type {}", escaped(key), type);
  if (count > (file_.size() - reader_.offset()) / kValueBytes[type])
    return fail(Code::corrupt, "{} claims {} array elements, more than there are bytes",
                escaped(key), count);
  if (count > limits::kArrayElements)
    return above_limit("elements in " + escaped(key), count, limits::kArrayElements);
  elements_ += count;
  if (elements_ > kAllElements)
    return above_limit("array elements in the metadata", elements_, kAllElements);
  return {};
}

template <typename Stored, typename Kept>
Status GgufReader::numbers(const std::string& key, uint64_t count) {
  const auto raw = reader_.bytes(count * sizeof(Stored));
  if (!reader_.ok()) return cut_off("the array " + escaped(key));
  std::vector<Kept> kept;
  kept.reserve(count);
  for (uint64_t i = 0; i < count; ++i) {
    Stored number;
    std::memcpy(&number, raw.data() + i * sizeof(Stored), sizeof(Stored));
    if constexpr (std::is_same_v<Kept, bool>) {
      if (number > 1) return fail(Code::corrupt, "{} has a bool of {}", escaped(key), number);
      kept.push_back(number != 0);
    } else {
      kept.push_back(static_cast<Kept>(number));
    }
  }
  return keep(key, std::move(kept));
}

Status GgufReader::strings(const std::string& key, uint64_t count) {
  std::vector<std::string> kept;
  kept.reserve(count);
  for (uint64_t i = 0; i < count; ++i) {
    std::string_view text;
    SK_TRY_STATUS(string("an element of " + escaped(key), text));
    kept.emplace_back(text);
  }
  return keep(key, std::move(kept));
}

// Arrays of arrays say nothing about RWKV. They are walked so that what follows can be read.
Status GgufReader::skip_nested(const std::string& key, uint64_t count) {
  std::vector<uint64_t> left{count};  // arrays still to come, outermost first
  while (!left.empty()) {
    if (left.back() == 0) {
      left.pop_back();
      continue;
    }
    --left.back();
    const uint32_t type = reader_.u32();
    const uint64_t inner = reader_.u64();
    if (!reader_.ok()) return cut_off("the array " + escaped(key));
    SK_TRY_STATUS(check_count(key, type, inner));
    if (type == kArray) {
      if (left.size() + 1 == limits::kArrayDepth)
        return fail(Code::corrupt, "{} has arrays nested deeper than {}", escaped(key),
                    limits::kArrayDepth);
      left.push_back(inner);
    } else if (type == kString) {
      std::string_view text;
      for (uint64_t i = 0; i < inner; ++i)
        SK_TRY_STATUS(string("an element of " + escaped(key), text));
    } else {
      reader_.skip(inner * kValueBytes[type]);
    }
  }
  out_.notes.push_back(
      fmt::format("the metadata {} is an array of arrays and was ignored", escaped(key)));
  return keep(key, std::vector<std::string>{});
}

Status GgufReader::array(const std::string& key) {
  const uint32_t type = reader_.u32();
  const uint64_t count = reader_.u64();
  if (!reader_.ok()) return cut_off("the array " + escaped(key));
  SK_TRY_STATUS(check_count(key, type, count));
  switch (type) {
    case kU8: return numbers<uint8_t, uint64_t>(key, count);
    case kI8: return numbers<int8_t, int64_t>(key, count);
    case kU16: return numbers<uint16_t, uint64_t>(key, count);
    case kI16: return numbers<int16_t, int64_t>(key, count);
    case kU32: return numbers<uint32_t, uint64_t>(key, count);
    case kI32: return numbers<int32_t, int64_t>(key, count);
    case kU64: return numbers<uint64_t, uint64_t>(key, count);
    case kI64: return numbers<int64_t, int64_t>(key, count);
    case kF32: return numbers<float, double>(key, count);
    case kF64: return numbers<double, double>(key, count);
    case kBool: return numbers<uint8_t, bool>(key, count);
    case kString: return strings(key, count);
    default: return skip_nested(key, count);
  }
}

Status GgufReader::value(const std::string& key, uint32_t type) {
  switch (type) {
    case kU8: return keep(key, uint64_t{reader_.u8()});
    case kI8: return keep(key, int64_t{reader_.number<int8_t>()});
    case kU16: return keep(key, uint64_t{reader_.u16()});
    case kI16: return keep(key, int64_t{reader_.number<int16_t>()});
    case kU32: return keep(key, uint64_t{reader_.u32()});
    case kI32: return keep(key, int64_t{reader_.i32()});
    case kU64: return keep(key, reader_.u64());
    case kI64: return keep(key, reader_.i64());
    case kF32: return keep(key, double{reader_.number<float>()});
    case kF64: return keep(key, reader_.number<double>());
    case kBool: {
      const uint8_t flag = reader_.u8();
      if (flag > 1) return fail(Code::corrupt, "{} is a bool of {}", escaped(key), flag);
      return keep(key, flag == 1);
    }
    case kString: {
      std::string_view text;
      SK_TRY_STATUS(string("the value of " + escaped(key), text));
      return keep(key, std::string(text));
    }
    case kArray: return array(key);
    default: return fail(Code::corrupt, "{} has the unknown value type {}", escaped(key), type);
  }
}

Status GgufReader::read_head() {
  reader_.skip(4);  // the magic
  const uint32_t version = reader_.u32();
  tensor_count_ = reader_.u64();
  pair_count_ = reader_.u64();
  if (!reader_.ok()) return cut_off("the head");
  const uint32_t swapped = __builtin_bswap32(version);
  if (swapped >= 1 && swapped <= 3)
    return fail(Code::unsupported, "GGUF version {} in big-endian byte order", swapped);
  if (version != 2 && version != 3)
    return fail(Code::unsupported, "GGUF version {}, only 2 and 3 are supported", version);
  out_.version = static_cast<int>(version);
  const uint64_t left = file_.size() - reader_.offset();
  if (pair_count_ > left / kPairBytes)
    return fail(Code::corrupt, "{} metadata pairs claimed, more than {} bytes can hold",
                pair_count_, left);
  if (tensor_count_ > left / kTensorBytes)
    return fail(Code::corrupt, "{} tensors claimed, more than {} bytes can hold", tensor_count_,
                left);
  if (pair_count_ > limits::kMetadataKeys)
    return above_limit("metadata pairs", pair_count_, limits::kMetadataKeys);
  if (tensor_count_ > limits::kTensors)
    return above_limit("tensors", tensor_count_, limits::kTensors);
  return {};
}

Status GgufReader::read_pair() {
  SK_TRY(const std::string key, name("a metadata key"));
  const uint32_t type = reader_.u32();
  if (!reader_.ok()) return cut_off("the metadata key " + escaped(key));
  if (key == "general.alignment" && type != kU32)
    return fail(Code::corrupt, "general.alignment has value type {}, it has to be u32", type);
  return value(key, type);
}

Status GgufReader::check_known_keys() {
  if (const auto found = out_.metadata.find("general.alignment"); found != out_.metadata.end()) {
    alignment_ = std::get<uint64_t>(found->second);
    if (!std::has_single_bit(alignment_) || alignment_ > kMaxAlignment)
      return fail(Code::corrupt, "general.alignment is {}, which is no power of two up to {}",
                  alignment_, kMaxAlignment);
  }
  if (const auto found = out_.metadata.find("split.count"); found != out_.metadata.end()) {
    const auto* count = std::get_if<uint64_t>(&found->second);
    if (!part_ && (!count || *count > 1))
      return fail(Code::unsupported,
                  "part of a model split into several files (split.count); name the first, "
                  "...-00001-of-....gguf, which brings the others");
  }
  return {};
}

Status GgufReader::read_tensor() {
  SK_TRY(std::string tensor_name, name("a tensor"));
  const uint32_t rank = reader_.u32();
  if (reader_.ok() && rank > limits::kAxes)
    return fail(Code::corrupt, "tensor {} has {} axes, the limit is {}", escaped(tensor_name), rank,
                limits::kAxes);
  std::vector<int64_t> axes;
  for (uint32_t i = 0; i < rank; ++i) axes.push_back(reader_.i64());
  std::reverse(axes.begin(), axes.end());
  const uint32_t type_id = reader_.u32();
  offsets_.push_back(reader_.u64());
  if (!reader_.ok()) return cut_off("the tensor record " + escaped(tensor_name));
  const auto type = dtype_of(type_id);
  const Shape shape{std::span<const int64_t>(axes)};
  // Sizes first, so that nothing later multiplies what has not been checked.
  SK_TRY_STATUS(tensor_bytes(tensor_name, type.value_or(DType::unread), axes).map([](uint64_t) {}));
  return table_.add({.name = std::move(tensor_name),
                     .dtype = type.value_or(DType::unread),
                     .shape = shape,
                     .strides = shape.contiguous_strides(),
                     .storage = {},
                     .unread_type = type ? "" : fmt::format("number {}", type_id)});
}

// Gives each tensor its bytes. Tensors may stand in any order and with padding between them, but
// never outside the data or over each other.
Status GgufReader::place_tensors() {
  const uint64_t mask = alignment_ - 1;
  const uint64_t data_begin = (reader_.offset() + mask) & ~mask;
  const auto data = file_.subspan(std::min<uint64_t>(data_begin, file_.size()));
  auto tensors = std::move(table_).take();
  std::vector<Extent> extents;
  std::vector<uint64_t> sorted = offsets_;
  std::sort(sorted.begin(), sorted.end());
  for (size_t i = 0; i < tensors.size(); ++i) {
    StoredTensor& tensor = tensors[i];
    const uint64_t offset = offsets_[i];
    SK_TRY(uint64_t bytes, tensor_bytes(tensor.name, tensor.dtype, tensor.shape.axes()));
    if (tensor.dtype == DType::unread) {
      // How much such numbers take, nobody knows; at most what is left before the next tensor.
      const auto next = std::upper_bound(sorted.begin(), sorted.end(), offset);
      const uint64_t end =
          next == sorted.end() ? data.size() : std::min<uint64_t>(*next, data.size());
      bytes = end > offset ? end - offset : 0;
    }
    if (offset & mask)
      return fail(Code::corrupt, "tensor {} has the offset {}, which is no multiple of {}",
                  escaped(tensor.name), offset, alignment_);
    if (offset > data.size() || bytes > data.size() - offset)
      return fail(Code::corrupt, "tensor {} takes {} bytes at {} of the data, which has only {}",
                  escaped(tensor.name), bytes, offset, data.size());
    tensor.storage = data.subspan(offset, bytes);
    if (bytes > 0) extents.push_back({offset, offset + bytes, i});
  }
  std::sort(extents.begin(), extents.end(),
            [](const Extent& a, const Extent& b) { return a.begin < b.begin; });
  for (size_t i = 1; i < extents.size(); ++i)
    if (extents[i].begin < extents[i - 1].end)
      return fail(Code::corrupt, "the tensors {} and {} overlap",
                  escaped(tensors[extents[i - 1].tensor].name),
                  escaped(tensors[extents[i].tensor].name));
  out_.tensors = std::move(tensors);
  return {};
}

Result<Container> GgufReader::read() {
  out_.format = Format::gguf;
  SK_TRY_STATUS(read_head());
  for (uint64_t i = 0; i < pair_count_; ++i) SK_TRY_STATUS(read_pair());
  SK_TRY_STATUS(check_known_keys());
  for (uint64_t i = 0; i < tensor_count_; ++i) SK_TRY_STATUS(read_tensor());
  SK_TRY_STATUS(place_tensors());
  return std::move(out_);
}

}  // namespace

bool is_gguf(std::span<const std::byte> file) {
  return file.size() >= 4 && std::memcmp(file.data(), "GGUF", 4) == 0;
}

bool gguf_type_id(DType type, uint32_t& id) {
  for (const TensorType& row : kTensorTypes) {
    if (row.type != type) continue;
    id = row.id;
    return true;
  }
  return false;
}

Result<Container> read_gguf(std::span<const std::byte> file) {
  return GgufReader(file, /*part=*/false).read();
}

Result<Container> read_gguf_part(std::span<const std::byte> file) {
  return GgufReader(file, /*part=*/true).read();
}

}  // namespace skein::io
