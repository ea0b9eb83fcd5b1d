#include "io/pth_writer.h"
#include "io/writers.h"

namespace skein::io {
namespace {

Result<std::vector<std::byte>> in_memory(StreamModel stream, std::span<const NamedTensor> tensors,
                                         const Metadata& metadata, const WriteOptions& options) {
  std::vector<OutputTensor> out;
  for (const NamedTensor& tensor : tensors) {
    if (static_cast<uint64_t>(tensor.shape.elements()) != tensor.data.size())
      return fail(Code::argument, "tensor {} of shape {} comes with {} numbers",
                  escaped(tensor.name), tensor.shape.text(), tensor.data.size());
    out.push_back({.name = tensor.name,
                   .dtype = DType::f32,
                   .shape = tensor.shape,
                   .parts = {{.name = tensor.name,
                              .dtype = DType::f32,
                              .shape = tensor.shape,
                              .strides = tensor.shape.contiguous_strides(),
                              .offset = 0,
                              .storage = std::as_bytes(tensor.data)}}});
  }
  MemorySink sink;
  SK_TRY_STATUS(stream(sink, out, metadata, options));
  return std::move(sink).take();
}

}  // namespace

Result<std::vector<std::byte>> write_pth(std::span<const NamedTensor> tensors, bool as_list) {
  return in_memory(stream_pth, tensors, {}, {.as_list = as_list});
}

Result<std::vector<std::byte>> write_safetensors(
    std::span<const NamedTensor> tensors,
    const std::map<std::string, std::string, std::less<>>& metadata) {
  return in_memory(stream_safetensors, tensors, {metadata.begin(), metadata.end()}, {});
}

}  // namespace skein::io
