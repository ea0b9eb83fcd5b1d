// What names, calls and persistent ids mean in a checkpoint.
#include <algorithm>
#include <iterator>

#include "base/limits.h"
#include "io/pickle_machine.h"
#include "io/tensor_table.h"

namespace skein::io {
namespace {

enum class Meaning : uint8_t {
  ordered_dict,
  rebuild_tensor,
  rebuild_tensor_v3,  // of a storage without a type, with the tensor's type as an argument
  rebuild_parameter,
  storage_type,
  untyped_storage,
  element_type,
};

struct Global {
  std::string_view module;
  std::string_view name;
  Meaning meaning;
  DType dtype = DType::f32;      // of a storage_type
  int64_t element_bytes = 0;     // of a type that is not read; 0: those of dtype
  std::string_view type_name{};  // of such a type
};

// A type that a tensor beside the model may have.
constexpr Global unread_storage(std::string_view name, int64_t bytes, std::string_view type) {
  return {"torch", name, Meaning::storage_type, DType::unread, bytes, type};
}
constexpr Global unread_type(std::string_view name, int64_t bytes) {
  return {"torch", name, Meaning::element_type, DType::unread, bytes, name};
}

constexpr std::string_view kUntyped = "untyped";

// The whole allow-list.
constexpr Global kGlobals[] = {
    {"collections", "OrderedDict", Meaning::ordered_dict},
    {"torch._utils", "_rebuild_tensor_v2", Meaning::rebuild_tensor},
    {"torch._utils", "_rebuild_tensor_v3", Meaning::rebuild_tensor_v3},
    {"torch._utils", "_rebuild_parameter", Meaning::rebuild_parameter},
    {"torch", "FloatStorage", Meaning::storage_type, DType::f32},
    {"torch", "HalfStorage", Meaning::storage_type, DType::f16},
    {"torch", "BFloat16Storage", Meaning::storage_type, DType::bf16},
    {"torch", "DoubleStorage", Meaning::storage_type, DType::f64},
    {"torch", "LongStorage", Meaning::storage_type, DType::i64},
    {"torch", "IntStorage", Meaning::storage_type, DType::i32},
    {"torch", "ShortStorage", Meaning::storage_type, DType::i16},
    {"torch", "ByteStorage", Meaning::storage_type, DType::u8},
    {"torch", "CharStorage", Meaning::storage_type, DType::i8},
    {"torch", "BoolStorage", Meaning::storage_type, DType::boolean},
    unread_storage("ComplexFloatStorage", 8, "complex64"),
    unread_storage("ComplexDoubleStorage", 16, "complex128"),
    unread_storage("QInt8Storage", 1, "qint8"),
    unread_storage("QUInt8Storage", 1, "quint8"),
    unread_storage("QInt32Storage", 4, "qint32"),
    {"torch.storage", "UntypedStorage", Meaning::untyped_storage, DType::unread, 1, kUntyped},
    unread_type("uint16", 2),
    unread_type("uint32", 4),
    unread_type("uint64", 8),
    unread_type("complex32", 4),
    unread_type("float8_e4m3fn", 1),
    unread_type("float8_e4m3fnuz", 1),
    unread_type("float8_e5m2", 1),
    unread_type("float8_e5m2fnuz", 1),
    unread_type("float8_e8m0fnu", 1),
    unread_type("float4_e2m1fn_x2", 1),
    unread_type("bits8", 1),
    unread_type("bits16", 2),
    unread_type("bits1x8", 1),
    unread_type("bits2x4", 1),
    unread_type("bits4x2", 1),
};

}  // namespace

Status PickleMachine::global(std::string_view module, std::string_view name) {
  for (uint32_t i = 0; i < std::size(kGlobals); ++i)
    if (kGlobals[i].module == module && kGlobals[i].name == name)
      return push_indexed(Kind::global, i);
  return refuse(Code::unsupported,
                "global {}.{} is not allowed in a checkpoint; ask for a file with the plain "
                "weights",
                escaped(module, 80), escaped(name, 80));
}

Status PickleMachine::global_lines() {
  std::array<std::string_view, 2> lines;
  for (std::string_view& line : lines) {
    const auto rest = out_.bytes_.subspan(reader_.offset());
    const auto end = std::find(rest.begin(), rest.end(), std::byte{'\n'});
    if (end == rest.end()) return corrupt("a global name that does not end");
    line = reader_.text(static_cast<uint64_t>(end - rest.begin()));
    reader_.skip(1);
  }
  return global(lines[0], lines[1]);
}

Status PickleMachine::stack_global() {
  SK_TRY_STATUS(need(2));
  const Id name = pop();
  const Id module = pop();
  if (kind(name) != Kind::text || kind(module) != Kind::text)
    return corrupt("STACK_GLOBAL with something that is no name");
  return global(out_.text(module), out_.text(name));
}

Status PickleMachine::persistent_id() {
  SK_TRY_STATUS(need(1));
  const Id id = pop();
  if (kind(id) != Kind::tuple) return corrupt("a persistent id that is no tuple");
  const auto items = out_.items(id);
  if (items.size() < 5 || items.size() > 6 || kind(items[0]) != Kind::text ||
      kind(items[1]) != Kind::global || kind(items[2]) != Kind::text ||
      kind(items[3]) != Kind::text || kind(items[4]) != Kind::integer)
    return corrupt("a persistent id that does not describe a storage");
  if (out_.text(items[0]) != "storage")
    return refuse(Code::unsupported, "a persistent id of kind {}",
                  escaped(out_.text(items[0]), 80));
  const Global& type = kGlobals[out_.nodes_[items[1]].index];
  if (type.meaning != Meaning::storage_type && type.meaning != Meaning::untyped_storage)
    return corrupt("{}.{} is no storage type", type.module, type.name);
  if (items.size() == 6 && kind(items[5]) != Kind::none)
    return refuse(Code::unsupported, "a storage that is a view of another one");

  const bool read = type.dtype != DType::unread;
  const PickleStorage storage{
      .key = out_.text(items[2]),
      .dtype = type.dtype,
      .type_name = read ? dtype_name(type.dtype) : type.type_name,
      .element_bytes = read ? block_size(type.dtype).bytes : type.element_bytes,
      .elements = out_.integer(items[4])};
  const bool decimal = !storage.key.empty() && storage.key.size() <= 20 &&
                       std::all_of(storage.key.begin(), storage.key.end(),
                                   [](char c) { return c >= '0' && c <= '9'; });
  if (!decimal) return corrupt("storage key {} is no number", escaped(storage.key, 80));
  if (storage.elements < 0)
    return corrupt("storage {} has {} elements", storage.key, storage.elements);
  const auto [found, added] =
      storage_by_key_.emplace(storage.key, static_cast<uint32_t>(out_.storages_.size()));
  if (added) {
    if (out_.storages_.size() == limits::kTensors)
      return above_limit("storages", limits::kTensors + 1, limits::kTensors);
    out_.storages_.push_back(storage);
  }
  const PickleStorage& known = out_.storages_[found->second];
  if (known.type_name != storage.type_name)
    return corrupt("storage {} is {} in one place and {} in another", storage.key, known.type_name,
                   storage.type_name);
  if (known.elements != storage.elements)
    return corrupt("storage {} has {} elements in one place and {} in another", storage.key,
                   known.elements, storage.elements);
  return push_indexed(Kind::storage, found->second);
}

Status PickleMachine::reduce() {
  SK_TRY_STATUS(need(2));
  const Id arguments = pop();
  const Id callee = pop();
  if (kind(callee) != Kind::global)
    return refuse(Code::unsupported, "a call of something that is no allowed global");
  if (kind(arguments) != Kind::tuple) return corrupt("a call whose arguments are no tuple");
  const Global& global = kGlobals[out_.nodes_[callee].index];
  switch (global.meaning) {
    case Meaning::ordered_dict: return ordered_dict(out_.items(arguments));
    case Meaning::rebuild_tensor: return rebuild_tensor(out_.items(arguments));
    case Meaning::rebuild_tensor_v3: return rebuild_tensor_v3(out_.items(arguments));
    case Meaning::rebuild_parameter: return rebuild_parameter(out_.items(arguments));
    case Meaning::storage_type:
    case Meaning::untyped_storage:
    case Meaning::element_type: break;
  }
  return refuse(Code::unsupported, "{}.{} is an element type and may not be called", global.module,
                global.name);
}

Status PickleMachine::ordered_dict(std::span<const Id> arguments) {
  std::vector<Id> items;
  if (arguments.size() == 1 && kind(arguments[0]) == Kind::list) {
    for (const Id id : out_.items(arguments[0])) {
      const bool pair = kind(id) == Kind::tuple || kind(id) == Kind::list;
      if (!pair || out_.items(id).size() != 2) return corrupt("an OrderedDict of other than pairs");
      items.insert(items.end(), out_.items(id).begin(), out_.items(id).end());
    }
  } else if (!arguments.empty()) {
    return corrupt("an OrderedDict that is called with other than a list of pairs");
  }
  SK_TRY_STATUS(push_container(Kind::dict, true));
  return grow(stack_.back(), items);
}

Result<Shape> PickleMachine::shape(Id id) const {
  if (kind(id) != Kind::tuple) return corrupt("a tensor whose size or stride is no tuple");
  const auto items = out_.items(id);
  if (items.size() > limits::kPthAxes)
    return corrupt("a tensor of {} axes, the limit is {}", items.size(), limits::kPthAxes);
  std::vector<int64_t> axes;
  for (const Id item : items) {
    if (kind(item) != Kind::integer)
      return corrupt("a tensor whose size or stride is not made of numbers");
    axes.push_back(out_.integer(item));
  }
  return Shape{std::span<const int64_t>(axes)};
}

Status PickleMachine::rebuild_tensor(std::span<const Id> arguments) {
  if (arguments.size() < 6 || arguments.size() > 7 || kind(arguments[0]) != Kind::storage ||
      kind(arguments[1]) != Kind::integer)
    return corrupt("a tensor without storage and offset");
  if (out_.tensors_.size() == limits::kTensors)
    return above_limit("tensors", limits::kTensors + 1, limits::kTensors);
  SK_TRY(const Shape size, shape(arguments[2]));
  SK_TRY(const Shape stride, shape(arguments[3]));
  out_.tensors_.push_back({.storage = out_.nodes_[arguments[0]].index,
                           .offset = out_.integer(arguments[1]),
                           .size = size,
                           .stride = stride});
  return push_indexed(Kind::tensor, out_.tensors_.size() - 1);
}

// As torch saves types that are younger than its typed storages.
Status PickleMachine::rebuild_tensor_v3(std::span<const Id> arguments) {
  if (arguments.size() < 7 || arguments.size() > 8 || kind(arguments[0]) != Kind::storage ||
      kind(arguments[6]) != Kind::global)
    return corrupt("a tensor without storage and type");
  const Global& type = kGlobals[out_.nodes_[arguments[6]].index];
  const PickleStorage& storage = out_.storages_[out_.nodes_[arguments[0]].index];
  if (type.meaning != Meaning::element_type || storage.type_name != kUntyped)
    return corrupt("{}.{} as the type of numbers of a storage of {}", type.module, type.name,
                   storage.type_name);
  SK_TRY_STATUS(rebuild_tensor(arguments.first(6)));
  out_.tensors_.back().type_name = type.type_name;
  out_.tensors_.back().element_bytes = type.element_bytes;
  return {};
}

Status PickleMachine::rebuild_parameter(std::span<const Id> arguments) {
  if (arguments.size() != 3 || kind(arguments[0]) != Kind::tensor)
    return corrupt("a parameter that is no tensor");
  return push(arguments[0]);
}

// state_dict() carries an attribute, _metadata, which says nothing about the weights.
Status PickleMachine::build() {
  SK_TRY_STATUS(need(2));
  const Id state = pop();
  const Node& target = out_.nodes_[stack_.back()];
  if (target.kind != Kind::dict || !target.ordered || kind(state) != Kind::dict)
    return refuse(Code::unsupported, "BUILD on something other than an OrderedDict");
  return {};
}

}  // namespace skein::io
