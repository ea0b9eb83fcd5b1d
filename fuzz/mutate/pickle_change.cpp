// Changes pickles opcode by opcode: flipped bytes mostly break an operand's length, and then
// nothing behind it is reached.
#include <fmt/format.h>

#include <cstring>

#include "fuzz/mutate/emit.h"
#include "fuzz/mutate/values.h"
#include "io/build.h"
#include "io/pickle_opcodes.h"

namespace skein::mutate {
namespace {

using test::le;
using namespace std::string_literals;

// Bytes of the operand behind an opcode at `at`.
size_t operand(std::string_view pickle, size_t at) {
  const auto length = [&](size_t width) {
    uint64_t value = 0;
    if (at + 1 + width <= pickle.size()) std::memcpy(&value, pickle.data() + at + 1, width);
    return width + static_cast<size_t>(value);
  };
  switch (static_cast<uint8_t>(pickle[at])) {
    case io::kProto:
    case io::kBinInt1:
    case io::kBinPut:
    case io::kBinGet: return 1;
    case io::kBinInt2: return 2;
    case io::kBinInt:
    case io::kLongBinPut:
    case io::kLongBinGet: return 4;
    case io::kBinFloat:
    case io::kFrame: return 8;
    case io::kLong1:
    case io::kShortBinUnicode:
    case io::kShortBinString: return length(1);
    case io::kBinUnicode:
    case io::kBinString:
    case io::kLong4: return length(4);
    case io::kBinUnicode8: return length(8);
    case io::kGlobal: {
      const size_t line = pickle.find('\n', at + 1);
      const size_t second = line == pickle.npos ? line : pickle.find('\n', line + 1);
      return second == pickle.npos ? pickle.size() - at - 1 : second - at;
    }
    default: return 0;
  }
}

std::vector<std::string> split(std::string_view pickle) {
  std::vector<std::string> out;
  for (size_t at = 0; at < pickle.size();) {
    const size_t size = std::min(pickle.size() - at, 1 + operand(pickle, at));
    out.emplace_back(pickle.substr(at, size));
    at += size;
  }
  return out;
}

std::string some_opcode(test::Random& random) {
  using namespace test::pickle;
  switch (random.below(12)) {
    case 0: return "q" + std::string(1, static_cast<char>(random.below(4)));
    case 1: return "h" + std::string(1, static_cast<char>(random.below(4)));
    case 2: return "j" + le(static_cast<uint32_t>(random.below(200000)));
    case 3: return "r" + le(static_cast<uint32_t>(random.below(200000)));
    case 4: return "\x95" + le(random.next() >> random.below(64));
    case 5: {
      const auto module = pick(random, {"torch", "collections", "os", "builtins", "torch._utils"});
      return global(module, pick(random, {"OrderedDict", "system", "eval", "_rebuild_tensor_v2",
                                          "_rebuild_parameter", "FloatStorage"}));
    }
    case 6: return text(pick(random, {"", "0", "storage", "cpu", "blocks.0.att.key.weight"}));
    case 7: return number(static_cast<int32_t>(near_number(64, random)));
    case 8: return "\x8a" + std::string(1, static_cast<char>(9)) + std::string(9, '\x7f');
    case 9: {
      const auto count = static_cast<size_t>(pick(random, {1, 70, 5000}));
      return std::string(count, pick(random, {'(', '}', ']', ')', 'N'}));
    }
    default:
      return std::string(
          1, pick(random, {'(', 't', 'u', 'e',    's',    'a',    'R',    'b',    'Q',    '}',
                           ']', ')', 'N', '\x85', '\x86', '\x87', '\x88', '\x94', '\x93', '.',
                           '0', '2', 'i', 'o',    'P',    'I',    'S',    'V',    'F'}));
  }
}

}  // namespace

std::string change_pickle(std::string& pickle, test::Random& random) {
  std::vector<std::string> opcodes = split(pickle);
  if (opcodes.empty()) return "an empty pickle";
  const auto place = [&] {
    const auto limit = random.below(2) == 0 ? std::min<size_t>(opcodes.size(), 24) : opcodes.size();
    return static_cast<ptrdiff_t>(random.below(limit));
  };
  const ptrdiff_t at = place();
  std::string said;
  switch (random.below(6)) {
    case 0:
      opcodes.erase(opcodes.begin() + at);
      said = "dropped";
      break;
    case 1: {
      const std::string twice = opcodes[static_cast<size_t>(at)];
      opcodes.insert(opcodes.begin() + at, twice);
      said = "doubled";
      break;
    }
    case 2:
      std::swap(opcodes[static_cast<size_t>(at)], opcodes[static_cast<size_t>(place())]);
      said = "exchanged";
      break;
    case 3:
      opcodes[static_cast<size_t>(at)] = some_opcode(random);
      said = "replaced";
      break;
    case 4: {  // a value kept in the memo and fetched again later
      const std::string key(1, static_cast<char>(random.below(256)));
      opcodes.insert(opcodes.begin() + at, "q" + key);
      opcodes.insert(opcodes.begin() + place(), "h" + key);
      said = "memoised";
      break;
    }
    default:
      opcodes.insert(opcodes.begin() + at, some_opcode(random));
      said = "preceded by another";
      break;
  }
  pickle.clear();
  for (const std::string& opcode : opcodes) pickle += opcode;
  return fmt::format("pickle opcode {} {}", at, said);
}

}  // namespace skein::mutate
