// rwkv.cpp's converter keeps official names but stores what its program computes with: exponentials
// applied, low-rank pairs transposed, the mixes of RWKV-7 stacked.
#include <cmath>

#include "arch/names/computed.h"
#include "arch/names/table.h"

namespace skein::arch::names {
namespace {

constexpr Row kTransposed[] = {
    {"att.x_rwkvag", "att.x_r att.x_w att.x_k att.x_v att.x_a att.x_g"},
    {"att.w1", "att.w1", Form::transposed},
    {"att.w2", "att.w2", Form::transposed},
    {"att.a1", "att.a1", Form::transposed},
    {"att.a2", "att.a2", Form::transposed},
    {"att.v1", "att.v1", Form::transposed},
    {"att.v2", "att.v2", Form::transposed},
    {"att.g1", "att.g1", Form::transposed},
    {"att.g2", "att.g2", Form::transposed},
    {"att.time_maa_w1", "att.time_maa_w1", Form::transposed},
    {"att.time_maa_w2", "att.time_maa_w2", Form::transposed},
    {"att.time_decay_w1", "att.time_decay_w1", Form::transposed},
    {"att.time_decay_w2", "att.time_decay_w2", Form::transposed},
};

bool is_ggmf(const Container& container) {
  return container.format == Format::ggmf && has(container, "emb.weight");
}

double log_of_negated(double x) { return std::log(-x); }
double log_of_negated_log(double x) { return std::log(-std::log(x)); }
double log_of(double x) { return std::log(x); }

Result<NamedModel> translate(const Container& container, std::string_view file_name) {
  NamedModel model;
  const Table table = {.layer_prefix = "blocks.", .top = {}, .in_layer = {kTransposed}};
  const bool four = !has(container, "blocks.0.att.ln_x.weight");
  const bool five =
      !four && !has(container, "blocks.0.att.r_k") && !has(container, "blocks.0.att.time_maa_x");
  const auto special = [&](const StoredTensor& tensor, int64_t layer, std::string_view local,
                           NamedTensors& out) -> Result<bool> {
    // [H, N, 1] and [H, 1, 1] to [H, N] and [H].
    StoredTensor value = squeezed(tensor, local);
    if (local == "att.time_decay" && (four || five)) {
      value = mapped(value, four ? log_of_negated : log_of_negated_log);
    } else if (local == "att.time_first" && five) {
      value = mapped(value, log_of);
    } else {
      return false;
    }
    SK_TRY_STATUS(put(fmt::format("blocks.{}.{}", layer, local), std::move(value), file_name, out));
    return true;
  };
  SK_TRY(model.tensors, read_names(container, table, file_name, special));
  for (auto& [name, tensor] : model.tensors) tensor = squeezed(tensor, name);
  // What that program normalises RWKV-5 with; its models of small heads show it.
  if (five) model.hints.group_epsilon = 1e-5f;
  return model;
}

}  // namespace

const Naming kGgmf = {"rwkv.cpp", "rwkv.cpp", is_ggmf, translate};

}  // namespace skein::arch::names
