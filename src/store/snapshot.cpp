#include "store/snapshot.h"

#include <cmath>

#include "base/reader.h"
#include "run/byte_writer.h"
#include "run/saved_state.h"

namespace skein::store {
namespace {

constexpr std::string_view kMagic = "SkeinSn1";
constexpr std::string_view kName = "a kept state";

}  // namespace

Image image_of(std::shared_ptr<const skein::Session::Snapshot> snapshot) {
  const uint64_t bytes = state_file_size(snapshot->state, 0, 0) +
                         snapshot->logits.size() * sizeof(float) + kMagic.size() +
                         2 * sizeof(uint64_t);
  const auto make = [snapshot, bytes]() -> Result<std::vector<std::byte>> {
    SK_TRY_STATUS(check_exportable(snapshot->state));
    // The tokens are the store's own.
    SK_TRY(const StateFile file, StateFile::make(snapshot->state, {}, {}));
    ByteWriter w(bytes);
    w.text(kMagic);
    w.number(file.size());
    for (const std::span<const std::byte> piece : file.pieces()) w.raw(piece);
    w.number(static_cast<uint64_t>(snapshot->logits.size()));
    w.raw(std::as_bytes(std::span(snapshot->logits)));
    return w.take();
  };
  return {bytes, make};
}

Result<skein::Session::Snapshot> to_snapshot(std::span<const std::byte> image,
                                             std::shared_ptr<const StateLayout> layout) {
  Reader reader(image);
  const bool ours = reader.text(kMagic.size()) == kMagic;
  const auto file = reader.bytes(reader.u64());
  std::vector<float> logits = reader.array<float>(reader.u64());
  if (!ours || !reader.ok() || reader.left() != 0)
    return fail(Code::corrupt, "{}: is cut off or no snapshot", kName);
  for (const float logit : logits)
    if (!std::isfinite(logit))
      return fail(Code::corrupt, "{}: what comes next is no number", kName);
  SK_TRY(const SavedState saved, parse_saved_state(file, kName));
  SK_TRY(State state, to_state(saved, file, std::move(layout), kName));
  return skein::Session::Snapshot{std::move(state), std::move(logits)};
}

}  // namespace skein::store
