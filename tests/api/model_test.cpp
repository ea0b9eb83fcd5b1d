// Opening, describing, closing; errors, versions and the log.
#include <stdexcept>
#include <thread>

#include "api/support.h"

namespace skein::test {
namespace {

TEST(ApiError, is_empty_until_something_fails_and_belongs_to_its_thread) {
  std::string before, after, elsewhere;
  std::thread([&] {
    before = sk_last_error();
    EXPECT_EQ(sk_state_new(nullptr, nullptr), SK_ARGUMENT);
    after = sk_last_error();
    std::thread([&] { elsewhere = sk_last_error(); }).join();
  }).join();
  EXPECT_EQ(before, "");
  EXPECT_EQ(after, "model is NULL");
  EXPECT_EQ(elsewhere, "");
}

TEST(ApiError, stays_after_a_success) {
  EXPECT_EQ(sk_state_new(nullptr, nullptr), SK_ARGUMENT);
  open_model(v7_model());
  EXPECT_STREQ(sk_last_error(), "model is NULL");
}

TEST(ApiError, a_long_message_is_cut_between_characters) {
  sk_model_params params = with_threads(1);
  params.progress = [](int64_t, int64_t, void*) -> int32_t {
    std::string text;
    while (text.size() < 5000) text += "\xc3\xa4";  // two bytes each; 2047 is inside one
    throw std::runtime_error(text);
  };
  sk_model* model = nullptr;
  EXPECT_EQ(sk_model_open(v7_model().c_str(), &params, &model), SK_INTERNAL);
  const std::string message = sk_last_error();
  EXPECT_EQ(message.size(), 2046u);
  EXPECT_EQ(message.back(), '\xa4');
}

TEST(ApiVersion, is_three_numbers) {
  int dots = 0;
  for (const char* c = sk_version(); *c; ++c) {
    dots += *c == '.';
    EXPECT_TRUE(*c == '.' || (*c >= '0' && *c <= '9')) << sk_version();
  }
  EXPECT_EQ(dots, 2);
}

TEST(ApiModel, tells_what_it_is) {
  const ModelPtr model = open_model(v7_model());
  const struct sk_model_info info = info_of(model.get());
  EXPECT_STREQ(info.design, "rwkv7");
  EXPECT_NE(std::string(info.title).find("RWKV-7"), std::string::npos);
  EXPECT_STREQ(info.format, ".pth (zip)");
  EXPECT_NE(std::string(info.device), "");
  EXPECT_EQ(info.vocab, 260);
  EXPECT_EQ(info.layers, 3);
  EXPECT_EQ(info.width, 128);
  EXPECT_EQ(info.heads, 2);
  EXPECT_EQ(info.head_size, 64);
  EXPECT_EQ(info.inner, 160);
  EXPECT_EQ(info.trained_context, 0);
  EXPECT_EQ(info.state_bytes, 3 * 128 * 66 * 4);
  EXPECT_GT(info.parameters, 200'000);
  EXPECT_GT(info.weight_bytes, 0);
  EXPECT_GT(info.bytes_per_token, 0);
  EXPECT_GT(info.flops_per_token, 0);
}

TEST(ApiModel, one_models_files_have_one_fingerprint_and_other_models_another) {
  const ModelPtr pth = open_model(fixture("models/tiny_v7.pth").string());
  const ModelPtr gguf = open_model(fixture("models/tiny_v7.gguf").string());
  const ModelPtr other = open_model(v7_model());
  const auto fingerprint = [](const ModelPtr& model) {
    const auto info = info_of(model.get());
    return Bytes(info.fingerprint, info.fingerprint + sizeof info.fingerprint);
  };
  EXPECT_EQ(fingerprint(pth), fingerprint(gguf));
  EXPECT_NE(fingerprint(pth), fingerprint(other));
}

TEST(ApiModel, info_minds_the_callers_size) {
  const ModelPtr model = open_model(v7_model());
  // A struct of a newer header: what we do not know becomes zero, and nothing behind it is touched.
  alignas(struct sk_model_info) unsigned char larger[sizeof(struct sk_model_info) + 24];
  std::memset(larger, 0xee, sizeof larger);
  const uint32_t size = sizeof(struct sk_model_info) + 16;
  std::memcpy(larger, &size, sizeof size);
  auto* info = reinterpret_cast<struct sk_model_info*>(larger);
  ASSERT_EQ(sk_model_info(model.get(), info), SK_OK);
  EXPECT_EQ(info->size, size);
  EXPECT_EQ(info->vocab, 260);
  for (size_t i = sizeof(struct sk_model_info); i < sizeof larger; ++i)
    EXPECT_EQ(larger[i], i < size ? 0 : 0xee) << i;

  struct sk_model_info untouched = {};
  for (const uint32_t wrong : {0u, 4u, uint32_t{sizeof untouched - 1}, 1u << 20}) {
    untouched.size = wrong;
    SK_EXPECT_FAILS(SK_ARGUMENT, "sk_model_info.size", sk_model_info(model.get(), &untouched));
    EXPECT_EQ(untouched.vocab, 0);
  }
}

TEST(ApiModel, params_mind_the_callers_size) {
  struct {
    sk_model_params params;
    uint64_t newer;
  } larger = {with_threads(1), 0};
  larger.params.size = sizeof larger;
  sk_model* model = nullptr;
  ASSERT_EQ(sk_model_open(v7_model().c_str(), &larger.params, &model), SK_OK);
  sk_model_close(model);

  sk_model* const unset = model = reinterpret_cast<sk_model*>(&larger);
  larger.newer = 1;
  SK_EXPECT_FAILS(SK_ARGUMENT, "does not know",
                  sk_model_open(v7_model().c_str(), &larger.params, &model));
  sk_model_params params = with_threads(1);
  params.size = 8;
  SK_EXPECT_FAILS(SK_ARGUMENT, "sk_model_params.size",
                  sk_model_open(v7_model().c_str(), &params, &model));
  params = with_threads(1);
  params.reserved = 1;
  SK_EXPECT_FAILS(SK_ARGUMENT, "reserved", sk_model_open(v7_model().c_str(), &params, &model));
  EXPECT_EQ(model, unset) << "a failed call leaves its outputs alone";
}

TEST(ApiModel, bad_params_are_arguments) {
  sk_model* model = nullptr;
  for (const sk_model_params& params :
       {with_threads(-1), with_threads(100'000), with_threads(1, -1), with_threads(1, 5000)})
    EXPECT_EQ(sk_model_open(v7_model().c_str(), &params, &model), SK_ARGUMENT) << sk_last_error();
  sk_model_params params = with_threads(1);
  params.device = "abacus";
  SK_EXPECT_FAILS(SK_ARGUMENT, "abacus", sk_model_open(v7_model().c_str(), &params, &model));
  params = with_threads(1);
  params.isa = "abacus";
  SK_EXPECT_FAILS(SK_ARGUMENT, "abacus", sk_model_open(v7_model().c_str(), &params, &model));
  SK_EXPECT_FAILS(SK_ARGUMENT, "path is NULL", sk_model_open(nullptr, nullptr, &model));
  SK_EXPECT_FAILS(SK_ARGUMENT, "out is NULL", sk_model_open(v7_model().c_str(), nullptr, nullptr));
  EXPECT_EQ(model, nullptr);
}

TEST(ApiModel, every_kind_of_bad_file_has_its_code) {
  sk_model* model = nullptr;
  const auto open = [&](const std::string& name) {
    return sk_model_open(fixture(name).string().c_str(), nullptr, &model);
  };
  SK_EXPECT_FAILS(SK_IO, "nowhere.pth", open("nowhere.pth"));
  SK_EXPECT_FAILS(SK_CORRUPT, "storage_short.pth", open("malformed/storage_short.pth"));
  SK_EXPECT_FAILS(SK_UNSUPPORTED, "v7.state.pth", open("models/v7.state.pth"));
  EXPECT_EQ(model, nullptr);
}

TEST(ApiModel, the_executors_agree) {
  sk_model_params params = with_threads(1);
  params.device = "reference";
  const ModelPtr reference = open_model(v7_model(), params);
  const ModelPtr model = open_model(v7_model());
  const auto a = feed(model, new_state(model), some_ids(8));
  const auto b = feed(reference, new_state(reference), some_ids(8));
  float largest = 0, difference = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    largest = std::max(largest, std::abs(b[i]));
    difference = std::max(difference, std::abs(a[i] - b[i]));
  }
  EXPECT_LE(difference, 5e-6f * largest);
}

struct Told {
  int64_t last = -1;
  int64_t total = 0;
  int calls = 0;
  int32_t answer = 0;
};

TEST(ApiModel, progress_grows_to_the_whole_file) {
  Told told;
  sk_model_params params = with_threads(1);
  params.progress_user = &told;
  params.progress = [](int64_t done, int64_t total, void* user) -> int32_t {
    auto& t = *static_cast<Told*>(user);
    EXPECT_GE(done, t.last);
    t.last = done;
    t.total = total;
    ++t.calls;
    return t.answer;
  };
  open_model(v7_model(), params);
  EXPECT_GT(told.calls, 2);
  EXPECT_EQ(told.last, told.total);
  EXPECT_EQ(told.total, static_cast<int64_t>(std::filesystem::file_size(v7_model())));

  told = {.answer = 1};
  sk_model* model = nullptr;
  SK_EXPECT_FAILS(SK_IO, "interrupted", sk_model_open(v7_model().c_str(), &params, &model));
  EXPECT_EQ(told.calls, 1);
  EXPECT_EQ(model, nullptr);
}

TEST(ApiModel, no_exception_gets_out) {
  sk_model_params params = with_threads(1);
  params.progress = [](int64_t, int64_t, void*) -> int32_t {
    throw std::runtime_error("a callback that breaks the rules");
  };
  sk_model* model = nullptr;
  SK_EXPECT_FAILS(SK_INTERNAL, "breaks the rules",
                  sk_model_open(v7_model().c_str(), &params, &model));
  params.progress = [](int64_t, int64_t, void*) -> int32_t { throw 1; };
  EXPECT_EQ(sk_model_open(v7_model().c_str(), &params, &model), SK_INTERNAL);
  EXPECT_EQ(model, nullptr);
}

TEST(ApiModel, freeing_nothing_is_fine) {
  sk_model_close(nullptr);
  sk_state_free(nullptr);
  sk_sampler_free(nullptr);
}

TEST(ApiModel, states_and_samplers_outlive_it) {
  ModelPtr model = open_model(bundled_model());
  const StatePtr state = new_state(model);
  feed(model, state, {0, 5, 9});
  sk_sampler* raw = nullptr;
  ASSERT_EQ(sk_sampler_new(model.get(), nullptr, &raw), SK_OK) << sk_last_error();
  const SamplerPtr sampler(raw);
  const size_t vocab = vocab_of(model);
  model.reset();
  EXPECT_TRUE(equal(clone(state), state));
  EXPECT_FALSE(export_state(state, SK_STATE_NATIVE).empty());
  const std::vector<float> logits(vocab, 0.5f);
  int32_t id = -1;
  EXPECT_EQ(sk_sampler_sample(sampler.get(), logits.data(), vocab, 0, &id), SK_OK);
  EXPECT_EQ(sk_sampler_accept(sampler.get(), id), SK_OK);
}

struct Heard {
  std::vector<std::pair<int32_t, std::string>> lines;
};

TEST(ApiLog, hears_of_models_until_it_is_silenced) {
  Heard heard;
  sk_log_set([](int32_t level, const char* text,
                void* user) { static_cast<Heard*>(user)->lines.emplace_back(level, text); },
             &heard);
  open_model(v7_model());
  const size_t lines = heard.lines.size();
  sk_log_set(nullptr, nullptr);
  open_model(v7_model());
  ASSERT_GE(lines, 1u);
  EXPECT_EQ(heard.lines.size(), lines);
  EXPECT_EQ(heard.lines[0].first, SK_LOG_INFO);
  EXPECT_NE(heard.lines[0].second.find("RWKV-7"), std::string::npos) << heard.lines[0].second;
}

TEST(ApiLog, a_sink_may_use_the_library_and_replace_itself) {
  sk_log_set(
      [](int32_t, const char*, void*) {
        sk_log_set(nullptr, nullptr);
        open_model(v7_model());
      },
      nullptr);
  open_model(v7_model());
}

TEST(ApiDevices, are_listed_by_the_names_that_models_take) {
  size_t count = 0;
  ASSERT_EQ(sk_device_count(&count), SK_OK);
  ASSERT_GE(count, 2u);
  for (size_t i = 0; i < count; ++i) {
    struct sk_device_info info = {};
    info.size = sizeof info;
    ASSERT_EQ(sk_device_info(i, &info), SK_OK);
    EXPECT_GT(std::strlen(info.about), 0u);
    sk_model_params params = with_threads(1);
    params.device = info.name;
    EXPECT_TRUE(open_model(v7_model(), params)) << info.name;
  }
  struct sk_device_info info = {};
  info.size = sizeof info;
  SK_EXPECT_FAILS(SK_ARGUMENT, "there are", sk_device_info(count, &info));
  EXPECT_EQ(sk_device_count(nullptr), SK_ARGUMENT);
  EXPECT_EQ(sk_device_info(0, nullptr), SK_ARGUMENT);
  info.size = 8;
  SK_EXPECT_FAILS(SK_ARGUMENT, "sk_device_info.size", sk_device_info(0, &info));
}

// The official merge: tests/run/adapter_test.cpp has it for the same files.
TEST(ApiModel, adapters_are_merged) {
  const std::string lora = fixture("models/v7.lora.pth").string();
  sk_adapter adapter = {};
  adapter.path = lora.c_str();
  adapter.alpha = 8;
  sk_model_params params = with_threads(1);
  params.adapters = &adapter;
  params.adapter_count = 1;
  const auto fingerprint = [](const ModelPtr& model) {
    const auto info = info_of(model.get());
    return Bytes(info.fingerprint, info.fingerprint + sizeof info.fingerprint);
  };
  const Bytes plain = fingerprint(open_model(v7_model()));
  const Bytes merged = fingerprint(open_model(v7_model(), params));
  EXPECT_NE(merged, plain);
  adapter.blend = 1;
  EXPECT_EQ(fingerprint(open_model(v7_model(), params)), merged);
  adapter.blend = 0.5;
  const Bytes half = fingerprint(open_model(v7_model(), params));
  EXPECT_NE(half, merged);
  EXPECT_NE(half, plain);
  sk_model* model = nullptr;
  const auto fails = [&](const char* fact) {
    EXPECT_NE(sk_model_open(v7_model().c_str(), &params, &model), SK_OK);
    EXPECT_NE(std::string(sk_last_error()).find(fact), std::string::npos) << sk_last_error();
  };
  adapter.alpha = 0;
  fails("alpha");
  adapter.path = nullptr;
  fails("sk_adapter.path");
  adapter.path = lora.c_str();
  adapter.reserved = 1;
  fails("sk_adapter.reserved");
  params.adapters = nullptr;
  fails("adapters");
  params.adapters = &adapter;
  params.adapter_count = SIZE_MAX;
  fails("adapters");
}

TEST(ApiModel, numerics_and_sparse_are_choices) {
  sk_model_params params = with_threads(1);
  const Ids ids = some_ids(40);
  const auto logits = [&](const sk_model_params& with) {
    const ModelPtr model = open_model(v7_model(), with);
    const StatePtr state = new_state(model);
    return feed(model, state, ids);
  };
  const auto exact = logits(params);
  for (const int32_t sparse : {SK_SPARSE_OFF, SK_SPARSE_ON}) {
    params.sparse = sparse;
    EXPECT_TRUE(same_bits(logits(params), exact)) << sparse;
  }
  params.numerics = SK_NUMERICS_FAST;
  const auto fast = logits(params);
  for (size_t i = 0; i < exact.size(); ++i) EXPECT_NEAR(fast[i], exact[i], 0.5);
  sk_model* model = nullptr;
  params.numerics = 2;
  SK_EXPECT_FAILS(SK_ARGUMENT, "numerics", sk_model_open(v7_model().c_str(), &params, &model));
  params.numerics = 0;
  params.sparse = -1;
  SK_EXPECT_FAILS(SK_ARGUMENT, "sparse", sk_model_open(v7_model().c_str(), &params, &model));
}

}  // namespace
}  // namespace skein::test
