// Skein's own file of a state: exact numbers, the model they belong to, and what they stand for.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "run/saved_chat.h"
#include "run/state.h"

namespace skein {

// Version 3, little-endian:
//   "SkeinSt1"  u32 version  u32 design length  design  32 bytes fingerprint
//   u64 tokens read  u64 their hash  u64 n  i32 token[n]  u64 m  text[m]
//   u64 k  conversation[k]: run/saved_chat.h
//   u32 parts, and of each: u32 name length  name  u32 type length  type ("F32", "I32" ...)
//     u8 whether it grows  u8 axes  u64 axis[axes]  u64 rows (1 where it does not grow)
//   each part's elements, from the next multiple of 64 on, with zeros before
//   32 bytes SHA-256 of everything before
// `token` and `text` are what the state stands for, as far as the program that saved it kept them
// (n and m may be 0). A part that grows has the shape of one row. Version 2 has no conversation,
// and is what is written where there is none. Version 1 has all numbers of a fixed state in one:
// u64 f f32 value[f], right behind the text.
struct SavedPart {
  std::string name;  // empty: all that version 1 has
  DType type = DType::f32;
  ops::Growth growth = ops::Growth::fixed;
  Shape shape;
  int64_t rows = 1;
  size_t offset = 0;  // in the file
  size_t bytes = 0;

  int64_t elements() const { return shape.elements() * rows; }
};

struct SavedState {
  std::string design;
  Digest fingerprint{};
  uint64_t tokens_read = 0;
  uint64_t tokens_hash = 0;
  std::vector<int32_t> tokens;
  std::string text;
  std::vector<SavedPart> parts;
  std::optional<SavedChat> chat;  // that the state stands in

  int64_t numbers() const;  // of all parts
};

bool is_saved_state(std::span<const std::byte> file);

// Checks magic, version, every length, the checksum, and that all values are finite and below
// limits::kStateMagnitude. Errors: corrupt, unsupported (a newer version).
Result<SavedState> parse_saved_state(std::span<const std::byte> file, std::string_view name);
// `saved` is what parse_saved_state() found in `file`. Errors: mismatch (made by another model);
// corrupt; those of State::make().
Result<State> to_state(const SavedState& saved, std::span<const std::byte> file,
                       std::shared_ptr<const StateLayout> layout, std::string_view name);

// A state as the bytes of its file. Those of its parts stay where they are, if that is in this
// process's memory: the state must outlive this and not change meanwhile.
class StateFile {
 public:
  // Error: device.
  static Result<StateFile> make(const State& state, std::span<const int32_t> tokens,
                                std::string_view text, const SavedChat* chat = nullptr);
  // One after the other they are the file.
  std::span<const std::span<const std::byte>> pieces() const { return pieces_; }
  uint64_t size() const;
  std::vector<std::byte> bytes() const;

 private:
  void add(std::vector<std::byte> bytes);

  std::vector<std::span<const std::byte>> pieces_;
  std::vector<std::vector<std::byte>> own_;  // the pieces that are no views
};

// How many bytes that makes.
uint64_t state_file_size(const State& state, size_t tokens, size_t text_bytes);

// Whether a file of this state could be loaded again: every number finite and below
// limits::kStateMagnitude. To be asked before one is handed out. Errors: corrupt (the state is
// lost, or weights are too large for its numbers to be kept), device.
Status check_exportable(const State& state);

// Whether a model computes these numbers of a part, which come from a file; what stands there for
// no exponent becomes ours. Error: corrupt.
Status check_part(const arch::StateSpec& part, std::span<float> numbers, std::string_view name);

// The elements of a part as floats. Error: unsupported (a type that has no numbers).
Status decode_part(DType type, std::span<const std::byte> elements, std::vector<float>& out);

// RWKV-4 divides by its second memory. Errors: corrupt, device.
Status check_denominators(const State& state, std::string_view name);

}  // namespace skein
