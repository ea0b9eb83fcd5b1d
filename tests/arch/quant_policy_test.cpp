#include "arch/quant_policy.h"

#include <gtest/gtest.h>

#include <random>

#include "arch/glob.h"
#include "quant/formats.h"

namespace skein::arch {
namespace {

using enum WeightClass;

QuantPolicy policy(std::string_view target, QuantRules rules = QuantRules::skein,
                   std::vector<const char*> overrides = {}) {
  std::vector<QuantOverride> parsed;
  for (const char* text : overrides) {
    auto one = parse_quant_override(text);
    EXPECT_TRUE(one.has_value()) << text;
    if (one) parsed.push_back(*std::move(one));
  }
  auto out = QuantPolicy::make(target, rules, std::move(parsed));
  EXPECT_TRUE(out.has_value()) << target << ": " << out.error().message;
  return *std::move(out);
}

WeightSpec weight(std::string name, WeightClass kind) {
  WeightSpec out;
  out.name = std::move(name);
  out.kind = kind;
  return out;
}

DType chosen(const QuantPolicy& policy, const char* name, WeightClass kind, int64_t row = 2048) {
  return policy.choose(weight(name, kind), row).type;
}

TEST(QuantPolicy, the_presets_are_the_table_of_the_documentation) {
  const QuantPolicy small = policy("small");
  EXPECT_EQ(chosen(small, "emb.weight", embedding), DType::q8_0);
  EXPECT_EQ(chosen(small, "head.weight", head), DType::q6_k);
  EXPECT_EQ(chosen(small, "blocks.3.att.key.weight", attention), DType::q4_k);
  EXPECT_EQ(chosen(small, "blocks.3.att.output.weight", attention), DType::q4_k);
  EXPECT_EQ(chosen(small, "blocks.0.att.key.weight", attention), DType::q4_k);
  EXPECT_EQ(chosen(small, "blocks.0.att.output.weight", attention), DType::q8_0);
  EXPECT_EQ(chosen(small, "blocks.0.att.value.weight", attention), DType::q8_0);
  EXPECT_EQ(chosen(small, "blocks.10.att.value.weight", attention), DType::q4_k);
  EXPECT_EQ(chosen(small, "blocks.0.ffn.value.weight", feed_forward), DType::q4_k);
  EXPECT_EQ(chosen(small, "blocks.3.att.w1", low_rank, 64), DType::q8_0);
  EXPECT_EQ(chosen(small, "blocks.3.att.w1", low_rank, 40), DType::f16);
  EXPECT_EQ(chosen(small, "blocks.3.att.k_k", vector), DType::f32);

  const QuantPolicy near = policy("near-lossless");
  EXPECT_EQ(chosen(near, "emb.weight", embedding), DType::f16);
  EXPECT_EQ(chosen(near, "head.weight", head), DType::q8_0);
  EXPECT_EQ(chosen(near, "blocks.0.att.output.weight", attention), DType::q8_0);
  EXPECT_EQ(chosen(near, "blocks.0.ffn.key.weight", feed_forward), DType::q8_0);
  EXPECT_EQ(chosen(near, "blocks.3.att.w1", low_rank, 64), DType::f16);
  EXPECT_EQ(chosen(near, "ln_out.weight", vector), DType::f32);
}

TEST(QuantPolicy, every_target_keeps_vectors_and_the_first_output_wide) {
  for (const std::string_view target : quant_targets()) {
    const QuantPolicy p = policy(target);
    EXPECT_EQ(p.target(), target);
    EXPECT_EQ(chosen(p, "blocks.0.att.k_k", vector), DType::f32) << target;
    for (const char* name : {"blocks.0.att.output.weight", "head.weight", "emb.weight"}) {
      const BlockSize size = block_size(chosen(p, name,
                                               std::string_view(name) == "head.weight" ? head
                                               : name[0] == 'e'                        ? embedding
                                                                : attention));
      EXPECT_GE(8.0 * size.bytes / size.elements, std::string_view(name) == "head.weight" ? 6.5 : 8)
          << target << " " << name;
    }
  }
}

// The tools' own choice of what stays wide.
TEST(QuantPolicy, web_rwkv_types_are_for_the_large_matrices_only) {
  for (const char* target : {"INT8", "NF4"}) {
    const QuantPolicy p = policy(target);
    EXPECT_EQ(dtype_name(chosen(p, "blocks.1.ffn.key.weight", feed_forward)), target);
    EXPECT_EQ(chosen(p, "head.weight", head), DType::f16);
    EXPECT_EQ(chosen(p, "emb.weight", embedding), DType::f16);
    EXPECT_EQ(chosen(p, "blocks.1.att.w1", low_rank, 64), DType::f16);
  }
}

TEST(QuantPolicy, a_row_that_is_not_whole_blocks_falls_back) {
  const struct {
    const char* target;
    int64_t row;
    DType expected;
  } cases[] = {
      {"Q4_K", 768, DType::q4_k},    {"Q4_K", 96, DType::q5_0},   {"Q5_K", 320, DType::q5_1},
      {"Q6_K", 64, DType::q8_0},     {"Q2_K", 32, DType::iq4_nl}, {"Q3_K", 2080, DType::iq4_nl},
      {"IQ4_XS", 96, DType::iq4_nl}, {"Q4_K", 40, DType::f16},    {"Q6_K", 100, DType::f16},
      {"Q8_0", 33, DType::f16},      {"INT8", 96, DType::q8_0},   {"NF4", 96, DType::iq4_nl},
      {"F32", 33, DType::f32},       {"BF16", 33, DType::bf16},   {"Q4_0", 0, DType::f16},
  };
  for (const auto& c : cases) {
    const QuantChoice choice =
        policy(c.target).choose(weight("blocks.1.ffn.key.weight", feed_forward), c.row);
    EXPECT_EQ(choice.type, c.expected) << c.target << " " << c.row << ": " << choice.why;
  }
  // The head's own fallback, and a reason for people.
  const QuantChoice choice = policy("Q4_K").choose(weight("head.weight", head), 96);
  EXPECT_EQ(choice.type, DType::q8_0);
  EXPECT_EQ(choice.why, "head; rows of 96 are not whole blocks of Q6_K: Q8_0");
}

// Whatever is asked, what comes out can be written in rows of that length.
TEST(QuantPolicy, every_choice_divides_its_row_and_has_a_writer) {
  for (const std::string_view target : quant_targets())
    for (const QuantRules rules : {QuantRules::skein, QuantRules::llama_cpp}) {
      const auto p = QuantPolicy::make(target, rules, {});
      if (!p) continue;
      for (const WeightClass kind : {embedding, head, attention, feed_forward, low_rank, vector})
        for (int64_t row = 1; row <= 1024; ++row) {
          const DType type = p->choose(weight("blocks.0.att.output.weight", kind), row).type;
          ASSERT_EQ(row % block_size(type).elements, 0) << target << " " << row;
          ASSERT_TRUE(quant::encodable(type));
        }
    }
}

TEST(QuantPolicy, the_first_matching_override_decides) {
  const QuantPolicy p =
      policy("Q4_K", QuantRules::skein,
             {"blocks.0.*=F16", "*.key.weight=Q5_K", "blocks.?.att.*=Q6_K", "*=q8_0"});
  EXPECT_EQ(chosen(p, "blocks.0.att.key.weight", attention), DType::f16);
  EXPECT_EQ(chosen(p, "blocks.1.att.key.weight", attention), DType::q5_k);
  EXPECT_EQ(chosen(p, "blocks.1.att.value.weight", attention), DType::q6_k);
  EXPECT_EQ(chosen(p, "blocks.11.att.value.weight", attention), DType::q8_0);
  EXPECT_EQ(chosen(p, "blocks.1.att.key.weight", attention, 96), DType::q5_1);
  // Plain types are possible for vectors, blocks are not.
  EXPECT_EQ(chosen(p, "blocks.0.att.k_k", vector), DType::f16);
  EXPECT_EQ(chosen(p, "blocks.3.att.k_k", vector), DType::f32);
  EXPECT_EQ(p.choose(weight("blocks.3.ffn.x_k", vector), 64).why,
            "vector: F32; Q8_0 is not for vectors");
  EXPECT_EQ(p.choose(weight("blocks.2.ffn.key.weight", feed_forward), 256).why,
            "pattern *.key.weight");
}

TEST(QuantPolicy, a_gguf_is_what_llama_cpp_loads) {
  const QuantPolicy p = policy("Q4_K", QuantRules::llama_cpp, {"*.k_k=F16", "*.g1=Q8_0"});
  EXPECT_EQ(chosen(p, "blocks.1.att.w1", low_rank, 64), DType::f32);
  EXPECT_EQ(chosen(p, "blocks.1.att.g1", low_rank, 64), DType::q8_0);
  EXPECT_EQ(chosen(p, "blocks.1.att.k_k", vector), DType::f32);
  EXPECT_EQ(chosen(p, "head.weight", head), DType::q6_k);
  EXPECT_EQ(chosen(p, "blocks.1.ffn.key.weight", feed_forward), DType::q4_k);
  for (const char* target : {"INT8", "nf4"}) {
    const auto refused = QuantPolicy::make(target, QuantRules::llama_cpp, {});
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code, Code::unsupported);
    EXPECT_FALSE(QuantPolicy::make("Q4_K", QuantRules::llama_cpp, {{"*", *dtype_named(target)}})
                     .has_value());
  }
}

TEST(QuantPolicy, what_is_no_type_for_weights_is_refused) {
  for (const char* target :
       {"", "Q9_K", "Q8_1", "Q8_K", "MXFP4", "IQ2_XS", "F64", "Small", "\x1b"}) {
    const auto refused = QuantPolicy::make(target, QuantRules::skein, {});
    ASSERT_FALSE(refused.has_value()) << target;
    EXPECT_EQ(refused.error().code, Code::argument);
    EXPECT_EQ(refused.error().message.find('\x1b'), std::string::npos);
  }
  const std::string long_pattern = std::string(300, '*') + "=Q8_0";
  for (const char* text :
       {"", "=", "=Q8_0", "Q8_0", "a=", "a=Q8_K", "a=small", long_pattern.c_str()}) {
    const auto refused = parse_quant_override(text);
    ASSERT_FALSE(refused.has_value()) << text;
    EXPECT_EQ(refused.error().code, Code::argument);
  }
  const auto good = parse_quant_override("a=b*=iq4_nl");
  ASSERT_TRUE(good.has_value());
  EXPECT_EQ(good->pattern, "a=b*");
  EXPECT_EQ(good->type, DType::iq4_nl);
}

TEST(QuantPolicy, every_type_has_the_name_that_finds_it) {
  for (int i = 0; i < kDTypes; ++i) {
    const auto type = static_cast<DType>(i);
    if (type != DType::unread) {
      EXPECT_EQ(dtype_named(dtype_name(type)), type);
    }
  }
  EXPECT_FALSE(dtype_named(dtype_name(DType::unread)));
  EXPECT_EQ(dtype_named("q4_k"), DType::q4_k);
  EXPECT_FALSE(dtype_named("Q4_").has_value());
  EXPECT_FALSE(dtype_named("Q4_KK").has_value());
}

// The definition, by recursion, for short strings only.
bool matches_by_definition(std::string_view pattern, std::string_view name) {
  if (pattern.empty()) return name.empty();
  if (pattern[0] == '*')
    return matches_by_definition(pattern.substr(1), name) ||
           (!name.empty() && matches_by_definition(pattern, name.substr(1)));
  return !name.empty() && (pattern[0] == '?' || pattern[0] == name[0]) &&
         matches_by_definition(pattern.substr(1), name.substr(1));
}

TEST(Glob, equals_its_definition) {
  std::mt19937_64 random(1);
  int matched = 0;
  for (int round = 0; round < 20000; ++round) {
    std::string pattern, name;
    for (size_t i = random() % 8; i > 0; --i) pattern += "ab*?*"[random() % 5];
    for (size_t i = random() % 8; i > 0; --i) name += "ab"[random() % 2];
    const bool expected = matches_by_definition(pattern, name);
    ASSERT_EQ(glob_matches(pattern, name), expected) << pattern << " " << name;
    matched += expected;
  }
  EXPECT_GT(matched, 4000);
}

TEST(Glob, the_worst_pattern_takes_no_time) {
  std::string pattern;
  for (int i = 0; i < 128; ++i) pattern += "*a";
  EXPECT_FALSE(glob_matches(pattern + "b", std::string(256, 'a')));
}

}  // namespace
}  // namespace skein::arch
