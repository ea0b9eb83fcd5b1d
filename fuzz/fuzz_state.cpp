// F7: state files, whole: our own format, a .pth list, tuned states. What is accepted is a state of
// the model's exact size with sensible numbers, and survives being written again.
#include <algorithm>
#include <cmath>
#include <vector>

#include "base/limits.h"
#include "fuzz/heap_budget.h"
#include "fuzz/oracle.h"
#include "run/state_file.h"
#include "support/states.h"

namespace {

using skein::fuzz::require;

// Two layers of width 6 with two heads of 3.
std::shared_ptr<const skein::StateLayout> layout() {
  static const auto shared = [] {
    std::vector<skein::arch::StateSpec> parts;
    for (const std::string block : {"blocks.0.", "blocks.1."}) {
      parts.push_back({block + "att.x_prev", {6}, false});
      parts.push_back({block + "att.wkv", {2, 3, 3}, true});
      parts.push_back({block + "ffn.x_prev", {6}, false});
    }
    skein::Digest fingerprint;
    fingerprint.fill(std::byte{7});
    return skein::host_layout("rwkv7", fingerprint, std::move(parts));
  }();
  return shared;
}

void check_values(std::span<const float> values) {
  for (const float value : values)
    require(std::isfinite(value) && std::fabs(value) < skein::limits::kStateMagnitude);
}

void check_file(std::span<const std::byte> file) {
  const skein::fuzz::HeapBudget budget;
  const auto saved = skein::parse_saved_state(file, "fuzz.state");
  require(budget.peak() <= skein::limits::kMiB + 16 * file.size());
  if (!saved) skein::fuzz::check_error(saved.error());
  for (const skein::SavedPart& part : saved ? saved->parts : std::vector<skein::SavedPart>()) {
    require(part.offset + part.bytes <= file.size());
    if (part.type != skein::DType::f32) continue;
    std::vector<float> values;
    require(
        skein::decode_part(part.type, file.subspan(part.offset, part.bytes), values).has_value());
    check_values(values);
  }

  for (const bool swapped : {false, true}) {
    const auto state = skein::import_state(file, "fuzz.state", layout(), swapped);
    if (!state) {
      skein::fuzz::check_error(state.error());
      continue;
    }
    const std::vector<float> values = skein::test::numbers(*state);
    require(values.size() == 60);
    check_values(values);
    if (!saved || saved->parts.size() == 1) continue;
    // One of ours, of this version: the same bytes again.
    const auto again = skein::StateFile::make(*state, saved->tokens, saved->text,
                                              saved->chat ? &*saved->chat : nullptr);
    require(again.has_value());
    const auto bytes = again->bytes();
    require(std::equal(bytes.begin(), bytes.end(), file.begin(), file.end()));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto file = skein::fuzz::bytes_of(data, size);
  check_file(file);
  // Nothing gets behind the checksum by chance, so it is put right once more.
  constexpr size_t kSum = sizeof(skein::Digest);
  if (!skein::is_saved_state(file) || size < kSum) return 0;
  std::vector<std::byte> signed_again(file.begin(), file.end());
  const skein::Digest sum = skein::sha256(file.first(size - kSum));
  std::copy(sum.begin(), sum.end(), signed_again.end() - kSum);
  check_file(signed_again);
  return 0;
}

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size,
                                          unsigned seed) {
  // Half of the inputs stay ours, up to the version; the others are whatever they were.
  constexpr std::string_view kHeads[] = {std::string_view("SkeinSt1\1\0\0\0", 12),
                                         std::string_view("SkeinSt1\2\0\0\0", 12)};
  if (seed % 2 == 0) return LLVMFuzzerMutate(data, size, max_size);
  return skein::fuzz::mutate_behind(kHeads[seed / 2 % 2], data, size, max_size, seed / 4);
}
