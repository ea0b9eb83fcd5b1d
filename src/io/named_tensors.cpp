#include "io/pth_writer.h"
#include "io/writers.h"

namespace skein::io {
namespace {

std::vector<OutputTensor> outputs_of(std::span<const NamedTensor> tensors) {
  std::vector<OutputTensor> out;
  for (const NamedTensor& tensor : tensors)
    out.push_back({.name = tensor.name,
                   .dtype = DType::f32,
                   .shape = tensor.shape,
                   .parts = {{.name = tensor.name,
                              .dtype = DType::f32,
                              .shape = tensor.shape,
                              .strides = tensor.shape.contiguous_strides(),
                              .offset = 0,
                              .storage = std::as_bytes(tensor.data)}}});
  return out;
}

Result<std::vector<std::byte>> in_memory(StreamModel stream, std::span<const NamedTensor> tensors,
                                         const Metadata& metadata, const WriteOptions& options) {
  for (const NamedTensor& tensor : tensors)
    if (static_cast<uint64_t>(tensor.shape.elements()) != tensor.data.size())
      return fail(Code::argument, "tensor {} of shape {} comes with {} numbers",
                  escaped(tensor.name), tensor.shape.text(), tensor.data.size());
  MemorySink sink;
  SK_TRY_STATUS(stream(sink, outputs_of(tensors), metadata, options));
  return std::move(sink).take();
}

}  // namespace

Result<std::vector<std::byte>> write_pth(std::span<const NamedTensor> tensors, bool as_list) {
  return in_memory(stream_pth, tensors, {}, {.as_list = as_list});
}

Result<uint64_t> pth_size(std::span<const NamedTensor> tensors, bool as_list) {
  return written_size(WriteFormat::pth, outputs_of(tensors), {}, {.as_list = as_list});
}

Result<std::vector<std::byte>> write_safetensors(
    std::span<const NamedTensor> tensors,
    const std::map<std::string, std::string, std::less<>>& metadata) {
  return in_memory(stream_safetensors, tensors, {metadata.begin(), metadata.end()}, {});
}

}  // namespace skein::io
