#include "io/pickle.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "base/limits.h"
#include "base/utf8.h"
#include "io/pickle_machine.h"
#include "io/pickle_opcodes.h"
#include "io/tensor_table.h"

namespace skein::io {
namespace {

constexpr int kNewestProtocol = 5;
constexpr uint32_t kUnset = UINT32_MAX;

bool valid_utf8(std::string_view text) {
  while (!text.empty()) {
    const size_t length = utf8_length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

}  // namespace

std::string_view Pickle::text(Id id) const {
  const Range range = nodes_[id].range;
  return {reinterpret_cast<const char*>(bytes_.data()) + range.begin, range.count};
}

std::span<const std::byte> Pickle::long_integer(Id id) const {
  return bytes_.subspan(nodes_[id].range.begin, nodes_[id].range.count);
}

std::span<const Pickle::Id> Pickle::items(Id id) const {
  const Node& node = nodes_[id];
  if (node.kind == PickleKind::tuple)
    return std::span(tuple_items_).subspan(node.range.begin, node.range.count);
  return containers_[node.index];
}

Result<Pickle> PickleMachine::run() {
  const uint8_t first = reader_.u8();
  // What a checkpoint begins with where there is no PROTO: a dict, a list, an OrderedDict.
  if (first == kEmptyDict || first == kEmptyList || first == kMark || first == kGlobal)
    return fail(Code::unsupported,
                "a pickle of a protocol below 2; save it again without pickle_protocol");
  if (first != kProto || !reader_.ok())
    return fail(Code::corrupt, "byte 0 of the pickle: no PROTO opcode");
  const int protocol = reader_.u8();
  if (!reader_.ok()) return fail(Code::corrupt, "byte 1 of the pickle: it ends without STOP");
  if (protocol < 2 || protocol > kNewestProtocol)
    return fail(Code::unsupported, "the pickle has protocol {}", protocol);
  for (uint64_t opcodes = 0; !stopped_; ++opcodes) {
    if (opcodes == limits::kPickleOpcodes)
      return above_limit("opcodes in the pickle", opcodes + 1, limits::kPickleOpcodes);
    opcode_at_ = reader_.offset();
    const uint8_t opcode = reader_.u8();
    if (!reader_.ok()) return corrupt("it ends without STOP");
    SK_TRY_STATUS(step(opcode));
  }
  out_.bytes_read_ = reader_.offset();
  return std::move(out_);
}

Status PickleMachine::step(uint8_t opcode) {
  switch (opcode) {
    case kStop: return finish();
    case kMark: return mark();
    case kNone: return push_number(Kind::none, 0);
    case kNewTrue: return push_number(Kind::boolean, 1);
    case kNewFalse: return push_number(Kind::boolean, 0);
    case kBinInt: return push_number(Kind::integer, reader_.i32());
    case kBinInt1: return push_number(Kind::integer, reader_.u8());
    case kBinInt2: return push_number(Kind::integer, reader_.u16());
    case kLong1: return push_long(reader_.u8());
    case kLong4: return push_long(reader_.u32());
    case kBinFloat: return push_real();
    case kShortBinUnicode:
    case kShortBinString: return push_text(reader_.u8());
    case kBinUnicode:
    case kBinString: return push_text(reader_.u32());
    case kBinUnicode8: return push_text(reader_.u64());
    case kEmptyDict: return push_container(Kind::dict);
    case kEmptyList: return push_container(Kind::list);
    case kEmptyTuple: return tuple({});
    case kTuple1: return short_tuple(1);
    case kTuple2: return short_tuple(2);
    case kTuple3: return short_tuple(3);
    case kTuple: {
      SK_TRY(const auto items, pop_to_mark());
      return tuple(items);
    }
    case kAppend: {
      SK_TRY_STATUS(need(2));
      const Id item = pop();
      return append({&item, 1});
    }
    case kAppends: {
      SK_TRY(const auto items, pop_to_mark());
      return append(items);
    }
    case kSetItem: {
      SK_TRY_STATUS(need(3));
      const Id value = pop();
      const std::array pair{pop(), value};
      return set_items(pair);
    }
    case kSetItems: {
      SK_TRY(const auto items, pop_to_mark());
      return set_items(items);
    }
    case kBinPut: return put(reader_.u8());
    case kLongBinPut: return put(reader_.u32());
    case kMemoize: return memoize();
    case kBinGet: return get(reader_.u8());
    case kLongBinGet: return get(reader_.u32());
    case kGlobal: return global_lines();
    case kStackGlobal: return stack_global();
    case kBinPersId: return persistent_id();
    case kReduce: return reduce();
    case kBuild: return build();
    case kFrame:
      if (reader_.u64() > reader_.left() || !reader_.ok())
        return corrupt("a frame that is longer than what is left");
      return {};
    case kProto: return corrupt("a second PROTO");
    default:
      return refuse(Code::unsupported, "opcode {} is not allowed in a checkpoint",
                    pickle_opcode_name(opcode));
  }
}

Status PickleMachine::push(Id id) {
  if (!reader_.ok()) return corrupt("its last value is cut off");
  if (stack_.size() + marks_.size() == limits::kPickleStack)
    return corrupt("more than {} values on the stack", limits::kPickleStack);
  stack_.push_back(id);
  return {};
}

Status PickleMachine::push(const Node& node) {
  out_.nodes_.push_back(node);
  return push(static_cast<Id>(out_.nodes_.size() - 1));
}

Status PickleMachine::push_number(Kind kind, int64_t value) {
  Node node;
  node.kind = kind;
  node.integer = value;
  return push(node);
}

Status PickleMachine::push_indexed(Kind kind, size_t index, bool ordered) {
  Node node;
  node.kind = kind;
  node.ordered = ordered;
  node.index = static_cast<uint32_t>(index);
  return push(node);
}

Status PickleMachine::push_bytes(Kind kind, uint64_t count) {
  const size_t begin = reader_.offset();
  reader_.skip(count);
  if (!reader_.ok()) return corrupt("a value of {} bytes, more than are left", count);
  Node node;
  node.kind = kind;
  node.range = {static_cast<uint32_t>(begin), static_cast<uint32_t>(count)};
  return push(node);
}

Status PickleMachine::push_text(uint64_t count) {
  SK_TRY_STATUS(push_bytes(Kind::text, count));
  if (!valid_utf8(out_.text(stack_.back()))) return corrupt("a string that is not UTF-8");
  return {};
}

Status PickleMachine::push_long(uint64_t count) {
  if (count > sizeof(int64_t)) return push_bytes(Kind::long_integer, count);
  const auto raw = reader_.bytes(count);
  if (!reader_.ok()) return corrupt("a number of {} bytes, more than are left", count);
  const bool negative = count > 0 && (raw[count - 1] & std::byte{0x80}) != std::byte{0};
  int64_t value = negative ? -1 : 0;
  if (count > 0) std::memcpy(&value, raw.data(), count);
  return push_number(Kind::integer, value);
}

Status PickleMachine::push_container(Kind kind, bool ordered) {
  out_.containers_.emplace_back();
  return push_indexed(kind, out_.containers_.size() - 1, ordered);
}

Status PickleMachine::push_real() {
  uint64_t bits = 0;  // the one big-endian number of the format
  for (int i = 0; i < 8; ++i) bits = bits << 8 | reader_.u8();
  return push_number(Kind::real, static_cast<int64_t>(bits));
}

Status PickleMachine::mark() {
  if (stack_.size() + marks_.size() == limits::kPickleStack)
    return corrupt("more than {} values on the stack", limits::kPickleStack);
  marks_.push_back(stack_.size());
  return {};
}

Status PickleMachine::need(size_t count) const {
  if (stack_.size() - floor() >= count) return {};
  return corrupt("the stack holds {} values where {} are needed", stack_.size() - floor(), count);
}

Pickle::Id PickleMachine::pop() {
  const Id id = stack_.back();
  stack_.pop_back();
  return id;
}

Result<std::vector<Pickle::Id>> PickleMachine::pop_to_mark() {
  if (marks_.empty()) return corrupt("no mark on the stack");
  std::vector<Id> items(stack_.begin() + static_cast<ptrdiff_t>(marks_.back()), stack_.end());
  stack_.resize(marks_.back());
  marks_.pop_back();
  return items;
}

Status PickleMachine::put(uint64_t slot) {
  SK_TRY_STATUS(need(1));
  if (!reader_.ok()) return corrupt("a memo number is cut off");
  if (std::exchange(memo_style_, MemoStyle::numbered) == MemoStyle::counted)
    return corrupt("numbered and counted memo entries in one pickle");
  if (slot >= limits::kPickleMemo)
    return corrupt("memo entry {}, the limit is {}", slot, limits::kPickleMemo);
  if (slot >= memo_.size()) memo_.resize(slot + 1, kUnset);
  memo_[slot] = stack_.back();
  return {};
}

Status PickleMachine::memoize() {
  SK_TRY_STATUS(need(1));
  if (std::exchange(memo_style_, MemoStyle::counted) == MemoStyle::numbered)
    return corrupt("numbered and counted memo entries in one pickle");
  if (memo_.size() == limits::kPickleMemo)
    return corrupt("more than {} memo entries", limits::kPickleMemo);
  memo_.push_back(stack_.back());
  return {};
}

Status PickleMachine::get(uint64_t slot) {
  if (!reader_.ok()) return corrupt("a memo number is cut off");
  if (slot >= memo_.size() || memo_[slot] == kUnset)
    return corrupt("memo entry {} was never written", slot);
  return push(memo_[slot]);
}

Status PickleMachine::tuple(std::span<const Id> items) {
  const Pickle::Range range{static_cast<uint32_t>(out_.tuple_items_.size()),
                            static_cast<uint32_t>(items.size())};
  out_.tuple_items_.insert(out_.tuple_items_.end(), items.begin(), items.end());
  Node node;
  node.kind = Kind::tuple;
  node.range = range;
  return push(node);
}

Status PickleMachine::short_tuple(size_t count) {
  SK_TRY_STATUS(need(count));
  std::array<Id, 3> items{};
  for (size_t i = count; i-- > 0;) items[i] = pop();
  return tuple(std::span(items).first(count));
}

// Every child of a list or dict is counted, because a memo can name the same thousand values again
// and again for two opcodes each time.
Status PickleMachine::grow(Id container, std::span<const Id> items) {
  children_ += items.size();
  if (children_ > limits::kPickleOpcodes)
    return corrupt("its lists hold more than {} values", limits::kPickleOpcodes);
  auto& into = out_.containers_[out_.nodes_[container].index];
  into.insert(into.end(), items.begin(), items.end());
  return {};
}

Status PickleMachine::append(std::span<const Id> items) {
  SK_TRY_STATUS(need(1));
  if (kind(stack_.back()) != Kind::list) return corrupt("APPEND to something that is no list");
  return grow(stack_.back(), items);
}

Status PickleMachine::set_items(std::span<const Id> items) {
  SK_TRY_STATUS(need(1));
  if (kind(stack_.back()) != Kind::dict) return corrupt("SETITEM on something that is no dict");
  if (items.size() % 2 != 0) return corrupt("SETITEMS with a key that has no value");
  return grow(stack_.back(), items);
}

Status PickleMachine::finish() {
  stopped_ = true;
  if (stack_.size() != 1 || !marks_.empty())
    return corrupt("STOP with {} values on the stack", stack_.size() + marks_.size());
  out_.root_ = stack_.back();
  return check_nesting();
}

// Walks what the root holds, each value once: a value on the path to itself is a cycle, and one
// whose own height plus the path above it exceeds the limit is too deep.
Status PickleMachine::check_nesting() const {
  constexpr uint8_t kUnseen = 0, kOnPath = 255;
  static_assert(limits::kPickleDepth < kOnPath);
  std::vector<uint8_t> height(out_.nodes_.size(), kUnseen);  // 1 for a value without children
  struct Frame {
    Id id;
    size_t next;
    uint8_t height;
  };
  std::vector<Frame> path;
  const auto children = [this](Id id) -> std::span<const Id> {
    const Kind k = kind(id);
    const bool has = k == Kind::tuple || k == Kind::list || k == Kind::dict;
    return has ? out_.items(id) : std::span<const Id>{};
  };
  path.push_back({out_.root_, 0, 1});
  height[out_.root_] = kOnPath;
  while (!path.empty()) {
    Frame& top = path.back();
    const auto items = children(top.id);
    if (top.next == items.size()) {
      const Frame done = top;
      height[done.id] = done.height;
      path.pop_back();
      if (!path.empty())
        path.back().height = std::max(path.back().height, static_cast<uint8_t>(done.height + 1));
      continue;
    }
    const Id child = items[top.next++];
    const uint8_t seen = height[child];
    if (seen == kOnPath) return corrupt("a value that contains itself");
    if (path.size() + std::max<uint8_t>(seen, 1) > limits::kPickleDepth)
      return corrupt("values nested deeper than {}", limits::kPickleDepth);
    if (seen != kUnseen) {
      top.height = std::max(top.height, static_cast<uint8_t>(seen + 1));
    } else {
      height[child] = kOnPath;
      path.push_back({child, 0, 1});
    }
  }
  return {};
}

Result<Pickle> Pickle::read(std::span<const std::byte> bytes) {
  return PickleMachine(bytes.first(std::min<size_t>(bytes.size(), limits::kHeaderBytes))).run();
}

}  // namespace skein::io
