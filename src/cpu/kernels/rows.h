// Kernels that treat each row (token) by itself: norms, element functions, bonus and
// the product with a matrix of the token's own. Memory traffic is
// small beside the matrices'; what matters is that sums have one order: lane i adds elements
// i, i + 16, i + 32 ..., then the sixteen partial sums meet in a fixed tree.
#pragma once

#include "cpu/kernels/math.h"

namespace skein::cpu::SK_ISA {

inline F32x16 load_upto(const float* p, int64_t left) {
  return left >= 16 ? load(p) : load_n(p, static_cast<int>(left));
}
inline void store_upto(float* p, F32x16 a, int64_t left) {
  if (left >= 16) {
    store(p, a);
  } else {
    store_n(p, a, static_cast<int>(left));
  }
}
// The same where the code knows already that a vector is whole.
template <bool kWhole>
inline F32x16 load_part(const float* p, int64_t left) {
  return kWhole ? load(p) : load_upto(p, left);
}
template <bool kWhole>
inline void store_part(float* p, F32x16 a, int64_t left) {
  kWhole ? store(p, a) : store_upto(p, a, left);
}
inline F32x16 keep_upto(F32x16 a, int64_t left) {
  return left >= 16 ? a : keep_n(a, static_cast<int>(left));
}

inline float mean_of(const float* x, int64_t size) {
  F32x16 sum = set1(0.0f);
  for (int64_t i = 0; i < size; i += 16) sum = add(sum, load_upto(x + i, size - i));
  return reduce_add(sum) / static_cast<float>(size);
}

// The sum of (x - mean)^2.
inline float squares_of(const float* x, int64_t size, float mean) {
  F32x16 sum = set1(0.0f);
  for (int64_t i = 0; i < size; i += 16) {
    const F32x16 d = keep_upto(sub(load_upto(x + i, size - i), set1(mean)), size - i);
    sum = fma(d, d, sum);
  }
  return reduce_add(sum);
}

// What each element of a group is multiplied with after its mean was taken off. One over the root
// of an infinite sum would be 0, as if there were nothing.
inline float norm_scale(const Norm& n, float squares, int64_t size) {
  if (!(squares < __builtin_inff())) return __builtin_nanf("");
  if (n.weight) return 1.0f / __builtin_sqrtf(squares / static_cast<float>(size) + n.epsilon);
  return 1.0f / (squares > 1e-24f ? __builtin_sqrtf(squares) : 1e-12f);
}

// Columns [part.begin, part.end) of a group that begins at `channel` of the weights.
inline void write_norm(const Norm& n, const float* x, float* y, int64_t channel, Range part,
                       float mean, float scale) {
  for (int64_t i = part.begin; i < part.end; i += 16) {
    const int64_t left = part.end - i;
    F32x16 v = mul(sub(load_upto(x + i, left), set1(mean)), set1(scale));
    if (n.bias) {
      v = fma(v, load_upto(n.weight + channel + i, left), load_upto(n.bias + channel + i, left));
    } else if (n.weight) {
      v = mul(v, load_upto(n.weight + channel + i, left));
    }
    store_upto(y + i, v, left);
  }
}

inline void norm_group(const Norm& n, const float* x, float* y, int64_t channel, int64_t size,
                       Range part) {
  const float mean = n.bias ? mean_of(x, size) : 0.0f;
  const float scale = norm_scale(n, squares_of(x, size, mean), size);
  write_norm(n, x, y, channel, part, mean, scale);
}

// Some whole rows of full vectors side by side: a row's sums are one chain of additions each, whose
// latency four rows share.
template <int kRows>
inline void norm_rows(const Norm& n, const float* x, float* y, Range part) {
  F32x16 sum[kRows];
  float mean[kRows];
  for (F32x16& s : sum) s = set1(0.0f);
  if (n.bias)
    for (int64_t i = 0; i < n.width; i += 16)
      for (int r = 0; r < kRows; ++r) sum[r] = add(sum[r], load(x + r * n.stride + i));
  for (int r = 0; r < kRows; ++r) {
    mean[r] = n.bias ? reduce_add(sum[r]) / static_cast<float>(n.width) : 0.0f;
    sum[r] = set1(0.0f);
  }
  for (int64_t i = 0; i < n.width; i += 16) {
    for (int r = 0; r < kRows; ++r) {
      const F32x16 d = sub(load(x + r * n.stride + i), set1(mean[r]));
      sum[r] = fma(d, d, sum[r]);
    }
  }
  for (int r = 0; r < kRows; ++r)
    write_norm(n, x + r * n.stride, y + r * n.stride, 0, part, mean[r],
               norm_scale(n, reduce_add(sum[r]), n.width));
}

inline void norm(const Norm& n, Range rows) {
  const int64_t size = n.width / n.groups;
  const Range part = {n.written.begin, n.written.end < n.width ? n.written.end : n.width};
  int64_t row = rows.begin;
  if (n.groups == 1 && n.width % 16 == 0) {
    for (; row + 4 <= rows.end; row += 4)
      norm_rows<4>(n, n.x + row * n.stride, n.y + row * n.stride, part);
    for (; row < rows.end; ++row) norm_rows<1>(n, n.x + row * n.stride, n.y + row * n.stride, part);
  }
  for (; row < rows.end; ++row)
    for (int64_t group = 0; group < n.groups; ++group)
      norm_group(n, n.x + row * n.stride + group * size, n.y + row * n.stride + group * size,
                 group * size, size, n.groups == 1 ? part : Range{0, size});
}

template <typename Function>
inline void each_row(const Elementwise& e, Range rows, const Function& function) {
  for (int64_t row = rows.begin; row < rows.end; ++row) {
    const int64_t at = row * e.stride;
    const int64_t last_at = e.shared ? 0 : at;  // of the last operand
    int64_t i = 0;
    for (; i + 16 <= e.width; i += 16) store(e.y + at + i, function(at + i, last_at + i, 16));
    if (i < e.width)
      store_upto(e.y + at + i, function(at + i, last_at + i, e.width - i), e.width - i);
  }
}

inline void elementwise(const Elementwise& e, Range rows) {
  switch (e.kind) {
    case ops::OpKind::lerp:
      return each_row(e, rows, [&](int64_t at, int64_t last_at, int64_t left) {
        const F32x16 a = load_upto(e.a + at, left);
        return fma(sub(load_upto(e.b + at, left), a), load_upto(e.t + last_at, left), a);
      });
    case ops::OpKind::add:
      return each_row(e, rows, [&](int64_t at, int64_t last_at, int64_t left) {
        return add(load_upto(e.a + at, left), load_upto(e.b + last_at, left));
      });
    case ops::OpKind::sub:
      return each_row(e, rows, [&](int64_t at, int64_t last_at, int64_t left) {
        return sub(load_upto(e.a + at, left), load_upto(e.b + last_at, left));
      });
    case ops::OpKind::mul:
      return each_row(e, rows, [&](int64_t at, int64_t last_at, int64_t left) {
        return mul(load_upto(e.a + at, left), load_upto(e.b + last_at, left));
      });
    default:
      return each_row(e, rows, [&](int64_t at, int64_t, int64_t left) {
        return apply(e.function, load_upto(e.a + at, left));
      });
  }
}

inline void token_matmul(const TokenMatmul& p, Range rows) {
  for (int64_t row = rows.begin; row < rows.end; ++row) {
    for (int64_t head = 0; head < p.heads; ++head) {
      const float* x = p.x + row * p.x_stride + head * p.in;
      const float* m = p.m + row * p.m_stride + head * p.in * p.out;
      float* y = p.y + row * p.y_stride + head * p.out;
      for (int64_t b = 0; b < p.out; b += 16) {
        F32x16 sum = set1(0.0f);
        for (int64_t a = 0; a < p.in; ++a)
          sum = fma(load_upto(m + a * p.out + b, p.out - b), set1(x[a]), sum);
        store_upto(y + b, sum, p.out - b);
      }
    }
  }
}

// The sum over the head of r * k * u.
inline float dot3(const float* r, const float* k, const float* u, int64_t size) {
  F32x16 sum = set1(0.0f);
  for (int64_t i = 0; i < size; i += 16) {
    const int64_t left = size - i;
    const F32x16 rk = mul(load_upto(r + i, left), load_upto(k + i, left));
    sum = fma(rk, load_upto(u + i, left), sum);
  }
  return reduce_add(sum);
}

inline void bonus(const Bonus& b, Range rows) {
  const int64_t size = b.width / b.heads;
  for (int64_t row = rows.begin; row < rows.end; ++row) {
    for (int64_t head = 0; head < b.heads; ++head) {
      const int64_t channel = head * size;
      const int64_t at = row * b.stride + channel;
      const F32x16 scale = set1(dot3(b.r + at, b.k + at, b.u + channel, size));
      for (int64_t i = 0; i < size; i += 16)
        store_upto(b.y + at + i, mul(scale, load_upto(b.v + at + i, size - i)), size - i);
    }
  }
}

}  // namespace skein::cpu::SK_ISA
