// What remembers. Gradients are those of the step form, from the last token to the first, over
// states that are kept from a first pass forward.
#include <algorithm>
#include <cmath>
#include <vector>

#include "ops/operations/all.h"

namespace skein::ops {
namespace {

// A gradient's place, or one that is thrown away where nobody asks.
class Sink {
 public:
  explicit Sink(const OpGradient::Input& input) : input_(input) {}
  void add(int64_t t, int64_t channel, double value) const {
    if (input_) input_.row(t)[channel] += value;
  }

 private:
  const OpGradient::Input& input_;
};

// ---- wkv4: the channel's aa, bb, pp are a width apart.

struct Channel4 {
  double* state;
  int64_t width;
  double& aa() const { return state[0]; }
  double& bb() const { return state[width]; }
  double& pp() const { return state[2 * width]; }
};

void wkv4(const OpCall& call, double* out) {
  const auto &k = call.in[0], &v = call.in[1], &w = call.in[2], &u = call.in[3];
  for (const auto& [begin, end, state] : call.sequences) {
    for (int64_t t = begin; t < end; ++t) {
      for (int64_t c = 0; c < call.width; ++c) {
        const Channel4 s = {state + c, call.width};
        const double key = k.row(t)[c], value = v.row(t)[c];
        double p = std::max(s.pp(), u.data[c] + key);
        double old = std::exp(s.pp() - p), fresh = std::exp(u.data[c] + key - p);
        out[t * call.width + c] = (old * s.aa() + fresh * value) / (old * s.bb() + fresh);

        p = std::max(s.pp() + w.data[c], key);
        old = std::exp(s.pp() + w.data[c] - p), fresh = std::exp(key - p);
        s.aa() = old * s.aa() + fresh * value;
        s.bb() = old * s.bb() + fresh;
        s.pp() = p;
      }
    }
  }
}

void wkv4_gradient(const OpCall& call, const OpGradient& gradient) {
  const auto &k = call.in[0], &v = call.in[1], &w = call.in[2], &u = call.in[3];
  const Sink dk(gradient.in[0]), dv(gradient.in[1]), dw(gradient.in[2]), du(gradient.in[3]);
  const int64_t width = call.width;
  for (size_t s = 0; s < call.sequences.size(); ++s) {
    const auto [begin, end, state] = call.sequences[s];
    if (begin == end) continue;
    // The states before each token.
    std::vector<double> states(static_cast<size_t>((end - begin) * 3 * width));
    std::vector<double> running(state, state + 3 * width);
    std::vector<double> unused(static_cast<size_t>(end * width));
    for (int64_t t = begin; t < end; ++t) {
      std::copy(running.begin(), running.end(), states.begin() + (t - begin) * 3 * width);
      const OpCall::Sequence one = {t, t + 1, running.data()};
      OpCall step = call;
      step.sequences = {&one, 1};
      wkv4(step, unused.data());
    }
    for (int64_t t = end - 1; t >= begin; --t) {
      for (int64_t c = 0; c < width; ++c) {
        const Channel4 before = {states.data() + (t - begin) * 3 * width + c, width};
        const Channel4 d = {gradient.states[s] + c, width};
        const double key = k.row(t)[c], value = v.row(t)[c], decay = w.data[c];
        double d_aa = 0, d_bb = 0, d_pp = 0;
        {  // the state after the token; its exponent is the larger of two
          const double p = std::max(before.pp() + decay, key);
          const double old = std::exp(before.pp() + decay - p), fresh = std::exp(key - p);
          const double d_old = (d.aa() * before.aa() + d.bb() * before.bb()) * old;
          const double d_fresh = (d.aa() * value + d.bb()) * fresh;
          const double d_p = d.pp() - d_old - d_fresh;
          const bool from_old = before.pp() + decay >= key;
          d_aa = d.aa() * old, d_bb = d.bb() * old;
          d_pp = d_old + (from_old ? d_p : 0);
          dw.add(t, c, d_old + (from_old ? d_p : 0));
          dk.add(t, c, d_fresh + (from_old ? 0 : d_p));
          dv.add(t, c, d.aa() * fresh);
        }
        {  // the result, in which the common exponent cancels
          const double p = std::max(before.pp(), u.data[c] + key);
          const double old = std::exp(before.pp() - p), fresh = std::exp(u.data[c] + key - p);
          const double below = old * before.bb() + fresh;
          const double y = (old * before.aa() + fresh * value) / below;
          const double d_above = gradient.out[t * width + c] / below, d_below = -d_above * y;
          const double d_fresh = (d_above * value + d_below) * fresh;
          d_aa += d_above * old, d_bb += d_below * old;
          d_pp += (d_above * before.aa() + d_below * before.bb()) * old;
          du.add(t, c, d_fresh);
          dk.add(t, c, d_fresh);
          dv.add(t, c, d_above * fresh);
        }
        d.aa() = d_aa, d.bb() = d_bb, d.pp() = d_pp;
      }
    }
  }
}

// ---- wkv6 and wkv7: matrices [N key, N value] of each head, one token of one head at a time.

// Where a token's head stands.
struct Place {
  int64_t t;
  int64_t channel;
  int64_t n;
};

// The state in place.
using Advance = void (*)(const OpCall& call, const Place& at, double* state, double* y);
// `before`, `after`: the states around the token; `d`: the gradient of the one after, to be
// replaced by that of the one before.
using Retreat = void (*)(const OpCall& call, const OpGradient& gradient, const Place& at,
                         const double* before, const double* after, const double* dy, double* d);

template <Advance kAdvance>
void each_head(const OpCall& call, double* out) {
  const int64_t n = call.width / call.op.heads;
  for (const auto& [begin, end, state] : call.sequences)
    for (int64_t t = begin; t < end; ++t)
      for (int64_t head = 0; head < call.op.heads; ++head)
        kAdvance(call, {t, head * n, n}, state + head * n * n, out + t * call.width + head * n);
}

template <Advance kAdvance, Retreat kRetreat>
void each_head_gradient(const OpCall& call, const OpGradient& gradient) {
  const int64_t n = call.width / call.op.heads, size = n * n;
  std::vector<double> states, y(static_cast<size_t>(n));
  for (size_t s = 0; s < call.sequences.size(); ++s) {
    const auto [begin, end, state] = call.sequences[s];
    for (int64_t head = 0; head < call.op.heads; ++head) {
      // The state before the first token, and after each.
      states.assign(state + head * size, state + (head + 1) * size);
      for (int64_t t = begin; t < end; ++t) {
        states.resize(states.size() + static_cast<size_t>(size));
        double* now = states.data() + (t - begin + 1) * size;
        std::copy_n(now - size, size, now);
        kAdvance(call, {t, head * n, n}, now, y.data());
      }
      for (int64_t t = end - 1; t >= begin; --t) {
        const double* before = states.data() + (t - begin) * size;
        kRetreat(call, gradient, {t, head * n, n}, before, before + size,
                 gradient.out + t * call.width + head * n, gradient.states[s] + head * size);
      }
    }
  }
}

void advance6(const OpCall& call, const Place& at, double* s, double* y) {
  const auto part = [&](size_t place) { return call.in[place].row(at.t) + at.channel; };
  const float *r = part(0), *k = part(1), *v = part(2), *w = part(3);
  const float* u = call.in[4] ? part(4) : nullptr;
  for (int64_t j = 0; j < at.n; ++j) {
    double sum = 0;
    for (int64_t i = 0; i < at.n; ++i) {
      const double old = s[i * at.n + j], kv = double{k[i]} * v[j];
      s[i * at.n + j] = w[i] * old + kv;
      sum += r[i] * (u ? u[i] * kv + old : s[i * at.n + j]);
    }
    y[j] = double{call.op.scale} * sum;
  }
}

void retreat6(const OpCall& call, const OpGradient& gradient, const Place& at, const double* before,
              const double* after, const double* dy, double* d) {
  const auto part = [&](size_t place) { return call.in[place].row(at.t) + at.channel; };
  const float *r = part(0), *k = part(1), *v = part(2), *w = part(3);
  const float* u = call.in[4] ? part(4) : nullptr;
  const auto add = [&](size_t place, int64_t i, double value) {
    Sink(gradient.in[place]).add(at.t, at.channel + i, value);
  };
  for (int64_t i = 0; i < at.n; ++i) {
    for (int64_t j = 0; j < at.n; ++j) {
      const int64_t place = i * at.n + j;
      const double of_y = double{call.op.scale} * dy[j];
      double& of_state = d[place];
      double of_kv = 0;
      if (u) {
        const double kv = double{k[i]} * v[j];
        add(0, i, of_y * (u[i] * kv + before[place]));
        add(4, i, of_y * r[i] * kv);
        of_kv = of_y * r[i] * u[i];
      } else {
        add(0, i, of_y * after[place]);
        of_state += of_y * r[i];
      }
      of_kv += of_state;
      add(1, i, of_kv * v[j]);
      add(2, j, of_kv * k[i]);
      add(3, i, of_state * before[place]);
      of_state = of_state * w[i] + (u ? of_y * r[i] : 0);
    }
  }
}

void advance7(const OpCall& call, const Place& at, double* s, double* y) {
  const auto part = [&](size_t place) { return call.in[place].row(at.t) + at.channel; };
  const float *r = part(0), *w = part(1), *k = part(2), *v = part(3), *kk = part(4), *a = part(5);
  for (int64_t i = 0; i < at.n; ++i) {
    double removed = 0, sum = 0;
    for (int64_t j = 0; j < at.n; ++j) removed -= s[j * at.n + i] * kk[j];
    for (int64_t j = 0; j < at.n; ++j) {
      double& number = s[j * at.n + i];
      number = number * w[j] + removed * kk[j] * a[j] + double{v[i]} * k[j];
      sum += number * r[j];
    }
    y[i] = sum;
  }
}

void retreat7(const OpCall& call, const OpGradient& gradient, const Place& at, const double* before,
              const double* after, const double* dy, double* d) {
  const auto part = [&](size_t place) { return call.in[place].row(at.t) + at.channel; };
  const float *r = part(0), *w = part(1), *k = part(2), *v = part(3), *kk = part(4), *a = part(5);
  const auto add = [&](size_t place, int64_t i, double value) {
    Sink(gradient.in[place]).add(at.t, at.channel + i, value);
  };
  for (int64_t i = 0; i < at.n; ++i) {
    double removed = 0, of_removed = 0;
    for (int64_t j = 0; j < at.n; ++j) {
      removed -= before[j * at.n + i] * kk[j];
      d[j * at.n + i] += dy[i] * r[j];
      of_removed += d[j * at.n + i] * kk[j] * a[j];
    }
    for (int64_t j = 0; j < at.n; ++j) {
      const int64_t place = j * at.n + i;
      add(0, j, after[place] * dy[i]);
      add(1, j, d[place] * before[place]);
      add(2, j, d[place] * v[i]);
      add(3, i, d[place] * k[j]);
      add(4, j, d[place] * removed * a[j] - before[place] * of_removed);
      add(5, j, d[place] * removed * kk[j]);
      d[place] = d[place] * w[j] - kk[j] * of_removed;
    }
  }
}

int64_t matrices(const Op& op, int64_t width) {
  const int64_t n = width / op.heads;
  return op.heads * n * n;
}

int32_t all_alike_in_heads(const OpShape& shape) {
  const int32_t width = all_alike(shape);
  return shape.divides(width) ? width : 0;
}

}  // namespace

const Operation kWkv4 = {
    .kind = OpKind::wkv4,
    .name = "wkv4",
    .operands = {{{.name = "k", .value = 0},
                  {.name = "v", .value = 1},
                  {.name = "w", .weight = 0},
                  {.name = "u", .weight = 1}}},
    .along = Along::earlier,
    .slot_use = SlotUse::recurrent,
    .slots = 3,
    .width = all_alike,
    .slot_size = [](const Op&, int64_t width) { return width; },
    // 22 in each of two exponentials, 20 around them
    .flops = [](const Op&, int64_t, int64_t width) { return 64 * width; },
    .reference = wkv4,
    .gradient = wkv4_gradient,
};

const Operation kWkv6 = {
    .kind = OpKind::wkv6,
    .name = "wkv6",
    .operands = {{{.name = "r", .value = 0},
                  {.name = "k", .value = 1},
                  {.name = "v", .value = 2},
                  {.name = "w", .value = 3, .weight = 0},
                  {.name = "u", .weight = 1, .optional = true}}},
    .across = Across::head,
    .along = Along::earlier,
    .slot_use = SlotUse::recurrent,
    .slots = 1,
    .width = all_alike_in_heads,
    .slot_size = matrices,
    .flops = [](const Op& op, int64_t, int64_t width) { return 5 * width * (width / op.heads); },
    .reference = each_head<advance6>,
    .gradient = each_head_gradient<advance6, retreat6>,
};

const Operation kWkv7 = {
    .kind = OpKind::wkv7,
    .name = "wkv7",
    .operands = {{{.name = "r", .value = 0},
                  {.name = "w", .value = 1},
                  {.name = "k", .value = 2},
                  {.name = "v", .value = 3},
                  {.name = "kk", .value = 4},
                  {.name = "a", .value = 5}}},
    .across = Across::head,
    .along = Along::earlier,
    .slot_use = SlotUse::recurrent,
    .slots = 1,
    .width = all_alike_in_heads,
    .slot_size = matrices,
    .flops = [](const Op& op, int64_t, int64_t width) { return 9 * width * (width / op.heads); },
    .reference = each_head<advance7>,
    .gradient = each_head_gradient<advance7, retreat7>,
};

}  // namespace skein::ops
