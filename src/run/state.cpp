#include "run/state.h"

#include <algorithm>
#include <cstring>

namespace skein {

tl::unexpected<Error> lost_state() {
  return fail(Code::corrupt,
              "the state was lost when the model's numbers were not finite any more; reset it, or "
              "copy an earlier one into it");
}

State::State(std::shared_ptr<const StateLayout> layout)
    : layout_(std::move(layout)), values_(static_cast<size_t>(layout_->size), 0.0f) {
  if (!layout_->tuned.empty()) {
    values_.assign(layout_->tuned.begin(), layout_->tuned.end());
    return;
  }
  for (size_t i = 0; i < layout_->parts.size(); ++i)
    if (const float initial = layout_->parts[i].initial; initial != 0)
      std::fill_n(values_.begin() + layout_->offsets[i], layout_->parts[i].shape.elements(),
                  initial);
}

std::span<const float> State::part(size_t index) const {
  return std::span(values_).subspan(static_cast<size_t>(layout_->offsets[index]),
                                    static_cast<size_t>(layout_->parts[index].shape.elements()));
}

void State::note(std::span<const int32_t> tokens) {
  // FNV-1a over whole ids: enough to tell two histories of one length apart, not a signature.
  constexpr uint64_t kPrime = 0x100000001b3;
  for (const int32_t token : tokens)
    tokens_hash_ = (tokens_hash_ ^ (static_cast<uint64_t>(token) + 1)) * kPrime;
  tokens_read_ += tokens.size();
}

void State::set_history(uint64_t tokens_read, uint64_t tokens_hash) {
  tokens_read_ = tokens_read;
  tokens_hash_ = tokens_hash;
}

bool State::operator==(const State& other) const {
  // Bit for bit: -0 and 0 differ, and so would two states whose numbers only compare equal.
  return layout_->fingerprint == other.layout_->fingerprint &&
         values_.size() == other.values_.size() &&
         std::memcmp(values_.data(), other.values_.data(), values_.size() * sizeof(float)) == 0;
}

}  // namespace skein
