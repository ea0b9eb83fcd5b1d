// Records a forward pass. An architecture calls these methods with the letters of its paper and
// never sees what they become.
#pragma once

#include <span>
#include <string>

#include "ops/program.h"

namespace skein::ops {

class Recorder;

// A handle to a recorded value, cheap to copy.
class Var {
 public:
  Var() = default;
  ValueId id() const { return id_; }
  int32_t width() const;
  explicit operator bool() const { return recorder_ != nullptr; }

 private:
  friend class Recorder;
  friend Var operator+(Var, Var);
  friend Var operator-(Var, Var);
  friend Var operator*(Var, Var);
  Var(Recorder* recorder, ValueId id) : recorder_(recorder), id_(id) {}
  Recorder* recorder_ = nullptr;
  ValueId id_ = kNone;
};

Var operator+(Var a, Var b);
Var operator-(Var a, Var b);
Var operator*(Var a, Var b);

// A weight of the architecture's list: its place there and its width (the length of a vector, the
// rows of a matrix).
struct Weight {
  WeightId id = kNone;
  int32_t width = 0;
};

// Shapes are checked as operations are recorded (SK_CHECK: a wrong one is our bug, since weights
// were compared with the architecture's list before).
class Recorder {
 public:
  // The values recorded from here on are called "<prefix><name>".
  void prefix(std::string text) { prefix_ = std::move(text); }
  // `size`: elements, of one row where it grows.
  SlotId slot(std::string name, int64_t size, DType type = DType::f32,
              Growth growth = Growth::fixed);
  std::span<const Slot> slots() const { return program_.slots; }

  Var rows(const char* name, Weight table, int32_t width);
  Var pick(const char* name, Var x);
  Var linear(const char* name, Var x, Weight matrix, Unary function = Unary::none,
             Weight bias = {});
  Var layer_norm(const char* name, Var x, Weight weight, Weight bias, float epsilon);
  Var rms_norm(const char* name, Var x, Weight weight, float epsilon);
  Var group_norm(const char* name, Var x, Weight weight, Weight bias, int32_t heads, float epsilon);
  Var l2norm_heads(const char* name, Var x, int32_t heads);
  Var shift(const char* name, Var x, SlotId memory);
  Var lerp(const char* name, Var a, Var b, Weight t);
  Var lerp(const char* name, Var a, Var b, Var t);
  Var add(const char* name, Var a, Var b);
  Var sub(const char* name, Var a, Var b);
  Var mul(const char* name, Var a, Var b);
  Var mul(const char* name, Var a, Weight b);
  Var unary(const char* name, Var x, Unary function);
  // x has `groups` heads, the result `heads`: head a is group a / (heads / groups).
  Var repeat_heads(const char* name, Var x, int32_t groups, int32_t heads);
  Var token_matmul(const char* name, Var x, Var m);
  // `state` is the first of three slots [width] recorded one after the other: aa, bb, pp.
  Var wkv4(const char* name, Var k, Var v, Weight w, Weight u, SlotId state);
  // A `u` of {} leaves the bonus out and reads the new state.
  Var wkv6(const char* name, Var r, Var k, Var v, Var w, Weight u, SlotId state, int32_t heads,
           float scale = 1);
  Var wkv6(const char* name, Var r, Var k, Var v, Weight w, Weight u, SlotId state, int32_t heads,
           float scale = 1);
  Var wkv7(const char* name, Var r, Var w, Var k, Var v, Var kk, Var a, SlotId state,
           int32_t heads);
  Var bonus(const char* name, Var r, Var k, Var v, Weight u, int32_t heads);

  // Ends the recording; `logits` is what the caller reads. Tables are read first, wherever they
  // were recorded, so that a step can fail there before it changed a state.
  Program finish(Var logits);

 private:
  friend class Var;
  const Slot& at(SlotId slot) const { return program_.slots[static_cast<size_t>(slot)]; }
  // Whether it is what recurrences take: fixed, f32, of so many elements.
  bool is_memory(SlotId slot, int64_t size) const;
  Var record_wkv6(const char* name, Op op, Weight u, std::initializer_list<Var> inputs);
  Var record(const char* name, int32_t width, Op op, std::initializer_list<Var> inputs);

  std::string prefix_;
  Program program_;
};

}  // namespace skein::ops
