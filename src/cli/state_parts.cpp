#include "cli/state_parts.h"

#include <algorithm>
#include <cmath>

#include "arch/registry.h"
#include "base/file.h"
#include "base/limits.h"
#include "io/container.h"
#include "quant/read.h"
#include "run/model.h"

namespace skein::cli {
namespace {

Result<std::vector<StatePart>> parts_of(const State& state) {
  std::vector<StatePart> out;
  for (size_t i = 0; i < state.layout().parts.size(); ++i) {
    StatePart& one = out.emplace_back(StatePart{state.layout().parts[i].name, {}});
    SK_TRY(const PartView part, state.part(i));
    SK_TRY_STATUS(decode_part(state.layout().slots[i].type, part.bytes(), one.values));
  }
  return out;
}

Result<std::vector<StatePart>> parts_of(const Container& container, std::string_view name) {
  std::vector<StatePart> out;
  for (const StoredTensor& tensor : container.tensors) {
    std::vector<float> values(static_cast<size_t>(tensor.shape.elements()));
    if (auto status = quant::read_f32(tensor, values); !status)
      return fail(status.error().code, "{}: {}", name, status.error().message);
    for (const float x : values)
      if ((!std::isfinite(x) || std::fabs(x) >= limits::kStateMagnitude) && x != arch::kNoExponent)
        return fail(Code::corrupt, "{}: tensor {} has the number {}, no model computes that", name,
                    escaped(tensor.name), x);
    out.push_back({tensor.name, std::move(values)});
  }
  return out;
}

}  // namespace

Result<std::shared_ptr<const StateLayout>> layout_of(const std::string& model) {
  if (model.empty()) return nullptr;
  return Model::read_layout(model);
}

Result<StateParts> read_state_parts(const std::filesystem::path& path,
                                    const std::shared_ptr<const StateLayout>& layout,
                                    std::optional<bool> swapped) {
  SK_TRY(const File file, File::map(path));
  const std::string name = file.name();
  if (file.bytes().size() > limits::kStateFileBytes)
    return fail(Code::unsupported, "{}: {} bytes, more than the limit of {} for a state", name,
                file.bytes().size(), limits::kStateFileBytes);
  StateParts out;
  if (is_saved_state(file.bytes())) {
    SK_TRY(out.saved, parse_saved_state(file.bytes(), name));
    out.kind = "Skein state";
    for (const SavedPart& part : out.saved->parts) {
      if (layout) break;  // the model's parts, below
      StatePart& one = out.parts.emplace_back(StatePart{part.name.empty() ? "all" : part.name, {}});
      SK_TRY_STATUS(
          decode_part(part.type, file.bytes().subspan(part.offset, part.bytes), one.values));
    }
  } else {
    SK_TRY(const Container container, io::read_container(file.bytes(), name));
    const bool tuned = std::any_of(container.tensors.begin(), container.tensors.end(),
                                   [](const auto& t) { return arch::is_tuned_state(t.name); });
    if (!container.list && !tuned)
      return fail(Code::unsupported, "{}: no state in this file; it is {}", name,
                  arch::identify(container).title());
    out.kind = fmt::format("{}, {} tensors", tuned ? "tuned initial state" : "full state",
                           container.tensors.size());
    if (!layout) {
      SK_TRY(out.parts, parts_of(container, name));
    }
  }
  if (layout) {
    SK_TRY(const State state, import_state(file.bytes(), name, layout, swapped));
    SK_TRY(out.parts, parts_of(state));
  }
  if (!file.intact()) return fail(Code::io, "{}: became shorter while it was read", name);
  return out;
}

std::string conversation_text(const SavedChat& chat) {
  constexpr size_t kShown = 20;
  const auto counted = [](size_t count, std::string_view what) {
    return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
  };
  const auto turns =
      static_cast<size_t>(std::count_if(chat.turns.begin(), chat.turns.end(),
                                        [](const SavedTurn& turn) { return turn.parent >= 0; }));
  std::string out =
      counted(turns, "turn") + (chat.branches.size() == 1 ? "; branch " : "; branches ");
  for (size_t i = 0; i < std::min(chat.branches.size(), kShown); ++i) {
    const SavedBranch& branch = chat.branches[i];
    out += fmt::format("{}{} ({}{})", i > 0 ? ", " : "", escaped(branch.name),
                       i == chat.branch ? "here, " : "", counted(chat.turns_of(branch), "turn"));
  }
  if (chat.branches.size() > kShown)
    out += fmt::format(" and {} more", chat.branches.size() - kShown);
  return out;
}

Norms norms(std::span<const float> values) {
  Norms out;
  double sum = 0;
  for (const float x : values) {
    sum += double{x} * double{x};
    out.largest = std::max(out.largest, std::fabs(double{x}));
  }
  out.euclidean = std::sqrt(sum);
  return out;
}

}  // namespace skein::cli
