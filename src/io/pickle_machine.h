// The stack machine behind Pickle::read: pickle.cpp has Python's part of it (stack, memo,
// containers), pickle_torch.cpp what names and calls mean in a checkpoint.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/reader.h"
#include "io/pickle.h"

namespace skein::io {

// Values are nodes of the Pickle under construction and the stack holds their ids, so that a memo
// costs nothing and sharing stays sharing.
class PickleMachine {
 public:
  explicit PickleMachine(std::span<const std::byte> bytes) : reader_(bytes) { out_.bytes_ = bytes; }

  Result<Pickle> run();

 private:
  using Id = Pickle::Id;
  using Node = Pickle::Node;
  using Kind = PickleKind;

  template <typename... Args>
  tl::unexpected<Error> refuse(Code code, fmt::format_string<Args...> text, Args&&... args) const {
    return fail(code, "byte {} of the pickle: {}", opcode_at_,
                fmt::format(text, std::forward<Args>(args)...));
  }
  template <typename... Args>
  tl::unexpected<Error> corrupt(fmt::format_string<Args...> text, Args&&... args) const {
    return refuse(Code::corrupt, text, std::forward<Args>(args)...);
  }

  Status step(uint8_t opcode);

  // The stack.
  Status push(Id id);
  Status push(const Node& node);
  // A value that consists of its kind and at most one number.
  Status push_number(Kind kind, int64_t value);
  // A value that stands in one of the Pickle's vectors.
  Status push_indexed(Kind kind, size_t index, bool ordered = false);
  Status push_bytes(Kind kind, uint64_t count);
  Status push_text(uint64_t count);
  Status push_long(uint64_t count);
  Status push_container(Kind kind, bool ordered = false);
  Status push_real();
  Status mark();
  size_t floor() const { return marks_.empty() ? 0 : marks_.back(); }
  Status need(size_t count) const;
  Id pop();
  // Everything above the last mark, which goes too.
  Result<std::vector<Id>> pop_to_mark();

  // The memo.
  Status put(uint64_t slot);
  Status get(uint64_t slot);
  Status memoize();

  // What opcodes build.
  Status tuple(std::span<const Id> items);
  Status short_tuple(size_t count);
  Status append(std::span<const Id> items);
  Status set_items(std::span<const Id> items);
  Status grow(Id container, std::span<const Id> items);
  Status global(std::string_view module, std::string_view name);
  Status global_lines();
  Status stack_global();
  Status persistent_id();
  Status reduce();
  Status ordered_dict(std::span<const Id> arguments);
  Status rebuild_tensor(std::span<const Id> arguments);
  Status rebuild_tensor_v3(std::span<const Id> arguments);
  Status rebuild_parameter(std::span<const Id> arguments);
  Status build();
  Result<Shape> shape(Id id) const;
  Status finish();
  Status check_nesting() const;

  Kind kind(Id id) const { return out_.kind(id); }

  Pickle out_;
  Reader reader_;
  size_t opcode_at_ = 0;
  bool stopped_ = false;
  std::vector<Id> stack_;
  std::vector<size_t> marks_;  // heights of the stack
  std::vector<Id> memo_;
  enum class MemoStyle { unknown, numbered, counted } memo_style_ = MemoStyle::unknown;
  uint64_t children_ = 0;
  std::unordered_map<std::string_view, uint32_t> storage_by_key_;
};

}  // namespace skein::io
