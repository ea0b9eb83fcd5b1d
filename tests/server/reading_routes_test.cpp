// Routes that only read: vectors of texts, and documents by how well they answer.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <thread>

#include "server/answers.h"
#include "server/shared_server.h"

namespace skein::test {
namespace {

std::vector<float> vector_of(const Json& list) {
  std::vector<float> out;
  for (const Json& each : *list.array()) out.push_back(static_cast<float>(number(each)));
  return out;
}

std::vector<float> unpacked(std::string_view base64) {
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string bytes;
  uint32_t bits = 0;
  int count = 0;
  for (const char c : base64.substr(0, base64.find('='))) {
    bits = bits << 6 | static_cast<uint32_t>(kDigits.find(c));
    if ((count += 6) < 8) continue;
    count -= 8;
    bytes += static_cast<char>(bits >> count & 0xff);
  }
  std::vector<float> out;
  for (size_t at = 0; at + 4 <= bytes.size(); at += 4) {
    uint32_t word = 0;
    for (size_t i = 4; i-- > 0;) word = word << 8 | static_cast<unsigned char>(bytes[at + i]);
    out.push_back(std::bit_cast<float>(word));
  }
  return out;
}

Json embeddings(const std::string& fields) {
  const Reply reply = post(port(), "/v1/embeddings", "{" + fields + "}");
  EXPECT_EQ(reply.status, 200) << reply.body;
  EXPECT_EQ(text(reply.json(), "object"), "list");
  return reply.json();
}
Json embedding(const Json& json, size_t index = 0) {
  const Json one = (*json.find("data").array())[index];
  EXPECT_EQ(whole(one.find("index")), static_cast<int64_t>(index));
  EXPECT_EQ(text(one, "object"), "embedding");
  return one.find("embedding");
}

TEST(Embeddings, are_the_mean_of_what_the_logits_are_computed_from_with_length_one) {
  const std::vector<int32_t> ids = bundled().tokenizer->encode("garden").value();
  Model& model = *bundled().model;
  const auto width = static_cast<size_t>(model.info().dimensions.width);
  std::vector<float> rows(ids.size() * width);
  State state = model.new_state();
  ASSERT_TRUE(model.eval_hidden(state, ids, Want::all, rows.data()));
  std::vector<double> mean(width);
  double squares = 0;
  for (size_t i = 0; i < width; ++i) {
    for (size_t t = 0; t < ids.size(); ++t) mean[i] += double{rows[t * width + i]};
    mean[i] /= static_cast<double>(ids.size());
    squares += mean[i] * mean[i];
  }
  const Json json = embeddings(R"("input":"garden","model":"any")");
  const std::vector<float> found = vector_of(embedding(json));
  ASSERT_EQ(found.size(), width);
  for (size_t i = 0; i < width; ++i) EXPECT_NEAR(found[i], mean[i] / std::sqrt(squares), 1e-6) << i;
  EXPECT_EQ(text(json, "model"), "bundled");
  EXPECT_EQ(whole(json.find("usage").find("prompt_tokens")), 6);
  EXPECT_EQ(whole(json.find("usage").find("total_tokens")), 6);
}

TEST(Embeddings, every_form_of_input_and_of_numbers_says_the_same) {
  const std::vector<float> one = vector_of(embedding(embeddings(R"("input":"ab")")));
  const Json several = embeddings(R"("input":["cd","ab"])");
  EXPECT_EQ(several.find("data").array()->size(), 2u);
  EXPECT_EQ(whole(several.find("usage").find("total_tokens")), 4);
  EXPECT_EQ(vector_of(embedding(several, 1)), one);
  EXPECT_NE(vector_of(embedding(several, 0)), one);
  EXPECT_EQ(vector_of(embedding(embeddings(R"("input":[98,99])"))), one);
  EXPECT_EQ(vector_of(embedding(embeddings(R"("input":[[98],[98,99]])"), 1)), one);
  const Json packed = embedding(embeddings(R"("input":"ab","encoding_format":"base64")"));
  EXPECT_EQ(unpacked(*packed.string()), one);
  const Json without = embedding(embeddings(R"("input":"ab","encoding_format":null,"user":"x")"));
  EXPECT_EQ(vector_of(without), one);
}

TEST(Embeddings, fewer_dimensions_are_the_first_ones_made_longer) {
  const std::vector<float> all = vector_of(embedding(embeddings(R"("input":"ab")")));
  const std::vector<float> few = vector_of(embedding(embeddings(R"("input":"ab","dimensions":5)")));
  ASSERT_EQ(few.size(), 5u);
  double squares = 0;
  for (const float x : few) squares += double{x} * x;
  EXPECT_NEAR(squares, 1, 1e-6);
  for (size_t i = 1; i < few.size(); ++i) EXPECT_NEAR(few[i] / few[0], all[i] / all[0], 1e-4);
}

TEST(Embeddings, are_the_same_while_others_generate) {
  std::string long_text;
  for (int i = 0; i < 3000; ++i) long_text += static_cast<char>('a' + i * i % 26);
  const std::string fields = "\"input\":[\"" + long_text + "\",\"ab\"]";
  const std::string expected = post(port(), "/embeddings", "{" + fields + "}").body;
  std::vector<std::thread> others;
  for (int i = 0; i < 3; ++i)
    others.emplace_back([] {
      const Reply reply = post(port(), "/v1/completions",
                               R"({"prompt":"a","max_tokens":200,"ignore_eos":true,"n":2})");
      EXPECT_EQ(reply.status, 200);
    });
  for (int i = 0; i < 3; ++i)
    EXPECT_EQ(post(port(), "/v1/embeddings", "{" + fields + "}").body, expected);
  for (std::thread& other : others) other.join();
}

Json rerank(const std::string& fields, const char* path = "/v1/rerank") {
  const Reply reply = post(port(), path, "{" + fields + "}");
  EXPECT_EQ(reply.status, 200) << reply.body;
  return reply.json();
}

TEST(Rerank, scores_are_the_likelihood_of_yes_against_no) {
  const Json json = rerank(
      R"("query":"What is a garden?","documents":["abc",{"text":"A garden is green."},"x"])");
  const auto results = json.find("results").array();
  ASSERT_EQ(results->size(), 3u);
  double last = 1;
  for (const Json& one : *results) {
    EXPECT_LE(number(one.find("relevance_score")), last);
    last = number(one.find("relevance_score"));
    EXPECT_FALSE(one.find("document"));
    const char* const documents[] = {"abc", "A garden is green.", "x"};
    const std::string prompt = fmt::format(
        "User: Does the document answer the query? Answer with Yes or No.\\nQuery: What is a "
        "garden?\\nDocument: {}\\n\\nAssistant: ",
        documents[whole(one.find("index"))]);
    // By the route that scores texts.
    const auto logprob = [&](char answer) {
      const Reply scored = post(
          port(), "/v1/completions",
          fmt::format(
              R"({{"prompt":"{}{}","prepend_eod":true,"echo":true,"max_tokens":0,"logprobs":0}})",
              prompt, answer));
      return numbers(choice(scored.json()).find("logprobs").find("token_logprobs")).back();
    };
    const double yes = std::exp(logprob('Y')), no = std::exp(logprob('N'));
    EXPECT_NEAR(last, yes / (yes + no), 1e-9);
  }
  EXPECT_GT(whole(json.find("usage").find("prompt_tokens")), 3 * 80);
  EXPECT_EQ(whole(json.find("usage").find("total_tokens")),
            whole(json.find("usage").find("prompt_tokens")));
}

TEST(Rerank, the_best_few_are_told_with_their_text_where_that_is_asked_for) {
  const std::string fields = R"("query":"a","documents":["b","c","d"])";
  const Json all = rerank(fields);
  for (const char* path : {"/v1/rerank", "/rerank", "/v1/reranking", "/reranking"}) {
    const Json two = rerank(fields + R"(,"top_n":2,"return_documents":true)", path);
    ASSERT_EQ(two.find("results").array()->size(), 2u);
    for (size_t i = 0; i < 2; ++i) {
      const Json one = (*two.find("results").array())[i];
      const Json same = (*all.find("results").array())[i];
      EXPECT_EQ(whole(one.find("index")), whole(same.find("index")));
      EXPECT_EQ(number(one.find("relevance_score")), number(same.find("relevance_score")));
      EXPECT_EQ(text(one.find("document")),
                std::string(1, static_cast<char>('b' + whole(one.find("index")))));
    }
  }
  EXPECT_EQ(rerank(fields + R"(,"top_n":100)").find("results").array()->size(), 3u);
}

TEST(ReadingRoutes, what_is_wrong_is_named) {
  std::string many = "\"a\"", bytes(1 << 20, 'a');
  for (int i = 0; i < 2048; ++i) many += ",\"a\"";
  const struct {
    const char* path;
    std::string body;
    const char* param;
  } all[] = {
      {"/v1/embeddings", R"("x":1)", "input"},
      {"/v1/embeddings", R"("input":"")", "input"},
      {"/v1/embeddings", R"("input":[])", "input"},
      {"/v1/embeddings", R"("input":["a",""])", "input"},
      {"/v1/embeddings", R"("input":[[1],[]])", "input"},
      {"/v1/embeddings", R"("input":[257])", "input"},
      {"/v1/embeddings", R"("input":{"a":1})", "input"},
      {"/v1/embeddings", "\"input\":[" + many + "]", "input"},
      {"/v1/embeddings", R"("input":"a","dimensions":0)", "dimensions"},
      {"/v1/embeddings", R"("input":"a","dimensions":100000)", "dimensions"},
      {"/v1/embeddings", R"("input":"a","encoding_format":"int8")", "encoding_format"},
      {"/v1/rerank", R"("documents":["a"])", "query"},
      {"/v1/rerank", R"("query":"","documents":["a"])", "query"},
      {"/v1/rerank", R"("query":"a")", "documents"},
      {"/v1/rerank", R"("query":"a","documents":[])", "documents"},
      {"/v1/rerank", R"("query":"a","documents":["b",5])", "documents[1]"},
      {"/v1/rerank", R"("query":"a","documents":["b",{"x":"y"}])", "documents[1]"},
      {"/v1/rerank", R"("query":"a","documents":["b"],"top_n":0)", "top_n"},
      {"/v1/rerank", "\"query\":\"" + bytes + "\",\"documents\":[" + many.substr(0, 399) + "]",
       "query"},
  };
  for (const auto& bad : all) {
    const Reply reply = post(port(), bad.path, "{" + bad.body + "}");
    const std::string what = bad.body.substr(0, 80);
    EXPECT_EQ(reply.status, 400) << what << reply.body;
    EXPECT_EQ(reply.error("param"), bad.param) << what << reply.body;
  }
}

}  // namespace
}  // namespace skein::test
