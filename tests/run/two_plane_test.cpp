// A two-plane head gives the tokens, states and logits of a plain one.
#include <gtest/gtest.h>
#include <unistd.h>

#include "run/convert.h"
#include "run/generate.h"
#include "support/allocations.h"
#include "support/engine.h"
#include "support/make_model.h"
#include "support/models.h"
#include "support/states.h"

namespace skein {
namespace {

std::filesystem::path bundled_path() {
  return std::filesystem::path(SKEIN_SOURCE_DIR) / "models" / "bundled-0.pth";
}

// A model that is sure of what comes next now and then, in f32 and in f16.
class TwoPlaneHead : public testing::Test {
 protected:
  void SetUp() override {
    const test::ModelSizes sizes = {.layers = 2,
                                    .width = 128,
                                    .heads = 2,
                                    .inner = 256,
                                    .vocab = 1003,
                                    .rank_w = 32,
                                    .rank_a = 32,
                                    .rank_v = 32,
                                    .rank_g = 32,
                                    .design = "rwkv7"};
    auto model = test::random_model(sizes);
    for (float& x : model.at("head.weight").data) x *= 4;
    const auto folder = std::filesystem::temp_directory_path();
    floats_ = folder / fmt::format("skein_planes_{}.st", getpid());
    halves_ = folder / fmt::format("skein_planes_{}.skein", getpid());
    codes_ = folder / fmt::format("skein_planes_{}.gguf", getpid());
    const auto bytes = test::as_safetensors(model, hints_of(sizes));
    const std::span<const std::byte> parts[] = {bytes};
    ASSERT_TRUE(write_file(floats_, parts));
    convert(halves_, io::WriteFormat::packed, "f16");
    convert(codes_, io::WriteFormat::gguf, "q8_0");
  }
  void TearDown() override {
    for (const auto& path : {floats_, halves_, codes_}) std::filesystem::remove(path);
  }
  void convert(const std::filesystem::path& to, io::WriteFormat format, const char* type) {
    const auto conversion = Conversion::prepare(floats_, {.format = format, .quant = type});
    ASSERT_TRUE(conversion) << conversion.error().message;
    ASSERT_TRUE(conversion->write(to, {}));
  }

  std::filesystem::path floats_, halves_, codes_;
};

std::shared_ptr<Model> open(const std::filesystem::path& path, TwoPlane planes, int threads = 2) {
  return test::open_model(path, {.threads = threads, .two_plane = planes});
}

struct Result {
  std::vector<int32_t> ids;
  State state;
  std::vector<float> logits;
  int64_t rough = 0;
  bool has_fingerprint = false;
};

Result generate(const std::shared_ptr<Model>& model, const Sampling& sampling, int64_t count,
                GenerateOptions options = {}) {
  Session session(model);
  const std::vector<int32_t> prompt = {1, 2, 3};
  EXPECT_TRUE(test::feed(session, prompt));
  const TokenTraits traits = token_traits(model->vocab());
  auto sampler = Sampler::create(sampling, traits);
  options.max_tokens = count;
  auto generation = test::start(session, nullptr, std::move(*sampler), options);
  EXPECT_TRUE(generation);
  Result out{{}, model->new_state(), {}};
  Event event;
  while (generation->finish() == Finish::running) {
    EXPECT_TRUE(generation->next(event));
    if (event.id >= 0) out.ids.push_back(event.id);
  }
  out.rough = (*generation)->rough_count();
  out.has_fingerprint = (*generation)->fingerprint().has_value();
  out.state = session.state();
  out.logits.assign(session.logits().begin(), session.logits().end());
  return out;
}

std::vector<Sampling> samplings() {
  Sampling greedy, chat, wide;
  greedy.temperature = 0;
  greedy.banned = chat.banned = wide.banned = {0};  // nothing ends the text
  greedy.presence = greedy.frequency = 0;
  wide.top_p = 0.8;
  wide.top_k = 50;
  wide.repetition = 1.2;
  return {greedy, chat, wide};
}

TEST_F(TwoPlaneHead, thousands_of_generated_tokens_are_those_of_the_plain_head) {
  for (const auto& path : {floats_, halves_}) {
    const auto plain = open(path, TwoPlane::off);
    for (const int threads : {1, 3}) {
      const auto planes = open(path, TwoPlane::on, threads);
      ASSERT_EQ(planes->info().two_plane, TwoPlane::on);
      for (const Sampling& sampling : samplings()) {
        const Result expected = generate(plain, sampling, 1000);
        const Result result = generate(planes, sampling, 1000);
        EXPECT_EQ(result.ids, expected.ids);
        EXPECT_TRUE(result.state == expected.state);
        EXPECT_TRUE(test::same_bits(result.logits, expected.logits));
        EXPECT_EQ(expected.rough, 0);
        EXPECT_TRUE(expected.has_fingerprint);
        EXPECT_EQ(result.rough, 999);  // the first token's logits come with the prompt
        EXPECT_FALSE(result.has_fingerprint);
      }
    }
  }
}

TEST_F(TwoPlaneHead, whoever_wants_all_logits_gets_them) {
  const auto plain = open(floats_, TwoPlane::off), planes = open(floats_, TwoPlane::on);
  Sampling greedy;
  greedy.temperature = 0;
  EXPECT_TRUE(generate(planes, greedy, 20, {.all_logits = true}).has_fingerprint);
  EXPECT_EQ(generate(planes, greedy, 20, {.logprobs = true}).rough, 0);
  Sampling typical;
  typical.typical_p = 0.5;
  EXPECT_EQ(generate(planes, typical, 20).rough, 0);

  Session rough(planes);
  ASSERT_TRUE(test::feed_rough(rough, 5));
  const TokenTraits traits = token_traits(planes->vocab());
  auto generation =
      test::start(rough, nullptr, *Sampler::create(greedy, traits), {.all_logits = true});
  ASSERT_TRUE(generation);
  Event event;
  ASSERT_TRUE(generation->next(event));
  EXPECT_TRUE((*generation)->fingerprint().has_value());

  // After a token whose logits stayed between bounds.
  Session a(plain), b(planes);
  for (const int32_t id : {5, 900, 77}) {
    ASSERT_TRUE(test::feed(a, id));
    ASSERT_TRUE(test::feed_rough(b, id));
    ASSERT_TRUE(b.rough_logits());
    EXPECT_EQ(b.rough_logits()->exact_groups(), 0);
  }
  const Session::Snapshot snapshot = b.snapshot();
  EXPECT_TRUE(test::same_bits(a.logits(), b.logits()));
  EXPECT_TRUE(test::same_bits(a.logits(), snapshot.logits));
  EXPECT_TRUE(b.rough_logits()->all_exact());
  ASSERT_TRUE(test::feed(a, 6));
  ASSERT_TRUE(test::feed(b, 6));
  EXPECT_FALSE(b.rough_logits());
  EXPECT_TRUE(test::same_bits(a.logits(), b.logits()));
  ASSERT_TRUE(test::feed_rough(b, 9));
  b.restore(snapshot);
  EXPECT_FALSE(b.rough_logits());
  EXPECT_TRUE(test::same_bits(b.logits(), snapshot.logits));
  ASSERT_TRUE(test::feed_rough(b, 9));
  b.change_state();
  EXPECT_TRUE(b.logits().empty());
}

TEST_F(TwoPlaneHead, each_group_is_exact_to_the_bit_by_itself_and_among_others) {
  const auto model = open(halves_, TwoPlane::on, 3);
  Session session(model);
  ASSERT_TRUE(test::feed(session, 4));
  const std::vector<float> exact(session.logits().begin(), session.logits().end());
  for (const auto& groups : std::vector<std::vector<int32_t>>{
           {0}, {62}, {1, 2, 3, 4, 5, 6, 7, 9, 62}, {5, 17, 18, 40}}) {
    Session other(model);
    ASSERT_TRUE(test::feed_rough(other, 4));
    LogitBounds& bounds = *other.rough_logits();
    ASSERT_TRUE(bounds.make_exact(groups));
    EXPECT_EQ(bounds.exact_groups(), static_cast<int32_t>(groups.size()));
    for (size_t id = 0; id < exact.size(); ++id) {
      const bool known = bounds.is_exact(static_cast<int32_t>(id) / ops::kLogitGroup);
      EXPECT_EQ(known && bounds.about()[id] != exact[id], false) << id;
      EXPECT_EQ(bounds.error()[id] == 0, known);
      EXPECT_LE(std::fabs(bounds.about()[id] - exact[id]), bounds.error()[id]) << id;
    }
  }
}

TEST_F(TwoPlaneHead, tokens_allocate_nothing) {
  const auto model = open(halves_, TwoPlane::on, 3);
  Session session(model);
  ASSERT_TRUE(test::feed(session, 4));
  const TokenTraits traits = token_traits(model->vocab());
  for (const Sampling& sampling : samplings()) {
    auto sampler = Sampler::create(sampling, traits);
    auto generation = test::start(session, nullptr, std::move(*sampler), {});
    Event event;
    for (int i = 0; i < 5; ++i) ASSERT_TRUE(generation->next(event));
    const long before = test::allocations();
    for (int i = 0; i < 50; ++i) ASSERT_TRUE(generation->next(event));
    EXPECT_EQ(test::allocations(), before);
    EXPECT_GT((*generation)->rough_count(), 50);
  }
}

TEST_F(TwoPlaneHead, is_made_where_it_can_be_and_is_worth_it) {
  // Where it saves much of a step; where it would not, only when asked for.
  EXPECT_EQ(open(floats_, TwoPlane::probed)->info().two_plane, TwoPlane::probed);
  const auto bundled = open(bundled_path(), TwoPlane::probed);
  EXPECT_EQ(bundled->info().two_plane, TwoPlane::off);
  EXPECT_TRUE(bundled->info().notes.empty());
  EXPECT_EQ(open(bundled_path(), TwoPlane::on)->info().two_plane, TwoPlane::on);
  // A head of codes is no larger than a copy.
  EXPECT_EQ(open(codes_, TwoPlane::probed)->info().two_plane, TwoPlane::off);
  const auto codes = open(codes_, TwoPlane::on);
  EXPECT_EQ(codes->info().two_plane, TwoPlane::off);
  EXPECT_FALSE(codes->info().notes.empty());

  const auto with = open(floats_, TwoPlane::on), without = open(floats_, TwoPlane::off);
  EXPECT_GT(with->info().weight_bytes, without->info().weight_bytes + 1003 * 128);
  EXPECT_EQ(with->info().bytes_per_token, without->info().bytes_per_token);
  EXPECT_GT(with->info().second_plane_saves, 1003 * 128 * 2);
}

TEST_F(TwoPlaneHead, a_short_answer_does_not_wait_for_the_plane_and_a_long_one_uses_it) {
  const auto plain = open(floats_, TwoPlane::off), probed = open(floats_, TwoPlane::probed);
  ASSERT_EQ(probed->info().two_plane, TwoPlane::probed);
  const Sampling greedy = samplings()[0];
  EXPECT_EQ(generate(probed, greedy, 60).rough, 0);
  EXPECT_FALSE(probed->has_second_plane());
  const Result expected = generate(plain, greedy, 300), result = generate(probed, greedy, 300);
  EXPECT_TRUE(probed->has_second_plane());
  EXPECT_GE(result.rough, 3);
  EXPECT_EQ(result.ids, expected.ids);
  EXPECT_TRUE(result.state == expected.state);
  // It stays for the next one.
  EXPECT_GE(generate(probed, greedy, 30).rough, 3);
  EXPECT_EQ(open(floats_, TwoPlane::on)->has_second_plane(), true);
}

TEST_F(TwoPlaneHead, a_measured_choice_settles_on_the_faster_way) {
  FasterWay way;
  int second = 0;
  for (int i = 0; i < 1000; ++i) {
    const auto chosen = way.choose();
    second += chosen;
    way.learn(chosen, chosen == FasterWay::kSecond ? 1.0 : 1.2);
  }
  EXPECT_GT(second, 980);
  for (int i = 0; i < 3000; ++i) {  // and follows when that changes
    const auto chosen = way.choose();
    second -= chosen;
    way.learn(chosen, chosen == FasterWay::kSecond ? 2.0 : 1.2);
  }
  EXPECT_GT(second, 900);
}

TEST_F(TwoPlaneHead, numbers_that_are_not_finite_end_a_generation_as_ever) {
  const auto model = open(floats_, TwoPlane::on), plain = open(floats_, TwoPlane::off);
  std::string messages[2];
  for (const auto& each : {model, plain}) {
    Session session(each);
    ASSERT_TRUE(test::feed(session, 4));
    const TokenTraits traits = token_traits(each->vocab());
    auto sampler = Sampler::create(samplings()[0], traits);
    auto generation = test::start(session, nullptr, std::move(*sampler), {});
    Event event;
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(generation->next(event));
    test::fill_numbers(session.change_state(), std::numeric_limits<float>::quiet_NaN());
    const Status failed = generation->next(event);
    ASSERT_FALSE(failed);
    messages[each == plain] = failed.error().message;
    EXPECT_EQ(event.finish, Finish::interrupted);
  }
  EXPECT_EQ(messages[0], messages[1]);
}

}  // namespace
}  // namespace skein
