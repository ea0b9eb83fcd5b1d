#include "io/ggmf.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "base/reader.h"
#include "io/tensor_table.h"
#include "io/wrappers.h"

namespace skein::io {
namespace {

constexpr int32_t kFirstVersion = 100;
constexpr int32_t kNewVersion = 101;  // since then the blocks are those of GGUF
constexpr int32_t kMaxAxes = 3;

struct Head {
  int32_t version = 0;
  int32_t vocab = 0;
  int32_t width = 0;
  int32_t layers = 0;
  int32_t type = 0;
};

Result<Head> read_head(Reader& reader) {
  reader.skip(4);  // the magic
  Head head;
  head.version = reader.i32();
  head.vocab = reader.i32();
  head.width = reader.i32();
  head.layers = reader.i32();
  head.type = reader.i32();
  if (!reader.ok()) return fail(Code::corrupt, "the file ends inside its head of 24 bytes");
  if (head.version != kFirstVersion && head.version != kNewVersion)
    return fail(Code::unsupported, "rwkv.cpp file version {}, only {} and {} are supported",
                head.version, kFirstVersion, kNewVersion);
  struct Row {
    const char* what;
    int64_t value;
    uint64_t limit;
  };
  for (const Row& row :
       {Row{"n_vocab", head.vocab, limits::kVocab}, Row{"n_embed", head.width, limits::kWidth},
        Row{"n_layer", head.layers, limits::kLayers}}) {
    if (row.value <= 0) return fail(Code::corrupt, "the head has {} = {}", row.what, row.value);
    if (static_cast<uint64_t>(row.value) > row.limit)
      return above_limit(row.what, static_cast<uint64_t>(row.value), row.limit);
  }
  if (!ggmf_dtype(head.type))
    return fail(Code::unsupported, "the head has data type {}, which is not supported", head.type);
  return head;
}

Result<StoredTensor> read_tensor(Reader& reader, int32_t version) {
  const size_t at = reader.offset();
  const auto cut_off = [at](std::string_view what) {
    return fail(Code::corrupt, "the file ends inside the {} of the tensor at byte {}", what, at);
  };
  const int32_t rank = reader.i32();
  const int32_t name_bytes = reader.i32();
  const int32_t type_id = reader.i32();
  if (!reader.ok()) return cut_off("head");
  if (rank < 1 || rank > kMaxAxes)
    return fail(Code::corrupt, "the tensor at byte {} has {} axes", at, rank);
  if (name_bytes < 1 || static_cast<uint64_t>(name_bytes) > limits::kNameBytes)
    return fail(Code::corrupt, "the tensor at byte {} has a name of {} bytes", at, name_bytes);
  std::vector<int64_t> axes;
  for (int32_t i = 0; i < rank; ++i) axes.push_back(reader.i32());
  std::reverse(axes.begin(), axes.end());
  StoredTensor tensor;
  tensor.name = reader.text(static_cast<uint64_t>(name_bytes));
  if (!reader.ok()) return cut_off("head");
  const std::string shown = escaped(tensor.name);
  const auto type = ggmf_dtype(type_id);
  if (!type)
    return fail(Code::unsupported, "tensor {} has type {}, which is not supported", shown, type_id);
  if (version == kFirstVersion && block_size(*type).elements > 1)
    return fail(Code::unsupported,
                "tensor {} is {} in a file of version {}, whose blocks are of an older kind", shown,
                dtype_name(*type), version);
  if (std::any_of(axes.begin(), axes.end(), [](int64_t axis) { return axis <= 0; }))
    return fail(Code::corrupt, "tensor {} has an axis that is not positive", shown);
  SK_TRY(const uint64_t bytes, tensor_bytes(tensor.name, *type, axes));
  tensor.dtype = *type;
  tensor.shape = Shape{std::span<const int64_t>(axes)};
  tensor.strides = tensor.shape.contiguous_strides();
  tensor.storage = reader.bytes(bytes);
  if (!reader.ok())
    return fail(Code::corrupt, "tensor {} takes {} bytes, more than the {} that are left", shown,
                bytes, reader.left());
  return tensor;
}

// The layer a name belongs to: 7 of blocks.7.att.key.weight.
std::optional<int32_t> layer_of(std::string_view name) {
  constexpr std::string_view kBlocks = "blocks.";
  if (!name.starts_with(kBlocks)) return std::nullopt;
  name.remove_prefix(kBlocks.size());
  int32_t layer = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), layer);
  if (error != std::errc() || end == name.data() + name.size() || *end != '.' || layer < 0)
    return std::nullopt;
  return layer;
}

// The tensors against the head. This is also what finds a file cut between two tensors, since the
// format has neither a count nor an end: converters write emb first and head last.
// A file with neither emb nor blocks is no model, and whoever wants one will say so.
Status check_against_head(const Head& head, std::span<const StoredTensor> tensors) {
  std::set<int32_t> layers;
  const StoredTensor* embedding = nullptr;
  for (const StoredTensor& tensor : tensors) {
    if (tensor.name == "emb.weight") embedding = &tensor;
    if (const auto layer = layer_of(tensor.name)) layers.insert(*layer);
  }
  if (tensors.empty()) return fail(Code::mismatch, "there are no tensors behind the head");
  if (embedding && embedding->shape != Shape{head.vocab, head.width})
    return fail(Code::mismatch, "emb.weight is {}, the head says [{}, {}]", embedding->shape.text(),
                head.vocab, head.width);
  if (!embedding && layers.empty()) return {};
  for (int32_t layer = 0; layer < head.layers; ++layer)
    if (!layers.contains(layer))
      return fail(Code::mismatch, "block {} of {} is missing", layer, head.layers);
  if (*layers.rbegin() >= head.layers)
    return fail(Code::mismatch, "there is a block {}, but the head says {} layers",
                *layers.rbegin(), head.layers);
  for (const std::string_view name : {"emb.weight", "head.weight"})
    if (std::none_of(tensors.begin(), tensors.end(),
                     [name](const StoredTensor& tensor) { return tensor.name == name; }))
      return fail(Code::mismatch, "{} is missing", name);
  return {};
}

}  // namespace

std::optional<DType> ggmf_dtype(int32_t id) {
  switch (id) {
    case 0: return DType::f32;
    case 1: return DType::f16;
    case 2: return DType::q4_0;
    case 3: return DType::q4_1;
    case 7: return DType::q5_0;
    case 8: return DType::q5_1;
    case 9: return DType::q8_0;
    case 10: return DType::q8_1;
    case 11: return DType::q2_k;
    case 12: return DType::q3_k;
    case 13: return DType::q4_k;
    case 14: return DType::q5_k;
    case 15: return DType::q6_k;
    case 16: return DType::q8_k;
    default: return std::nullopt;
  }
}

bool is_ggmf(std::span<const std::byte> file) {
  return file.size() >= 4 && std::memcmp(file.data(), "\x66\x6d\x67\x67", 4) == 0;
}

Result<Container> read_ggmf(std::span<const std::byte> file) {
  Reader reader(file);
  SK_TRY(const Head head, read_head(reader));
  TensorTable table;
  while (reader.left() > 0) {
    SK_TRY(StoredTensor tensor, read_tensor(reader, head.version));
    SK_TRY_STATUS(table.add(std::move(tensor)));
  }
  Container out;
  out.format = Format::ggmf;
  out.version = head.version;
  out.metadata = {{"n_vocab", int64_t{head.vocab}},
                  {"n_embed", int64_t{head.width}},
                  {"n_layer", int64_t{head.layers}},
                  {"data_type", int64_t{head.type}}};
  out.tensors = std::move(table).take();
  SK_TRY_STATUS(unwrap_names(out));
  SK_TRY_STATUS(check_against_head(head, out.tensors));
  return out;
}

}  // namespace skein::io
