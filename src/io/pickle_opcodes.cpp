#include "io/pickle_opcodes.h"

#include <fmt/format.h>

#include <string_view>

namespace skein::io {
namespace {

struct OpcodeName {
  uint8_t code;
  std::string_view name;
};

// Every opcode of protocols 0 to 5 that the reader does not follow.
constexpr OpcodeName kRefused[] = {
    {'0', "POP"},
    {'1', "POP_MARK"},
    {'2', "DUP"},
    {'B', "BINBYTES"},
    {'C', "SHORT_BINBYTES"},
    {'F', "FLOAT"},
    {'I', "INT"},
    {'L', "LONG"},
    {'P', "PERSID"},
    {'S', "STRING"},
    {'V', "UNICODE"},
    {'d', "DICT"},
    {'g', "GET"},
    {'i', "INST"},
    {'l', "LIST"},
    {'o', "OBJ"},
    {'p', "PUT"},
    {0x81, "NEWOBJ"},
    {0x82, "EXT1"},
    {0x83, "EXT2"},
    {0x84, "EXT4"},
    {0x8e, "BINBYTES8"},
    {0x8f, "EMPTY_SET"},
    {0x90, "ADDITEMS"},
    {0x91, "FROZENSET"},
    {0x92, "NEWOBJ_EX"},
    {0x96, "BYTEARRAY8"},
    {0x97, "NEXT_BUFFER"},
    {0x98, "READONLY_BUFFER"},
};

}  // namespace

std::string pickle_opcode_name(uint8_t opcode) {
  for (const OpcodeName& row : kRefused)
    if (row.code == opcode) return std::string(row.name);
  return fmt::format("{:#04x}", opcode);
}

}  // namespace skein::io
