// F7: state files, whole: our own format, a .pth list, tuned states. What is accepted is a state of
// the model's exact size with sensible numbers, and survives being written again.
#include <algorithm>
#include <cmath>
#include <vector>

#include "base/limits.h"
#include "fuzz/heap_budget.h"
#include "fuzz/oracle.h"
#include "run/state_file.h"

namespace {

using skein::fuzz::require;

// Two layers of width 6 with two heads of 3.
std::shared_ptr<const skein::StateLayout> layout() {
  static const auto shared = [] {
    auto made = std::make_shared<skein::StateLayout>();
    made->design = "rwkv7";
    made->fingerprint.fill(std::byte{7});
    for (const std::string block : {"blocks.0.", "blocks.1."}) {
      made->parts.push_back({block + "att.x_prev", {6}, false});
      made->parts.push_back({block + "att.wkv", {2, 3, 3}, true});
      made->parts.push_back({block + "ffn.x_prev", {6}, false});
    }
    for (const auto& part : made->parts) {
      made->offsets.push_back(made->size);
      made->size += part.shape.elements();
    }
    return made;
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
  if (saved)
    check_values(saved->values);
  else
    skein::fuzz::check_error(saved.error());

  for (const bool swapped : {false, true}) {
    const auto state = skein::import_state(file, "fuzz.state", layout(), swapped);
    if (!state) {
      skein::fuzz::check_error(state.error());
      continue;
    }
    require(state->values().size() == 60);
    check_values(state->values());
    if (!saved) continue;
    // One of ours: the same bytes again.
    const auto again = skein::serialise(*state, saved->tokens, saved->text);
    require(std::equal(again.begin(), again.end(), file.begin(), file.end()));
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
  constexpr std::string_view kHead("SkeinSt1\1\0\0\0", 12);
  if (seed % 2 == 0) return LLVMFuzzerMutate(data, size, max_size);
  return skein::fuzz::mutate_behind(kHead, data, size, max_size, seed / 2);
}
