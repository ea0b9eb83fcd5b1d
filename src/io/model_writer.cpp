#include "io/model_writer.h"

#include <algorithm>
#include <iterator>
#include <utility>

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
  bool patches;  // has to know the end before it can write the beginning
};

constexpr WriterRow kWriters[] = {
    {WriteFormat::pth, "pth", ".pth", stream_pth, true},
    {WriteFormat::safetensors, "safetensors", ".safetensors", stream_safetensors, false},
    {WriteFormat::safetensors, "st", ".st", stream_safetensors, false},
    {WriteFormat::gguf, "gguf", ".gguf", stream_gguf, false},
    {WriteFormat::packed, "packed", ".skein", stream_packed, true},
};

const WriterRow& writer_of(WriteFormat format) {
  return *std::find_if(std::begin(kWriters), std::end(kWriters),
                       [&](const WriterRow& row) { return row.format == format; });
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
  SK_TRY_STATUS(writer_of(format).stream(sink, tensors, metadata, options));
  return sink.at();
}

Status write_model(const std::filesystem::path& path, WriteFormat format,
                   std::span<const OutputTensor> tensors, const Metadata& metadata,
                   const WriteOptions& options) {
  const WriterRow& row = writer_of(format);
  SK_TRY(const uint64_t total, written_size(format, tensors, metadata, options));
  SK_TRY(const int threads, thread_count(options.threads));
  SK_TRY(FileWriter writer, FileWriter::create(path, output_options(total, options)));
  Pool pool(threads);
  std::vector<Patch> patches;
  if (writer.is_stream() && row.patches) {
    // Everything is encoded twice, rather than kept: a pipe has no size.
    RehearsalSink rehearsal(total, options, &pool);
    SK_TRY_STATUS(row.stream(rehearsal, tensors, metadata, options));
    patches = std::move(rehearsal).take();
  }
  FileSink sink(std::move(writer), total, options, &pool, std::move(patches));
  SK_TRY_STATUS(row.stream(sink, tensors, metadata, options));
  return sink.commit();
}

}  // namespace skein::io
