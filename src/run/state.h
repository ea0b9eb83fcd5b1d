// All that a model remembers, as a value: copy it, keep it, compare it, send it somewhere else.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "arch/architecture.h"
#include "base/aligned.h"
#include "base/error.h"
#include "base/hash.h"

namespace skein {

// What the states of one model have in common.
struct StateLayout {
  std::string design;    // "rwkv7"
  Digest fingerprint{};  // of the weights, see Model::fingerprint
  std::vector<arch::StateSpec> parts;
  std::vector<int64_t> offsets;  // of each part, in floats
  int64_t size = 0;              // in floats
  std::vector<float> tuned;      // what a fresh state is where the model file says so, else empty
};

// What is said of a lost state, see State::lost().
tl::unexpected<Error> lost_state();

class State {
 public:
  // A fresh one: as before the first token.
  explicit State(std::shared_ptr<const StateLayout> layout);

  const StateLayout& layout() const { return *layout_; }
  std::shared_ptr<const StateLayout> shared_layout() const { return layout_; }
  std::span<float> values() { return values_; }
  std::span<const float> values() const { return values_; }
  std::span<const float> part(size_t index) const;

  // How many tokens it has read, and a hash of them in their order.
  uint64_t tokens_read() const { return tokens_read_; }
  uint64_t tokens_hash() const { return tokens_hash_; }
  void note(std::span<const int32_t> tokens);
  void set_history(uint64_t tokens_read, uint64_t tokens_hash);

  // A step that failed may have left numbers in it that mean nothing: then it is lost, and every
  // call that would compute with it or hand it out fails, until another state is copied into it.
  bool lost() const { return lost_; }
  void lose() { lost_ = true; }

  bool operator==(const State& other) const;

 private:
  std::shared_ptr<const StateLayout> layout_;
  AlignedVector<float> values_;
  uint64_t tokens_read_ = 0;
  uint64_t tokens_hash_ = 0;
  bool lost_ = false;
};

}  // namespace skein
