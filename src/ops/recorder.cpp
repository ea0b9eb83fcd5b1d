#include "ops/recorder.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace skein::ops {

int32_t Var::width() const { return recorder_->program_.values[static_cast<size_t>(id_)].width; }

Var operator+(Var a, Var b) { return a.recorder_->add("sum", a, b); }
Var operator-(Var a, Var b) { return a.recorder_->sub("difference", a, b); }
Var operator*(Var a, Var b) { return a.recorder_->mul("product", a, b); }

SlotId Recorder::slot(std::string name, int64_t size, DType type, Growth growth) {
  constexpr int64_t kAlign = sizeof(float);  // of the widest type that a slot has
  const int64_t end = program_.state_bytes();
  program_.slots.push_back({.name = prefix_ + std::move(name),
                            .size = size,
                            .type = type,
                            .growth = growth,
                            .offset = (end + kAlign - 1) / kAlign * kAlign});
  return static_cast<SlotId>(program_.slots.size() - 1);
}

bool Recorder::is_memory(SlotId slot, int64_t size) const {
  const Slot& memory = at(slot);
  return memory.size == size && memory.type == DType::f32 && memory.growth == Growth::fixed;
}

Var Recorder::record(const char* name, int32_t width, Op op, std::initializer_list<Var> inputs) {
  Rows rows = Rows::tokens;
  size_t place = 0;
  for (const Var& input : inputs) {
    SK_CHECK(input.recorder_ == this);
    op.in[place++] = input.id_;
    rows = program_.values[static_cast<size_t>(input.id_)].rows;
  }
  if (op.kind == OpKind::pick) rows = Rows::outputs;
  op.out = static_cast<ValueId>(program_.values.size());
  program_.values.push_back({rows, width, prefix_ + name});
  program_.ops.push_back(op);
  return Var(this, op.out);
}

Var Recorder::rows(const char* name, Weight table, int32_t width) {
  return record(name, width, {.kind = OpKind::rows, .weight = {table.id, kNone}}, {});
}

Var Recorder::pick(const char* name, Var x) {
  return record(name, x.width(), {.kind = OpKind::pick}, {x});
}

Var Recorder::linear(const char* name, Var x, Weight matrix, Unary function, Weight bias) {
  SK_CHECK(bias.id == kNone || bias.width == matrix.width);
  return record(name, matrix.width,
                {.kind = OpKind::linear, .weight = {matrix.id, bias.id}, .function = function},
                {x});
}

Var Recorder::layer_norm(const char* name, Var x, Weight weight, Weight bias, float epsilon) {
  SK_CHECK(weight.width == x.width() && bias.width == x.width());
  return record(
      name, x.width(),
      {.kind = OpKind::layer_norm, .weight = {weight.id, bias.id}, .heads = 1, .epsilon = epsilon},
      {x});
}

Var Recorder::rms_norm(const char* name, Var x, Weight weight, float epsilon) {
  SK_CHECK(weight.width == x.width());
  return record(
      name, x.width(),
      {.kind = OpKind::rms_norm, .weight = {weight.id, kNone}, .heads = 1, .epsilon = epsilon},
      {x});
}

Var Recorder::group_norm(const char* name, Var x, Weight weight, Weight bias, int32_t heads,
                         float epsilon) {
  SK_CHECK(weight.width == x.width() && bias.width == x.width() && x.width() % heads == 0);
  return record(name, x.width(),
                {.kind = OpKind::group_norm,
                 .weight = {weight.id, bias.id},
                 .heads = heads,
                 .epsilon = epsilon},
                {x});
}

Var Recorder::l2norm_heads(const char* name, Var x, int32_t heads) {
  SK_CHECK(x.width() % heads == 0);
  return record(name, x.width(), {.kind = OpKind::l2norm_heads, .heads = heads}, {x});
}

Var Recorder::shift(const char* name, Var x, SlotId memory) {
  SK_CHECK(is_memory(memory, x.width()));
  return record(name, x.width(), {.kind = OpKind::shift, .slot = memory}, {x});
}

Var Recorder::lerp(const char* name, Var a, Var b, Weight t) {
  SK_CHECK(a.width() == b.width() && t.width == a.width());
  return record(name, a.width(), {.kind = OpKind::lerp, .weight = {t.id, kNone}}, {a, b});
}

Var Recorder::lerp(const char* name, Var a, Var b, Var t) {
  SK_CHECK(a.width() == b.width() && t.width() == a.width());
  return record(name, a.width(), {.kind = OpKind::lerp}, {a, b, t});
}

Var Recorder::add(const char* name, Var a, Var b) {
  SK_CHECK(a.width() == b.width());
  return record(name, a.width(), {.kind = OpKind::add}, {a, b});
}

Var Recorder::sub(const char* name, Var a, Var b) {
  SK_CHECK(a.width() == b.width());
  return record(name, a.width(), {.kind = OpKind::sub}, {a, b});
}

Var Recorder::mul(const char* name, Var a, Var b) {
  SK_CHECK(a.width() == b.width());
  return record(name, a.width(), {.kind = OpKind::mul}, {a, b});
}

Var Recorder::mul(const char* name, Var a, Weight b) {
  SK_CHECK(b.width == a.width());
  return record(name, a.width(), {.kind = OpKind::mul, .weight = {b.id, kNone}}, {a});
}

Var Recorder::unary(const char* name, Var x, Unary function) {
  return record(name, x.width(), {.kind = OpKind::unary, .function = function}, {x});
}

Var Recorder::repeat_heads(const char* name, Var x, int32_t groups, int32_t heads) {
  SK_CHECK(groups > 0 && x.width() % groups == 0 && heads % groups == 0);
  return record(name, x.width() / groups * heads, {.kind = OpKind::repeat_heads, .heads = heads},
                {x});
}

Var Recorder::token_matmul(const char* name, Var x, Var m) {
  SK_CHECK(m.width() % x.width() == 0);
  return record(name, m.width() / x.width(), {.kind = OpKind::token_matmul}, {x, m});
}

Var Recorder::wkv4(const char* name, Var k, Var v, Weight w, Weight u, SlotId state) {
  const int32_t width = k.width();
  SK_CHECK(v.width() == width && w.width == width && u.width == width);
  SK_CHECK(static_cast<size_t>(state) + 3 <= program_.slots.size());
  for (SlotId slot = state; slot < state + 3; ++slot)
    SK_CHECK(is_memory(slot, width) &&
             at(slot).offset == at(state).offset + (slot - state) * at(state).bytes());
  return record(name, width, {.kind = OpKind::wkv4, .weight = {w.id, u.id}, .slot = state}, {k, v});
}

Var Recorder::wkv6(const char* name, Var r, Var k, Var v, Var w, Weight u, SlotId state,
                   int32_t heads, float scale) {
  SK_CHECK(w.width() == r.width());
  return record_wkv6(name, {.kind = OpKind::wkv6, .slot = state, .heads = heads, .scale = scale}, u,
                     {r, k, v, w});
}

Var Recorder::wkv6(const char* name, Var r, Var k, Var v, Weight w, Weight u, SlotId state,
                   int32_t heads, float scale) {
  SK_CHECK(w.width == r.width());
  return record_wkv6(name,
                     {.kind = OpKind::wkv6,
                      .weight = {w.id, kNone},
                      .slot = state,
                      .heads = heads,
                      .scale = scale},
                     u, {r, k, v});
}

Var Recorder::record_wkv6(const char* name, Op op, Weight u, std::initializer_list<Var> inputs) {
  const int32_t width = inputs.begin()->width();
  for (const Var& input : inputs) SK_CHECK(input.width() == width);
  SK_CHECK(u.id == kNone || u.width == width);
  const int64_t size = width / op.heads;
  SK_CHECK(width % op.heads == 0 && is_memory(op.slot, op.heads * size * size));
  op.weight[1] = u.id;
  return record(name, width, op, inputs);
}

Var Recorder::wkv7(const char* name, Var r, Var w, Var k, Var v, Var kk, Var a, SlotId state,
                   int32_t heads) {
  const int64_t size = r.width() / heads;
  SK_CHECK(is_memory(state, heads * size * size));
  return record(name, r.width(), {.kind = OpKind::wkv7, .slot = state, .heads = heads},
                {r, w, k, v, kk, a});
}

Var Recorder::bonus(const char* name, Var r, Var k, Var v, Weight u, int32_t heads) {
  SK_CHECK(u.width == r.width());
  return record(name, r.width(), {.kind = OpKind::bonus, .weight = {u.id, kNone}, .heads = heads},
                {r, k, v});
}

Program Recorder::finish(Var logits) {
  std::stable_partition(program_.ops.begin(), program_.ops.end(),
                        [](const Op& op) { return op.kind == OpKind::rows; });
  program_.logits = logits.id();
  return std::move(program_);
}

}  // namespace skein::ops
