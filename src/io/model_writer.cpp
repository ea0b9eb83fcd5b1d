#include "io/model_writer.h"

#include <memory>

#include "base/file_writer.h"
#include "base/pool.h"
#include "io/writers.h"

namespace skein::io {
namespace {

struct WriterRow {
  WriteFormat format;
  std::string_view name;
  std::string_view ending;
  StreamModel stream;
};

constexpr WriterRow kWriters[] = {
    {WriteFormat::pth, "pth", ".pth", stream_pth},
    {WriteFormat::safetensors, "safetensors", ".safetensors", stream_safetensors},
    {WriteFormat::safetensors, "st", ".st", stream_safetensors},
    {WriteFormat::gguf, "gguf", ".gguf", stream_gguf},
    {WriteFormat::packed, "packed", ".skein", stream_packed},
};

StreamModel stream_of(WriteFormat format) {
  for (const WriterRow& row : kWriters)
    if (row.format == format) return row.stream;
  return nullptr;
}

}  // namespace

bool write_format_from(std::string_view name, WriteFormat& out) {
  for (const WriterRow& row : kWriters) {
    if (name != row.name && name != row.ending) continue;
    out = row.format;
    return true;
  }
  return false;
}

Result<uint64_t> written_size(WriteFormat format, std::span<const OutputTensor> tensors,
                              const Metadata& metadata, const WriteOptions& options) {
  CountingSink sink;
  SK_TRY_STATUS(stream_of(format)(sink, tensors, metadata, options));
  return sink.at();
}

Status write_model(const std::filesystem::path& path, WriteFormat format,
                   std::span<const OutputTensor> tensors, const Metadata& metadata,
                   const WriteOptions& options) {
  SK_TRY(const uint64_t total, written_size(format, tensors, metadata, options));
  SK_TRY(const int threads, thread_count(options.threads));
  SK_TRY(FileWriter writer, FileWriter::create(path, total, options.overwrite));
  Pool pool(threads);
  FileSink sink(std::move(writer), total, options, &pool);
  SK_TRY_STATUS(stream_of(format)(sink, tensors, metadata, options));
  return sink.commit();
}

}  // namespace skein::io
