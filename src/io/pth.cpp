#include "io/pth.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <optional>
#include <utility>

#include "base/checked.h"
#include "base/limits.h"
#include "base/reader.h"
#include "io/pickle.h"
#include "io/tensor_table.h"
#include "io/zip.h"

namespace skein::io {
namespace {

using Bytes = std::span<const std::byte>;
// The bytes of each of the pickle's storages; none where the container has no such storage.
using Storages = std::vector<std::optional<Bytes>>;

constexpr std::string_view kPickleEntry = "/data.pkl";
constexpr std::array<std::string_view, 3> kWrappers = {"state_dict", "model", "module"};

// What views may unfold to, compared with the file. Weights that share their storage (a tied
// embedding) need twice; a hostile stride of 0 asks for exabytes.
constexpr uint64_t kUnfoldFactor = 4;
constexpr uint64_t kUnfoldFree = 64 * limits::kMiB;

// The magic number of the legacy container, 0x1950a86a20f9469cfc6c, as torch pickles it: with
// protocol 2 or 3, or with 4 or 5, which put a frame around it.
constexpr std::string_view kLegacyMagic = "\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";
constexpr std::string_view kLegacyStart = "\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";
constexpr std::string_view kLegacyFrame{"\x95\x0d\0\0\0\0\0\0\0", 9};
constexpr int64_t kLegacyProtocol = 1001;

// Joins a pickle with its storages into a Container.
class PthBuilder {
 public:
  PthBuilder(const Pickle& pickle, const Storages& storages, uint64_t file_bytes)
      : pickle_(pickle),
        storages_(storages),
        unfold_left_(kUnfoldFactor * file_bytes + kUnfoldFree) {}

  Result<Container> build(Format format);

 private:
  Status read_list(Pickle::Id list);
  bool keep(std::string_view key, Pickle::Id value);
  Status read_dict(Pickle::Id dict);
  bool holds_tensor(Pickle::Id dict) const;
  std::optional<Pickle::Id> wrapped(Pickle::Id dict);
  Result<StoredTensor> tensor(std::string name, const PickleTensor& from);
  Result<Bytes> storage(std::string_view name, const PickleStorage& storage, uint32_t index);

  const Pickle& pickle_;
  const Storages& storages_;
  uint64_t unfold_left_;
  Container out_;
};

Result<Container> PthBuilder::build(Format format) {
  out_.format = format;
  const Pickle::Id root = pickle_.root();
  if (pickle_.kind(root) == PickleKind::list) {
    SK_TRY_STATUS(read_list(root));
  } else if (pickle_.kind(root) == PickleKind::dict) {
    SK_TRY_STATUS(read_dict(root));
  } else {
    return fail(Code::unsupported,
                "no weights in this file: its pickle is neither a dict nor a "
                "list of tensors");
  }
  return std::move(out_);
}

Status PthBuilder::read_list(Pickle::Id list) {
  out_.list = true;
  const auto items = pickle_.items(list);
  if (items.empty()) return fail(Code::unsupported, "no weights in this file: an empty list");
  TensorTable table;
  for (size_t i = 0; i < items.size(); ++i) {
    if (pickle_.kind(items[i]) != PickleKind::tensor)
      return fail(Code::unsupported, "no weights in this file: item {} of its list is no tensor",
                  i);
    SK_TRY(StoredTensor added, tensor(std::to_string(i), pickle_.tensor(items[i])));
    SK_TRY_STATUS(table.add(std::move(added)));
  }
  out_.tensors = std::move(table).take();
  return {};
}

bool PthBuilder::holds_tensor(Pickle::Id dict) const {
  const auto items = pickle_.items(dict);
  for (size_t i = 1; i < items.size(); i += 2)
    if (pickle_.kind(items[i]) == PickleKind::tensor) return true;
  return false;
}

// The dict inside a dict that has no tensors of its own, under one of the names trainers use.
std::optional<Pickle::Id> PthBuilder::wrapped(Pickle::Id dict) {
  if (holds_tensor(dict)) return std::nullopt;
  const auto items = pickle_.items(dict);
  for (const std::string_view wrapper : kWrappers) {
    for (size_t i = 0; i < items.size(); i += 2) {
      if (pickle_.kind(items[i]) != PickleKind::text || pickle_.text(items[i]) != wrapper ||
          pickle_.kind(items[i + 1]) != PickleKind::dict)
        continue;
      out_.notes.push_back(fmt::format("the weights are what stands under \"{}\"", wrapper));
      return items[i + 1];
    }
  }
  return std::nullopt;
}

// A scalar beside the tensors becomes metadata: how a checkpoint was made can change what its
// numbers mean.
bool PthBuilder::keep(std::string_view key, Pickle::Id value) {
  MetaValue kept;
  switch (pickle_.kind(value)) {
    case PickleKind::text: kept = std::string(pickle_.text(value)); break;
    case PickleKind::integer: kept = pickle_.integer(value); break;
    case PickleKind::boolean: kept = pickle_.boolean(value); break;
    default: return false;
  }
  out_.metadata.try_emplace(std::string(key), std::move(kept));
  return true;
}

Status PthBuilder::read_dict(Pickle::Id dict) {
  // The pickle's nesting is bounded and without cycles, and so is this.
  for (auto inner = wrapped(dict); inner; inner = wrapped(dict)) dict = *inner;

  const auto items = pickle_.items(dict);
  TensorTable table;
  size_t ignored = 0;
  std::string first_ignored;
  for (size_t i = 0; i < items.size(); i += 2) {
    const bool text = pickle_.kind(items[i]) == PickleKind::text;
    if (text && pickle_.kind(items[i + 1]) == PickleKind::tensor) {
      // Checked before tensor() puts it into messages.
      SK_TRY_STATUS(check_name("a tensor", pickle_.text(items[i])));
      SK_TRY(StoredTensor added,
             tensor(std::string(pickle_.text(items[i])), pickle_.tensor(items[i + 1])));
      SK_TRY_STATUS(table.add(std::move(added)));
    } else if (text && keep(pickle_.text(items[i]), items[i + 1])) {
      continue;
    } else if (ignored++ == 0) {
      first_ignored = text ? escaped(pickle_.text(items[i]), 80) : "one without a name";
    }
  }
  if (table.tensors().empty())
    return fail(Code::unsupported, "no weights in this file: its dict holds no tensors");
  if (ignored > 0)
    out_.notes.push_back(fmt::format("{} values that are no tensors were ignored ({}{})", ignored,
                                     first_ignored, ignored > 1 ? ", ..." : ""));
  out_.tensors = std::move(table).take();
  return {};
}

Result<Bytes> PthBuilder::storage(std::string_view name, const PickleStorage& storage,
                                  uint32_t index) {
  const auto& bytes = storages_[index];
  if (!bytes)
    return fail(Code::corrupt, "tensor {}: its storage {} is not in the file", escaped(name),
                storage.key);
  const auto size = checked_mul(static_cast<uint64_t>(storage.elements),
                                static_cast<uint64_t>(storage.element_bytes));
  if (!size || *size > bytes->size())
    return fail(Code::corrupt, "tensor {}: its storage {} has {} bytes, too few for {} x {}",
                escaped(name), storage.key, bytes->size(), storage.elements,
                dtype_name(storage.dtype));
  return bytes->first(*size);
}

Result<StoredTensor> PthBuilder::tensor(std::string name, const PickleTensor& from) {
  const PickleStorage& declared = pickle_.storages()[from.storage];
  const std::string shown = escaped(name);
  if (from.size.rank() != from.stride.rank())
    return fail(Code::corrupt, "tensor {} has {} sizes and {} strides", shown, from.size.rank(),
                from.stride.rank());
  SK_TRY(const uint64_t bytes, tensor_bytes(name, declared.dtype, from.size.axes()));
  if (from.offset < 0)
    return fail(Code::corrupt, "tensor {} has the offset {}", shown, from.offset);
  // 128 bits hold eight products of a 31-bit and a 63-bit number.
  __int128 last = from.offset;
  for (int axis = 0; axis < from.size.rank(); ++axis) {
    if (from.stride[axis] < 0)
      return fail(Code::corrupt, "tensor {} has the stride {}", shown, from.stride[axis]);
    last += static_cast<__int128>(from.size[axis] - 1) * from.stride[axis];
  }
  if (bytes == 0) last = static_cast<__int128>(from.offset) - 1;  // no element is reached
  const bool own_type = from.element_bytes > 0;
  const int64_t element_bytes = own_type ? from.element_bytes : declared.element_bytes;
  // A tensor with a type of its own counts in its elements, and its storage in bytes.
  if (last >= declared.elements / (element_bytes / declared.element_bytes))
    return fail(Code::corrupt,
                "tensor {} with shape {}, strides {}, offset {} reaches outside "
                "its storage of {} elements",
                shown, from.size.text(), from.stride.text(), from.offset, declared.elements);
  SK_TRY(const Bytes data, storage(name, declared, from.storage));
  if (bytes > unfold_left_)
    return fail(Code::unsupported,
                "tensor {} with shape {} repeats its storage to more than the "
                "file could hold",
                shown, from.size.text());
  unfold_left_ -= bytes;
  return StoredTensor{
      .name = std::move(name),
      .dtype = declared.dtype,
      .shape = from.size,
      .strides = from.stride,
      .offset = from.offset,
      .storage = data,
      .unread_type = declared.dtype == DType::unread
                         ? std::string(own_type ? from.type_name : declared.type_name)
                         : std::string()};
}

Result<const ZipEntry*> find_pickle(const ZipArchive& zip) {
  const ZipEntry* found = nullptr;
  for (const ZipEntry& entry : zip.entries()) {
    if (!entry.name.ends_with(kPickleEntry)) continue;
    if (found)
      return fail(Code::corrupt, "two pickles, {} and {}", escaped(found->name),
                  escaped(entry.name));
    found = &entry;
  }
  if (!found) return fail(Code::corrupt, "a zip archive without data.pkl, so not a checkpoint");
  return found;
}

Status check_byte_order(const ZipArchive& zip, std::string_view top) {
  const ZipEntry* entry = zip.find(fmt::format("{}/byteorder", top));
  if (!entry) return {};
  const std::string_view order(reinterpret_cast<const char*>(entry->data.data()),
                               entry->data.size());
  if (order == "little") return {};
  if (order == "big")
    return fail(Code::unsupported, "the weights are big-endian; save them on another machine");
  return fail(Code::corrupt, "the byte order is \"{}\"", escaped(order, 40));
}

// One pickle of the legacy container, and what follows it. All of them have to stand within the
// header limit.
Result<Pickle> next_pickle(Bytes& rest, uint64_t& header_left) {
  auto pickle = Pickle::read(rest.first(std::min<uint64_t>(rest.size(), header_left)));
  if (!pickle) return pickle;
  header_left -= pickle->bytes_read();
  rest = rest.subspan(pickle->bytes_read());
  return pickle;
}

Status check_legacy_system(const Pickle& system) {
  if (system.kind(system.root()) != PickleKind::dict)
    return fail(Code::corrupt, "the legacy container lacks its description of the machine");
  const auto items = system.items(system.root());
  for (size_t i = 0; i < items.size(); i += 2) {
    if (system.kind(items[i]) != PickleKind::text || system.text(items[i]) != "little_endian")
      continue;
    if (system.kind(items[i + 1]) == PickleKind::boolean && system.boolean(items[i + 1])) return {};
    return fail(Code::unsupported, "the weights are big-endian; save them on another machine");
  }
  return fail(Code::corrupt, "the legacy container does not say its byte order");
}

// The storages stand in the order of the list of keys, each behind its element count.
Result<Storages> read_legacy_storages(const Pickle& object, const Pickle& keys, Bytes data) {
  if (keys.kind(keys.root()) != PickleKind::list)
    return fail(Code::corrupt, "the legacy container lacks its list of storages");
  std::map<std::string_view, size_t> index;
  for (size_t i = 0; i < object.storages().size(); ++i) index[object.storages()[i].key] = i;
  Storages out(object.storages().size());
  Reader reader(data);
  for (const Pickle::Id id : keys.items(keys.root())) {
    const auto known = keys.kind(id) == PickleKind::text ? index.find(keys.text(id)) : index.end();
    if (known == index.end() || out[known->second])
      return fail(Code::corrupt, "the list of storages names one that is unknown or stands twice");
    const PickleStorage& storage = object.storages()[known->second];
    const int64_t count = reader.i64();
    const auto bytes = count < 0 ? std::nullopt
                                 : checked_mul(static_cast<uint64_t>(count),
                                               static_cast<uint64_t>(storage.element_bytes));
    if (!bytes) return fail(Code::corrupt, "storage {} claims {} elements", storage.key, count);
    out[known->second] = reader.bytes(*bytes);
    if (!reader.ok())
      return fail(Code::corrupt, "the file ends inside storage {} of {} elements", storage.key,
                  count);
  }
  if (reader.left() > 0)
    return fail(Code::corrupt, "{} bytes follow the last storage", reader.left());
  return out;
}

}  // namespace

bool is_pth_zip(Bytes file) {
  return file.size() >= 4 &&
         (std::memcmp(file.data(), "PK\3\4", 4) == 0 || std::memcmp(file.data(), "PK\5\6", 4) == 0);
}

Result<Container> read_pth_zip(Bytes file) {
  SK_TRY(const ZipArchive zip, ZipArchive::read(file));
  SK_TRY(const ZipEntry* entry, find_pickle(zip));
  if (entry->data.size() > limits::kHeaderBytes)
    return above_limit("bytes of pickle", entry->data.size(), limits::kHeaderBytes);
  SK_TRY_STATUS(check_crc(*entry));
  const std::string_view top = entry->name.substr(0, entry->name.size() - kPickleEntry.size());
  SK_TRY_STATUS(check_byte_order(zip, top));
  SK_TRY(const Pickle pickle, Pickle::read(entry->data));
  if (pickle.bytes_read() != entry->data.size())
    return fail(Code::corrupt, "{} bytes follow the pickle's STOP",
                entry->data.size() - pickle.bytes_read());
  Storages storages;
  for (const PickleStorage& storage : pickle.storages()) {
    const ZipEntry* data = zip.find(fmt::format("{}/data/{}", top, storage.key));
    storages.push_back(data ? std::optional(data->data) : std::nullopt);
  }
  return PthBuilder(pickle, storages, file.size()).build(Format::pth_zip);
}

Status verify_pth_zip(Bytes file) {
  SK_TRY(const ZipArchive zip, ZipArchive::read(file));
  return check_zip_entries(zip);
}

// Four bytes and more, as many as the file has: 80 02 alone is also a header length of safetensors.
bool is_pth_legacy(Bytes file) {
  const std::string_view text(reinterpret_cast<const char*>(file.data()), file.size());
  if (text.size() < 4 || text[0] != '\x80') return false;
  if (text[1] < 2 || text[1] > 5) return false;
  std::string start(text.substr(0, 2));
  if (text[1] >= 4) start += kLegacyFrame;
  start += kLegacyStart;
  const size_t length = std::min(text.size(), start.size());
  return text.substr(0, length) == std::string_view(start).substr(0, length);
}

Result<Container> read_pth_legacy(Bytes file) {
  Bytes rest = file;
  uint64_t header_left = limits::kHeaderBytes;
  SK_TRY(const Pickle magic, next_pickle(rest, header_left));
  if (magic.kind(magic.root()) != PickleKind::long_integer ||
      !std::ranges::equal(magic.long_integer(magic.root()), std::as_bytes(std::span(kLegacyMagic))))
    return fail(Code::corrupt, "the legacy container lacks its magic number");
  SK_TRY(const Pickle version, next_pickle(rest, header_left));
  if (version.kind(version.root()) != PickleKind::integer)
    return fail(Code::corrupt, "the legacy container lacks its version");
  if (version.integer(version.root()) != kLegacyProtocol)
    return fail(Code::unsupported, "the legacy container has version {}",
                version.integer(version.root()));
  SK_TRY(const Pickle system, next_pickle(rest, header_left));
  SK_TRY_STATUS(check_legacy_system(system));
  SK_TRY(const Pickle object, next_pickle(rest, header_left));
  SK_TRY(const Pickle keys, next_pickle(rest, header_left));
  SK_TRY(const Storages storages, read_legacy_storages(object, keys, rest));
  return PthBuilder(object, storages, file.size()).build(Format::pth_legacy);
}

}  // namespace skein::io
