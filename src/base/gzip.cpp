#include "base/gzip.h"

#include <zlib.h>

#include <algorithm>

namespace skein {
namespace {

constexpr int kGzip = 15 + 16;  // zlib's way to say: the largest window, and gzip's head and end
constexpr size_t kPart = 64 * 1024;

struct Inflater {
  z_stream stream{};
  bool ready = ::inflateInit2(&stream, kGzip) == Z_OK;
  ~Inflater() {
    if (ready) ::inflateEnd(&stream);
  }
};

}  // namespace

Result<std::string> gunzip(std::span<const std::byte> bytes, uint64_t limit_bytes) {
  Inflater inflater;
  if (!inflater.ready) return fail(Code::memory, "no memory to inflate {} bytes", bytes.size());
  z_stream& stream = inflater.stream;
  std::string out;
  for (int told = Z_OK; told != Z_STREAM_END;) {
    if (stream.avail_in == 0) {
      // zlib counts in unsigned int.
      const auto part = bytes.first(std::min(bytes.size(), size_t{1} << 30));
      stream.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(part.data()));
      stream.avail_in = static_cast<uInt>(part.size());
      bytes = bytes.subspan(part.size());
    }
    const size_t before = out.size();
    out.resize(before + kPart);
    stream.next_out = reinterpret_cast<Bytef*>(out.data() + before);
    stream.avail_out = kPart;
    told = ::inflate(&stream, Z_NO_FLUSH);
    out.resize(before + kPart - stream.avail_out);
    if (told == Z_MEM_ERROR) return fail(Code::memory, "no memory to inflate what is compressed");
    if (told != Z_OK && told != Z_STREAM_END)
      return fail(Code::corrupt, "what is compressed is damaged or cut short");
    if (out.size() > limit_bytes)
      return fail(Code::corrupt, "what is compressed holds more than {} bytes", limit_bytes);
  }
  if (stream.avail_in > 0 || !bytes.empty())
    return fail(Code::corrupt, "something stands behind what is compressed");
  return out;
}

}  // namespace skein
