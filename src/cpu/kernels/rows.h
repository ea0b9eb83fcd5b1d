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

inline void norm_group(const Norm& n, const float* x, float* y, int64_t channel, int64_t size) {
  const float mean = n.bias ? mean_of(x, size) : 0.0f;
  const float squares = squares_of(x, size, mean);
  const float scale = n.weight
                          ? 1.0f / __builtin_sqrtf(squares / static_cast<float>(size) + n.epsilon)
                          : 1.0f / (squares > 1e-24f ? __builtin_sqrtf(squares) : 1e-12f);
  for (int64_t i = 0; i < size; i += 16) {
    F32x16 v = mul(sub(load_upto(x + i, size - i), set1(mean)), set1(scale));
    if (n.bias) {
      v = fma(v, load_upto(n.weight + channel + i, size - i),
              load_upto(n.bias + channel + i, size - i));
    } else if (n.weight) {
      v = mul(v, load_upto(n.weight + channel + i, size - i));
    }
    store_upto(y + i, v, size - i);
  }
}

inline void norm(const Norm& n, Range rows) {
  const int64_t size = n.width / n.groups;
  for (int64_t row = rows.begin; row < rows.end; ++row)
    for (int64_t group = 0; group < n.groups; ++group)
      norm_group(n, n.x + row * n.stride + group * size, n.y + row * n.stride + group * size,
                 group * size, size);
}

inline void elementwise(const Elementwise& e, Range rows) {
  for (int64_t row = rows.begin; row < rows.end; ++row) {
    const int64_t at = row * e.stride;
    const int64_t last_at = e.shared ? 0 : at;  // of the last operand
    for (int64_t i = 0; i < e.width; i += 16) {
      const int64_t left = e.width - i;
      const F32x16 a = load_upto(e.a + at + i, left);
      F32x16 y = a;
      switch (e.kind) {
        case ops::OpKind::lerp: {
          const F32x16 difference = sub(load_upto(e.b + at + i, left), a);
          y = fma(difference, load_upto(e.t + last_at + i, left), a);
          break;
        }
        case ops::OpKind::add: y = add(a, load_upto(e.b + last_at + i, left)); break;
        case ops::OpKind::sub: y = sub(a, load_upto(e.b + last_at + i, left)); break;
        case ops::OpKind::mul: y = mul(a, load_upto(e.b + last_at + i, left)); break;
        default: y = apply(e.function, a); break;
      }
      store_upto(e.y + at + i, y, left);
    }
  }
}

inline void token_matmul(const TokenMatmul& p, Range rows) {
  for (int64_t row = rows.begin; row < rows.end; ++row) {
    const float *x = p.x + row * p.x_stride, *m = p.m + row * p.m_stride;
    for (int64_t b = 0; b < p.out; b += 16) {
      F32x16 sum = set1(0.0f);
      for (int64_t a = 0; a < p.in; ++a)
        sum = fma(load_upto(m + a * p.out + b, p.out - b), set1(x[a]), sum);
      store_upto(p.y + row * p.y_stride + b, sum, p.out - b);
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
