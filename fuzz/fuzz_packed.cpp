// F2: Skein's packed file. What was read, written again and read again, is the same; the numbers of
// every tensor can be read, whatever its layout.
#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "base/hash.h"
#include "fuzz/oracle.h"
#include "io/packed.h"
#include "io/sink.h"
#include "io/writers.h"
#include "quant/formats.h"
#include "quant/read.h"

namespace {

using skein::StoredTensor;
using skein::fuzz::require;

// No checksum stands in the way of the mutator.
void sign(uint8_t* data, size_t size) {
  uint64_t header = 0;
  if (size < skein::io::packed::kHeadBytes) return;
  const uint64_t file_bytes = size;
  std::memcpy(data + 24, &file_bytes, sizeof(file_bytes));
  std::memcpy(&header, data + 16, sizeof(header));
  header = std::min<uint64_t>(header, size - skein::io::packed::kHeadBytes);
  std::memcpy(data + 16, &header, sizeof(header));
  skein::Sha256 hash;
  const auto bytes = skein::fuzz::bytes_of(data, size);
  hash.update(bytes.first(skein::io::packed::kHashedHead));
  hash.update(bytes.subspan(skein::io::packed::kHeadBytes, header));
  const skein::Digest digest = hash.finish();
  std::memcpy(data + skein::io::packed::kHashedHead, digest.data(), digest.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto file = skein::fuzz::bytes_of(data, size);
  const auto first = skein::io::read_packed(file);
  skein::fuzz::check_answer(first, file);
  if (!first) return 0;
  if (const auto status = skein::io::verify_packed(file); !status)
    skein::fuzz::check_error(status.error());

  std::vector<skein::io::OutputTensor> outputs;
  std::vector<const StoredTensor*> written;
  for (const StoredTensor& tensor : first->tensors) {
    if (tensor.dtype == skein::DType::unread) continue;  // no writer has a name for its type
    written.push_back(&tensor);
    if (skein::quant::decodable(tensor.dtype) && tensor.shape.elements() > 0) {
      std::vector<float> row(static_cast<size_t>(
          tensor.shape.rank() > 0 ? tensor.shape.elements() / tensor.shape[0] : 1));
      const auto read = tensor.shape.rank() > 0
                            ? skein::quant::read_rows_f32(tensor, tensor.shape[0] - 1, 1, row)
                            : skein::quant::read_f32(tensor, row);
      if (!read) skein::fuzz::check_error(read.error());
    }
    outputs.push_back({.name = tensor.name,
                       .dtype = tensor.dtype,
                       .shape = tensor.shape,
                       .parts = {tensor},
                       .layout = tensor.layout});
  }
  skein::io::MemorySink sink;
  require(skein::io::stream_packed(sink, outputs, first->metadata, {}).has_value());
  const auto again = std::move(sink).take();
  const auto second = skein::io::read_packed(again);
  require(second.has_value() && second->tensors.size() == written.size());
  require(skein::io::verify_packed(again).has_value());
  for (size_t i = 0; i < written.size(); ++i) {
    const StoredTensor& a = *written[i];
    const StoredTensor& b = second->tensors[i];
    require(a.name == b.name && a.dtype == b.dtype && a.shape == b.shape && a.layout == b.layout);
    require(a.layout != skein::Layout::rows ||
            std::equal(a.storage.begin(), a.storage.end(), b.storage.begin(), b.storage.end()));
  }
  return 0;
}

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size,
                                          unsigned seed) {
  size = skein::fuzz::mutate_behind(skein::io::packed::kMagic, data, size, max_size, seed);
  if (seed % 16 != 1) sign(data, size);
  return size;
}
