#include "arch/skeleton.h"

#include "arch/shapes.h"
#include "base/check.h"

namespace skein::arch {
namespace {

std::string block(int64_t layer) { return fmt::format("blocks.{}.", layer); }

void add_norm(std::vector<WeightSpec>& list, const std::string& name, int64_t width,
              NormKind kind) {
  list.push_back({name + ".weight", {width}});
  if (kind == NormKind::layer) list.push_back({name + ".bias", {width}});
}

// How long the program's vector is, or how many rows its matrix has.
int32_t width_of(const WeightSpec& spec) {
  int64_t width = spec.shape[0];
  if (spec.kind == WeightClass::vector) {
    width = spec.shape.elements() * spec.repeat;
  } else if (spec.shape.rank() == 3) {
    width = spec.shape[spec.stored_in_out ? 2 : 1];
  } else {
    width = spec.shape[spec.stored_in_out ? 1 : 0] / spec.parts;
  }
  return static_cast<int32_t>(width);
}

}  // namespace

WeightSpec& LayerWeights::vector(std::string_view name, const Shape& shape) {
  return list_.emplace_back(WeightSpec{.name = block_ + std::string(name), .shape = shape});
}

WeightSpec& LayerWeights::matrix(std::string_view name, int64_t out, int64_t in, WeightClass kind) {
  return list_.emplace_back(
      WeightSpec{.name = block_ + std::string(name), .shape = {out, in}, .kind = kind});
}

WeightSpec& LayerWeights::low_rank(std::string_view name, const Shape& shape) {
  return list_.emplace_back(WeightSpec{.name = block_ + std::string(name),
                                       .shape = shape,
                                       .kind = WeightClass::low_rank,
                                       .stored_in_out = true});
}

std::vector<WeightSpec> Skeleton::weights() const {
  const int64_t width = frame_.width;
  std::vector<WeightSpec> list = {{"emb.weight", {frame_.vocab, width}, WeightClass::embedding}};
  if (frame_.ln0) add_norm(list, "blocks.0.ln0", width, frame_.norm);
  add_norm(list, "ln_out", width, frame_.norm);
  list.push_back({"head.weight", {frame_.vocab, width}, WeightClass::head});
  for (int64_t i = 0; i < frame_.layers; ++i) {
    add_norm(list, block(i) + "ln1", width, frame_.norm);
    add_norm(list, block(i) + "ln2", width, frame_.norm);
    LayerWeights layer(list, i);
    layer_weights(layer);
  }
  return list;
}

std::vector<StateSpec> Skeleton::state() const {
  std::vector<StateSpec> list;
  for (int64_t i = 0; i < frame_.layers; ++i) {
    for (StateSpec& part : layer_state()) {
      part.name = block(i) + part.name;
      list.push_back(std::move(part));
    }
  }
  return list;
}

ops::Program Skeleton::forward() const {
  Recording r;
  ops::WeightId next = 0;
  for (const WeightSpec& spec : weights())
    for (int32_t part = 0; part < spec.parts; ++part)
      r.weights[spec.name].push_back({next++, width_of(spec)});
  for (const StateSpec& part : state())
    r.slots.emplace(part.name, r.b.slot(part.name, part.shape.elements(), part.type, part.growth));

  Var x = r.b.rows("emb", r.weights["emb.weight"][0], static_cast<int32_t>(frame_.width));
  if (frame_.ln0) x = norm(r, "blocks.0.ln0", x);
  r.shared.embedded = x;
  for (int64_t i = 0; i < frame_.layers; ++i) {
    const Layer layer(r, i);
    Var mixed = norm(r, block(i) + "ln1", x);
    r.b.prefix(block(i));
    mixed = time_mix(layer, mixed);
    x = r.b.add("att.sum", x, mixed);
    r.b.prefix("");
    mixed = norm(r, block(i) + "ln2", x);
    r.b.prefix(block(i));
    mixed = channel_mix(layer, mixed);
    x = r.b.add("ffn.sum", x, mixed);
    r.b.prefix("");
  }
  x = norm(r, "ln_out", r.b.pick("outputs", x));
  return r.b.finish(r.b.linear("logits", x, r.weights["head.weight"][0]));
}

Var Skeleton::norm(Recording& r, const std::string& name, Var x) const {
  const ops::Weight weight = r.weights[name + ".weight"][0];
  if (frame_.norm == NormKind::rms)
    return r.b.rms_norm(name.c_str(), x, weight, frame_.norm_epsilon);
  return r.b.layer_norm(name.c_str(), x, weight, r.weights[name + ".bias"][0], frame_.norm_epsilon);
}

std::vector<StateSpec> Skeleton::matrix_state(const Dimensions& d, bool value_first,
                                              ChannelMemory channel) {
  // The kernels' lanes are value channels, so that they keep keys first.
  const Shape matrix = {d.heads, d.head_size, d.head_size};
  std::vector<StateSpec> out = {{"att.x_prev", {d.width}},
                                {.name = "att.wkv", .shape = matrix, .transposed = value_first}};
  if (channel == ChannelMemory::x_prev) out.push_back({"ffn.x_prev", {d.width}});
  return out;
}

void Skeleton::add_gated_channel_mix(LayerWeights& w, const Dimensions& d, MixSense sense) {
  const bool current = sense == MixSense::current;
  w.vector(current ? "ffn.time_mix_k" : "ffn.time_maa_k", {d.width});
  w.vector(current ? "ffn.time_mix_r" : "ffn.time_maa_r", {d.width});
  w.matrix("ffn.key.weight", d.inner, d.width, WeightClass::feed_forward);
  w.matrix("ffn.receptance.weight", d.width, d.width, WeightClass::feed_forward);
  w.matrix("ffn.value.weight", d.width, d.inner, WeightClass::feed_forward);
}

Var Skeleton::gated_channel_mix(const Layer& p, Var x, MixSense sense) {
  ops::Recorder& b = p.b;
  const bool current = sense == MixSense::current;
  Var x_prev = p.previous("ffn.x_prev", x);
  Var zero = current ? x_prev : x, one = current ? x : x_prev;
  Var xk = b.lerp("ffn.xk", zero, one, p(current ? "ffn.time_mix_k" : "ffn.time_maa_k"));
  Var xr = b.lerp("ffn.xr", zero, one, p(current ? "ffn.time_mix_r" : "ffn.time_maa_r"));
  Var r = b.linear("ffn.r", xr, p("ffn.receptance.weight"), Unary::sigmoid);
  Var k = b.linear("ffn.k", xk, p("ffn.key.weight"), Unary::relu2);
  return b.mul("ffn.out", r, b.linear("ffn.v", k, p("ffn.value.weight")));
}

ops::Weight Skeleton::Layer::operator()(std::string_view name, size_t part) const {
  const auto found = recording_.weights.find(block_ + std::string(name));
  SK_CHECK(found != recording_.weights.end() && part < found->second.size());
  return found->second[part];
}

ops::SlotId Skeleton::Layer::slot(std::string_view name) const {
  const auto found = recording_.slots.find(block_ + std::string(name));
  SK_CHECK(found != recording_.slots.end());
  return found->second;
}

Status read_frame(const NamedModel& model, std::string_view file_name, std::string_view inner,
                  Skeleton::Frame& frame) {
  const Shapes shapes(model.tensors, file_name);
  SK_TRY(const Shape emb, shapes.of("emb.weight", 2));
  SK_TRY(const Shape key, shapes.of(inner, 2));
  SK_TRY(frame.layers, shapes.layers());
  frame.vocab = emb[0];
  frame.width = emb[1];
  frame.inner = key[0];
  SK_TRY_STATUS(shapes.check_limits(frame));
  frame.ln0 = model.tensors.contains("blocks.0.ln0.weight");
  if (frame.norm == NormKind::layer)
    SK_TRY_STATUS(shapes.both_or_neither("blocks.0.ln0.weight", "blocks.0.ln0.bias"));
  if (model.hints.norm_epsilon > 0) frame.norm_epsilon = model.hints.norm_epsilon;
  return {};
}

Status divide_heads(std::string_view file_name, int64_t head_size, Dimensions& d) {
  if (head_size < 1 || d.width % head_size != 0)
    return fail(Code::mismatch, "{}: a width of {} is not a whole number of heads of {}", file_name,
                d.width, head_size);
  d.head_size = head_size;
  d.heads = d.width / head_size;
  return {};
}

}  // namespace skein::arch
