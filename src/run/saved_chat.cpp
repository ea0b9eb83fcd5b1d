#include "run/saved_chat.h"

#include <algorithm>
#include <set>

#include "base/limits.h"
#include "base/reader.h"
#include "run/byte_writer.h"

namespace skein {
namespace {

void write_ids(ByteWriter& out, std::span<const int32_t> ids) {
  out.number(static_cast<uint32_t>(ids.size()));
  out.raw(std::as_bytes(ids));
}

constexpr size_t kLeastTurn = 4 + 1 + 8 + 4 * 4 + 8;  // bytes

SavedTurn read_turn(Reader& reader, uint8_t& closed) {
  SavedTurn turn;
  turn.parent = int64_t{reader.u32()} - 1;
  closed = reader.u8();
  turn.closed = closed != 0;
  turn.attempt = reader.u64();
  turn.user = reader.text(reader.u32());
  turn.answer = reader.text(reader.u32());
  turn.prompt_ids = reader.array<int32_t>(reader.u32());
  turn.answer_ids = reader.array<int32_t>(reader.u32());
  const auto state = reader.bytes(reader.u64());
  turn.state.assign(state.begin(), state.end());
  return turn;
}

}  // namespace

size_t SavedChat::turns_of(const SavedBranch& of) const {
  size_t count = 0;
  for (int64_t at = turns[of.turn].parent; at >= 0; at = turns[static_cast<size_t>(at)].parent)
    ++count;
  return count;
}

std::vector<std::byte> write_chat(const SavedChat& chat) {
  ByteWriter out;
  out.name(chat.system);
  out.number(static_cast<uint32_t>(chat.turns.size()));
  for (const SavedTurn& turn : chat.turns) {
    out.number(static_cast<uint32_t>(turn.parent + 1));
    out.number(static_cast<uint8_t>(turn.closed));
    out.number(turn.attempt);
    out.name(turn.user);
    out.name(turn.answer);
    write_ids(out, turn.prompt_ids);
    write_ids(out, turn.answer_ids);
    out.number(static_cast<uint64_t>(turn.state.size()));
    out.raw(turn.state);
  }
  out.number(static_cast<uint32_t>(chat.branches.size()));
  for (const SavedBranch& branch : chat.branches) {
    out.name(branch.name);
    out.number(static_cast<uint32_t>(branch.turn));
  }
  out.number(static_cast<uint32_t>(chat.branch));
  return out.take();
}

Result<SavedChat> parse_chat(std::span<const std::byte> bytes, std::string_view name) {
  const auto broken = [&](std::string_view what) {
    return fail(Code::corrupt, "{}: the conversation {}", name, what);
  };
  Reader reader(bytes);
  SavedChat out;
  out.system = reader.text(reader.u32());
  const uint32_t turns = reader.u32();
  if (turns > limits::kChatTurns) return broken("has more turns than the limit");
  out.turns.reserve(std::min<size_t>(turns, reader.left() / kLeastTurn));
  for (uint32_t i = 0; i < turns && reader.ok(); ++i) {
    uint8_t closed = 0;
    SavedTurn turn = read_turn(reader, closed);
    if (closed > 1) return broken("has a turn that is neither open nor closed");
    if (turn.parent >= i) return broken("has a turn before the one that it follows");
    if (turn.parent >= 0 && !turn.state.empty()) return broken("has a state in its middle");
    if (turn.parent < 0 && !turn.closed) return broken("has a beginning without an end");
    if (turn.parent >= 0 && !out.turns[static_cast<size_t>(turn.parent)].closed)
      return broken("goes on after a turn without an end");
    out.turns.push_back(std::move(turn));
  }
  const uint32_t branches = reader.u32();
  if (branches > limits::kChatBranches) return broken("has more branches than the limit");
  std::set<std::string> names;
  for (uint32_t i = 0; i < branches && reader.ok(); ++i) {
    SavedBranch branch;
    branch.name = reader.text(reader.u32());
    branch.turn = reader.u32();
    if (!reader.ok()) break;
    if (!check_branch_name(branch.name) || !names.insert(branch.name).second)
      return broken("has a branch with no name of its own");
    if (branch.turn >= out.turns.size()) return broken("has a branch that ends nowhere");
    out.branches.push_back(std::move(branch));
  }
  out.branch = reader.u32();
  if (!reader.ok() || reader.left() != 0) return broken("is not as long as it says");
  if (out.branch >= out.branches.size()) return broken("has no present branch");
  return out;
}

Status check_branch_name(const std::string& name) {
  constexpr size_t kLongest = 64;
  // It is shown as it stands, so nothing in it may be an order to a terminal.
  if (name.empty() || name.size() > kLongest || name.find(' ') != std::string::npos ||
      escaped(name) != name)
    return fail(Code::argument, "a branch needs a name of 1 to {} characters without blanks",
                kLongest);
  return {};
}

}  // namespace skein
