#include "arch/quant_policy.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "arch/glob.h"
#include "base/limits.h"
#include "quant/formats.h"

namespace skein::arch {
namespace {

constexpr std::string_view kSmall = "small";
constexpr std::string_view kNearLossless = "near-lossless";

double bits_a_weight(DType type) {
  const BlockSize size = block_size(type);
  return 8.0 * size.bytes / size.elements;
}

bool is_plain(DType type) { return block_size(type).elements == 1; }

// The block types of web-rwkv; the tool leaves everything but the large matrices in f16.
bool is_web_rwkv(DType type) { return type == DType::int8 || type == DType::nf4; }

bool for_weights(DType type) {
  return quant::encodable(type) && type != DType::u8 && type != DType::q8_1 && type != DType::q8_k;
}

bool divides(DType type, int64_t row_length) {
  return row_length > 0 && row_length % block_size(type).elements == 0;
}

// Where a row is not whole blocks of `type`: the next larger type with smaller blocks.
DType smaller_blocks(DType type) {
  switch (type) {
    case DType::q2_k:
    case DType::q3_k:
    case DType::iq4_xs:
    case DType::nf4: return DType::iq4_nl;
    case DType::q4_k: return DType::q5_0;
    case DType::q5_k: return DType::q5_1;
    case DType::q6_k:
    case DType::int8: return DType::q8_0;
    default: return DType::f16;
  }
}

bool in_first_layer(std::string_view name, std::string_view rest) {
  constexpr std::string_view kFirst = "blocks.0.";
  return name.starts_with(kFirst) && name.substr(kFirst.size()) == rest;
}

std::string upper(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  return out;
}

// The target that a name begins with or that begins with it, the longest: other programs' Q4_K_M
// and a hasty q4.
std::string nearest(std::string_view name) {
  const std::string wanted = upper(name);
  std::string_view best;
  for (const std::string_view target : quant_targets()) {
    const std::string known = upper(target);
    if (wanted.starts_with(known) && target.size() > best.size()) best = target;
  }
  if (!best.empty()) return fmt::format(", the nearest is {}", best);
  for (const std::string_view target : quant_targets())
    if (!wanted.empty() && upper(target).starts_with(wanted))
      return fmt::format(", the nearest is {}", target);
  return {};
}

Result<DType> writable_type(std::string_view name) {
  const auto type = dtype_named(name);
  if (!type)
    return fail(Code::argument, "there is no type {}{}; one of: {}", escaped(name), nearest(name),
                fmt::join(quant_targets(), ", "));
  if (!for_weights(*type))
    return fail(Code::argument, "{} is not a type that weights are written in; one of: {}",
                dtype_name(*type), fmt::join(quant_targets(), ", "));
  return *type;
}

Status check_rules(DType type, QuantRules rules) {
  if (rules == QuantRules::llama_cpp && is_web_rwkv(type))
    return fail(Code::unsupported, "GGUF has no id for {}", dtype_name(type));
  return {};
}

}  // namespace

Result<QuantOverride> parse_quant_override(std::string_view text) {
  const size_t equals = text.rfind('=');
  if (equals == std::string_view::npos || equals == 0)
    return fail(Code::argument, "{} is not PATTERN=TYPE", escaped(text));
  if (equals > limits::kNameBytes)
    return fail(Code::argument, "a pattern of {} characters; names have at most {}", equals,
                limits::kNameBytes);
  SK_TRY(const DType type, writable_type(text.substr(equals + 1)));
  return QuantOverride{std::string(text.substr(0, equals)), type};
}

QuantPolicy::Mix QuantPolicy::mix_of(DType matrix) {
  Mix mix;
  mix.matrix = matrix;
  if (is_plain(matrix)) {
    mix.embedding = mix.head = mix.low_rank = matrix;
  } else if (!is_web_rwkv(matrix)) {
    const bool wide = bits_a_weight(matrix) > 8;
    mix.head = wide ? DType::q8_0 : DType::q6_k;
    mix.embedding = DType::q8_0;
    // Left in F16 beside four-bit matrices they would be a tenth of what a token reads.
    mix.low_rank = wide ? DType::f16 : DType::q8_0;
  }
  return mix;
}

Result<QuantPolicy> QuantPolicy::make(std::string_view target, QuantRules rules,
                                      std::vector<QuantOverride> overrides) {
  QuantPolicy out;
  out.rules_ = rules;
  if (target == kSmall) {
    out.mix_ = mix_of(DType::q4_k);
    out.mix_.wide_first_value = true;
  } else if (target == kNearLossless) {
    out.mix_ = mix_of(DType::q8_0);
    out.mix_.embedding = DType::f16;
  } else {
    SK_TRY(const DType type, writable_type(target));
    SK_TRY_STATUS(check_rules(type, rules));
    out.mix_ = mix_of(type);
    target = dtype_name(type);
  }
  for (const QuantOverride& override : overrides) SK_TRY_STATUS(check_rules(override.type, rules));
  out.target_ = target;
  out.overrides_ = std::move(overrides);
  return out;
}

const QuantOverride* QuantPolicy::override_of(std::string_view name) const {
  const auto found = std::find_if(
      overrides_.begin(), overrides_.end(),
      [&](const QuantOverride& override) { return glob_matches(override.pattern, name); });
  return found == overrides_.end() ? nullptr : &*found;
}

QuantChoice QuantPolicy::by_class(const WeightSpec& weight) const {
  const bool narrow = bits_a_weight(mix_.matrix) < 8;
  switch (weight.kind) {
    case WeightClass::embedding: return {mix_.embedding, "embedding"};
    case WeightClass::head: return {mix_.head, "head"};
    case WeightClass::low_rank:
      if (rules_ == QuantRules::llama_cpp) return {DType::f32, "low-rank: F32 for llama.cpp"};
      return {mix_.low_rank, "low-rank"};
    case WeightClass::attention:
      // One of its inputs carries millions of times the energy of the others.
      if (narrow && in_first_layer(weight.name, "att.output.weight"))
        return {DType::q8_0, "layer 0's output: at least 8 bits"};
      if (narrow && mix_.wide_first_value && in_first_layer(weight.name, "att.value.weight"))
        return {DType::q8_0, "layer 0's value: at least 8 bits"};
      return {mix_.matrix, "attention"};
    case WeightClass::feed_forward: return {mix_.matrix, "feed-forward"};
    case WeightClass::vector: break;
  }
  return {DType::f32, "vector: F32"};
}

QuantChoice QuantPolicy::choose(const WeightSpec& weight, int64_t row_length) const {
  QuantChoice choice = by_class(weight);
  if (const QuantOverride* override = override_of(weight.name)) {
    const bool vector = weight.kind == WeightClass::vector;
    // Blocks in place of modulators: a ten-thousandth of the file and most of the damage.
    if (vector && !is_plain(override->type))
      choice.why += fmt::format("; {} is not for vectors", dtype_name(override->type));
    else if (vector && rules_ == QuantRules::llama_cpp)
      choice.why += "; llama.cpp reads no other type";
    else
      choice = {override->type, fmt::format("pattern {}", escaped(override->pattern))};
  }
  while (!divides(choice.type, row_length) && !is_plain(choice.type)) {
    const DType next = smaller_blocks(choice.type);
    choice.why += fmt::format("; rows of {} are not whole blocks of {}: {}", row_length,
                              dtype_name(choice.type), dtype_name(next));
    choice.type = next;
  }
  return choice;
}

std::vector<std::string_view> quant_targets() {
  std::vector<std::string_view> out = {kSmall, kNearLossless};
  for (int i = 0; i < kDTypes; ++i)
    if (const auto type = static_cast<DType>(i); for_weights(type)) out.push_back(dtype_name(type));
  return out;
}

}  // namespace skein::arch
