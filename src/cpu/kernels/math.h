// Element functions over the vector layer. Every step is an add, multiply, division or fused
// multiply-add in f32, so all instruction sets agree to the last bit; no libm.
//
// A function of what is no finite number is NaN, though its limit may be one: what was computed
// from an infinity or a NaN has to be seen at the end (run/model.cpp), and relu, sigmoid and the
// decays would hide it. Coefficients were fitted for this file (minimax on the reduced range, then
// rounded to f32).
#pragma once

namespace skein::cpu::SK_ISA {

// `result` of a function of x.
inline F32x16 if_finite(F32x16 x, F32x16 result) {
  return where_less(abs(x), set1(__builtin_inff()), result, set1(__builtin_nanf("")));
}

// e^x within 2 ulp; x outside [-87, 88] is clamped, NaN too, so the result is always finite and
// normal. For those below, which look at x themselves.
inline F32x16 exp(F32x16 x) {
  const F32x16 magic = set1(12582912.0f);  // 1.5 * 2^23: adding it rounds to a whole number
  x = min(max(x, set1(-87.0f)), set1(88.0f));
  const F32x16 n_plus_magic = fma(x, set1(1.44269504f), magic);
  const F32x16 n = sub(n_plus_magic, magic);
  // r = x - n ln 2 with ln 2 in two parts, the first short enough for n * part to be exact.
  F32x16 r = fma(n, set1(-0.693359375f), x);
  r = fma(n, set1(2.12194440e-4f), r);
  F32x16 p = set1(0.0013814613f);
  p = fma(p, r, set1(0.00836871f));
  p = fma(p, r, set1(0.04166839f));
  p = fma(p, r, set1(0.16666521f));
  p = fma(p, r, set1(0.49999994f));
  p = fma(p, mul(r, r), add(r, set1(1.0f)));
  return scale_by_exponent(p, n_plus_magic);
}

inline F32x16 sigmoid(F32x16 x) {
  return div(set1(1.0f), add(set1(1.0f), exp(sub(set1(0.0f), x))));
}

// Below -88, where exp() is clamped, x must be too: the result would grow again. It stops at
// -5e-37.
inline F32x16 silu(F32x16 x) {
  const F32x16 bounded = max(set1(-88.0f), x);
  return div(bounded, add(set1(1.0f), exp(sub(set1(0.0f), x))));
}

// exp(-exp(x)). The clamps give 1 on the left, where that is the nearest number, and e^-87 = 2e-38
// on the right for everything smaller.
inline F32x16 decay(F32x16 x) { return exp(sub(set1(0.0f), exp(x))); }

// Two branches: an odd polynomial near 0, where 1 - 2 / (e^2x + 1) would cancel.
inline F32x16 tanh(F32x16 x) {
  const F32x16 size = abs(x);
  const F32x16 far = sub(set1(1.0f), div(set1(2.0f), add(exp(add(size, size)), set1(1.0f))));
  const F32x16 z = mul(size, size);
  F32x16 p = set1(-0.0055285781f);
  p = fma(p, z, set1(0.020483265f));
  p = fma(p, z, set1(-0.053692952f));
  p = fma(p, z, set1(0.13330899f));
  p = fma(p, z, set1(-0.33333263f));
  const F32x16 near = fma(mul(p, z), size, size);
  return with_sign(where_less(size, set1(0.625f), near, far), x);
}

inline F32x16 relu2(F32x16 x) {
  const F32x16 positive = max(x, set1(0.0f));
  return mul(positive, positive);
}

inline F32x16 apply(ops::Unary function, F32x16 x) {
  switch (function) {
    case ops::Unary::none: return x;
    case ops::Unary::relu2: return if_finite(x, relu2(x));
    case ops::Unary::sigmoid: return if_finite(x, sigmoid(x));
    case ops::Unary::tanh: return if_finite(x, tanh(x));
    case ops::Unary::silu: return if_finite(x, silu(x));
    case ops::Unary::decay: return if_finite(x, decay(x));
    case ops::Unary::decay7: return if_finite(x, exp(mul(set1(-0.60653066f), sigmoid(x))));
  }
  return x;
}

}  // namespace skein::cpu::SK_ISA
