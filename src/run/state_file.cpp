#include "run/state_file.h"

#include <algorithm>

#include "io/container.h"
#include "io/pth_writer.h"
#include "quant/formats.h"
#include "quant/read.h"

namespace skein {
namespace {

// Copies one part, with the last two of its axes swapped or not.
void copy_part(const Shape& shape, bool turn, const float* from, float* to) {
  if (!turn) {
    std::copy_n(from, shape.elements(), to);
    return;
  }
  const int64_t rows = shape[1], columns = shape[2];
  for (int64_t head = 0; head < shape[0]; ++head)
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t c = 0; c < columns; ++c)
        to[(head * columns + c) * rows + r] = from[(head * rows + r) * columns + c];
}

// The parts as owned official tensors.
struct OfficialParts {
  std::vector<std::vector<float>> data;
  std::vector<io::NamedTensor> tensors;
};

// Other programs have files for what is fixed and real.
Status check_official(const StateLayout& layout) {
  for (const ops::Slot& slot : layout.slots)
    if (slot.growth != ops::Growth::fixed || slot.type != DType::f32)
      return fail(Code::unsupported, "{} is kept by no other program's file of a state", slot.name);
  return {};
}

Result<OfficialParts> official_parts(const State& state) {
  SK_TRY_STATUS(check_official(state.layout()));
  OfficialParts out;
  const StateLayout& layout = state.layout();
  for (size_t i = 0; i < layout.parts.size(); ++i) {
    const arch::StateSpec& spec = layout.parts[i];
    auto& data = out.data.emplace_back(static_cast<size_t>(spec.shape.elements()));
    SK_TRY(const PartView part, state.part(i));
    copy_part(spec.shape, spec.transposed, part.floats().data(), data.data());
    out.tensors.push_back({spec.name, spec.shape, data});
  }
  return out;
}

// One tensor of a file into part `index`.
Status take_part(State& state, size_t index, const StoredTensor& tensor, bool turn,
                 std::string_view name) {
  const arch::StateSpec& spec = state.layout().parts[index];
  if (tensor.shape.squeezed() != spec.shape.squeezed())
    return fail(Code::mismatch, "{}: tensor {} is {}, but {} of this model is {}", name,
                escaped(tensor.name), tensor.shape.text(), spec.name, spec.shape.text());
  std::vector<float> values(static_cast<size_t>(spec.shape.elements()));
  SK_TRY_STATUS(quant::read_f32(tensor, values));
  SK_TRY_STATUS(check_part(spec, values, name));
  if (!turn) return state.set_part(index, std::as_bytes(std::span(values)));
  std::vector<float> turned(values.size());
  copy_part(spec.shape, turn, values.data(), turned.data());
  return state.set_part(index, std::as_bytes(std::span(turned)));
}

constexpr std::string_view kMatrix = ".att.wkv";

// The name of the tuned state of a part, or nothing if the part is not a matrix of memory.
std::optional<std::string> tuned_name(const arch::StateSpec& part) {
  if (!part.name.ends_with(kMatrix)) return std::nullopt;
  return part.name.substr(0, part.name.size() - kMatrix.size()) + std::string(arch::kTunedState);
}

tl::unexpected<Error> no_matrices(const StateLayout& layout) {
  return fail(Code::unsupported, "{} models have no matrices of memory to start from",
              layout.design);
}

Result<State> from_list(const Container& container, std::shared_ptr<const StateLayout> layout,
                        std::string_view name) {
  SK_TRY_STATUS(check_official(*layout));
  SK_TRY(State state, State::make(std::move(layout)));
  const size_t expected = state.layout().parts.size();
  if (container.tensors.size() != expected)
    return fail(Code::mismatch, "{}: a state of {} tensors, but this model's has {}", name,
                container.tensors.size(), expected);
  for (size_t i = 0; i < expected; ++i)
    SK_TRY_STATUS(
        take_part(state, i, container.tensors[i], state.layout().parts[i].transposed, name));
  SK_TRY_STATUS(check_denominators(state, name));
  return state;
}

}  // namespace

Result<std::vector<std::byte>> export_pth(const State& state) {
  SK_TRY(const OfficialParts parts, official_parts(state));
  return io::write_pth(parts.tensors, /*as_list=*/true);
}

Result<uint64_t> pth_size(const StateLayout& layout) {
  std::vector<io::NamedTensor> tensors;
  for (const arch::StateSpec& part : layout.parts) tensors.push_back({part.name, part.shape, {}});
  return io::pth_size(tensors, /*as_list=*/true);
}

Result<uint64_t> time_state_size(const StateLayout& layout) {
  std::vector<io::NamedTensor> tensors;
  for (const arch::StateSpec& part : layout.parts)
    if (const auto name = tuned_name(part)) tensors.push_back({*name, part.shape, {}});
  if (tensors.empty()) return no_matrices(layout);
  return io::pth_size(tensors, /*as_list=*/false);
}

Result<std::vector<std::byte>> export_time_state(const State& state) {
  std::vector<std::vector<float>> data;
  std::vector<io::NamedTensor> tuned;
  for (size_t i = 0; i < state.layout().parts.size(); ++i) {
    const arch::StateSpec& spec = state.layout().parts[i];
    const auto name = tuned_name(spec);
    if (!name) continue;
    auto& values = data.emplace_back(static_cast<size_t>(spec.shape.elements()));
    SK_TRY(const PartView part, state.part(i));
    copy_part(spec.shape, /*turn=*/true, part.floats().data(), values.data());
    tuned.push_back({*name, spec.shape, values});
  }
  if (tuned.empty()) return no_matrices(state.layout());
  return io::write_pth(tuned, /*as_list=*/false);
}

Status check_tuned_shapes(const arch::NamedTensors& tensors, std::span<const arch::StateSpec> parts,
                          std::string_view name) {
  const auto all =
      static_cast<size_t>(std::count_if(tensors.begin(), tensors.end(), [](const auto& tensor) {
        return arch::is_tuned_state(tensor.first);
      }));
  if (all == 0) return {};
  size_t found = 0;
  for (const arch::StateSpec& part : parts) {
    const auto wanted = tuned_name(part);
    if (!wanted) continue;
    const auto tensor = tensors.find(*wanted);
    if (tensor == tensors.end())
      return fail(Code::mismatch, "{}: tensor {} is missing, which this model needs", name,
                  *wanted);
    if (tensor->second.shape != part.shape)
      return fail(Code::mismatch, "{}: tensor {} is {}, but {} of this model is {}", name, *wanted,
                  tensor->second.shape.text(), part.name, part.shape.text());
    if (!quant::decodable(tensor->second.dtype))
      return fail(Code::unsupported, "{}: tensor {} is of the type {}, which Skein cannot read",
                  name, *wanted, escaped(tensor->second.type_name(), 32));
    ++found;
  }
  if (found == 0)
    return fail(Code::mismatch, "{}: tuned initial states, which this generation cannot have",
                name);
  if (all != found)
    return fail(Code::mismatch, "{}: tuned states of {} layers, but this model has {}", name, all,
                found);
  return {};
}

Result<State> from_time_state(const arch::NamedTensors& tensors,
                              std::shared_ptr<const StateLayout> layout, bool swapped,
                              std::string_view name) {
  SK_TRY_STATUS(check_tuned_shapes(tensors, layout->parts, name));
  SK_TRY(State state, State::make(std::move(layout)));
  for (size_t i = 0; i < state.layout().parts.size(); ++i)
    if (const auto wanted = tuned_name(state.layout().parts[i]))
      SK_TRY_STATUS(take_part(state, i, tensors.find(*wanted)->second, /*turn=*/!swapped, name));
  return state;
}

Result<std::vector<float>> official_values(const State& state) {
  SK_TRY(const OfficialParts parts, official_parts(state));
  std::vector<float> out;
  out.reserve(static_cast<size_t>(state.layout().numbers()));
  for (const auto& data : parts.data) out.insert(out.end(), data.begin(), data.end());
  return out;
}

Result<State> from_official_values(std::span<const float> values,
                                   std::shared_ptr<const StateLayout> layout,
                                   std::string_view name) {
  SK_TRY_STATUS(check_official(*layout));
  if (values.size() != static_cast<size_t>(layout->numbers()))
    return fail(Code::mismatch, "{}: {} numbers, but this model's state has {}", name,
                values.size(), layout->numbers());
  SK_TRY(State state, State::make(std::move(layout)));
  const float* from = values.data();
  for (size_t i = 0; i < state.layout().parts.size(); ++i) {
    const arch::StateSpec& part = state.layout().parts[i];
    std::vector<float> ours(static_cast<size_t>(part.shape.elements()));
    copy_part(part.shape, part.transposed, from, ours.data());
    from += ours.size();
    SK_TRY_STATUS(check_part(part, ours, name));
    SK_TRY_STATUS(state.set_part(i, std::as_bytes(std::span(ours))));
  }
  SK_TRY_STATUS(check_denominators(state, name));
  return state;
}

Result<State> import_state(std::span<const std::byte> file, std::string_view name,
                           std::shared_ptr<const StateLayout> layout,
                           std::optional<bool> transposed_time_state) {
  if (is_saved_state(file)) {
    SK_TRY(const SavedState saved, parse_saved_state(file, name));
    return to_state(saved, file, std::move(layout), name);
  }
  SK_TRY(const Container container, io::read_container(file, name));
  if (container.list) return from_list(container, std::move(layout), name);
  arch::NamedTensors tensors;
  for (const StoredTensor& tensor : container.tensors) tensors.emplace(tensor.name, tensor);
  if (std::none_of(tensors.begin(), tensors.end(),
                   [](const auto& tensor) { return arch::is_tuned_state(tensor.first); }))
    return fail(Code::unsupported,
                "{}: no state in this file; a state is Skein's own, a list of tensors, or "
                "time_state tensors",
                name);
  // web-rwkv's files are safetensors; what is called .safetensors comes from other tools.
  const bool swapped = transposed_time_state.value_or(container.format == Format::safetensors &&
                                                      !name.ends_with(".safetensors"));
  return from_time_state(tensors, std::move(layout), swapped, name);
}

}  // namespace skein
