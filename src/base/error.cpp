#include "base/error.h"

#include "base/utf8.h"

namespace skein {

const char* code_name(Code code) {
  switch (code) {
    case Code::argument: return "argument";
    case Code::corrupt: return "corrupt";
    case Code::unsupported: return "unsupported";
    case Code::mismatch: return "mismatch";
    case Code::memory: return "memory";
    case Code::io: return "io";
    case Code::device: return "device";
    case Code::internal: return "internal";
    case Code::network: return "network";
  }
  return "unknown";
}

std::string escaped(std::string_view bytes, size_t limit) {
  std::string out;
  size_t at = 0;
  while (at < bytes.size() && out.size() < limit) {
    const size_t length = utf8_length(bytes.substr(at));
    const auto byte = static_cast<unsigned char>(bytes[at]);
    // U+0080 to U+009F are orders to a terminal too.
    const bool second =
        length == 2 && byte == 0xc2 && static_cast<unsigned char>(bytes[at + 1]) < 0xa0;
    if (length == 0 || byte < 0x20 || byte == 0x7f || second) {
      for (size_t i = 0; i < (second ? 2 : 1); ++i)
        out += fmt::format("\\x{:02x}", static_cast<unsigned char>(bytes[at + i]));
      at += second ? 2 : 1;
    } else {
      out += bytes.substr(at, length);
      at += length;
    }
  }
  if (at < bytes.size()) out += "...";
  return out;
}

}  // namespace skein
