#include "fuzz/mutate/draft.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <map>

#include "fuzz/mutate/values.h"
#include "quant/formats.h"

namespace skein::mutate {
namespace {

using test::Random;

size_t any(Random& random, size_t count) { return static_cast<size_t>(random.below(count)); }

// The bytes of one number of a plain type; of block types a few bytes that make odd scales.
std::string odd_number(DType type, Random& random) {
  const float value = odd_float(random);
  const auto size = static_cast<size_t>(block_size(type).bytes);
  if (block_size(type).elements == 1 && quant::encodable(type)) {
    std::string out(size, '\0');
    if (quant::encode(type, {&value, 1}, std::as_writable_bytes(std::span(out)))) return out;
  }
  return pick(random, {std::string("\x00\x7c", 2), std::string("\x00\x7e", 2),
                       std::string("\xff\x7b", 2), std::string("\x01\x00", 2),
                       std::string("\xff\xff", 2), std::string("\x80\x80\x80\x80", 4),
                       std::string("\x7f\x7f\x7f\x7f", 4), std::string("\x00\xfc", 2)});
}

// Puts odd numbers into one place of a tensor's storage, a row of it, or all of it.
std::string change_numbers(Draft& draft, DraftTensor& tensor, Random& random) {
  std::string& bytes = draft.storages[tensor.storage];
  const std::string number = odd_number(tensor.dtype, random);
  if (bytes.size() < number.size()) return "no numbers to change";
  const size_t places = bytes.size() / number.size();
  size_t first = any(random, places), count = 1;
  if (const auto whole = random.below(4); whole == 0)
    first = 0, count = places;
  else if (whole == 1)
    count = std::min<size_t>(places - first, 16);
  for (size_t i = first; i < first + count; ++i)
    std::memcpy(bytes.data() + i * number.size(), number.data(), number.size());
  const auto raw = std::as_bytes(std::span(number));
  std::string hex;
  for (const std::byte b : raw) hex += fmt::format("{:02x}", std::to_integer<int>(b));
  return fmt::format("{}: {} of {} numbers are {}", tensor.name, count, places, hex);
}

std::string change_shape(DraftTensor& tensor, Random& random) {
  auto& shape = tensor.shape;
  const std::string name = tensor.name;
  const auto restride = [&] {
    tensor.strides.assign(shape.size(), 1);
    for (size_t i = shape.size(); i-- > 1;)
      tensor.strides[i - 1] = static_cast<int64_t>(static_cast<uint64_t>(tensor.strides[i]) *
                                                   static_cast<uint64_t>(shape[i]));
  };
  const auto kind = random.below(8);
  if (shape.empty() || kind == 0) {
    const size_t at = any(random, shape.size() + 1);
    shape.insert(shape.begin() + static_cast<ptrdiff_t>(at), pick(random, {1, 1, 1, 0, 2, -1}));
    restride();
    return fmt::format("{}: an axis more", name);
  }
  const size_t axis = any(random, shape.size());
  if (kind == 1) {
    shape.erase(shape.begin() + static_cast<ptrdiff_t>(axis));
    restride();
    return fmt::format("{}: an axis fewer", name);
  }
  if (kind == 2) {
    std::reverse(shape.begin(), shape.end());
    restride();
    return fmt::format("{}: axes turned over", name);
  }
  if (kind == 3) {  // the same numbers in another shape
    const size_t other = any(random, shape.size());
    if (other != axis && shape[axis] % 2 == 0) shape[axis] /= 2, shape[other] *= 2;
    restride();
    return fmt::format("{}: another shape of as many numbers", name);
  }
  if (kind == 4 && !tensor.strides.empty()) {
    int64_t& stride = tensor.strides[any(random, tensor.strides.size())];
    stride = near_number(stride, random);
    return fmt::format("{}: a stride is {}", name, stride);
  }
  if (kind == 5) {
    tensor.offset = near_number(tensor.offset, random);
    return fmt::format("{}: offset {}", name, tensor.offset);
  }
  shape[axis] = near_number(shape[axis], random);
  restride();
  return fmt::format("{}: axis {} is {}", name, axis, shape[axis]);
}

std::string change_storage(Draft& draft, DraftTensor& tensor, const Draft& other, Random& random) {
  std::string& bytes = draft.storages[tensor.storage];
  switch (random.below(4)) {
    case 0: {
      const size_t less = std::min<size_t>(bytes.size(), pick(random, {1, 2, 4, 18, 64, 4096}));
      bytes.resize(bytes.size() - less);
      return fmt::format("{}: {} bytes fewer", tensor.name, less);
    }
    case 1:
      bytes.append(pick(random, {1, 2, 4, 64, 4096}), '\1');
      return fmt::format("{}: bytes more", tensor.name);
    case 2: {
      const std::string& part = other.storages[any(random, other.storages.size())];
      const size_t size = bytes.size();
      if (part.empty()) return "nothing to take";
      bytes = part;
      bytes.resize(size, '\0');
      return fmt::format("{}: another file's numbers", tensor.name);
    }
    default:
      for (char& byte : bytes)
        if (random.below(16) == 0) byte = static_cast<char>(random.below(256));
      return fmt::format("{}: random bytes", tensor.name);
  }
}

MetaValue odd_value(Random& random) {
  switch (random.below(10)) {
    case 0: return random.below(2) == 0;
    case 1: return near_number(64, random);
    case 2: return static_cast<uint64_t>(random.next() >> random.below(64));
    case 3: return static_cast<double>(odd_float(random));
    case 4: return std::string(pick(random, {"", "rwkv7", "rwkv6", "gpt2", "llama", "-1", "1e9"}));
    case 5: return std::string(pick(random, {1, 300, 5000}), 'x');
    case 6: return std::vector<int64_t>{0, -1, near_number(2, random)};
    case 7: return std::vector<std::string>{};
    case 8: return std::vector<std::string>{"a", "", "a"};
    default: return std::vector<double>{static_cast<double>(odd_float(random))};
  }
}

template <typename T>
void change_list(std::vector<T>& list, Random& random) {
  if (list.empty()) return;
  const size_t one = any(random, list.size()), two = any(random, list.size());
  switch (random.below(4)) {
    case 0: list.pop_back(); break;
    case 1: list.push_back(T(list[one])); break;
    case 2: {
      const T kept = list[one];
      list[one] = T(list[two]);
      list[two] = kept;
      break;
    }
    default: list.erase(list.begin() + static_cast<ptrdiff_t>(one)); break;
  }
}

std::string change_metadata(Draft& draft, const Draft& other, Random& random) {
  if (draft.metadata.empty() || random.below(8) == 0) {
    const Metadata& from = other.metadata.empty() ? draft.metadata : other.metadata;
    const auto own = [&] {
      return std::string(pick(random, {"skein.head_size", "skein.design", "skein.norm_epsilon",
                                       "skein.group_epsilon", "skein.key_value_heads",
                                       "general.architecture", "general.alignment", "format"}));
    };
    const std::string key =
        from.empty() || random.below(2) == 0
            ? own()
            : std::next(from.begin(), static_cast<ptrdiff_t>(random.below(from.size())))->first;
    draft.metadata[key] = odd_value(random);
    return fmt::format("metadata {} added", key);
  }
  auto at = std::next(draft.metadata.begin(),
                      static_cast<ptrdiff_t>(random.below(draft.metadata.size())));
  const std::string key = at->first;
  switch (random.below(5)) {
    case 0: draft.metadata.erase(at); return fmt::format("metadata {} dropped", key);
    case 1: at->second = odd_value(random); return fmt::format("metadata {} of another kind", key);
    case 2: {
      auto node = draft.metadata.extract(at);
      change_name(node.key(), random);
      draft.metadata.insert(std::move(node));
      return fmt::format("metadata {} renamed", key);
    }
    default: break;
  }
  std::visit(
      [&](auto& value) {
        using T = std::decay_t<decltype(value)>;
        if constexpr (std::is_same_v<T, bool>)
          value = !value;
        else if constexpr (std::is_same_v<T, int64_t> || std::is_same_v<T, uint64_t>)
          value = static_cast<T>(near_number(static_cast<int64_t>(value), random));
        else if constexpr (std::is_same_v<T, double>)
          value = static_cast<double>(odd_float(random));
        else if constexpr (std::is_same_v<T, std::string>)
          change_name(value, random);
        else
          change_list(value, random);
      },
      at->second);
  return fmt::format("metadata {} changed", key);
}

}  // namespace

Draft draft_of(const Container& container) {
  Draft out;
  out.format = container.format;
  out.list = container.list;
  out.metadata = container.metadata;
  std::map<const std::byte*, size_t> seen;
  for (const StoredTensor& tensor : container.tensors) {
    const auto [at, fresh] = seen.try_emplace(tensor.storage.data(), out.storages.size());
    if (fresh)
      out.storages.emplace_back(reinterpret_cast<const char*>(tensor.storage.data()),
                                tensor.storage.size());
    const auto axes = [](const Shape& shape) {
      return std::vector<int64_t>(shape.axes().begin(), shape.axes().end());
    };
    out.tensors.push_back({tensor.name, tensor.dtype, axes(tensor.shape), axes(tensor.strides),
                           tensor.offset, at->second, tensor.layout});
  }
  return out;
}

std::string change_draft(Draft& draft, const Draft& other, Random& random) {
  auto& tensors = draft.tensors;
  if (tensors.empty()) return "no tensors";
  const size_t one = any(random, tensors.size()), two = any(random, tensors.size());
  DraftTensor& tensor = tensors[one];
  const std::string name = tensor.name;
  switch (random.below(20)) {
    case 0:
      tensors.erase(tensors.begin() + static_cast<ptrdiff_t>(one));
      return fmt::format("{} dropped", name);
    case 1: {
      DraftTensor twice = tensor;
      const bool same = random.below(2) == 0;
      if (!same) change_name(twice.name, random);
      tensors.push_back(std::move(twice));
      return fmt::format("{} twice{}", name, same ? "" : ", by another name");
    }
    case 2: std::swap(tensors[one], tensors[two]); return "order changed";
    case 3:
      std::swap(tensors[one].name, tensors[two].name);
      return fmt::format("{} and {} have each other's names", name, tensors[one].name);
    case 4:
      std::swap(tensors[one].storage, tensors[two].storage);
      return fmt::format("{} and {} have each other's storages", name, tensors[two].name);
    case 5:
      change_name(tensor.name, random);
      return fmt::format("{} renamed {}", name, tensor.name.substr(0, 60));
    case 6: {
      const std::string prefix =
          pick(random, {"module.", "model.", "_orig_mod.", "_forward_module.", "rwkv.", "x."});
      const size_t skipped = random.below(4) == 0 ? one : tensors.size();
      for (size_t i = 0; i < tensors.size(); ++i)
        if (i != skipped) tensors[i].name.insert(0, prefix);
      return fmt::format("{} before {} names", prefix, skipped < tensors.size() ? "most" : "all");
    }
    case 7:
    case 8: {
      tensor.dtype = static_cast<DType>(random.below(kDTypes));
      const bool fits = random.below(2) == 0;
      if (fits) {  // as many bytes as this type needs
        int64_t elements = 1;
        for (const int64_t axis : tensor.shape) elements *= axis;
        const BlockSize block = block_size(tensor.dtype);
        if (elements > 0 && elements < (1 << 22)) {
          std::string bytes = draft.storages[tensor.storage];
          bytes.resize(static_cast<size_t>(elements / block.elements * block.bytes), '\3');
          tensor.storage = draft.storages.size();
          draft.storages.push_back(std::move(bytes));
        }
      }
      return fmt::format("{} is of type {}{}", name, dtype_name(tensor.dtype),
                         fits ? ", of its size" : "");
    }
    case 9:
    case 10:
    case 11: return change_shape(tensor, random);
    case 12:
    case 13:
    case 14:
    case 15: return change_numbers(draft, tensor, random);
    case 16: return change_storage(draft, tensor, other, random);
    case 17: {
      if (other.tensors.empty()) return "nothing to take";
      DraftTensor taken = other.tensors[any(random, other.tensors.size())];
      draft.storages.push_back(other.storages[taken.storage]);
      taken.storage = draft.storages.size() - 1;
      taken.layout = Layout::rows;
      const std::string said = fmt::format("{} taken from another file", taken.name);
      const auto same = std::find_if(tensors.begin(), tensors.end(),
                                     [&](const auto& own) { return own.name == taken.name; });
      if (same != tensors.end())
        *same = std::move(taken);
      else
        tensors.push_back(std::move(taken));
      return said;
    }
    default: return change_metadata(draft, other, random);
  }
}

}  // namespace skein::mutate
