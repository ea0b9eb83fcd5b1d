#include "cpu/operations.h"

#include <algorithm>
#include <array>

#include "cpu/executor.h"

namespace skein::cpu {
namespace {

using ops::kNone;
using ops::OpKind;
using Matrix = Executor::Matrix;

// Shorthands for an operation's operands, from the part's first row and column on.
Matrix in(const OpPart& o, int place) { return o.executor.at(o.op.in[place], o.step, o.part); }
Matrix out(const OpPart& o) { return o.executor.at(o.op.out, o.step, o.part); }
// From the part's first row and the first column on.
Matrix rows_in(const OpPart& o, int place) {
  return o.executor.rows_at(o.op.in[place], o.step, o.part);
}
Matrix rows_out(const OpPart& o) { return o.executor.rows_at(o.op.out, o.step, o.part); }
// [columns of the part], or nullptr where the operation has none.
const float* weight(const OpPart& o, int place) {
  const float* all = o.executor.vector(o.op.weight[place]);
  return all ? all + o.part.columns.begin : nullptr;
}
int64_t width_of(const OpPart& o, ops::ValueId id) { return o.executor.program().value(id).width; }
int64_t heads_of_part(const OpPart& o) {
  return o.part.width() * o.op.heads / width_of(o, o.op.out);
}
float* slot(const OpPart& o, const ops::Sequence& sequence) {
  return ops::host_state(sequence).floats(o.executor.program().slot(o.op.slot));
}

void pick(const OpPart& o) {
  const Matrix x = o.executor.value(o.op.in[0], o.step), y = o.executor.value(o.op.out, o.step);
  const Range columns = o.part.columns;
  for (int64_t row = o.part.rows.begin; row < o.part.rows.end; ++row)
    std::copy_n(x.data + o.step.outputs[static_cast<size_t>(row)] * x.stride + columns.begin,
                o.part.width(), y.data + row * y.stride + columns.begin);
}

void shift(const OpPart& o) {
  const Matrix x = in(o, 0), y = out(o);
  const Part& part = o.part;
  for (const ops::Sequence& sequence : o.step.sequences) {
    const float* memory = slot(o, sequence) + part.columns.begin;
    const int64_t begin = std::max<int64_t>(sequence.begin, part.rows.begin);
    const int64_t end = std::min<int64_t>(sequence.end, part.rows.end);
    for (int64_t row = begin; row < end; ++row) {
      const int64_t place = row - part.rows.begin;
      std::copy_n(row == sequence.begin ? memory : x.data + (place - 1) * x.stride, part.width(),
                  y.data + place * y.stride);
    }
  }
  // The memory is replaced by whoever has a sequence's first row, which is the only reader of the
  // old one: it comes after that read, whoever has the last row.
  for (const ops::Sequence& sequence : o.step.sequences)
    if (sequence.begin >= part.rows.begin && sequence.begin < part.rows.end)
      std::copy_n(x.data + (sequence.end - 1 - part.rows.begin) * x.stride, part.width(),
                  slot(o, sequence) + part.columns.begin);
}

// Of whole rows, of which the part's columns are written.
void norm_of_rows(const OpPart& o) {
  const Matrix x = rows_in(o, 0), y = rows_out(o);
  const auto vector = [&](int place) { return o.executor.vector(o.op.weight[place]); };
  const Norm n = {.x = x.data,
                  .y = y.data,
                  .stride = x.stride,
                  .width = width_of(o, o.op.out),
                  .groups = 1,
                  .weight = vector(0),
                  .bias = vector(1),
                  .epsilon = o.op.epsilon,
                  .written = o.part.columns};
  o.executor.kernels().norm(n, o.part.own_rows());
}

void norm_of_heads(const OpPart& o) {
  const Matrix x = in(o, 0);
  const Norm n = {.x = x.data,
                  .y = out(o).data,
                  .stride = x.stride,
                  .width = o.part.width(),
                  .groups = heads_of_part(o),
                  .weight = weight(o, 0),
                  .bias = weight(o, 1),
                  .epsilon = o.op.epsilon};
  o.executor.kernels().norm(n, o.part.own_rows());
}

void elementwise(const OpPart& o) {
  const Matrix a = in(o, 0);
  const bool lerp = o.op.kind == OpKind::lerp;
  const float* shared = weight(o, 0);
  const float* b = in(o, 1).data;
  const Elementwise e = {.kind = o.op.kind,
                         .function = o.op.function,
                         .a = a.data,
                         .b = lerp || !shared ? b : shared,
                         .t = lerp ? (shared ? shared : in(o, 2).data) : nullptr,
                         .shared = shared != nullptr,
                         .y = out(o).data,
                         .stride = a.stride,
                         .width = o.part.width()};
  o.executor.kernels().elementwise(e, o.part.own_rows());
}

void bonus(const OpPart& o) {
  const Matrix r = in(o, 0);
  const Bonus b = {.r = r.data,
                   .k = in(o, 1).data,
                   .v = in(o, 2).data,
                   .u = weight(o, 0),
                   .y = out(o).data,
                   .stride = r.stride,
                   .width = o.part.width(),
                   .heads = heads_of_part(o)};
  o.executor.kernels().bonus(b, o.part.own_rows());
}

void repeat_heads(const OpPart& o) {
  const Matrix x = rows_in(o, 0), y = rows_out(o);
  const int64_t size = width_of(o, o.op.out) / o.op.heads, times = o.op.heads / o.op.groups;
  for (int64_t row = 0; row < o.part.own_rows().end; ++row)
    for (int64_t head = 0; head < o.op.heads; ++head)
      std::copy_n(x.data + row * x.stride + head / times * size, size,
                  y.data + row * y.stride + head * size);
}

void token_matmul(const OpPart& o) {
  const Matrix x = rows_in(o, 0), m = rows_in(o, 1), y = rows_out(o);
  const TokenMatmul p = {.x = x.data,
                         .x_stride = x.stride,
                         .m = m.data,
                         .m_stride = m.stride,
                         .y = y.data,
                         .y_stride = y.stride,
                         .heads = o.op.heads,
                         .in = width_of(o, o.op.in[0]) / o.op.heads,
                         .out = width_of(o, o.op.out) / o.op.heads};
  o.executor.kernels().token_matmul(p, o.part.own_rows());
}

// A recurrence's part of one sequence.
using OfSequence = void (*)(const OpPart& o, const ops::Sequence& sequence);

void wkv4_of(const OpPart& o, const ops::Sequence& sequence) {
  const int64_t width = width_of(o, o.op.out);
  const Matrix y = out(o);
  float* state = slot(o, sequence) + o.part.columns.begin;
  const Wkv4 c = {.k = in(o, 0).data,
                  .v = in(o, 1).data,
                  .w = weight(o, 0),
                  .u = weight(o, 1),
                  .y = y.data,
                  .aa = state,
                  .bb = state + width,
                  .pp = state + 2 * width,
                  .stride = y.stride,
                  .tokens = o.part.own_rows().end,
                  .width = o.part.width()};
  o.executor.kernels().wkv4(c, {0, (o.part.width() + kPanel - 1) / kPanel});
}

// The part is one head.
float* head_state(const OpPart& o, const ops::Sequence& sequence) {
  return slot(o, sequence) + o.part.columns.begin * o.part.width();
}

void wkv6_of(const OpPart& o, const ops::Sequence& sequence) {
  const Matrix y = out(o), w = in(o, 3);
  const Wkv6 h = {.r = in(o, 0).data,
                  .k = in(o, 1).data,
                  .v = in(o, 2).data,
                  .w = w.data ? w.data : weight(o, 0),
                  .w_stride = w.data ? w.stride : 0,
                  .u = weight(o, 1),
                  .scale = o.op.scale,
                  .y = y.data,
                  .state = head_state(o, sequence),
                  .stride = y.stride,
                  .tokens = o.part.own_rows().end,
                  .size = o.part.width()};
  o.executor.kernels().wkv6(h);
}

void wkv7_of(const OpPart& o, const ops::Sequence& sequence) {
  const Matrix y = out(o);
  const Wkv7 h = {.r = in(o, 0).data,
                  .w = in(o, 1).data,
                  .k = in(o, 2).data,
                  .v = in(o, 3).data,
                  .kk = in(o, 4).data,
                  .a = in(o, 5).data,
                  .y = y.data,
                  .state = head_state(o, sequence),
                  .stride = y.stride,
                  .tokens = o.part.own_rows().end,
                  .size = o.part.width()};
  o.executor.kernels().wkv7(h);
}

// The part's rows and columns, sequence by sequence.
template <OfSequence kRun>
void by_channel(const OpPart& o) {
  for (const ops::Sequence& sequence : o.step.sequences) {
    Part mine = o.part;
    mine.rows = {std::max<int64_t>(sequence.begin, o.part.rows.begin),
                 std::min<int64_t>(sequence.end, o.part.rows.end)};
    if (mine.rows.begin < mine.rows.end) kRun({o.executor, o.op, o.step, mine}, sequence);
  }
}

// The thread's heads of the sequences in the part, or, where heads do not go round, its stretch of
// all sequences' heads.
template <OfSequence kRun>
void by_head(const OpPart& o) {
  const int64_t size = width_of(o, o.op.out) / o.op.heads;
  Part head = o.part;
  if (o.part.split == Split::states) {
    const Range mine =
        share(o.op.heads * std::ssize(o.step.sequences), o.part.thread, o.executor.parts());
    for (int64_t i = mine.begin; i < mine.end; ++i) {
      const ops::Sequence& sequence = o.step.sequences[static_cast<size_t>(i / o.op.heads)];
      const int64_t channel = i % o.op.heads * size;
      head.rows = {sequence.begin, sequence.end};
      head.columns = {channel, channel + size};
      kRun({o.executor, o.op, o.step, head}, sequence);
    }
    return;
  }
  for (const ops::Sequence& sequence : o.step.sequences) {
    head.rows = {std::max<int64_t>(sequence.begin, o.part.rows.begin),
                 std::min<int64_t>(sequence.end, o.part.rows.end)};
    if (head.rows.begin >= head.rows.end) continue;
    for (int64_t channel = o.part.columns.begin; channel < o.part.columns.end; channel += size) {
      head.columns = {channel, channel + size};
      kRun({o.executor, o.op, o.step, head}, sequence);
    }
  }
}

// In the order of OpKind.
constexpr std::array<CpuOperation, ops::kOpKinds> kTable = {{
    {OpKind::rows, Division::before, nullptr},
    {OpKind::pick, Division::columns, pick},
    {OpKind::linear, Division::columns, Executor::linear, /*meets=*/true},
    {OpKind::layer_norm, Division::either, norm_of_rows},
    {OpKind::rms_norm, Division::either, norm_of_rows},
    {OpKind::group_norm, Division::heads, norm_of_heads},
    {OpKind::l2norm_heads, Division::heads, norm_of_heads},
    {OpKind::shift, Division::either, shift},
    {OpKind::lerp, Division::follows, elementwise},
    {OpKind::add, Division::follows, elementwise},
    {OpKind::sub, Division::follows, elementwise},
    {OpKind::mul, Division::follows, elementwise},
    {OpKind::unary, Division::follows, elementwise},
    {OpKind::repeat_heads, Division::rows, repeat_heads},
    {OpKind::token_matmul, Division::rows, token_matmul},
    {OpKind::bonus, Division::heads, bonus},
    {OpKind::wkv4, Division::columns, by_channel<wkv4_of>},
    {OpKind::wkv6, Division::states, by_head<wkv6_of>},
    {OpKind::wkv7, Division::states, by_head<wkv7_of>},
}};

constexpr bool in_order() {
  for (size_t i = 0; i < kTable.size(); ++i)
    if (static_cast<size_t>(kTable[i].kind) != i) return false;
  return true;
}
static_assert(in_order());

}  // namespace

const CpuOperation& cpu_operation(OpKind kind) { return kTable[static_cast<size_t>(kind)]; }

}  // namespace skein::cpu
