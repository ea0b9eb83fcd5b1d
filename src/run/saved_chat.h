// The tree of a conversation, as a state file keeps it beside the state.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"

namespace skein {

// Little-endian, each text and list behind its u32 length:
//   text system
//   u32 turns, and of each: u32 parent + 1 (0: a beginning)  u8 whether closed  u64 attempt
//     text user  text answer  i32[] prompt ids  i32[] answer ids
//     u64 n  u8[n] the state file of a beginning that was itself loaded (0: a fresh state)
//   u32 branches, and of each: text name  u32 the turn that it ends at
//   u32 the branch that the state is of
// Parents come before their children, so that there is no circle.
struct SavedTurn {
  int64_t parent = -1;  // -1: a beginning
  bool closed = true;   // its end was read
  uint64_t attempt = 0;
  std::string user = {}, answer = {};
  std::vector<int32_t> prompt_ids = {}, answer_ids = {};
  std::vector<std::byte> state = {};
};

struct SavedBranch {
  std::string name;
  size_t turn = 0;
};

struct SavedChat {
  std::string system;
  std::vector<SavedTurn> turns;
  std::vector<SavedBranch> branches;  // each name once
  size_t branch = 0;

  // How many turns that branch has.
  size_t turns_of(const SavedBranch& branch) const;
};

std::vector<std::byte> write_chat(const SavedChat& chat);
// Checks every length, that turns form trees and branches end in them. Error: corrupt.
Result<SavedChat> parse_chat(std::span<const std::byte> bytes, std::string_view name);

// Error: argument.
Status check_branch_name(const std::string& name);

}  // namespace skein
