#include "compat/diagnosis.h"

#include <utility>

#include "arch/registry.h"
#include "base/reader.h"
#include "io/ggmf.h"
#include "io/model_files.h"

namespace skein::compat {
namespace {

// Of a .bin that its reader refused with `code`.
rwkv_error_flags ggmf_flags(std::span<const std::byte> file, Code code) {
  Reader reader(file);
  reader.skip(4);  // the magic
  const int32_t version = reader.i32();
  reader.skip(3 * 4);  // the sizes
  const int32_t type = reader.i32();
  if (!reader.ok()) return RWKV_ERROR_FILE | RWKV_ERROR_FILE_READ;
  if (version < RWKV_FILE_VERSION_MIN || version > RWKV_FILE_VERSION_MAX)
    return RWKV_ERROR_FILE | RWKV_ERROR_FILE_VERSION;
  if (!io::ggmf_dtype(type)) return RWKV_ERROR_FILE | RWKV_ERROR_DATA_TYPE;
  if (code == Code::unsupported) return RWKV_ERROR_MODEL_PARAMS | RWKV_ERROR_DATA_TYPE;
  if (code == Code::mismatch) return RWKV_ERROR_MODEL_PARAMS | RWKV_ERROR_DIMENSION;
  return RWKV_ERROR_MODEL_PARAMS | RWKV_ERROR_FILE_READ;
}

// Of what is no model file at all, or a broken one.
rwkv_error_flags file_flags(const char* path, Code code) {
  const auto file = File::map(path);
  if (!file)
    return RWKV_ERROR_FILE | (file.error().code == Code::corrupt ? RWKV_ERROR_FILE_READ  // empty
                                                                 : RWKV_ERROR_FILE_OPEN);
  if (io::is_ggmf(file->bytes())) return ggmf_flags(file->bytes(), code);
  return RWKV_ERROR_FILE |
         (code == Code::unsupported ? RWKV_ERROR_FILE_MAGIC : RWKV_ERROR_FILE_READ);
}

// Of a file that can be read but is no model, or one with tensors that do not fit.
rwkv_error_flags model_flags(const Container& container, Code code) {
  const arch::Identified what = arch::identify(container);
  if (!what.design || !what.design->open) return RWKV_ERROR_MODEL | RWKV_ERROR_UNSUPPORTED;
  if (code == Code::corrupt) return RWKV_ERROR_MODEL_PARAMS | RWKV_ERROR_DATA;
  if (code == Code::unsupported) return RWKV_ERROR_MODEL_PARAMS | RWKV_ERROR_DATA_TYPE;
  const auto named = arch::official_model(container, what, "");
  const auto architecture = named ? what.design->open(*named, "") : tl::unexpected(named.error());
  if (architecture)
    for (const arch::WeightSpec& spec : (*architecture)->weights())
      if (!spec.unused && !named->tensors.contains(spec.name))
        return RWKV_ERROR_MODEL_PARAMS | RWKV_ERROR_PARAM_MISSING;
  return RWKV_ERROR_MODEL_PARAMS | RWKV_ERROR_SHAPE;
}

}  // namespace

Failure opening_failure(const char* path, Error error) {
  const Code code = error.code;
  Failure out(std::move(error));
  if (code != Code::io && code != Code::corrupt && code != Code::unsupported &&
      code != Code::mismatch)
    return out;
  const auto files = io::ModelFiles::open(path);
  if (!files)
    out.flags = file_flags(path, files.error().code);
  else if (code != Code::io)
    out.flags = model_flags(files->container(), code);
  return out;
}

}  // namespace skein::compat
