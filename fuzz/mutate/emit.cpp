#include "fuzz/mutate/emit.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "base/hash.h"
#include "base/json.h"
#include "fuzz/mutate/values.h"
#include "io/build.h"
#include "io/packed.h"

namespace skein::mutate {
namespace {

using test::le;
using namespace std::string_literals;

void align(std::string& out, uint64_t alignment) {
  if (alignment > 0 && alignment <= (1 << 20))
    out.resize((out.size() + alignment - 1) / alignment * alignment);
}

std::string_view raw(const Digest& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

// ---- safetensors

std::string emit_safetensors(const Draft& draft, Liar& liar, const ChangeHead& change_head) {
  JsonWriter json;
  json.begin_object();
  if (!draft.metadata.empty()) {
    json.key("__metadata__").begin_object();
    for (const auto& [key, value] : draft.metadata) {
      json.key(key);
      std::visit(
          [&](const auto& held) {
            using T = std::decay_t<decltype(held)>;
            if constexpr (std::is_same_v<T, std::string>)
              json.value(liar.text("metadata", held));
            else if constexpr (std::is_arithmetic_v<T>)
              json.value(held);
            else
              json.null();
          },
          value);
    }
    json.end_object();
  }
  std::string data;
  for (const DraftTensor& tensor : draft.tensors) {
    const std::string& bytes = draft.storages[tensor.storage];
    json.key(tensor.name).begin_object();
    json.member("dtype", liar.text("type", std::string(dtype_name(tensor.dtype))));
    json.key("shape").begin_array();
    for (const int64_t axis : tensor.shape) json.value(liar.number("axis", axis));
    json.end_array().key("data_offsets").begin_array();
    json.value(liar.number("begin", static_cast<int64_t>(data.size())));
    data += bytes;
    if (liar.unusual("hole")) data += "hole"s;
    json.value(liar.number("end", static_cast<int64_t>(data.size())));
    json.end_array().end_object();
  }
  json.end_object();
  std::string head = json.text();
  if (change_head) change_head(head);
  if (!liar.unusual("unaligned head")) head.resize((head.size() + 7) / 8 * 8, ' ');
  return le(liar.number("head bytes", uint64_t{head.size()})) + head + data;
}

// ---- .pth

std::string_view storage_class(DType type) {
  switch (type) {
    case DType::f64: return "DoubleStorage";
    case DType::f32: return "FloatStorage";
    case DType::f16: return "HalfStorage";
    case DType::bf16: return "BFloat16Storage";
    case DType::i64: return "LongStorage";
    case DType::i32: return "IntStorage";
    case DType::i16: return "ShortStorage";
    case DType::i8: return "CharStorage";
    case DType::boolean: return "BoolStorage";
    case DType::u8: return "ByteStorage";
    default: return "QInt8Storage";
  }
}

std::string pickle_number(int64_t value) {
  return value >= INT32_MIN && value <= INT32_MAX
             ? test::pickle::number(static_cast<int32_t>(value))
             : test::pickle::number64(value);
}

std::string pickle_axes(std::string_view field, const std::vector<int64_t>& axes, Liar& liar) {
  std::string out;
  for (const int64_t axis : axes) out += pickle_number(liar.number(field, axis));
  return test::pickle::tuple(out);
}

std::string pickle_of(const Draft& draft, bool legacy, Liar& liar) {
  std::string items;
  for (const DraftTensor& tensor : draft.tensors) {
    const auto size = static_cast<int64_t>(draft.storages[tensor.storage].size());
    const BlockSize block = block_size(tensor.dtype);
    if (!draft.list) items += test::pickle::text(liar.text("name", tensor.name));
    items += test::pickle::tensor(
        {.key = liar.text("storage key", std::to_string(tensor.storage)),
         .count = pickle_number(liar.number("storage numbers", size / block.bytes)),
         .offset = pickle_number(liar.number("offset", tensor.offset)),
         .size = pickle_axes("axis", tensor.shape, liar),
         .stride = pickle_axes("stride", tensor.strides, liar),
         .type = liar.text("storage class", std::string(storage_class(tensor.dtype))),
         .sixth = legacy ? "N" : ""});
  }
  if (draft.list) return test::pickle::whole("](" + items + "e");
  std::string root = test::pickle::dict(items);
  if (liar.unusual("in a checkpoint"))
    root = test::pickle::dict(test::pickle::text("epoch") + test::pickle::number(3) +
                              test::pickle::text("state_dict") + root);
  return test::pickle::whole(root);
}

// Overwrites a field of `width` bytes in a zip's record.
void lie_at(std::string& record, std::string_view field, size_t at, size_t width, Liar& liar) {
  uint64_t value = 0;
  std::memcpy(&value, record.data() + at, width);
  value = liar.number(field, value);
  std::memcpy(record.data() + at, &value, width);
}

std::string emit_pth(const Draft& draft, Liar& liar, const ChangeHead& change_head) {
  std::string pickle = pickle_of(draft, false, liar);
  if (change_head) change_head(pickle);
  const std::string top = liar.text("zip folder", "archive");
  test::ZipSpec spec;
  const auto add = [&](const std::string& name, std::string data) {
    if (liar.unusual("zip entry missing")) return;
    spec.parts.push_back({liar.text("zip name", top + "/" + name), std::move(data)});
    if (liar.unusual("zip entry twice")) spec.parts.push_back(spec.parts.back());
  };
  add("data.pkl", std::move(pickle));
  add("byteorder", liar.text("byte order", "little"));
  for (size_t i = 0; i < draft.storages.size(); ++i)
    add(fmt::format("data/{}", i), draft.storages[i]);
  add("version", liar.text("zip version", "3\n"));
  spec.wide = liar.unusual("zip64");
  if (liar.unusual("zip descriptor 32")) spec.descriptor = "32";
  if (liar.unusual("zip descriptor 64")) spec.descriptor = "64";
  if (liar.unusual("zip descriptor 32 bare")) spec.descriptor = "32 bare";
  if (liar.unusual("zip extra")) spec.local_extra = "FB\4\0ZZZZ"s;
  if (liar.unusual("zip central extra")) spec.central_extra = "\1\0\10\0ZZZZZZZZ"s;
  if (liar.unusual("zip head")) spec.before_first = "#!/bin/sh\n";
  if (liar.unusual("zip gap")) spec.between = std::string(40, 'g');
  if (liar.unusual("zip gap before directory")) spec.before_directory = "gap";
  if (liar.unusual("zip gap before end")) spec.before_end = "gap";
  if (liar.unusual("zip comment")) spec.comment = "PK\5\6 a comment"s;
  if (liar.unusual("zip tail")) spec.behind = "tail";
  // Sizes, offsets and checksums of both records, each by itself.
  spec.change = [&](size_t, std::string& local, std::string& central) {
    struct Field {
      const char* name;
      size_t at, width;
    };
    for (const Field& f : {Field{"local flags", 6, 2},
                           {"local method", 8, 2},
                           {"local crc", 14, 4},
                           {"local packed", 18, 4},
                           {"local size", 22, 4},
                           {"local name bytes", 26, 2},
                           {"local extra bytes", 28, 2}})
      lie_at(local, f.name, f.at, f.width, liar);
    for (const Field& f : {Field{"central flags", 8, 2},
                           {"central method", 10, 2},
                           {"central crc", 16, 4},
                           {"central packed", 20, 4},
                           {"central size", 24, 4},
                           {"central name bytes", 28, 2},
                           {"central extra bytes", 30, 2},
                           {"central comment bytes", 32, 2},
                           {"central disk", 34, 2},
                           {"central offset", 42, 4}})
      lie_at(central, f.name, f.at, f.width, liar);
    if (liar.unusual("local name differs")) local.back() ^= 1;
  };
  spec.change_end = [&](std::string& end) {
    const size_t at = end.size() - 22 - spec.comment.size();
    lie_at(end, "end disk", at + 4, 2, liar);
    lie_at(end, "end entries here", at + 8, 2, liar);
    lie_at(end, "end entries", at + 10, 2, liar);
    lie_at(end, "end directory bytes", at + 12, 4, liar);
    lie_at(end, "end directory offset", at + 16, 4, liar);
    lie_at(end, "end comment bytes", at + 20, 2, liar);
  };
  return test::zip(spec);
}

std::string emit_legacy(const Draft& draft, Liar& liar, const ChangeHead& change_head) {
  using namespace test::pickle;
  std::string object = pickle_of(draft, true, liar), keys, data;
  if (change_head) change_head(object);
  std::vector<int32_t> bytes_each(draft.storages.size(), 1);
  for (const DraftTensor& tensor : draft.tensors)
    bytes_each[tensor.storage] = block_size(tensor.dtype).bytes;
  for (size_t i = 0; i < draft.storages.size(); ++i) {
    const std::string& bytes = draft.storages[i];
    keys += text(liar.text("key", std::to_string(i)));
    data += le(liar.number("count", static_cast<int64_t>(bytes.size()) / bytes_each[i])) + bytes;
  }
  return "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19." +
         whole("M" + le(liar.number("protocol", uint16_t{1001}))) +
         whole(dict(text("protocol_version") + number(1001) + text("little_endian") +
                    (liar.unusual("big endian") ? "\x89" : "\x88"))) +
         object + whole("](" + keys + "e") + data;
}

// ---- GGUF

struct GgmlType {
  DType type;
  uint32_t gguf;
  int32_t ggmf;  // -1: has no place there
};
constexpr GgmlType kGgmlTypes[] = {
    {DType::f32, 0, 0},      {DType::f16, 1, 1},       {DType::q4_0, 2, 2},
    {DType::q4_1, 3, 3},     {DType::q5_0, 6, 7},      {DType::q5_1, 7, 8},
    {DType::q8_0, 8, 9},     {DType::q8_1, 9, 10},     {DType::q2_k, 10, 11},
    {DType::q3_k, 11, 12},   {DType::q4_k, 12, 13},    {DType::q5_k, 13, 14},
    {DType::q6_k, 14, 15},   {DType::q8_k, 15, 16},    {DType::iq2_xxs, 16, -1},
    {DType::iq2_xs, 17, -1}, {DType::iq3_xxs, 18, -1}, {DType::iq1_s, 19, -1},
    {DType::iq4_nl, 20, -1}, {DType::iq3_s, 21, -1},   {DType::iq2_s, 22, -1},
    {DType::iq4_xs, 23, -1}, {DType::i8, 24, -1},      {DType::i16, 25, -1},
    {DType::i32, 26, -1},    {DType::i64, 27, -1},     {DType::f64, 28, -1},
    {DType::iq1_m, 29, -1},  {DType::bf16, 30, -1},    {DType::tq1_0, 34, -1},
    {DType::tq2_0, 35, -1},  {DType::mxfp4, 39, -1}};

const GgmlType& ggml_type(DType type) {
  for (const GgmlType& row : kGgmlTypes)
    if (row.type == type) return row;
  static constexpr GgmlType kNone = {DType::f32, 99, -1};
  return kNone;
}

std::string gguf_value(bool value) { return std::string(1, static_cast<char>(value)); }
std::string gguf_value(int64_t value) { return le(value); }
std::string gguf_value(uint64_t value) { return le(value); }
std::string gguf_value(double value) { return le(value); }
std::string gguf_value(const std::string& value) { return test::gguf::text(value); }
constexpr uint32_t gguf_kind(bool) { return 7; }
constexpr uint32_t gguf_kind(int64_t) { return 11; }
constexpr uint32_t gguf_kind(uint64_t) { return 10; }
constexpr uint32_t gguf_kind(double) { return 12; }
uint32_t gguf_kind(const std::string&) { return 8; }

std::string emit_gguf(const Draft& draft, Liar& liar, const ChangeHead& change_head) {
  std::string out = "GGUF" + le(liar.number("version", uint32_t{3})) +
                    le(liar.number("tensors", uint64_t{draft.tensors.size()})) +
                    le(liar.number("pairs", uint64_t{draft.metadata.size()}));
  std::string head;
  for (const auto& [key, value] : draft.metadata) {
    head += test::gguf::text(liar.text("key", key));
    std::visit(
        [&](const auto& held) {
          using T = std::decay_t<decltype(held)>;
          if constexpr (requires { typename T::value_type; } && !std::is_same_v<T, std::string>) {
            using Element = typename T::value_type;
            head += le(uint32_t{9}) + le(liar.number("element kind", gguf_kind(Element()))) +
                    le(liar.number("array count", uint64_t{held.size()}));
            for (const Element& element : held) head += gguf_value(element);
          } else {
            head += le(liar.number("kind", gguf_kind(held))) + gguf_value(held);
          }
        },
        value);
  }
  std::string data;
  const uint64_t alignment = liar.number("alignment of data", uint64_t{32});
  for (const DraftTensor& tensor : draft.tensors) {
    test::gguf::Tensor record;
    record.name = liar.text("name", tensor.name);
    record.axes.clear();
    for (size_t i = tensor.shape.size(); i-- > 0;)
      record.axes.push_back(liar.number("axis", static_cast<uint64_t>(tensor.shape[i])));
    record.type = liar.number("type", ggml_type(tensor.dtype).gguf);
    record.offset = liar.number("offset", uint64_t{data.size()});
    head += test::gguf::tensor(record);
    data += draft.storages[tensor.storage];
    align(data, alignment);
  }
  if (change_head) change_head(head);
  out += head;
  align(out, 32);
  return out + data;
}

// ---- rwkv.cpp

std::string emit_ggmf(const Draft& draft, Liar& liar, const ChangeHead& change_head) {
  const auto fact = [&](const char* key) {
    const auto at = draft.metadata.find(key);
    const int64_t* value = at == draft.metadata.end() ? nullptr : std::get_if<int64_t>(&at->second);
    return static_cast<int32_t>(liar.number(key, value ? *value : 0));
  };
  std::string out = test::ggmf::head(liar.number("version", 101), fact("n_vocab"), fact("n_embed"),
                                     fact("n_layer"), fact("data_type"));
  for (const DraftTensor& tensor : draft.tensors) {
    std::string record = le(liar.number("axes", static_cast<int32_t>(tensor.shape.size()))) +
                         le(liar.number("name bytes", static_cast<int32_t>(tensor.name.size()))) +
                         le(liar.number("type", ggml_type(tensor.dtype).ggmf));
    for (size_t i = tensor.shape.size(); i-- > 0;)
      record += le(liar.number("axis", static_cast<int32_t>(tensor.shape[i])));
    record += liar.text("name", tensor.name);
    if (change_head && &tensor == &draft.tensors[draft.tensors.size() / 2]) change_head(record);
    out += record + draft.storages[tensor.storage];
  }
  return out;
}

// ---- packed

std::string packed_value(bool value) { return std::string(1, static_cast<char>(value)); }
std::string packed_value(int64_t value) { return le(value); }
std::string packed_value(uint64_t value) { return le(value); }
std::string packed_value(double value) { return le(value); }
std::string packed_value(const std::string& value) {
  return le(static_cast<uint32_t>(value.size())) + value;
}

std::string packed_metadata(const Draft& draft, Liar& liar) {
  std::string out;
  for (const auto& [key, value] : draft.metadata) {
    out += le(liar.number("key bytes", static_cast<uint16_t>(key.size()))) + liar.text("key", key) +
           le(liar.number("kind", static_cast<uint8_t>(value.index())));
    std::visit(
        [&](const auto& held) {
          using T = std::decay_t<decltype(held)>;
          if constexpr (requires { typename T::value_type; } && !std::is_same_v<T, std::string>) {
            out += le(liar.number("list count", uint64_t{held.size()}));
            for (const typename T::value_type& element : held) out += packed_value(element);
          } else {
            out += packed_value(held);
          }
        },
        value);
  }
  return out;
}

std::string emit_packed(const Draft& draft, Liar& liar, const ChangeHead& change_head) {
  using namespace io::packed;
  std::string pairs = packed_metadata(draft, liar);
  // The tensors' places follow from the head's size, which does not depend on them.
  size_t size = 8 + pairs.size();
  for (const DraftTensor& tensor : draft.tensors)
    size += 2 + tensor.name.size() + 1 + dtype_name(tensor.dtype).size() + 2 +
            8 * tensor.shape.size() + 20;
  const uint64_t start = aligned(kHeadBytes + size, kDataAlignment);
  std::string head = le(liar.number("pairs", static_cast<uint32_t>(draft.metadata.size()))) +
                     le(liar.number("tensors", static_cast<uint32_t>(draft.tensors.size()))) +
                     pairs;
  std::string data;
  for (const DraftTensor& tensor : draft.tensors) {
    const std::string& bytes = draft.storages[tensor.storage];
    const std::string type(dtype_name(tensor.dtype));
    head += le(liar.number("name bytes", static_cast<uint16_t>(tensor.name.size()))) +
            liar.text("name", tensor.name) + static_cast<char>(type.size()) +
            liar.text("type", type) +
            static_cast<char>(liar.number("layout", static_cast<int>(tensor.layout))) +
            static_cast<char>(liar.number("rank", static_cast<int>(tensor.shape.size())));
    for (const int64_t axis : tensor.shape) head += le(liar.number("axis", axis));
    head += le(liar.number("offset", start + data.size())) +
            le(liar.number("bytes", uint64_t{bytes.size()})) +
            le(liar.number("crc", crc32(test::bytes_of(bytes))));
    data += bytes;
    align(data, kTensorAlignment);
  }
  if (change_head) change_head(head);
  std::string out =
      std::string(kMagic) + le(liar.number("version", kVersion)) +
      le(liar.number("flags", uint32_t{0})) + le(liar.number("head bytes", uint64_t{head.size()})) +
      le(liar.number("file bytes",
                     aligned(kHeadBytes + head.size(), kDataAlignment) + data.size()));
  Sha256 hash;
  hash.update(out);
  hash.update(head);
  out += liar.text("digest", std::string(raw(hash.finish())));
  out += head;
  align(out, kDataAlignment);
  return out + data;
}

}  // namespace

Liar::Liar(const Liar& honest, test::Random& random) : random_(&random) {
  if (honest.seen_.empty()) return;
  const auto at =
      std::next(honest.seen_.begin(), static_cast<ptrdiff_t>(random.below(honest.seen_.size())));
  field_ = at->first;
  place_ = static_cast<size_t>(random.below(at->second));
}

bool Liar::chosen(std::string_view field) {
  auto at = seen_.find(field);
  if (at == seen_.end()) at = seen_.emplace(field, 0).first;
  const bool hit = random_ != nullptr && field == field_ && at->second == place_;
  ++at->second;
  if (hit) said_ = "field \"" + field_ + '"';
  return hit;
}

int64_t Liar::lie(int64_t value) {
  const int64_t said = near_number(value, *random_);
  said_ += fmt::format(" is {}", said);
  return said;
}

std::string Liar::text(std::string_view field, std::string value) {
  if (!chosen(field)) return value;
  change_name(value, *random_);
  said_ += fmt::format(" is \"{}\"", value.substr(0, 40));
  return value;
}

std::string emit(const Draft& draft, Liar& liar, const ChangeHead& change_head) {
  switch (draft.format) {
    case Format::pth_zip: return emit_pth(draft, liar, change_head);
    case Format::pth_legacy: return emit_legacy(draft, liar, change_head);
    case Format::safetensors: return emit_safetensors(draft, liar, change_head);
    case Format::gguf: return emit_gguf(draft, liar, change_head);
    case Format::ggmf: return emit_ggmf(draft, liar, change_head);
    case Format::packed: return emit_packed(draft, liar, change_head);
  }
  return {};
}

namespace {

std::string emit_chat(const SavedChat& chat, Liar& liar) {
  const auto text = [&](std::string_view field, const std::string& value) {
    return le(liar.number(std::string(field) + " bytes", static_cast<uint32_t>(value.size()))) +
           liar.text(field, value);
  };
  const auto ids = [&](std::string_view field, const std::vector<int32_t>& values) {
    std::string out = le(liar.number(field, static_cast<uint32_t>(values.size())));
    for (const int32_t id : values) out += le(liar.number("chat token", id));
    return out;
  };
  std::string out = text("system", chat.system) +
                    le(liar.number("turns", static_cast<uint32_t>(chat.turns.size())));
  for (const SavedTurn& turn : chat.turns)
    out += le(liar.number("parent", static_cast<uint32_t>(turn.parent + 1))) +
           le(liar.number("closed", uint8_t{turn.closed})) +
           le(liar.number("attempt", turn.attempt)) + text("user", turn.user) +
           text("answer", turn.answer) + ids("prompt ids", turn.prompt_ids) +
           ids("answer ids", turn.answer_ids) +
           le(liar.number("beginning bytes", uint64_t{turn.state.size()})) +
           std::string(reinterpret_cast<const char*>(turn.state.data()), turn.state.size());
  out += le(liar.number("branches", static_cast<uint32_t>(chat.branches.size())));
  for (const SavedBranch& branch : chat.branches)
    out += text("branch", branch.name) +
           le(liar.number("branch turn", static_cast<uint32_t>(branch.turn)));
  return out + le(liar.number("present branch", static_cast<uint32_t>(chat.branch)));
}

}  // namespace

std::string emit_state(const StateDraft& draft, Liar& liar) {
  const SavedState& state = draft.saved;
  const auto text = [&](std::string_view field, const std::string& value) {
    return le(liar.number(std::string(field) + " bytes", static_cast<uint32_t>(value.size()))) +
           liar.text(field, value);
  };
  const uint32_t version = draft.first_version ? 1 : state.chat ? 3 : 2;
  std::string out =
      "SkeinSt1" + le(liar.number("version", version)) + text("design", state.design) +
      liar.text("fingerprint", std::string(raw(state.fingerprint))) +
      le(liar.number("tokens read", state.tokens_read)) +
      le(liar.number("hash", state.tokens_hash)) +
      le(liar.number("tokens", uint64_t{state.tokens.size()})) +
      std::string(reinterpret_cast<const char*>(state.tokens.data()),
                  state.tokens.size() * sizeof(int32_t)) +
      le(liar.number("text bytes", uint64_t{state.text.size()})) + liar.text("text", state.text);
  if (version == 3) {
    const std::string chat = emit_chat(*state.chat, liar);
    out += le(liar.number("conversation bytes", uint64_t{chat.size()})) + chat;
  }
  if (draft.first_version) {
    std::string all;
    for (const std::string& part : draft.parts) all += part;
    out += le(liar.number("values", uint64_t{all.size() / sizeof(float)})) + all;
  } else {
    out += le(liar.number("parts", static_cast<uint32_t>(state.parts.size())));
    for (const SavedPart& part : state.parts) {
      out += text("part", part.name) + text("type", std::string(dtype_name(part.type)));
      out += le(liar.number("grows", static_cast<uint8_t>(part.growth == ops::Growth::growing)));
      out += le(liar.number("axes", static_cast<uint8_t>(part.shape.rank())));
      for (const int64_t axis : part.shape.axes()) out += le(liar.number("axis", axis));
      out += le(liar.number("rows", part.rows));
    }
    for (const std::string& part : draft.parts) {
      align(out, static_cast<uint64_t>(liar.number("alignment", 64)));
      out += part;
    }
  }
  const Digest sum = sha256(test::bytes_of(out));
  return out + liar.text("digest", std::string(raw(sum)));
}

}  // namespace skein::mutate
