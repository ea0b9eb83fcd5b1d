#include "arch/adapter.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <utility>

#include "arch/glob.h"
#include "base/finite.h"
#include "quant/read.h"

namespace skein::arch {
namespace {

struct Matrix {
  Shape shape;
  std::vector<float> data;
  const float* row(int64_t index) const { return data.data() + index * shape[shape.rank() - 1]; }
};

tl::unexpected<Error> not_finite(std::string_view file_name, const StoredTensor& tensor) {
  return fail(Code::corrupt, "{}: tensor {} has a number that is not finite", file_name,
              escaped(tensor.name));
}

Result<Matrix> read(const StoredTensor& tensor, std::string_view file_name) {
  Matrix out = {tensor.shape, std::vector<float>(static_cast<size_t>(tensor.shape.elements()))};
  if (Status status = quant::read_f32(tensor, out.data); !status)
    return fail(status.error().code, "{}: {}", file_name, status.error().message);
  if (!all_finite(out.data)) return not_finite(file_name, tensor);
  return out;
}

// A change of a matrix W [out, in], row by row.
class Delta {
 public:
  virtual ~Delta() = default;
  // How many rows of W it needs at once, of which `row` is the first.
  virtual int64_t block() const { return 1; }
  // Adds to out[block, in]; `w` are the same rows of W.
  virtual void add(int64_t row, int64_t in, float blend, const float* w, float* out) const = 0;
};

class LowRank final : public Delta {
 public:
  LowRank(Matrix a, Matrix b, float scale) : a_(std::move(a)), b_(std::move(b)), scale_(scale) {}

  void add(int64_t row, int64_t in, float blend, const float*, float* out) const override {
    const int64_t rank = a_.shape[0];
    for (int64_t k = 0; k < rank; ++k) {
      const float factor = blend * scale_ * b_.row(row)[k];
      const float* a = a_.row(k);
      for (int64_t j = 0; j < in; ++j) out[j] += factor * a[j];
    }
  }

 private:
  Matrix a_;  // [r, in]
  Matrix b_;  // [out, r]
  float scale_;
};

class Bone final : public Delta {
 public:
  explicit Bone(Matrix disha) : disha_(std::move(disha)) {}

  void add(int64_t row, int64_t in, float blend, const float*, float* out) const override {
    const int64_t rank = disha_.shape[0];
    for (int64_t j = 0; j < in; ++j) out[j] += blend * disha_.row(j % rank)[row];
  }

 private:
  Matrix disha_;  // [r, out]
};

class Bat final : public Delta {
 public:
  explicit Bat(Matrix disha) : disha_(std::move(disha)) {}
  int64_t block() const override { return disha_.shape[1]; }

  void add(int64_t, int64_t in, float blend, const float* w, float* out) const override {
    const int64_t r = block();
    for (int64_t b = 0; b < in / r; ++b) {
      const float* z = disha_.data.data() + b * r * r;
      for (int64_t i = 0; i < r; ++i) {
        for (int64_t c = 0; c < r; ++c) {
          float sum = z[i * r + c];
          for (int64_t q = 0; q < r; ++q) sum += w[i * in + b * r + q] * z[q * r + c];
          out[i * in + b * r + c] += blend * sum;
        }
      }
    }
  }

 private:
  Matrix disha_;  // [in / r, r, r]
};

class Merged final : public ComputedTensor {
 public:
  Merged(StoredTensor base, std::vector<std::unique_ptr<Delta>> deltas, float blend,
         std::string_view file_name)
      : base_(std::move(base)), deltas_(std::move(deltas)), blend_(blend), file_name_(file_name) {
    for (const auto& delta : deltas_) block_ = std::max(block_, delta->block());
  }
  int64_t elements() const override { return base_.shape.elements(); }

  Status read(int64_t first, std::span<float> out) const override {
    const int64_t in = base_.shape[1];
    std::vector<float> w(static_cast<size_t>(block_ * in)), sum;
    while (!out.empty()) {
      const int64_t row = first / in / block_ * block_;
      SK_TRY_STATUS(quant::read_rows_f32(base_, row, block_, w));
      sum = w;
      for (const auto& delta : deltas_) {
        for (int64_t r = 0; r < block_; r += delta->block())
          delta->add(row + r, in, blend_, w.data() + r * in, sum.data() + r * in);
      }
      if (!all_finite(sum) && all_finite(w))
        return fail(Code::corrupt,
                    "{}: makes numbers of {} that are not finite; its own, alpha or the blend are "
                    "too large",
                    file_name_, escaped(base_.name));
      const int64_t skip = first - row * in;
      const auto count = std::min(out.size(), sum.size() - static_cast<size_t>(skip));
      std::copy_n(sum.begin() + skip, count, out.begin());
      out = out.subspan(count);
      first += static_cast<int64_t>(count);
    }
    return {};
  }

 private:
  StoredTensor base_;
  std::vector<std::unique_ptr<Delta>> deltas_;
  float blend_;
  std::string file_name_;
  int64_t block_ = 1;
};

// base + (other - base) * blend
class Blended final : public ComputedTensor {
 public:
  Blended(StoredTensor base, StoredTensor other, float blend, std::string_view file_name)
      : base_(std::move(base)), other_(std::move(other)), blend_(blend), file_name_(file_name) {}
  int64_t elements() const override { return base_.shape.elements(); }

  Status read(int64_t first, std::span<float> out) const override {
    std::vector<float> other(out.size());
    SK_TRY_STATUS(quant::read_range_f32(base_, first, out));
    if (Status status = quant::read_range_f32(other_, first, other); !status)
      return fail(status.error().code, "{}: {}", file_name_, status.error().message);
    if (!all_finite(other)) return not_finite(file_name_, other_);
    for (size_t i = 0; i < out.size(); ++i) out[i] += (other[i] - out[i]) * blend_;
    return {};
  }

 private:
  StoredTensor base_, other_;
  float blend_;
  std::string file_name_;
};

// What a file says about one target, "blocks.3.att.key".
struct Parts {
  std::optional<StoredTensor> a, b, disha;
  bool twice = false;  // one of them came more than once

  bool ambiguous() const { return twice || (disha && (a || b)); }
};

struct Contents {
  std::map<std::string, Parts, std::less<>> targets;
  std::vector<std::pair<std::string, StoredTensor>> whole;
};

Contents sort_out(const Container& container) {
  struct Suffix {
    std::string_view end;
    std::optional<StoredTensor> Parts::*place;
    bool transposed;
  };
  // web-rwkv's converter renames the pair and turns its first over.
  static constexpr Suffix kSuffixes[] = {
      {".lora_A", &Parts::a, false},      {".lora_B", &Parts::b, false},
      {".init_lora_A", &Parts::a, false}, {".init_lora_B", &Parts::b, false},
      {".lora.0", &Parts::a, true},       {".lora.1", &Parts::b, false},
      {".disha", &Parts::disha, false},   {".bone", &Parts::disha, false}};
  Contents out;
  for (const StoredTensor& tensor : container.tensors) {
    std::string_view name = tensor.name;
    const auto suffix = std::find_if(std::begin(kSuffixes), std::end(kSuffixes),
                                     [&](const Suffix& row) { return name.ends_with(row.end); });
    if (suffix == std::end(kSuffixes)) {
      out.whole.emplace_back(name, tensor);
      continue;
    }
    name.remove_suffix(suffix->end.size());
    const bool turn = suffix->transposed && tensor.shape.rank() == 2;
    Parts& parts = out.targets[std::string(name)];
    auto& place = parts.*(suffix->place);
    parts.twice = parts.twice || place;
    place = turn ? tensor.transposed() : tensor;
  }
  return out;
}

class Merger {
 public:
  Merger(NamedTensors& model, const AdapterOptions& options, std::string_view file_name)
      : model_(model), options_(options), file_name_(file_name) {}

  Status merge(const Container& adapter, const Container* initial) {
    if (!std::isfinite(static_cast<float>(options_.blend)))
      return fail(Code::argument, "{}: the blend is no number, or too large", file_name_);
    if (options_.alpha && !std::isfinite(static_cast<float>(*options_.alpha)))
      return fail(Code::argument, "{}: alpha is no number, or too large", file_name_);
    const Contents contents = sort_out(adapter);
    if (contents.targets.empty())
      return fail(Code::unsupported, "{}: no LoRA, PiSSA, Bone or Bat in this file", file_name_);
    if (initial) initial_ = sort_out(*initial);
    for (const auto& [name, tensor] : contents.whole) SK_TRY_STATUS(replace(name, tensor));
    for (const auto& [name, parts] : contents.targets) SK_TRY_STATUS(change(name, parts));
    if (changed_ == 0)
      return fail(Code::argument, "{}: the pattern \"{}\" chooses none of its tensors", file_name_,
                  escaped(options_.pattern));
    return {};
  }

 private:
  bool chosen(std::string_view name) {
    const bool match = glob_matches(options_.pattern, name);
    changed_ += match;
    return match;
  }

  // Norms and other tensors that were trained whole.
  Status replace(const std::string& name, const StoredTensor& tensor) {
    const auto target = model_.find(name);
    if (is_tuned_state(name)) {
      if (chosen(name)) model_.insert_or_assign(name, tensor);
      return {};
    }
    if (target == model_.end())
      return fail(Code::mismatch, "{}: tensor {} has no counterpart in this model", file_name_,
                  escaped(name));
    if (!chosen(name)) return {};
    StoredTensor& base = target->second;
    if (tensor.shape.squeezed() != base.shape.squeezed())
      return fail(Code::mismatch, "{}: tensor {} is {}, but the model's is {}", file_name_,
                  escaped(name), tensor.shape.text(), base.shape.text());
    base = StoredTensor::of(
        base.name, base.shape,
        std::make_shared<Blended>(base, tensor, static_cast<float>(options_.blend), file_name_));
    return {};
  }

  Status change(const std::string& name, const Parts& parts) {
    auto target = model_.find(name + ".weight");
    if (target == model_.end()) target = model_.find(name);
    if (target == model_.end() || target->second.shape.rank() != 2)
      return fail(Code::mismatch, "{}: {} is no matrix of this model", file_name_, escaped(name));
    if (!chosen(target->first)) return {};
    if (parts.ambiguous())
      return fail(Code::corrupt, "{}: has more than one change for {}", file_name_, escaped(name));
    StoredTensor& base = target->second;
    std::vector<std::unique_ptr<Delta>> deltas;
    if (parts.disha) {
      SK_TRY_STATUS(add_disha(name, *parts.disha, base.shape, deltas));
    } else {
      SK_TRY_STATUS(add_pair(name, parts, base.shape, scale_of(parts), deltas));
      if (initial_) {
        const auto initial = initial_->targets.find(name);
        if (initial == initial_->targets.end())
          return fail(Code::mismatch, "{}: the initial pair of {} is missing", file_name_,
                      escaped(name));
        if (initial->second.ambiguous())
          return fail(Code::corrupt, "{}: has more than one initial pair for {}", file_name_,
                      escaped(name));
        SK_TRY_STATUS(add_pair(name, initial->second, base.shape, -1.0, deltas));
      } else if (!options_.alpha) {
        return fail(Code::argument,
                    "{}: a LoRA does not hold its alpha; say which it was trained with, or give "
                    "PiSSA's initial file",
                    file_name_);
      }
    }
    base =
        StoredTensor::of(base.name, base.shape,
                         std::make_shared<Merged>(base, std::move(deltas),
                                                  static_cast<float>(options_.blend), file_name_));
    return {};
  }

  double scale_of(const Parts& parts) const {
    if (initial_ || !options_.alpha || !parts.a || parts.a->shape.rank() != 2) return 1;
    return *options_.alpha / static_cast<double>(std::max<int64_t>(1, parts.a->shape[0]));
  }

  Status add_pair(std::string_view name, const Parts& parts, const Shape& target, double scale,
                  std::vector<std::unique_ptr<Delta>>& out) const {
    if (!parts.a || !parts.b)
      return fail(Code::mismatch, "{}: {} has one matrix of its low-rank pair and not the other",
                  file_name_, escaped(name));
    const Shape &a = parts.a->shape, &b = parts.b->shape;
    if (a.rank() != 2 || b.rank() != 2 || a[0] != b[1] || a[0] < 1 || b[0] != target[0] ||
        a[1] != target[1])
      return fail(Code::mismatch, "{}: the pair {} x {} of {} does not fit the model's {}",
                  file_name_, b.text(), a.text(), escaped(name), target.text());
    SK_TRY(Matrix first, read(*parts.a, file_name_));
    SK_TRY(Matrix second, read(*parts.b, file_name_));
    out.push_back(
        std::make_unique<LowRank>(std::move(first), std::move(second), static_cast<float>(scale)));
    return {};
  }

  Status add_disha(std::string_view name, const StoredTensor& disha, const Shape& target,
                   std::vector<std::unique_ptr<Delta>>& out) const {
    const Shape& shape = disha.shape;
    const bool bone = shape.rank() == 2 && shape[0] >= 1 && shape[1] == target[0];
    const bool bat = shape.rank() == 3 && shape[1] >= 1 && shape[1] == shape[2] &&
                     shape[0] * shape[1] == target[1] && target[0] % shape[1] == 0;
    if (!bone && !bat)
      return fail(Code::mismatch, "{}: the change {} of {} does not fit the model's {}", file_name_,
                  shape.text(), escaped(name), target.text());
    SK_TRY(Matrix matrix, read(disha, file_name_));
    if (bone)
      out.push_back(std::make_unique<Bone>(std::move(matrix)));
    else
      out.push_back(std::make_unique<Bat>(std::move(matrix)));
    return {};
  }

  NamedTensors& model_;
  const AdapterOptions& options_;
  std::string_view file_name_;
  std::optional<Contents> initial_;
  int64_t changed_ = 0;
};

}  // namespace

const char* adapter_name(AdapterKind kind) {
  switch (kind) {
    case AdapterKind::none: return "none";
    case AdapterKind::lora: return "LoRA";
    case AdapterKind::pissa: return "PiSSA's initial pair";
    case AdapterKind::bone: return "Bone";
    case AdapterKind::bat: return "Bat";
  }
  return "none";
}

AdapterKind identify_adapter(const Container& container) {
  for (const StoredTensor& tensor : container.tensors) {
    const std::string_view name = tensor.name;
    if (name.ends_with(".init_lora_A")) return AdapterKind::pissa;
    if (name.ends_with(".lora_A") || name.ends_with(".lora.0")) return AdapterKind::lora;
    if (name.ends_with(".disha") || name.ends_with(".bone"))
      return tensor.shape.rank() == 3 ? AdapterKind::bat : AdapterKind::bone;
  }
  return AdapterKind::none;
}

std::string describe_adapter(const Container& container) {
  const AdapterKind kind = identify_adapter(container);
  if (kind == AdapterKind::none) return {};
  const Contents contents = sort_out(container);
  int64_t rank = 0;
  for (const auto& [name, parts] : contents.targets) {
    const auto& first = parts.disha ? parts.disha : parts.a;
    if (!first || first->shape.rank() < 2) continue;
    rank = std::max(rank, first->shape[kind == AdapterKind::bat ? 1 : 0]);
  }
  std::string out = fmt::format("a {} of rank {} for {} matrices", adapter_name(kind), rank,
                                contents.targets.size());
  if (!contents.whole.empty()) out += fmt::format(", with {} whole tensors", contents.whole.size());
  return out;
}

Status merge_adapter(NamedTensors& model, const Container& adapter, const Container* initial,
                     const AdapterOptions& options, std::string_view file_name) {
  return Merger(model, options, file_name).merge(adapter, initial);
}

}  // namespace skein::arch
