#include <algorithm>
#include <limits>
#include <type_traits>
#include <utility>

#include "base/limits.h"
#include "io/gguf.h"
#include "io/output_tensor.h"
#include "io/tensor_table.h"
#include "io/writers.h"

namespace skein::io {
namespace {

constexpr uint64_t kAlignment = 32;
constexpr uint32_t kVersion = 3;
constexpr size_t kNameBytes = 63;  // ggml keeps names in 64 bytes with a zero at the end

enum ValueType : uint32_t {
  kU32 = 4,
  kI32 = 5,
  kF32 = 6,
  kBool = 7,
  kString = 8,
  kArray = 9,
  kU64 = 10,
  kI64 = 11,
};

template <typename T>
constexpr bool kIsVector = false;
template <typename T>
constexpr bool kIsVector<std::vector<T>> = true;

// These describe the file that was read, and not this one.
bool is_own_key(std::string_view key) {
  return key == "general.alignment" || key.starts_with("split.");
}

class GgufMetadata {
 public:
  explicit GgufMetadata(Bytes& out) : out_(out) {}

  Status pair(const std::string& key, const MetaValue& value) {
    if (auto status = check_name("a metadata key", key); !status)
      return fail(Code::argument, "{}", status.error().message);
    string(key);
    std::visit([this](const auto& held) { write(held); }, value);
    return {};
  }

 private:
  void string(std::string_view text) {
    out_.number(uint64_t{text.size()});
    out_.text(text);
  }

  template <typename Held>
  void write(const Held& held) {
    if constexpr (kIsVector<Held>) {
      const uint32_t type = type_of(held, /*list=*/true);
      out_.number(uint32_t{kArray});
      out_.number(type);
      out_.number(uint64_t{held.size()});
      for (const typename Held::value_type& element : held) put(type, element);
    } else {
      const uint32_t type = type_of(std::vector<Held>{held}, /*list=*/false);
      out_.number(type);
      put(type, held);
    }
  }

  // The narrowest that llama.cpp asks for and that holds all. A list of signed numbers stays
  // signed: types of tokens are i32.
  template <typename T>
  static uint32_t type_of(const std::vector<T>& values, bool list) {
    if constexpr (std::is_same_v<T, bool>) {
      return kBool;
    } else if constexpr (std::is_same_v<T, double>) {
      return kF32;
    } else if constexpr (std::is_same_v<T, std::string>) {
      return kString;
    } else {
      const auto all_fit = [&values]<typename To>(To) {
        return std::all_of(values.begin(), values.end(),
                           [](T value) { return std::in_range<To>(value); });
      };
      constexpr bool kSigned = std::is_signed_v<T>;
      if (!(kSigned && list) && all_fit(uint32_t{})) return kU32;
      if (kSigned) return all_fit(int32_t{}) ? kI32 : kI64;
      return kU64;
    }
  }

  template <typename T>
  void put(uint32_t type, const T& value) {
    if constexpr (std::is_same_v<T, std::string>) {
      string(value);
    } else if constexpr (std::is_same_v<T, bool>) {
      out_.number(static_cast<uint8_t>(value));
    } else if constexpr (std::is_same_v<T, double>) {
      out_.number(static_cast<float>(value));
    } else if (type == kU32 || type == kI32) {
      out_.number(static_cast<uint32_t>(value));
    } else {
      out_.number(static_cast<uint64_t>(value));
    }
  }

  Bytes& out_;
};

uint64_t padded(uint64_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

Status tensor_record(Bytes& out, const OutputTensor& tensor, uint64_t offset) {
  uint32_t type = 0;
  if (!gguf_type_id(tensor.dtype, type) || tensor.layout != Layout::rows ||
      tensor.shape.rank() > static_cast<int>(limits::kAxes) || tensor.name.size() > kNameBytes)
    return fail(Code::argument, "tensor {} of {} {} cannot stand in a GGUF{}", escaped(tensor.name),
                dtype_name(tensor.dtype), tensor.shape.text(),
                tensor.name.size() > kNameBytes ? ": its name is too long" : "");
  out.number(uint64_t{tensor.name.size()});
  out.text(tensor.name);
  out.number(static_cast<uint32_t>(tensor.shape.rank()));
  for (int axis = tensor.shape.rank() - 1; axis >= 0; --axis) out.number(tensor.shape[axis]);
  out.number(type);
  out.number(offset);
  return {};
}

}  // namespace

Status stream_gguf(Sink& sink, std::span<const OutputTensor> tensors, const Metadata& metadata,
                   const WriteOptions&) {
  SK_TRY_STATUS(check_outputs(tensors, /*named=*/true));
  const auto pairs = static_cast<uint64_t>(std::count_if(
      metadata.begin(), metadata.end(), [](const auto& pair) { return !is_own_key(pair.first); }));
  if (pairs > limits::kMetadataKeys)
    return fail(Code::argument, "{} metadata keys, more than the limit of {}", pairs,
                limits::kMetadataKeys);
  Bytes head;
  head.text("GGUF");
  head.number(kVersion);
  head.number(uint64_t{tensors.size()});
  head.number(pairs);
  GgufMetadata writer(head);
  for (const auto& [key, value] : metadata)
    if (!is_own_key(key)) SK_TRY_STATUS(writer.pair(key, value));
  uint64_t offset = 0;
  for (const OutputTensor& tensor : tensors) {
    SK_TRY_STATUS(tensor_record(head, tensor, offset));
    SK_TRY(const uint64_t bytes, output_bytes(tensor));
    offset += padded(bytes);
  }
  if (head.size() > limits::kHeaderBytes)
    return fail(Code::argument, "{} bytes of metadata, the limit is {}", head.size(),
                limits::kHeaderBytes);
  SK_TRY_STATUS(sink.append(head));
  SK_TRY_STATUS(sink.align(kAlignment));
  for (const OutputTensor& tensor : tensors) {
    SK_TRY_STATUS(sink.tensor(tensor));
    SK_TRY_STATUS(sink.align(kAlignment));  // the last one too: ggml reads it with its padding
  }
  return {};
}

}  // namespace skein::io
