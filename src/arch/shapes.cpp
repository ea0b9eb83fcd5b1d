#include "arch/shapes.h"

#include <charconv>
#include <cmath>
#include <set>

#include "base/limits.h"

namespace skein::arch {

Result<Shape> Shapes::of(std::string_view name, int rank) const {
  const auto found = tensors_.find(name);
  if (found == tensors_.end())
    return fail(Code::mismatch, "{}: tensor {} is missing", file_name_, name);
  const Shape& shape = found->second.shape;
  if (rank != 0 && shape.rank() != rank)
    return fail(Code::mismatch, "{}: tensor {} is {}, expected {} axes", file_name_, name,
                shape.text(), rank);
  return shape;
}

Result<int64_t> Shapes::rank_of(std::string_view name) const {
  SK_TRY(const Shape shape, of(name, 2));
  if (shape[1] < 1 || shape[1] > static_cast<int64_t>(limits::kWidth))
    return fail(Code::mismatch, "{}: tensor {} is {}, a low-rank size of {}; it has to be 1 to {}",
                file_name_, name, shape.text(), shape[1], limits::kWidth);
  return shape[1];
}

Result<int64_t> Shapes::layers() const {
  constexpr std::string_view kPrefix = "blocks.";
  std::set<int64_t> seen;
  for (auto it = tensors_.lower_bound(kPrefix);
       it != tensors_.end() && it->first.starts_with(kPrefix); ++it) {
    const std::string_view rest = std::string_view(it->first).substr(kPrefix.size());
    int64_t index = -1;
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), index);
    if (error != std::errc() || index < 0 || end == rest.data() + rest.size() || *end != '.')
      continue;
    if (index >= static_cast<int64_t>(limits::kLayers))
      return fail(Code::unsupported, "{}: tensor {} is of layer {}, above the limit of {} layers",
                  file_name_, escaped(it->first), index, limits::kLayers);
    seen.insert(index);
  }
  const auto count = static_cast<int64_t>(seen.size());
  if (count == 0) return fail(Code::mismatch, "{}: no tensors of any layer", file_name_);
  if (*seen.rbegin() != count - 1) {
    int64_t missing = 0;
    while (seen.contains(missing)) ++missing;
    return fail(Code::mismatch, "{}: layer {} is missing, though there is a layer {}", file_name_,
                missing, *seen.rbegin());
  }
  return count;
}

Status Shapes::both_or_neither(std::string_view a, std::string_view b) const {
  const bool has_a = tensors_.contains(a), has_b = tensors_.contains(b);
  if (has_a == has_b) return {};
  return fail(Code::mismatch, "{}: tensor {} is missing, though there is {}", file_name_,
              has_a ? b : a, has_a ? a : b);
}

Status Shapes::check_limits(const Dimensions& d) const {
  const struct {
    const char* what;
    int64_t value;
    uint64_t limit;
  } rows[] = {{"embedding width", d.width, limits::kWidth},
              {"channel-mix width", d.inner, limits::kInner},
              {"vocabulary", d.vocab, limits::kVocab}};
  for (const auto& row : rows) {
    if (row.value < 1)
      return fail(Code::mismatch, "{}: the {} is {}", file_name_, row.what, row.value);
    if (static_cast<uint64_t>(row.value) > row.limit)
      return fail(Code::unsupported, "{}: the {} is {}, above the limit of {}", file_name_,
                  row.what, row.value, row.limit);
  }
  return {};
}

std::string size_name(int64_t parameters) {
  // The official names round down: the "0.1B" has 191 million, the "0.4B" 451 million, the "1.6B" a
  // hair less than that.
  const double billions = static_cast<double>(parameters) / 1e9;
  if (billions >= 0.0999) return fmt::format("{:.1f}B", std::floor(billions * 10 + 0.05) / 10);
  if (parameters >= 100'000) return fmt::format("{:.1f}M", billions * 1e3);
  return fmt::format("{:.1f}K", billions * 1e6);
}

}  // namespace skein::arch
