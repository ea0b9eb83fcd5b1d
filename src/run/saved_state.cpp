#include "run/saved_state.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <optional>

#include "base/checked.h"
#include "base/limits.h"
#include "base/reader.h"
#include "quant/read.h"
#include "run/byte_writer.h"

namespace skein {
namespace {

constexpr std::string_view kMagic = "SkeinSt1";
constexpr uint32_t kVersion = 3;
constexpr uint32_t kWithoutChat = 2;
constexpr size_t kAlign = 64;  // of each part, so that a mapped file's are vectors' and pages'
constexpr uint32_t kNameBytes = 256, kTypeBytes = 16, kDesignBytes = 64;

// Elements that a state can have.
constexpr DType kTypes[] = {DType::f32, DType::f16, DType::bf16, DType::i32, DType::i16, DType::u8};

constexpr std::array<std::byte, kAlign> kZeros{};

size_t padding(uint64_t offset) { return static_cast<size_t>((kAlign - offset % kAlign) % kAlign); }

bool loadable(float value) {
  return std::isfinite(value) && std::fabs(value) < limits::kStateMagnitude;
}

// An exponent that stands for "nothing yet", as others write it: any number far below all others.
bool is_no_exponent(float value) { return value < -1e29f && std::isfinite(value); }

bool allowed(const arch::StateSpec& part, float value) {
  return loadable(value) || (part.initial == arch::kNoExponent && is_no_exponent(value));
}

bool is_real(DType type) { return type == DType::f32 || type == DType::f16 || type == DType::bf16; }

size_t element_bytes(DType type) { return static_cast<size_t>(block_size(type).bytes); }

// Numbers in the file that no state of any model has. Which part a number belongs to is the model's
// to say (check_part).
Status check_numbers(const SavedPart& part, std::span<const std::byte> bytes,
                     std::string_view name) {
  if (!is_real(part.type)) return {};
  constexpr size_t kAtOnce = 16384;  // bytes, whatever the part's size is
  std::vector<float> values;
  for (size_t at = 0; at < bytes.size(); at += kAtOnce) {
    const auto some = bytes.subspan(at, std::min(kAtOnce, bytes.size() - at));
    SK_TRY_STATUS(decode_part(part.type, some, values));
    for (size_t i = 0; i < values.size(); ++i)
      if (!loadable(values[i]) && values[i] != arch::kNoExponent)
        return fail(Code::corrupt, "{}: number {} of {} is {}, no model computes that", name,
                    at / element_bytes(part.type) + i,
                    part.name.empty() ? "the state" : escaped(part.name), values[i]);
  }
  return {};
}

// The line of one part in the file's list; its elements' place is not known yet.
Result<SavedPart> read_part(Reader& reader, std::string_view name) {
  const auto broken = [&](std::string_view what) {
    return fail(Code::corrupt, "{}: the state has a part {}", name, what);
  };
  SavedPart part;
  const uint32_t name_length = reader.u32();
  if (name_length > kNameBytes) return broken("with too long a name");
  part.name = reader.text(name_length);
  const uint32_t type_length = reader.u32();
  if (type_length > kTypeBytes) return broken("without a type");
  const std::string type(reader.text(type_length));
  const uint8_t grows = reader.u8(), axes = reader.u8();
  if (!reader.ok()) return part;  // said by who counts the file's bytes
  if (part.name.empty()) return broken("without a name");
  const auto found = std::find_if(std::begin(kTypes), std::end(kTypes),
                                  [&](DType one) { return dtype_name(one) == type; });
  if (found == std::end(kTypes))
    return fail(Code::unsupported, "{}: part {} is of the type {}, which no state has", name,
                escaped(part.name), escaped(type));
  part.type = *found;
  if (grows > 1 || axes < 1 || axes > Shape::kMaxAxes) return broken("without a shape");
  part.growth = grows ? ops::Growth::growing : ops::Growth::fixed;
  std::vector<int64_t> shape;
  uint64_t bytes = element_bytes(part.type);
  const auto times = [&](uint64_t factor) {
    const auto product = checked_mul(bytes, factor);
    if (product) bytes = *product;
    return product && bytes <= limits::kStateFileBytes;
  };
  for (uint8_t i = 0; i < axes; ++i) {
    const uint64_t axis = reader.u64();
    if (axis == 0 || !times(axis)) return broken("of a size that no state has");
    shape.push_back(static_cast<int64_t>(axis));
  }
  part.shape = Shape(shape);
  const uint64_t rows = reader.u64();
  if ((part.growth == ops::Growth::fixed && rows != 1) || !times(rows))
    return broken("of a size that no state has");
  part.rows = static_cast<int64_t>(rows);
  part.bytes = static_cast<size_t>(bytes);
  return part;
}

Result<std::vector<SavedPart>> read_parts(Reader& reader, std::string_view name) {
  std::vector<SavedPart> parts;
  const uint32_t count = reader.u32();
  for (uint32_t i = 0; i < count && reader.ok(); ++i) {
    SK_TRY(SavedPart part, read_part(reader, name));
    parts.push_back(std::move(part));
  }
  for (SavedPart& part : parts) {
    const auto between = reader.bytes(padding(reader.offset()));
    if (std::any_of(between.begin(), between.end(), [](std::byte b) { return b != std::byte{0}; }))
      return fail(Code::corrupt, "{}: the state has bytes between its parts", name);
    part.offset = reader.offset();
    reader.skip(part.bytes);
  }
  return parts;
}

bool checksum_is_right(std::span<const std::byte> file) {
  const size_t end = file.size() - std::min(file.size(), Digest().size());
  return std::ranges::equal(sha256(file.first(end)), file.subspan(end));
}

tl::unexpected<Error> damaged(std::string_view name) {
  return fail(Code::corrupt, "{}: the checksum is wrong, the state was damaged", name);
}

std::vector<SavedPart> first_versions_parts(Reader& reader) {
  const uint64_t count = reader.u64();
  SavedPart all;
  all.offset = reader.offset();
  if (count > reader.left() / sizeof(float)) {
    reader.skip(UINT64_MAX);
    return {};
  }
  all.shape = {static_cast<int64_t>(count)};
  all.bytes = static_cast<size_t>(count) * sizeof(float);
  reader.skip(all.bytes);
  return {all};
}

// The header with the list of parts.
std::vector<std::byte> header_of(const State& state, std::span<const int32_t> tokens,
                                 std::string_view text, std::span<const std::byte> chat) {
  const StateLayout& layout = state.layout();
  ByteWriter w(256 + 64 * layout.parts.size() + tokens.size_bytes() + text.size() + chat.size());
  w.text(kMagic);
  w.number(chat.empty() ? kWithoutChat : kVersion);
  w.name(layout.design);
  w.raw(layout.fingerprint);
  w.number(state.tokens_read());
  w.number(state.tokens_hash());
  w.number(static_cast<uint64_t>(tokens.size()));
  w.raw(std::as_bytes(tokens));
  w.number(static_cast<uint64_t>(text.size()));
  w.text(text);
  if (!chat.empty()) {
    w.number(static_cast<uint64_t>(chat.size()));
    w.raw(chat);
  }
  w.number(static_cast<uint32_t>(layout.parts.size()));
  for (size_t i = 0; i < layout.parts.size(); ++i) {
    const arch::StateSpec& part = layout.parts[i];
    const bool grows = part.growth == ops::Growth::growing;
    w.name(part.name);
    w.name(dtype_name(part.type));
    w.number(static_cast<uint8_t>(grows));
    w.number(static_cast<uint8_t>(part.shape.rank()));
    for (const int64_t axis : part.shape.axes()) w.number(static_cast<uint64_t>(axis));
    w.number(static_cast<uint64_t>(grows ? state.rows(i) : 1));
  }
  return w.take();
}

int64_t part_bytes(const State& state, size_t index) {
  const ops::Slot& slot = state.layout().slots[index];
  return slot.bytes() * (slot.growth == ops::Growth::growing ? state.rows(index) : 1);
}

// What keeps `part` from being the model's, or nothing.
std::optional<std::string> difference(const SavedPart& part, const arch::StateSpec& wanted) {
  if (part.name != wanted.name)
    return fmt::format("part {}, where this model has {}", escaped(part.name), wanted.name);
  if (part.shape != wanted.shape || part.type != wanted.type || part.growth != wanted.growth)
    return fmt::format("{} is {} {}, but this model's is {} {}", wanted.name, part.shape.text(),
                       dtype_name(part.type), wanted.shape.text(), dtype_name(wanted.type));
  return std::nullopt;
}

}  // namespace

int64_t SavedState::numbers() const {
  int64_t count = 0;
  for (const SavedPart& part : parts) count += part.elements();
  return count;
}

Status decode_part(DType type, std::span<const std::byte> elements, std::vector<float>& out) {
  out.resize(elements.size() / element_bytes(type));
  StoredTensor tensor;
  tensor.dtype = type;
  tensor.shape = {static_cast<int64_t>(out.size())};
  tensor.strides = tensor.shape.contiguous_strides();
  tensor.storage = elements;
  return quant::read_f32(tensor, out);
}

bool is_saved_state(std::span<const std::byte> file) {
  return file.size() >= kMagic.size() &&
         std::memcmp(file.data(), kMagic.data(), kMagic.size()) == 0;
}

namespace {

// `inside`: of a beginning in another file's conversation.
Result<SavedState> parse(std::span<const std::byte> file, std::string_view name, bool inside) {
  if (!is_saved_state(file)) return fail(Code::corrupt, "{}: not a state of Skein", name);
  Reader reader(file);
  reader.skip(kMagic.size());
  const uint32_t version = reader.u32();
  if (reader.ok() && (version < 1 || version > kVersion))
    return fail(Code::unsupported, "{}: a state of version {}; this program reads 1 to {}", name,
                version, kVersion);
  SavedState out;
  const uint32_t design_length = reader.u32();
  if (design_length > kDesignBytes)
    return fail(Code::corrupt, "{}: the state names no design", name);
  out.design = reader.text(design_length);
  const auto fingerprint = reader.bytes(out.fingerprint.size());
  std::copy(fingerprint.begin(), fingerprint.end(), out.fingerprint.begin());
  out.tokens_read = reader.u64();
  out.tokens_hash = reader.u64();
  out.tokens = reader.array<int32_t>(reader.u64());
  out.text = reader.text(reader.u64());
  const auto chat = version >= 3 ? reader.bytes(reader.u64()) : std::span<const std::byte>();
  if (version == 1) {
    out.parts = first_versions_parts(reader);
  } else {
    auto parts = read_parts(reader, name);
    if (!parts) return checksum_is_right(file) ? tl::unexpected(parts.error()) : damaged(name);
    out.parts = std::move(*parts);
  }
  reader.skip(Digest().size());
  if (!reader.ok()) return fail(Code::corrupt, "{}: the state is cut off", name);
  if (reader.left() != 0)
    return fail(Code::corrupt, "{}: {} bytes follow the end of the state", name, reader.left());
  if (!checksum_is_right(file)) return damaged(name);
  for (const SavedPart& part : out.parts)
    SK_TRY_STATUS(check_numbers(part, file.subspan(part.offset, part.bytes), name));
  if (version < 3) return out;
  if (inside) return fail(Code::corrupt, "{}: a conversation inside a conversation", name);
  SK_TRY(out.chat, parse_chat(chat, name));
  for (const SavedTurn& turn : out.chat->turns)
    if (!turn.state.empty()) SK_TRY_STATUS(parse(turn.state, name, true));
  return out;
}

}  // namespace

Result<SavedState> parse_saved_state(std::span<const std::byte> file, std::string_view name) {
  return parse(file, name, false);
}

Result<State> to_state(const SavedState& saved, std::span<const std::byte> file,
                       std::shared_ptr<const StateLayout> layout, std::string_view name) {
  if (saved.design != layout->design)
    return fail(Code::mismatch, "{}: a state of {}, but this model is {}", name,
                escaped(saved.design), layout->design);
  const bool flat = saved.parts.size() == 1 && saved.parts[0].name.empty();
  if (flat && saved.numbers() != layout->numbers())
    return fail(Code::mismatch, "{}: a state of {} numbers, but this model's has {}", name,
                saved.numbers(), layout->numbers());
  if (!flat && saved.parts.size() != layout->parts.size())
    return fail(Code::mismatch, "{}: a state of {} parts, but this model's has {}", name,
                saved.parts.size(), layout->parts.size());
  for (size_t i = 0; !flat && i < saved.parts.size(); ++i)
    if (const auto why = difference(saved.parts[i], layout->parts[i]))
      return fail(Code::mismatch, "{}: {}", name, *why);
  if (saved.fingerprint != layout->fingerprint)
    return fail(Code::mismatch,
                "{}: made by another model (fingerprint {}, this model's is {}); its numbers mean "
                "nothing here",
                name, hex(saved.fingerprint).substr(0, 16), hex(layout->fingerprint).substr(0, 16));
  SK_TRY(State state, State::make(std::move(layout)));
  std::vector<float> room;
  size_t at = flat ? saved.parts[0].offset : 0;
  for (size_t i = 0; i < state.layout().parts.size(); ++i) {
    const auto bytes = flat ? file.subspan(at, static_cast<size_t>(state.layout().slots[i].bytes()))
                            : file.subspan(saved.parts[i].offset, saved.parts[i].bytes);
    at += bytes.size();
    if (state.layout().parts[i].type != DType::f32) {  // looked at when the file was parsed
      SK_TRY_STATUS(state.set_part(i, bytes));
      continue;
    }
    room.resize(bytes.size() / sizeof(float));
    if (!room.empty()) std::memcpy(room.data(), bytes.data(), bytes.size());
    SK_TRY_STATUS(check_part(state.layout().parts[i], room, name));
    SK_TRY_STATUS(state.set_part(i, std::as_bytes(std::span(room))));
  }
  SK_TRY_STATUS(check_denominators(state, name));
  state.set_history(saved.tokens_read, saved.tokens_hash);
  return state;
}

void StateFile::add(std::vector<std::byte> bytes) {
  own_.push_back(std::move(bytes));
  pieces_.push_back(own_.back());
}

Result<StateFile> StateFile::make(const State& state, std::span<const int32_t> tokens,
                                  std::string_view text, const SavedChat* chat) {
  StateFile file;
  const auto conversation = chat ? write_chat(*chat) : std::vector<std::byte>();
  file.add(header_of(state, tokens, text, conversation));
  uint64_t at = file.pieces_[0].size();
  for (size_t i = 0; i < state.layout().slots.size(); ++i) {
    if (padding(at) > 0) file.pieces_.push_back(std::span(kZeros).first(padding(at)));
    at += padding(at);
    const auto slot = static_cast<ops::SlotId>(i);
    const ops::Slot& one = state.layout().slots[i];
    const auto bytes = static_cast<uint64_t>(part_bytes(state, i));
    for (uint64_t done = 0; done < bytes;) {
      const auto view = state.memory().view(slot, static_cast<int64_t>(done) / one.bytes());
      if (view.empty()) {  // in a device's memory
        SK_TRY(const PartView part, state.part(i));
        file.add({part.bytes().begin(), part.bytes().end()});
        break;
      }
      file.pieces_.push_back(view);
      done += view.size();
    }
    at += bytes;
  }
  Sha256 hash;
  for (const auto piece : file.pieces_) hash.update(piece);
  const Digest digest = hash.finish();
  file.add({digest.begin(), digest.end()});
  return file;
}

uint64_t StateFile::size() const {
  uint64_t bytes = 0;
  for (const auto piece : pieces_) bytes += piece.size();
  return bytes;
}

std::vector<std::byte> StateFile::bytes() const {
  std::vector<std::byte> out;
  out.reserve(static_cast<size_t>(size()));
  for (const auto piece : pieces_) out.insert(out.end(), piece.begin(), piece.end());
  return out;
}

uint64_t state_file_size(const State& state, size_t tokens, size_t text_bytes) {
  uint64_t at = header_of(state, {}, {}, {}).size() + tokens * sizeof(int32_t) + text_bytes;
  for (size_t i = 0; i < state.layout().slots.size(); ++i)
    at += padding(at) + static_cast<uint64_t>(part_bytes(state, i));
  return at + Digest().size();
}

Status check_exportable(const State& state) {
  if (state.lost()) return lost_state();
  for (size_t i = 0; i < state.layout().parts.size(); ++i) {
    const arch::StateSpec& spec = state.layout().parts[i];
    if (!is_real(spec.type)) continue;
    SK_TRY(const PartView part, state.part(i));
    std::vector<float> decoded;
    if (spec.type != DType::f32) SK_TRY_STATUS(decode_part(spec.type, part.bytes(), decoded));
    for (const float value : spec.type == DType::f32 ? part.floats() : decoded)
      if (!allowed(spec, value))
        return fail(Code::corrupt,
                    "the state holds the number {}, which no file of it could be loaded with again",
                    value);
  }
  return {};
}

Status check_part(const arch::StateSpec& part, std::span<float> numbers, std::string_view name) {
  for (size_t i = 0; i < numbers.size(); ++i) {
    if (!allowed(part, numbers[i]))
      return fail(Code::corrupt, "{}: number {} of {} is {}, no model computes that", name, i,
                  part.name, numbers[i]);
    if (is_no_exponent(numbers[i])) numbers[i] = arch::kNoExponent;
  }
  return {};
}

Status check_denominators(const State& state, std::string_view name) {
  for (size_t i = 0; i < state.layout().parts.size(); ++i) {
    if (!state.layout().parts[i].name.ends_with(".att.bb")) continue;
    SK_TRY(const PartView part, state.part(i));
    for (const float bb : part.floats())
      if (bb < 0)
        return fail(Code::corrupt, "{}: {} has the number {}, no model computes that", name,
                    state.layout().parts[i].name, bb);
  }
  return {};
}

}  // namespace skein
