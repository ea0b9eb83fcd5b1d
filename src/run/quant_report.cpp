#include "run/quant_report.h"

#include <algorithm>
#include <cmath>

#include "base/pool.h"
#include "quant/read.h"

namespace skein {
namespace {

// Sums over numbers a and their copies b.
struct Sums {
  double squares = 0, errors = 0;  // of a, of b - a
  double largest = 0, largest_error = 0;

  void add(float a, float b) {
    const double size = std::fabs(static_cast<double>(a));
    const double error = std::fabs(static_cast<double>(b) - static_cast<double>(a));
    squares += size * size, errors += error * error;
    largest = std::max(largest, size), largest_error = std::max(largest_error, error);
  }
  void add(const Sums& other) {
    squares += other.squares, errors += other.errors;
    largest = std::max(largest, other.largest);
    largest_error = std::max(largest_error, other.largest_error);
  }
  double rms() const { return squares > 0 ? std::sqrt(errors / squares) : 0; }
};

Status compare_rows(const StoredTensor& before, const StoredTensor& after, bool vector, Range rows,
                    std::vector<Sums>& out) {
  const int64_t width = vector ? before.shape.elements() : before.shape[1];
  std::vector<float> a(static_cast<size_t>(width)), b(a.size());
  for (int64_t row = rows.begin; row < rows.end; ++row) {
    SK_TRY_STATUS(vector ? quant::read_f32(before, a) : quant::read_rows_f32(before, row, 1, a));
    SK_TRY_STATUS(vector ? quant::read_f32(after, b) : quant::read_rows_f32(after, row, 1, b));
    Sums& sums = out[static_cast<size_t>(row)];
    for (size_t i = 0; i < a.size(); ++i) sums.add(a[i], b[i]);
  }
  return {};
}

}  // namespace

Result<std::vector<QuantLoss>> compare_weights(
    const ModelSource& before, const ModelSource& after, int threads,
    const std::function<bool(int64_t, int64_t)>& progress) {
  std::map<std::string, arch::WeightClass, std::less<>> kinds;
  for (const arch::WeightSpec& spec : before.architecture->weights()) kinds[spec.name] = spec.kind;
  if (before.weights.size() != after.weights.size())
    return fail(Code::mismatch, "{} is no copy of {}", after.name(), before.name());
  int64_t total = 0, done = 0;
  for (const ops::WeightData& weight : before.weights)
    if (weight.present) total += bytes_of(weight.tensor.dtype, weight.tensor.shape.elements());

  SK_TRY(const int count, thread_count(threads));
  Pool pool(count);
  std::map<arch::WeightClass, QuantLoss> losses;
  std::map<arch::WeightClass, Sums> sums;
  for (size_t i = 0; i < before.weights.size(); ++i) {
    const ops::WeightData &a = before.weights[i], &b = after.weights[i];
    if (!a.present || !b.present) continue;
    const bool vector = a.use == ops::WeightUse::vector;
    if (vector ? a.tensor.shape.elements() != b.tensor.shape.elements()
               : a.tensor.shape != b.tensor.shape)
      return fail(Code::mismatch, "{} is no copy of {}: tensor {}", after.name(), before.name(),
                  a.name);
    // Row by row and added up in their order: the same sums for any number of threads.
    std::vector<Sums> rows(static_cast<size_t>(vector ? 1 : a.tensor.shape[0]));
    SK_TRY_STATUS(run_shares(pool, std::ssize(rows), [&](Range part) {
      return compare_rows(a.tensor, b.tensor, vector, part, rows);
    }));
    Sums all;
    for (const Sums& row : rows) all.add(row);
    const int64_t elements = a.tensor.shape.elements();
    const arch::WeightClass kind = kinds[a.name.substr(0, a.name.find('['))];
    QuantLoss& loss = losses[kind];
    loss.kind = kind;
    ++loss.tensors;
    loss.parameters += elements;
    const auto type = before.types.find(a.name);  // before anything was merged
    loss.bytes_before +=
        bytes_of(type == before.types.end() ? a.tensor.dtype : type->second, elements);
    loss.bytes_after += bytes_of(b.tensor.dtype, elements);
    loss.types[std::string(dtype_name(b.tensor.dtype))] += elements;
    if (all.rms() > loss.worst_rms) loss.worst_rms = all.rms(), loss.worst = a.name;
    sums[kind].add(all);
    before.files.drop(a.tensor.storage);
    after.files.drop(b.tensor.storage);
    done += bytes_of(a.tensor.dtype, elements);
    if (progress && !progress(done, total)) return fail(Code::io, "interrupted");
  }
  std::vector<QuantLoss> out;
  for (auto& [kind, loss] : losses) {
    const Sums& all = sums[kind];
    loss.rms = all.rms();
    loss.largest = all.largest > 0 ? all.largest_error / all.largest : 0;
    out.push_back(std::move(loss));
  }
  return out;
}

}  // namespace skein
