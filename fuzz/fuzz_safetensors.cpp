// F1: a safetensors header. What was read, written again and read again, is the same table.
#include <fmt/format.h>

#include <algorithm>

#include "fuzz/oracle.h"
#include "io/safetensors.h"

namespace {

using skein::Container;
using skein::StoredTensor;
using skein::fuzz::require;

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

std::string encode(const Container& container, std::span<const std::byte> data) {
  std::string header = "{";
  for (const StoredTensor& tensor : container.tensors) {
    const auto begin = tensor.storage.data() - data.data();
    header += fmt::format("{}{}:{{\"dtype\":\"{}\",\"shape\":{},\"data_offsets\":[{},{}]}}",
                          header.size() > 1 ? "," : "", quoted(tensor.name),
                          skein::dtype_name(tensor.dtype), tensor.shape.text(), begin,
                          begin + static_cast<ptrdiff_t>(tensor.storage.size()));
  }
  header += "}";
  const uint64_t length = header.size();
  std::string out(reinterpret_cast<const char*>(&length), sizeof(length));
  out += header;
  out.append(reinterpret_cast<const char*>(data.data()), data.size());
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto file = skein::fuzz::bytes_of(data, size);
  const auto first = skein::io::read_safetensors(file);
  skein::fuzz::check_answer(first, file);
  if (!first) return 0;
  uint64_t header = 0;
  std::memcpy(&header, data, sizeof(header));
  const std::string again = encode(*first, file.subspan(sizeof(header) + header));
  const auto second = skein::io::read_safetensors(std::as_bytes(std::span(again)));
  require(second.has_value() && second->tensors.size() == first->tensors.size());
  for (size_t i = 0; i < first->tensors.size(); ++i) {
    const StoredTensor& a = first->tensors[i];
    const StoredTensor& b = second->tensors[i];
    require(a.name == b.name && a.dtype == b.dtype && a.shape == b.shape &&
            std::equal(a.storage.begin(), a.storage.end(), b.storage.begin(), b.storage.end()));
  }
  return 0;
}

// Makes the length end the header behind its last brace.
extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size,
                                          unsigned seed) {
  size = LLVMFuzzerMutate(data, size, max_size);
  if (seed % 8 == 0 || size < 10) return size;
  const uint8_t* end = data + size;
  while (end > data + 8 && end[-1] != '}') --end;
  const auto length = static_cast<uint64_t>(end - data - 8);
  std::memcpy(data, &length, sizeof(length));
  return size;
}
