#include "store/framed_image.h"

#include <algorithm>

#include "base/reader.h"
#include "run/byte_writer.h"

namespace skein::store {
namespace {

constexpr std::string_view kMagic = "SkeinIm1";

}  // namespace

ImageFrame frame_of(std::string_view id, std::span<const std::byte> image) {
  ByteWriter before(kAroundImage);
  before.text(kMagic);
  before.text(id);
  before.number(static_cast<uint64_t>(image.size()));
  ImageFrame out{before.take(), {}};
  Sha256 hash;
  hash.update(std::span<const std::byte>(out.head));
  hash.update(image);
  out.sum = hash.finish();
  return out;
}

Stored<std::vector<std::byte>> image_in(std::vector<std::byte> framed, std::string_view id) {
  Reader reader(framed);
  const bool ours = reader.text(kMagic.size()) == kMagic && reader.text(id.size()) == id;
  const uint64_t length = reader.u64();
  const size_t begin = reader.offset();
  reader.skip(length);
  const size_t end = reader.offset();
  const auto digest = reader.bytes(Digest().size());
  if (!ours || !reader.ok() || reader.left() != 0 ||
      !std::ranges::equal(sha256(std::span(framed).first(end)), digest))
    return refuse(Trouble::broken, "the snapshot of state {} is damaged", id);
  framed.resize(end);
  framed.erase(framed.begin(), framed.begin() + static_cast<std::ptrdiff_t>(begin));
  return framed;
}

}  // namespace skein::store
