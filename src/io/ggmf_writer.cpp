#include "io/ggmf_writer.h"

#include <optional>

#include "base/file_writer.h"
#include "base/limits.h"
#include "base/pool.h"
#include "io/ggmf.h"
#include "io/output_tensor.h"
#include "io/sink.h"

namespace skein::io {
namespace {

constexpr int32_t kMagic = 0x67676d66;
constexpr int32_t kVersion = 101;
constexpr int kMaxAxes = 3;

std::optional<int32_t> type_id(DType type) {
  for (int32_t id = 0; id <= kLastGgmfType; ++id)
    if (ggmf_dtype(id) == type) return id;
  return std::nullopt;
}

Status tensor_record(Bytes& out, const OutputTensor& tensor) {
  const auto type = type_id(tensor.dtype);
  bool fits = type && tensor.layout == Layout::rows && tensor.shape.rank() >= 1 &&
              tensor.shape.rank() <= kMaxAxes;
  for (const int64_t axis : tensor.shape.axes()) fits = fits && axis > 0 && axis <= INT32_MAX;
  if (!fits)
    return fail(Code::argument, "tensor {} of {} {} cannot stand in rwkv.cpp's .bin",
                escaped(tensor.name), dtype_name(tensor.dtype), tensor.shape.text());
  out.number(static_cast<int32_t>(tensor.shape.rank()));
  out.number(static_cast<int32_t>(tensor.name.size()));  // check_outputs has bounded it
  out.number(*type);
  for (int axis = tensor.shape.rank() - 1; axis >= 0; --axis)
    out.number(static_cast<int32_t>(tensor.shape[axis]));
  out.text(tensor.name);
  return {};
}

Status stream_ggmf(Sink& sink, const GgmfHead& head, std::span<const OutputTensor> tensors) {
  SK_TRY_STATUS(check_outputs(tensors, /*named=*/true));
  const auto type = type_id(head.type);
  if (!type)
    return fail(Code::argument, "rwkv.cpp's .bin has no number for {}", dtype_name(head.type));
  Bytes record;
  for (const int32_t number : {kMagic, kVersion, head.vocab, head.width, head.layers, *type})
    record.number(number);
  SK_TRY_STATUS(sink.append(record));
  for (const OutputTensor& tensor : tensors) {
    Bytes of_tensor;
    SK_TRY_STATUS(tensor_record(of_tensor, tensor));
    SK_TRY_STATUS(sink.append(of_tensor));
    SK_TRY_STATUS(sink.tensor(tensor));
  }
  return {};
}

}  // namespace

Status write_ggmf(const std::filesystem::path& path, const GgmfHead& head,
                  std::span<const OutputTensor> tensors, const WriteOptions& options) {
  CountingSink count;
  SK_TRY_STATUS(stream_ggmf(count, head, tensors));
  SK_TRY(const int threads, thread_count(options.threads));
  SK_TRY(FileWriter writer, FileWriter::create(path, output_options(count.at(), options)));
  Pool pool(threads);
  FileSink sink(std::move(writer), count.at(), options, &pool);
  SK_TRY_STATUS(stream_ggmf(sink, head, tensors));
  return sink.commit();
}

}  // namespace skein::io
