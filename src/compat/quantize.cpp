#include <algorithm>
#include <cstdint>
#include <string_view>
#include <variant>
#include <vector>

#include "base/file.h"
#include "compat/diagnosis.h"
#include "compat/errors.h"
#include "io/container.h"
#include "io/ggmf.h"
#include "io/ggmf_writer.h"

using namespace skein;
using namespace skein::compat;

namespace {

constexpr DType kTypes[] = {DType::q4_0, DType::q4_1, DType::q5_0, DType::q5_1, DType::q8_0};

bool is_float(DType type) { return type == DType::f32 || type == DType::f16; }

Outcome<DType> wanted_type(std::string_view name) {
  std::string known;
  for (const DType type : kTypes) {
    if (name == dtype_name(type)) return type;
    known += (known.empty() ? "" : ", ") + std::string(dtype_name(type));
  }
  return failure(RWKV_ERROR_ARGS | RWKV_ERROR_DATA_TYPE,
                 fmt::format("the format \"{}\" is not one of {}, which rwkv.cpp has; the program "
                             "skein quantize has others",
                             escaped(name), known));
}

// rwkv.cpp's rule, which looks for parts of names. It leaves alone what costs quality and saves
// little: the ends of the model and what RWKV-7 has in place of mixes.
bool is_quantised(const StoredTensor& tensor) {
  if (!is_float(tensor.dtype) || tensor.shape.rank() != 2) return false;
  if (tensor.name == "emb.weight" || tensor.name == "head.weight") return false;
  constexpr std::string_view kExempt[] = {"att.w1", "att.w2", "att.a1", "att.a2", "att.v1",
                                          "att.v2", "att.g1", "att.g2", "att.r_k"};
  return std::none_of(std::begin(kExempt), std::end(kExempt), [&](std::string_view part) {
    return tensor.name.find(part) != std::string::npos;
  });
}

int32_t head_number(const Container& container, const char* key) {
  return static_cast<int32_t>(std::get<int64_t>(container.metadata.find(key)->second));
}

Outcome<Container> read_source(const char* path, const File& file) {
  if (!io::is_ggmf(file.bytes()))
    return failure(RWKV_ERROR_FILE | RWKV_ERROR_FILE_MAGIC,
                   fmt::format("{}: only rwkv.cpp's .bin can be quantised here; the program skein "
                               "quantize takes other files",
                               escaped(path)));
  auto container = io::read_container(file.bytes(), file.name());
  if (!container) return tl::unexpected(opening_failure(path, std::move(container).error()));
  const auto type = io::ggmf_dtype(head_number(*container, "data_type"));
  if (!type || !is_float(*type))
    return failure(RWKV_ERROR_FILE | RWKV_ERROR_DATA_TYPE,
                   fmt::format("{}: quantised already; FP32 or FP16 is wanted", file.name()));
  return std::move(*container);
}

Outcome<void> quantise(const char* in, const char* out, const char* format) {
  SK_TRY_STATUS(require(in, "model_file_path_in"));
  SK_TRY_STATUS(require(out, "model_file_path_out"));
  SK_TRY_STATUS(require(format, "format_name"));
  SK_TRY(const DType type, wanted_type(format));
  auto file = File::map(in);
  if (!file) return tl::unexpected(opening_failure(in, std::move(file).error()));
  SK_TRY(const Container source, read_source(in, *file));
  std::vector<io::OutputTensor> tensors;
  for (const StoredTensor& tensor : source.tensors)
    tensors.push_back({.name = tensor.name,
                       .dtype = is_quantised(tensor) ? type : tensor.dtype,
                       .shape = tensor.shape,
                       .parts = {tensor}});
  const io::GgmfHead head = {.vocab = head_number(source, "n_vocab"),
                             .width = head_number(source, "n_embed"),
                             .layers = head_number(source, "n_layer"),
                             .type = type};
  io::WriteOptions options;
  options.overwrite = true;
  options.intact = [&file] { return file->intact(); };
  const Status written = io::write_ggmf(out, head, tensors, options);
  if (written) return {};
  if (!file->intact())
    return failure(RWKV_ERROR_FILE | RWKV_ERROR_FILE_READ,
                   fmt::format("{}: became shorter while it was read", file->name()));
  Failure failed(written.error());
  if (written.error().code == Code::io) failed.flags = RWKV_ERROR_FILE | RWKV_ERROR_FILE_WRITE;
  // Rows that are not whole blocks, numbers without a finite scale.
  if (written.error().code == Code::argument || written.error().code == Code::corrupt)
    failed.flags = RWKV_ERROR_MODEL_PARAMS | RWKV_ERROR_DATA;
  return tl::unexpected(std::move(failed));
}

}  // namespace

bool rwkv_quantize_model_file(const char* model_file_path_in, const char* model_file_path_out,
                              const char* format_name) {
  return guarded(nullptr,
                 [&] { return quantise(model_file_path_in, model_file_path_out, format_name); });
}
