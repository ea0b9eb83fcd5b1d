// Computing and text: what comes out does not depend on the company, and a refused call did
// nothing.
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

#include "api/support.h"

namespace skein::test {
namespace {

class ApiEval : public testing::Test {
 protected:
  void SetUp() override {
    model_ = open_model(v7_model());
    ASSERT_TRUE(model_);
    vocab_ = vocab_of(model_);
  }

  ModelPtr model_;
  size_t vocab_ = 0;
};

TEST_F(ApiEval, last_is_the_last_row_of_all_and_none_moves_the_state_as_far) {
  const Ids ids = some_ids(9);
  const StatePtr a = new_state(model_), b = new_state(model_), c = new_state(model_);
  const std::vector<float> all = feed(model_, a, ids);
  std::vector<float> last(vocab_);
  ASSERT_EQ(
      sk_eval(model_.get(), b.get(), ids.data(), ids.size(), SK_WANT_LAST, last.data(), vocab_),
      SK_OK);
  ASSERT_EQ(sk_eval(model_.get(), c.get(), ids.data(), ids.size(), SK_WANT_NONE, nullptr, 0),
            SK_OK);
  EXPECT_TRUE(same_bits(last, {all.end() - static_cast<ptrdiff_t>(vocab_), all.end()}));
  EXPECT_TRUE(equal(a, b));
  EXPECT_TRUE(equal(a, c));
}

TEST_F(ApiEval, chunks_threads_and_cuts_make_no_difference) {
  const Ids ids = some_ids(30);
  const StatePtr whole = new_state(model_);
  const std::vector<float> expected = feed(model_, whole, ids);
  for (const sk_model_params& params :
       {with_threads(1, 1), with_threads(2, 7), with_threads(3, 29)}) {
    const ModelPtr other = open_model(v7_model(), params);
    const StatePtr state = new_state(other);
    EXPECT_TRUE(same_bits(feed(other, state, ids), expected)) << params.chunk;
    EXPECT_TRUE(equal(state, whole));
  }
  const StatePtr state = new_state(model_);
  std::vector<float> pieces;
  for (size_t at = 0; at < ids.size(); at += 3) {
    const Ids part(ids.begin() + static_cast<ptrdiff_t>(at),
                   ids.begin() + static_cast<ptrdiff_t>(std::min(at + 3, ids.size())));
    const auto logits = feed(model_, state, part);
    pieces.insert(pieces.end(), logits.begin(), logits.end());
  }
  EXPECT_TRUE(same_bits(pieces, expected));
}

TEST_F(ApiEval, refused_calls_change_nothing) {
  const StatePtr state = new_state(model_);
  feed(model_, state, {1, 2});
  const StatePtr before = clone(state);
  std::vector<float> logits(3 * vocab_, -1.0f);
  const Ids good = {4, 5, 6}, high = {4, 260, 6}, low = {4, -1, 6};
  const auto eval = [&](const Ids& ids, int32_t want, float* out, size_t capacity) {
    return sk_eval(model_.get(), state.get(), ids.data(), ids.size(), want, out, capacity);
  };
  SK_EXPECT_FAILS(SK_ARGUMENT, "260", eval(high, SK_WANT_ALL, logits.data(), logits.size()));
  SK_EXPECT_FAILS(SK_ARGUMENT, "-1", eval(low, SK_WANT_ALL, logits.data(), logits.size()));
  SK_EXPECT_FAILS(SK_ARGUMENT, "780", eval(good, SK_WANT_ALL, logits.data(), logits.size() - 1));
  SK_EXPECT_FAILS(SK_ARGUMENT, "260", eval(good, SK_WANT_LAST, logits.data(), vocab_ - 1));
  SK_EXPECT_FAILS(SK_ARGUMENT, "logits is NULL", eval(good, SK_WANT_LAST, nullptr, vocab_));
  SK_EXPECT_FAILS(SK_ARGUMENT, "want", eval(good, 3, logits.data(), logits.size()));
  SK_EXPECT_FAILS(SK_ARGUMENT, "want", eval(good, -1, logits.data(), logits.size()));
  const int32_t id = 1;
  EXPECT_EQ(sk_eval(model_.get(), state.get(), &id, 0, 0, nullptr, 0), SK_ARGUMENT);
  EXPECT_EQ(sk_eval(model_.get(), state.get(), nullptr, 1, 0, nullptr, 0), SK_ARGUMENT);
  EXPECT_EQ(sk_eval(model_.get(), state.get(), &id, SIZE_MAX, 2, logits.data(), logits.size()),
            SK_ARGUMENT);
  EXPECT_EQ(sk_eval(model_.get(), nullptr, &id, 1, 0, nullptr, 0), SK_ARGUMENT);
  EXPECT_EQ(sk_eval(nullptr, state.get(), &id, 1, 0, nullptr, 0), SK_ARGUMENT);
  EXPECT_TRUE(equal(state, before));
  EXPECT_EQ(tokens_read(state), 2u);
  EXPECT_EQ(logits, std::vector<float>(3 * vocab_, -1.0f));
}

TEST_F(ApiEval, a_bad_id_behind_many_chunks_changes_nothing) {
  const ModelPtr model = open_model(v7_model(), with_threads(1, 4));
  const StatePtr state = new_state(model);
  Ids ids = some_ids(40);
  ids.back() = 260;
  EXPECT_EQ(sk_eval(model.get(), state.get(), ids.data(), ids.size(), 0, nullptr, 0), SK_ARGUMENT);
  EXPECT_TRUE(equal(state, new_state(model)));
}

TEST_F(ApiEval, a_batch_gives_what_each_job_gets_alone) {
  constexpr size_t kJobs = 8;
  std::vector<Ids> ids;
  std::vector<StatePtr> together, alone;
  std::vector<std::vector<float>> logits(kJobs);
  std::vector<sk_job> jobs(kJobs);
  for (size_t i = 0; i < kJobs; ++i) {
    ids.push_back(some_ids(1 + i * 5, static_cast<uint32_t>(i)));
    together.push_back(new_state(model_));
    alone.push_back(new_state(model_));
    const size_t rows = i % 3 == SK_WANT_ALL ? ids[i].size() : i % 3;
    logits[i].resize(rows * vocab_);
    jobs[i] = {together[i].get(),
               ids[i].data(),
               ids[i].size(),
               logits[i].data(),
               logits[i].size(),
               static_cast<int32_t>(i % 3),
               0};
  }
  ASSERT_EQ(sk_eval_batch(model_.get(), jobs.data(), jobs.size()), SK_OK) << sk_last_error();
  for (size_t i = 0; i < kJobs; ++i) {
    std::vector<float> expected(logits[i].size());
    ASSERT_EQ(sk_eval(model_.get(), alone[i].get(), ids[i].data(), ids[i].size(), jobs[i].want,
                      expected.data(), expected.size()),
              SK_OK);
    EXPECT_TRUE(same_bits(logits[i], expected)) << i;
    EXPECT_TRUE(equal(together[i], alone[i])) << i;
  }
}

TEST_F(ApiEval, a_tail_is_the_end_of_all_logits) {
  const Ids ids = some_ids(7);
  const StatePtr whole = new_state(model_);
  std::vector<float> all(ids.size() * vocab_);
  ASSERT_EQ(sk_eval(model_.get(), whole.get(), ids.data(), ids.size(), SK_WANT_ALL, all.data(),
                    all.size()),
            SK_OK);
  for (const size_t rows : {1, 3, 7, 9}) {
    const StatePtr state = new_state(model_);
    std::vector<float> tail(rows * vocab_ + vocab_ - 1, 77);
    const sk_job job = {state.get(), ids.data(),  ids.size(), tail.data(),
                        tail.size(), SK_WANT_ALL, SK_JOB_TAIL};
    ASSERT_EQ(sk_eval_batch(model_.get(), &job, 1), SK_OK) << sk_last_error();
    const size_t written = std::min<size_t>(rows, 7) * vocab_;
    EXPECT_TRUE(std::equal(all.end() - static_cast<ptrdiff_t>(written), all.end(), tail.begin()));
    EXPECT_TRUE(std::all_of(tail.begin() + static_cast<ptrdiff_t>(written), tail.end(),
                            [](float x) { return x == 77; }));
    EXPECT_TRUE(equal(state, whole));
  }
  // Without any room, and where not all are wanted.
  std::vector<float> small(vocab_ - 1), last(vocab_);
  const StatePtr state = new_state(model_);
  sk_job job = {state.get(),  ids.data(),  ids.size(), small.data(),
                small.size(), SK_WANT_ALL, SK_JOB_TAIL};
  SK_EXPECT_FAILS(SK_ARGUMENT, "capacity", sk_eval_batch(model_.get(), &job, 1));
  job = {state.get(), ids.data(), ids.size(), last.data(), last.size(), SK_WANT_LAST, SK_JOB_TAIL};
  ASSERT_EQ(sk_eval_batch(model_.get(), &job, 1), SK_OK) << sk_last_error();
  EXPECT_TRUE(std::equal(last.begin(), last.end(), all.end() - static_cast<ptrdiff_t>(vocab_)));
}

TEST_F(ApiEval, one_bad_job_stops_the_whole_batch) {
  const StatePtr a = new_state(model_), b = new_state(model_);
  const ModelPtr other_model = open_model(bundled_model());
  const StatePtr stranger = new_state(other_model);
  const int32_t ids[] = {1, 2, 300};
  const sk_job good = {a.get(), ids, 2, nullptr, 0, SK_WANT_NONE, 0};
  const auto with = [&](auto change) {
    sk_job bad = {b.get(), ids, 2, nullptr, 0, SK_WANT_NONE, 0};
    change(bad);
    const sk_job jobs[] = {good, bad};
    const int32_t code = sk_eval_batch(model_.get(), jobs, 2);
    EXPECT_TRUE(equal(a, new_state(model_)));
    EXPECT_TRUE(equal(b, new_state(model_)));
    return code;
  };
  EXPECT_EQ(with([](sk_job& job) { job.count = 3; }), SK_ARGUMENT);
  EXPECT_EQ(with([](sk_job& job) { job.count = 0; }), SK_ARGUMENT);
  EXPECT_EQ(with([](sk_job& job) { job.state = nullptr; }), SK_ARGUMENT);
  EXPECT_EQ(with([](sk_job& job) { job.flags = 2; }), SK_ARGUMENT);
  EXPECT_EQ(with([](sk_job& job) { job.want = SK_WANT_LAST; }), SK_ARGUMENT);
  EXPECT_EQ(with([&](sk_job& job) { job.state = a.get(); }), SK_ARGUMENT);
  EXPECT_EQ(with([&](sk_job& job) { job.state = stranger.get(); }), SK_MISMATCH);
  EXPECT_EQ(sk_eval_batch(model_.get(), nullptr, 1), SK_ARGUMENT);
  EXPECT_EQ(sk_eval_batch(model_.get(), &good, 0), SK_ARGUMENT);
  EXPECT_EQ(sk_eval_batch(nullptr, &good, 1), SK_ARGUMENT);
}

TEST_F(ApiEval, four_threads_get_the_bits_of_one) {
  const ModelPtr model = open_model(bundled_model(), with_threads(2));
  constexpr uint32_t kThreads = 4;
  const auto work = [&](uint32_t seed) {
    std::vector<float> out;
    const StatePtr state = new_state(model);
    for (uint32_t step = 0; step < 12; ++step) {
      const Ids ids = some_ids(1 + (seed + step) % 5, seed * 100 + step);
      const std::vector<float> logits = feed(model, state, ids);
      out.insert(out.end(), logits.begin(), logits.end());
      const std::string text = "text " + std::to_string(seed);
      EXPECT_EQ(tokenize(model, text).size(), text.size());
      const StatePtr copy =
          import_state(model, SK_STATE_NATIVE, export_state(state, SK_STATE_NATIVE));
      EXPECT_TRUE(equal(copy, state));
    }
    return out;
  };
  std::vector<std::vector<float>> expected(kThreads), got(kThreads);
  for (uint32_t i = 0; i < kThreads; ++i) expected[i] = work(i);
  std::vector<std::thread> threads;
  for (uint32_t i = 0; i < kThreads; ++i) threads.emplace_back([&, i] { got[i] = work(i); });
  for (std::thread& thread : threads) thread.join();
  for (uint32_t i = 0; i < kThreads; ++i) EXPECT_TRUE(same_bits(got[i], expected[i])) << i;
}

TEST(ApiText, ids_and_text_come_back) {
  const ModelPtr model = open_model(bundled_model());
  const std::string text("a\0\xff\xc3\xa4 end", 9);
  const Ids ids = tokenize(model, text);
  ASSERT_EQ(ids.size(), text.size());
  for (size_t i = 0; i < ids.size(); ++i)
    EXPECT_EQ(ids[i], static_cast<unsigned char>(text[i]) + 1);
  size_t size = 0;
  ASSERT_EQ(sk_detokenize(model.get(), ids.data(), ids.size(), nullptr, 0, &size), SK_OK);
  std::string back(size, '?');
  ASSERT_EQ(sk_detokenize(model.get(), ids.data(), ids.size(), back.data(), size, &size), SK_OK);
  EXPECT_EQ(back, text);
}

TEST(ApiText, nothing_is_nothing) {
  const ModelPtr model = open_model(bundled_model());
  size_t count = 9;
  EXPECT_EQ(sk_tokenize(model.get(), nullptr, 0, nullptr, 0, &count), SK_OK);
  EXPECT_EQ(count, 0u);
  count = 9;
  EXPECT_EQ(sk_detokenize(model.get(), nullptr, 0, nullptr, 0, &count), SK_OK);
  EXPECT_EQ(count, 0u);
}

TEST(ApiText, bad_calls_are_refused_and_write_nothing) {
  const ModelPtr model = open_model(bundled_model());
  int32_t ids[3] = {7, 7, 7};
  char text[3] = {'x', 'x', 'x'};
  size_t count = 99;
  SK_EXPECT_FAILS(SK_ARGUMENT, "4 are needed", sk_tokenize(model.get(), "abcd", 4, ids, 3, &count));
  EXPECT_EQ(sk_tokenize(model.get(), nullptr, 1, ids, 3, &count), SK_ARGUMENT);
  EXPECT_EQ(sk_tokenize(model.get(), "a", 1, ids, 3, nullptr), SK_ARGUMENT);
  EXPECT_EQ(sk_tokenize(nullptr, "a", 1, ids, 3, &count), SK_ARGUMENT);
  const int32_t given[] = {98, 98, 98, 98}, outside[] = {257}, negative[] = {-1};
  SK_EXPECT_FAILS(SK_ARGUMENT, "4 are needed",
                  sk_detokenize(model.get(), given, 4, text, 3, &count));
  SK_EXPECT_FAILS(SK_ARGUMENT, "257", sk_detokenize(model.get(), outside, 1, text, 3, &count));
  EXPECT_EQ(sk_detokenize(model.get(), negative, 1, text, 3, &count), SK_ARGUMENT);
  EXPECT_EQ(sk_detokenize(model.get(), nullptr, 1, text, 3, &count), SK_ARGUMENT);
  EXPECT_EQ(sk_detokenize(model.get(), given, 1, text, 3, nullptr), SK_ARGUMENT);
  EXPECT_EQ(sk_detokenize(nullptr, given, 1, text, 3, &count), SK_ARGUMENT);
  EXPECT_EQ(count, 99u);
  EXPECT_EQ(ids[0], 7);
  EXPECT_EQ(text[0], 'x');
}

TEST(ApiText, a_model_opens_without_a_vocabulary_and_says_what_is_missing_when_asked_for_text) {
  const ModelPtr unknown = open_model(v7_model());
  size_t count = 0;
  SK_EXPECT_FAILS(SK_IO, "260 rows", sk_tokenize(unknown.get(), "a", 1, nullptr, 0, &count));
  sk_sampler* sampler = nullptr;
  EXPECT_EQ(sk_sampler_new(unknown.get(), nullptr, &sampler), SK_IO);

  sk_model_params params = with_threads(1);
  const std::string missing = missing_file("vocab.txt").string();
  params.vocab = missing.c_str();
  const ModelPtr model = open_model(v7_model(), params);
  SK_EXPECT_FAILS(SK_IO, "vocab.txt", sk_tokenize(model.get(), "a", 1, nullptr, 0, &count));
  feed(model, new_state(model), {1, 2, 3});
}

TEST(ApiText, a_vocabulary_that_is_put_there_later_is_found) {
  const std::filesystem::path path =
      testing::TempDir() + "skein_late_vocab_" + std::to_string(getpid()) + ".txt";
  const std::string name = path.string();
  sk_model_params params = with_threads(1);
  params.vocab = name.c_str();
  const ModelPtr model = open_model(v7_model(), params);
  size_t count = 0;
  EXPECT_EQ(sk_tokenize(model.get(), "ab", 2, nullptr, 0, &count), SK_IO);
  {
    std::ofstream file(path);
    const char* digits = "0123456789abcdef";
    for (int byte = 0; byte < 256; ++byte)
      file << byte + 1 << " b'\\x" << digits[byte / 16] << digits[byte % 16] << "' 1\n";
  }
  EXPECT_EQ(sk_tokenize(model.get(), "ab", 2, nullptr, 0, &count), SK_OK) << sk_last_error();
  std::filesystem::remove(path);
}

TEST(ApiText, a_vocabulary_of_another_model_is_a_mismatch) {
  SK_NEEDS_SHARED("data/rwkv_vocab_v20230424.txt");
  const std::string vocab = shared_file("data/rwkv_vocab_v20230424.txt").string();
  sk_model_params params = with_threads(1);
  params.vocab = vocab.c_str();
  const ModelPtr model = open_model(v7_model(), params);
  size_t count = 0;
  EXPECT_EQ(sk_tokenize(model.get(), "a", 1, nullptr, 0, &count), SK_MISMATCH) << sk_last_error();
}

// A model of such weights that its numbers are too large after one token.
TEST(ApiLostState, is_lost_in_copies_and_whole_by_a_copy) {
  std::ifstream source(fixture("models/v7.official.safetensors"), std::ios::binary);
  std::string bytes{std::istreambuf_iterator<char>(source), {}};
  uint64_t header = 0;
  std::memcpy(&header, bytes.data(), 8);
  const size_t entry = bytes.find("\"ln_out.weight\"");
  ASSERT_NE(entry, std::string::npos);
  size_t begin = 0, end = 0;
  const size_t offsets = bytes.find("\"data_offsets\":[", entry);
  ASSERT_EQ(std::sscanf(bytes.c_str() + offsets, "\"data_offsets\":[%zu,%zu]", &begin, &end), 2);
  const bool floats = bytes.find("\"dtype\":\"F32\"", entry) < bytes.find('}', entry);
  for (size_t at = begin; at < end; at += floats ? 4 : 2) {
    const uint32_t large = floats ? 0x7f61b1e6 : 0x7f61;  // 3e38, in F32 and BF16
    std::memcpy(bytes.data() + 8 + header + at, &large, floats ? 4 : 2);
  }
  const auto path = std::filesystem::temp_directory_path() / "skein_api_too_large.safetensors";
  std::ofstream(path, std::ios::binary) << bytes;
  const ModelPtr model = open_model(path.string());
  ASSERT_TRUE(model);
  const StatePtr state = new_state(model), good = new_state(model);
  std::vector<float> logits(vocab_of(model));
  const int32_t id = 1;
  const auto eval = [&](const StatePtr& of) {
    return sk_eval(model.get(), of.get(), &id, 1, SK_WANT_LAST, logits.data(), logits.size());
  };
  const auto is_lost = [&](const StatePtr& of) {
    size_t size = 0;
    Bytes out(1 << 20);
    return sk_state_export(of.get(), SK_STATE_NATIVE, out.data(), out.size(), &size) == SK_CORRUPT;
  };
  ASSERT_EQ(eval(state), SK_CORRUPT) << sk_last_error();
  ASSERT_TRUE(is_lost(state));
  const StatePtr twin = clone(state);
  EXPECT_TRUE(is_lost(twin));
  ASSERT_EQ(sk_state_copy(good.get(), state.get()), SK_OK);
  EXPECT_TRUE(is_lost(good));
  ASSERT_EQ(sk_state_reset(good.get()), SK_OK);
  EXPECT_FALSE(is_lost(good));
  ASSERT_EQ(sk_state_copy(state.get(), good.get()), SK_OK);
  EXPECT_FALSE(is_lost(state));
  EXPECT_TRUE(equal(state, new_state(model)));
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace skein::test
