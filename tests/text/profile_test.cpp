#include "text/profile.h"

#include <set>

#include "support.h"

namespace skein::text::test {
namespace {

TEST(Profile, names_find_their_profile_and_differ) {
  std::set<std::string_view> names;
  for (const Profile& profile : profiles()) {
    EXPECT_EQ(profile_by_name(profile.name), &profile);
    EXPECT_TRUE(names.insert(profile.name).second);
    EXPECT_FALSE(profile.about.empty());
    EXPECT_TRUE(profile.supports(ThinkMode::none));
    EXPECT_TRUE(profile.supports(profile.think));
    EXPECT_EQ(profile.has_template(), !profile.assistant.empty());
    EXPECT_EQ(profile.has_template(), profile.stop != StopPolicy::none);
  }
  EXPECT_EQ(profile_by_name("World"), nullptr);
  EXPECT_EQ(profile_by_name(""), nullptr);
}

TEST(Profile, rows_and_file_name_choose_the_default) {
  const auto name = [](int64_t rows, std::string_view file) {
    return default_profile({.rows = rows, .file_name = file, .chat_template = ""}).name;
  };
  EXPECT_EQ(name(65536, "rwkv7-g1a-0.4b-20250905-ctx4096.pth"), "g1");
  EXPECT_EQ(name(65536, "RWKV7-G1-1.5B.gguf"), "g1");
  EXPECT_EQ(name(65536, "rwkv7-g0-7.2b.pth"), "g1");
  EXPECT_EQ(name(65536, "RWKV-x070-World-0.1B-v2.8-ctx4096.pth"), "world");
  EXPECT_EQ(name(65536, "big1.pth"), "world");
  EXPECT_EQ(name(65536, "x-g16.pth"), "world");
  EXPECT_EQ(name(65536, "g"), "world");
  EXPECT_EQ(name(65536, ""), "world");
  EXPECT_EQ(name(50277, "RWKV-4-Pile-169M.pth"), "raven");
  EXPECT_EQ(name(257, "bundled-0.pth"), "bytes");
  EXPECT_EQ(name(256, "tiny.bin"), "plain");
  EXPECT_EQ(name(20095, "RWKV-4-MIDI.pth"), "plain");
}

TEST(Profile, tokens_that_mark_turns_choose_their_template) {
  const auto tokenizer = open_file(skein::test::fixture("tokenizer/qwen2_small.json"));
  ProfileHints hints{.rows = 151936, .file_name = "qrwkv6.gguf", .chat_template = ""};
  EXPECT_EQ(default_profile(hints).name, "plain");
  hints.tokenizer = tokenizer.get();
  EXPECT_EQ(default_profile(hints).name, "chatml");
  hints.chat_template =
      "{{ '<|im_start|>system\\nYou are Qwen, created by Alibaba Cloud. You are a helpful "
      "assistant.<|im_end|>' }}";
  EXPECT_EQ(default_profile(hints).name, "qwen");
  const auto bytes = byte_tokenizer_257();
  hints.tokenizer = bytes.get();
  EXPECT_EQ(default_profile(hints).name, "plain");
}

TEST(Profile, samplers_are_the_documented_rows) {
  const SamplerDefaults& chat = profile_by_name("world")->sampler_for(ThinkMode::none);
  EXPECT_EQ(chat.temperature, 1.0f);
  EXPECT_EQ(chat.top_p, 0.3f);
  EXPECT_EQ(chat.top_k, 0);
  EXPECT_EQ(chat.presence, 0.5f);
  EXPECT_EQ(chat.frequency, 0.5f);
  EXPECT_EQ(chat.decay, 0.996f);
  const Profile& g1 = *profile_by_name("g1");
  EXPECT_EQ(&g1.sampler_for(ThinkMode::fake), &g1.sampler);
  const SamplerDefaults& thinking = g1.sampler_for(ThinkMode::free);
  EXPECT_EQ(thinking.top_p, 0.5f);
  EXPECT_EQ(thinking.top_k, 100);
  EXPECT_EQ(thinking.presence, 0.0f);
  EXPECT_EQ(thinking.frequency, 0.0f);
  EXPECT_EQ(thinking.decay, 0.997f);
}

TEST(Profile, mode_and_policy_names_are_read_as_they_are_written) {
  for (const ThinkMode mode : {ThinkMode::none, ThinkMode::fake, ThinkMode::free, ThinkMode::bit,
                               ThinkMode::think, ThinkMode::lot, ThinkMode::zh})
    EXPECT_EQ(think_mode_by_name(think_mode_name(mode)), mode);
  for (const StopPolicy policy : {StopPolicy::none, StopPolicy::blank_line, StopPolicy::role,
                                  StopPolicy::tentative, StopPolicy::token})
    EXPECT_EQ(stop_policy_by_name(stop_policy_name(policy)), policy);
  EXPECT_FALSE(think_mode_by_name("deep"));
  EXPECT_FALSE(stop_policy_by_name(""));
}

TEST(RoleMass, more_than_half_on_role_words_or_the_end_is_a_role) {
  SK_NEEDS_SHARED("data/rwkv_vocab_v20230424.txt");
  const auto tokenizer = open_file(skein::test::shared_file("data/rwkv_vocab_v20230424.txt"));
  const Profile& world = *profile_by_name("world");
  const auto holds = [&](std::vector<std::pair<std::string_view, float>> mass, float end) {
    std::vector<float> p(65536, 0.0f);
    p[0] = end;
    for (const auto& [text, value] : mass)
      p[static_cast<size_t>(tokenizer->encode(text).value().front())] += value;
    return role_holds_mass(p, *tokenizer, world);
  };
  EXPECT_TRUE(holds({{"User", 0.6f}}, 0));
  EXPECT_TRUE(holds({{"User", 0.3f}, {"Assistant", 0.1f}, {"System", 0.1f}}, 0.1f));
  EXPECT_TRUE(holds({}, 0.9f));
  EXPECT_FALSE(holds({{"User", 0.4f}, {"The", 0.6f}}, 0));
  EXPECT_FALSE(holds({{"Another", 0.9f}}, 0));
  EXPECT_FALSE(holds({{" User", 0.9f}}, 0));
  EXPECT_FALSE(role_holds_mass({}, *tokenizer, world));
}

TEST(RoleMass, single_letters_do_not_count_as_role_words) {
  const auto bytes = byte_tokenizer_257();
  std::vector<float> p(257, 0.0f);
  p['A' + 1] = 0.9f;
  EXPECT_FALSE(role_holds_mass(p, *bytes, *profile_by_name("bytes")));
  p[0] = 0.6f;
  EXPECT_TRUE(role_holds_mass(p, *bytes, *profile_by_name("bytes")));
}

}  // namespace
}  // namespace skein::text::test
