#include "run/state_file.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/limits.h"
#include "base/reader.h"
#include "io/container.h"
#include "io/pth_writer.h"
#include "quant/formats.h"
#include "quant/read.h"

namespace skein {
namespace {

constexpr std::string_view kMagic = "SkeinSt1";
constexpr uint32_t kVersion = 1;

class Writer {
 public:
  explicit Writer(uint64_t bytes) { out_.reserve(static_cast<size_t>(bytes)); }
  void raw(std::span<const std::byte> bytes) {
    out_.insert(out_.end(), bytes.begin(), bytes.end());
  }
  void text(std::string_view text) { raw(std::as_bytes(std::span(text))); }
  template <typename T>
  void number(T value) {
    raw(std::as_bytes(std::span(&value, 1)));
  }
  std::vector<std::byte> take() { return std::move(out_); }
  std::span<const std::byte> bytes() const { return out_; }

 private:
  std::vector<std::byte> out_;
};

// `count` numbers of type T; empty and the reader not ok if the file is shorter than that.
template <typename T>
std::vector<T> array(Reader& reader, uint64_t count) {
  std::vector<T> out;
  if (count > reader.left() / sizeof(T)) {
    reader.skip(UINT64_MAX);
    return out;
  }
  const auto raw = reader.bytes(count * sizeof(T));
  out.resize(static_cast<size_t>(count));
  if (!out.empty()) std::memcpy(out.data(), raw.data(), raw.size());
  return out;
}

bool loadable(float value) {
  return std::isfinite(value) && std::fabs(value) < limits::kStateMagnitude;
}

// An exponent that stands for "nothing yet", as others write it: any number far below all others.
bool is_no_exponent(float value) { return value < -1e29f && std::isfinite(value); }

bool allowed(const arch::StateSpec& part, float value) {
  return loadable(value) || (part.initial == arch::kNoExponent && is_no_exponent(value));
}

// The numbers of one part; what stands for no exponent becomes ours.
Status check_part(const arch::StateSpec& part, std::span<float> values, std::string_view name) {
  for (size_t i = 0; i < values.size(); ++i) {
    if (!allowed(part, values[i]))
      return fail(Code::corrupt, "{}: number {} of {} is {}, no model computes that", name, i,
                  part.name, values[i]);
    if (is_no_exponent(values[i])) values[i] = arch::kNoExponent;
  }
  return {};
}

Status check_parts(State& state, std::string_view name) {
  const StateLayout& layout = state.layout();
  for (size_t i = 0; i < layout.parts.size(); ++i)
    SK_TRY_STATUS(
        check_part(layout.parts[i],
                   state.values().subspan(static_cast<size_t>(layout.offsets[i]),
                                          static_cast<size_t>(layout.parts[i].shape.elements())),
                   name));
  return {};
}

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

OfficialParts official_parts(const State& state) {
  OfficialParts out;
  const StateLayout& layout = state.layout();
  for (size_t i = 0; i < layout.parts.size(); ++i) {
    const arch::StateSpec& spec = layout.parts[i];
    auto& data = out.data.emplace_back(static_cast<size_t>(spec.shape.elements()));
    copy_part(spec.shape, spec.transposed, state.part(i).data(), data.data());
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
  copy_part(spec.shape, turn, values.data(), state.values().data() + state.layout().offsets[index]);
  return {};
}

// RWKV-4 divides by its second memory.
Status check_denominators(const State& state, std::string_view name) {
  for (size_t i = 0; i < state.layout().parts.size(); ++i) {
    if (!state.layout().parts[i].name.ends_with(".att.bb")) continue;
    for (const float bb : state.part(i))
      if (bb < 0)
        return fail(Code::corrupt, "{}: {} has the number {}, no model computes that", name,
                    state.layout().parts[i].name, bb);
  }
  return {};
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
  State state(std::move(layout));
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

bool is_saved_state(std::span<const std::byte> file) {
  return file.size() >= kMagic.size() &&
         std::memcmp(file.data(), kMagic.data(), kMagic.size()) == 0;
}

Status check_exportable(const State& state) {
  if (state.lost()) return lost_state();
  for (size_t i = 0; i < state.layout().parts.size(); ++i)
    for (const float value : state.part(i))
      if (!allowed(state.layout().parts[i], value))
        return fail(Code::corrupt,
                    "the state holds the number {}, which no file of it could be loaded with again",
                    value);
  return {};
}

uint64_t serialised_size(const StateLayout& layout, size_t tokens, size_t text_bytes) {
  return kMagic.size() + 2 * sizeof(uint32_t) + layout.design.size() + layout.fingerprint.size() +
         5 * sizeof(uint64_t) + tokens * sizeof(int32_t) + text_bytes +
         static_cast<uint64_t>(layout.size) * sizeof(float) + Digest().size();
}

std::vector<std::byte> serialise(const State& state, std::span<const int32_t> tokens,
                                 std::string_view text) {
  Writer w(serialised_size(state.layout(), tokens.size(), text.size()));
  w.text(kMagic);
  w.number(kVersion);
  w.number(static_cast<uint32_t>(state.layout().design.size()));
  w.text(state.layout().design);
  w.raw(state.layout().fingerprint);
  w.number(state.tokens_read());
  w.number(state.tokens_hash());
  w.number(static_cast<uint64_t>(tokens.size()));
  w.raw(std::as_bytes(tokens));
  w.number(static_cast<uint64_t>(text.size()));
  w.text(text);
  w.number(static_cast<uint64_t>(state.values().size()));
  w.raw(std::as_bytes(state.values()));
  w.raw(sha256(w.bytes()));
  return w.take();
}

Result<SavedState> parse_saved_state(std::span<const std::byte> file, std::string_view name) {
  if (!is_saved_state(file)) return fail(Code::corrupt, "{}: not a state of Skein", name);
  Reader reader(file);
  reader.skip(kMagic.size());
  const uint32_t version = reader.u32();
  if (reader.ok() && version != kVersion)
    return fail(Code::unsupported, "{}: a state of version {}; this program reads version {}", name,
                version, kVersion);
  SavedState out;
  const uint32_t design_length = reader.u32();
  if (design_length > 64) return fail(Code::corrupt, "{}: the state names no design", name);
  out.design = reader.text(design_length);
  const auto fingerprint = reader.bytes(out.fingerprint.size());
  std::copy(fingerprint.begin(), fingerprint.end(), out.fingerprint.begin());
  out.tokens_read = reader.u64();
  out.tokens_hash = reader.u64();
  out.tokens = array<int32_t>(reader, reader.u64());
  out.text = reader.text(reader.u64());
  out.values = array<float>(reader, reader.u64());
  const size_t end = reader.offset();
  const auto checksum = reader.bytes(Digest().size());
  if (!reader.ok()) return fail(Code::corrupt, "{}: the state is cut off", name);
  if (reader.left() != 0)
    return fail(Code::corrupt, "{}: {} bytes follow the end of the state", name, reader.left());
  if (const Digest actual = sha256(file.first(end));
      !std::equal(actual.begin(), actual.end(), checksum.begin()))
    return fail(Code::corrupt, "{}: the checksum is wrong, the state was damaged", name);
  // Which part a number belongs to is the model's to say (to_state).
  for (size_t i = 0; i < out.values.size(); ++i)
    if (!loadable(out.values[i]) && out.values[i] != arch::kNoExponent)
      return fail(Code::corrupt, "{}: number {} of the state is {}, no model computes that", name,
                  i, out.values[i]);
  return out;
}

Result<State> to_state(const SavedState& saved, std::shared_ptr<const StateLayout> layout,
                       std::string_view name) {
  State state(std::move(layout));
  const StateLayout& expected = state.layout();
  if (saved.design != expected.design)
    return fail(Code::mismatch, "{}: a state of {}, but this model is {}", name,
                escaped(saved.design), expected.design);
  if (saved.values.size() != state.values().size())
    return fail(Code::mismatch, "{}: a state of {} numbers, but this model's has {}", name,
                saved.values.size(), state.values().size());
  if (saved.fingerprint != expected.fingerprint)
    return fail(Code::mismatch,
                "{}: made by another model (fingerprint {}, this model's is {}); its numbers mean "
                "nothing here",
                name, hex(saved.fingerprint).substr(0, 16),
                hex(expected.fingerprint).substr(0, 16));
  std::copy(saved.values.begin(), saved.values.end(), state.values().begin());
  SK_TRY_STATUS(check_parts(state, name));
  SK_TRY_STATUS(check_denominators(state, name));
  state.set_history(saved.tokens_read, saved.tokens_hash);
  return state;
}

Result<std::vector<std::byte>> export_pth(const State& state) {
  const OfficialParts parts = official_parts(state);
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
    copy_part(spec.shape, /*turn=*/true, state.part(i).data(), values.data());
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
  State state(std::move(layout));
  for (size_t i = 0; i < state.layout().parts.size(); ++i)
    if (const auto wanted = tuned_name(state.layout().parts[i]))
      SK_TRY_STATUS(take_part(state, i, tensors.find(*wanted)->second, /*turn=*/!swapped, name));
  return state;
}

std::vector<float> official_values(const State& state) {
  std::vector<float> out;
  out.reserve(state.values().size());
  for (const auto& data : official_parts(state).data)
    out.insert(out.end(), data.begin(), data.end());
  return out;
}

Result<State> from_official_values(std::span<const float> values,
                                   std::shared_ptr<const StateLayout> layout,
                                   std::string_view name) {
  if (values.size() != static_cast<size_t>(layout->size))
    return fail(Code::mismatch, "{}: {} numbers, but this model's state has {}", name,
                values.size(), layout->size);
  State state(std::move(layout));
  const StateLayout& to = state.layout();
  const float* from = values.data();
  for (size_t i = 0; i < to.parts.size(); ++i) {
    copy_part(to.parts[i].shape, to.parts[i].transposed, from,
              state.values().data() + to.offsets[i]);
    from += to.parts[i].shape.elements();
  }
  SK_TRY_STATUS(check_parts(state, name));
  SK_TRY_STATUS(check_denominators(state, name));
  return state;
}

Result<State> import_state(std::span<const std::byte> file, std::string_view name,
                           std::shared_ptr<const StateLayout> layout,
                           std::optional<bool> transposed_time_state) {
  if (is_saved_state(file)) {
    SK_TRY(const SavedState saved, parse_saved_state(file, name));
    return to_state(saved, std::move(layout), name);
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
