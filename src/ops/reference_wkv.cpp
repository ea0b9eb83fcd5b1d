#include "ops/reference_wkv.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"

namespace skein::ops {
namespace {

void wkv4(const WkvRow& row) {
  for (int64_t c = 0; c < row.width; ++c) {
    const double k = row.in[0][c], v = row.in[1][c];
    const double w = row.weight[0][c], u = row.weight[1][c];
    float* aa = row.state + c;
    float* bb = row.state + row.width + c;
    float* pp = row.state + 2 * row.width + c;

    double p = std::max(double(*pp), u + k);
    double e1 = std::exp(*pp - p), e2 = std::exp(u + k - p);
    row.y[c] = static_cast<float>((e1 * *aa + e2 * v) / (e1 * *bb + e2));

    p = std::max(*pp + w, k);
    e1 = std::exp(*pp + w - p), e2 = std::exp(k - p);
    *aa = static_cast<float>(e1 * *aa + e2 * v);
    *bb = static_cast<float>(e1 * *bb + e2);
    *pp = static_cast<float>(p);
  }
}

void wkv6(const WkvRow& row) {
  const int64_t n = row.width / row.heads;
  for (int64_t head = 0; head < row.heads; ++head) {
    float* s = row.state + head * n * n;
    const int64_t at = head * n;
    const float *r = row.in[0] + at, *k = row.in[1] + at, *v = row.in[2] + at;
    const float* w = (row.in[3] ? row.in[3] : row.weight[0]) + at;
    const float* u = row.weight[1] ? row.weight[1] + at : nullptr;
    for (int64_t j = 0; j < n; ++j) {
      double sum = 0;
      for (int64_t i = 0; i < n; ++i) {
        const double old = s[i * n + j], kv = double(k[i]) * v[j];
        const double next = w[i] * old + kv;
        sum += r[i] * (u ? u[i] * kv + old : next);
        s[i * n + j] = static_cast<float>(next);
      }
      row.y[at + j] = static_cast<float>(row.scale * sum);
    }
  }
}

void wkv7(const WkvRow& row) {
  const int64_t n = row.width / row.heads;
  for (int64_t head = 0; head < row.heads; ++head) {
    float* s = row.state + head * n * n;  // [key, value]
    const int64_t at = head * n;
    const float *r = row.in[0] + at, *w = row.in[1] + at, *k = row.in[2] + at;
    const float *v = row.in[3] + at, *kk = row.in[4] + at, *a = row.in[5] + at;
    for (int64_t i = 0; i < n; ++i) {
      double sa = 0, sum = 0;
      for (int64_t j = 0; j < n; ++j) sa -= double(s[j * n + i]) * kk[j];
      for (int64_t j = 0; j < n; ++j) {
        const double next = double(s[j * n + i]) * w[j] + sa * kk[j] * a[j] + double(v[i]) * k[j];
        s[j * n + i] = static_cast<float>(next);
        sum += next * r[j];
      }
      row.y[at + i] = static_cast<float>(sum);
    }
  }
}

}  // namespace

void reference_wkv(OpKind kind, const WkvRow& row) {
  switch (kind) {
    case OpKind::wkv4: return wkv4(row);
    case OpKind::wkv6: return wkv6(row);
    case OpKind::wkv7: return wkv7(row);
    default: SK_CHECK(false && "not a recurrence");
  }
}

}  // namespace skein::ops
