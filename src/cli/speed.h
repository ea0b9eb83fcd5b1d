// How fast a prompt was read and an answer written, beside what the machine's memory allows.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/json.h"
#include "run/chat.h"

namespace skein::cli {

struct Speed {
  size_t prompt_tokens = 0;
  double prompt_seconds = 0;
  int64_t tokens = 0;
  double seconds = 0;
  std::optional<uint64_t> fingerprint;  // of all logits, if they were computed
  int64_t rough = 0;                    // tokens that a two-plane head gave
  double exact_share = 0;               // of the head that those read exactly
  int64_t drafted = 0;                  // guesses that were tried along with known tokens
  int64_t accepted = 0;  // of those, how many were right: tokens that took no pass of their own

  // The first token needs no step of its own: its logits came with the prompt.
  double tokens_per_second() const {
    return seconds > 0 && tokens > 1 ? static_cast<double>(tokens - 1) / seconds : 0;
  }
  double passes_per_second() const {
    const int64_t passes = tokens - 1 - accepted;
    return seconds > 0 && passes > 0 ? static_cast<double>(passes) / seconds : 0;
  }
};

// Of an answer in a chat.
Speed speed_of(const Reply& reply);

// For people: "40 tokens at 300 tokens/s; the first came after 0.02 s, in which 12 were read". With
// `all` a second line for who wants to know why: "peak memory 20 MiB, read at 800 tokens/s, 1.2
// GB/s, 80 % of read bandwidth, logits 0123456789abcdef".
std::string speed_text(const Speed& speed, Model& model, bool all);

// Members "usage" and "speed" and "fingerprint" of an object.
void write_speed(JsonWriter& json, const Speed& speed);

}  // namespace skein::cli
