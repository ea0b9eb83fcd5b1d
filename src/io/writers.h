// The formats' writers, for model_writer.cpp. Each runs over any sink, so that a size is what
// would be written and not a second opinion about it.
#pragma once

#include <span>

#include "base/error.h"
#include "io/model_writer.h"
#include "io/sink.h"

namespace skein::io {

// Errors: argument, before anything is appended; those of the sink.
using StreamModel = Status (*)(Sink& sink, std::span<const OutputTensor> tensors,
                               const Metadata& metadata, const WriteOptions& options);

Status stream_pth(Sink& sink, std::span<const OutputTensor> tensors, const Metadata& metadata,
                  const WriteOptions& options);
Status stream_safetensors(Sink& sink, std::span<const OutputTensor> tensors,
                          const Metadata& metadata, const WriteOptions& options);
Status stream_gguf(Sink& sink, std::span<const OutputTensor> tensors, const Metadata& metadata,
                   const WriteOptions& options);
Status stream_packed(Sink& sink, std::span<const OutputTensor> tensors, const Metadata& metadata,
                     const WriteOptions& options);

}  // namespace skein::io
