// The opcodes that the pickle reader follows, and the names of those it refuses.
#pragma once

#include <cstdint>
#include <string>

namespace skein::io {

// clang-format off
enum Opcode : uint8_t {
  kMark = '(', kStop = '.',
  // plain values
  kNone = 'N', kNewTrue = 0x88, kNewFalse = 0x89, kBinFloat = 'G',
  kBinInt = 'J', kBinInt1 = 'K', kBinInt2 = 'M', kLong1 = 0x8a, kLong4 = 0x8b,
  kBinUnicode = 'X', kShortBinUnicode = 0x8c, kBinUnicode8 = 0x8d,
  kBinString = 'T', kShortBinString = 'U',
  // containers
  kEmptyTuple = ')', kTuple = 't', kTuple1 = 0x85, kTuple2 = 0x86, kTuple3 = 0x87,
  kEmptyList = ']', kAppend = 'a', kAppends = 'e',
  kEmptyDict = '}', kSetItem = 's', kSetItems = 'u',
  // the memo
  kBinPut = 'q', kLongBinPut = 'r', kBinGet = 'h', kLongBinGet = 'j', kMemoize = 0x94,
  // what stands for tensors
  kGlobal = 'c', kStackGlobal = 0x93, kReduce = 'R', kBuild = 'b', kBinPersId = 'Q',
  // the frame around it all
  kProto = 0x80, kFrame = 0x95,
};
// clang-format on

// "INST", or "0xff" for a byte that no protocol knows.
std::string pickle_opcode_name(uint8_t opcode);

}  // namespace skein::io
