// Records a forward pass. An architecture calls these methods with the letters of its paper and
// never sees what they become.
#pragma once

#include <initializer_list>
#include <span>
#include <string>
#include <utility>

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

// What an operation is recorded with: a value, a weight, or {} for one that is left out.
class Source {
 public:
  Source() = default;
  Source(Var value) : value_(value) {}
  Source(Weight weight) : weight_(weight) {}

 private:
  friend class Recorder;
  Var value_;
  Weight weight_;
};

// Shapes are checked by the table of operations as they are recorded (SK_CHECK: a wrong one is our
// bug, since weights were compared with the architecture's list before).
class Recorder {
 public:
  // The values recorded from here on are called "<prefix><name>".
  void prefix(std::string text) { prefix_ = std::move(text); }
  // `size`: elements, of one row where it grows.
  SlotId slot(std::string name, int64_t size, DType type = DType::f32,
              Growth growth = Growth::fixed);
  std::span<const Slot> slots() const { return program_.slots; }

  Var rows(const char* name, Weight table, int32_t width) {
    return record(name, {.kind = OpKind::rows}, {Weight{table.id, width}});
  }
  Var pick(const char* name, Var x) { return record(name, {.kind = OpKind::pick}, {x}); }
  Var linear(const char* name, Var x, Weight matrix, Unary function = Unary::none,
             Weight bias = {}) {
    return record(name, {.kind = OpKind::linear, .function = function}, {x, matrix, bias});
  }
  Var layer_norm(const char* name, Var x, Weight weight, Weight bias, float epsilon) {
    return record(name, {.kind = OpKind::layer_norm, .heads = 1, .epsilon = epsilon},
                  {x, weight, bias});
  }
  Var rms_norm(const char* name, Var x, Weight weight, float epsilon) {
    return record(name, {.kind = OpKind::rms_norm, .heads = 1, .epsilon = epsilon}, {x, weight});
  }
  Var group_norm(const char* name, Var x, Weight weight, Weight bias, int32_t heads,
                 float epsilon) {
    return record(name, {.kind = OpKind::group_norm, .heads = heads, .epsilon = epsilon},
                  {x, weight, bias});
  }
  Var l2norm_heads(const char* name, Var x, int32_t heads) {
    return record(name, {.kind = OpKind::l2norm_heads, .heads = heads}, {x});
  }
  Var shift(const char* name, Var x, SlotId memory) {
    return record(name, {.kind = OpKind::shift, .slot = memory}, {x});
  }
  Var lerp(const char* name, Var a, Var b, Source t) {
    return record(name, {.kind = OpKind::lerp}, {a, b, t});
  }
  Var add(const char* name, Var a, Source b) { return record(name, {.kind = OpKind::add}, {a, b}); }
  Var sub(const char* name, Var a, Var b) { return record(name, {.kind = OpKind::sub}, {a, b}); }
  Var mul(const char* name, Var a, Source b) { return record(name, {.kind = OpKind::mul}, {a, b}); }
  Var unary(const char* name, Var x, Unary function) {
    return record(name, {.kind = OpKind::unary, .function = function}, {x});
  }
  // x has `groups` heads, the result `heads`: head a is group a / (heads / groups).
  Var repeat_heads(const char* name, Var x, int32_t groups, int32_t heads) {
    return record(name, {.kind = OpKind::repeat_heads, .heads = heads, .groups = groups}, {x});
  }
  Var token_matmul(const char* name, Var x, Var m, int32_t heads = 1) {
    return record(name, {.kind = OpKind::token_matmul, .heads = heads}, {x, m});
  }
  Var bonus(const char* name, Var r, Var k, Var v, Weight u, int32_t heads) {
    return record(name, {.kind = OpKind::bonus, .heads = heads}, {r, k, v, u});
  }
  // `state` is the first of three slots [width] recorded one after the other: aa, bb, pp.
  Var wkv4(const char* name, Var k, Var v, Weight w, Weight u, SlotId state) {
    return record(name, {.kind = OpKind::wkv4, .slot = state}, {k, v, w, u});
  }
  // A `u` of {} leaves the bonus out and reads the new state.
  Var wkv6(const char* name, Var r, Var k, Var v, Source w, Weight u, SlotId state, int32_t heads,
           float scale = 1) {
    return record(name, {.kind = OpKind::wkv6, .slot = state, .heads = heads, .scale = scale},
                  {r, k, v, w, u});
  }
  Var wkv7(const char* name, Var r, Var w, Var k, Var v, Var kk, Var a, SlotId state,
           int32_t heads) {
    return record(name, {.kind = OpKind::wkv7, .slot = state, .heads = heads}, {r, w, k, v, kk, a});
  }

  // Ends the recording; `logits` is what the caller reads. Tables are read first, wherever they
  // were recorded, so that a step can fail there before it changed a state.
  Program finish(Var logits);

 private:
  friend class Var;
  // Operands in the order of the table.
  Var record(const char* name, Op op, std::initializer_list<Source> operands);

  std::string prefix_;
  Program program_;
};

}  // namespace skein::ops
