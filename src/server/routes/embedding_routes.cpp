// /v1/embeddings, and llama-server's /embedding.
#include "server/routes/embedding.h"

#include <bit>
#include <cmath>
#include <utility>

#include "base/base64.h"
#include "base/limits.h"
#include "server/prompts.h"
#include "server/question.h"

namespace skein::server {
namespace {

// The numbers' bytes, the least first.
std::string base64_of(const std::vector<float>& numbers) {
  std::string bytes;
  bytes.reserve(numbers.size() * sizeof(float));
  for (const float number : numbers)
    for (int shift = 0; shift < 32; shift += 8)
      bytes += static_cast<char>(std::bit_cast<uint32_t>(number) >> shift & 0xff);
  return base64_text(bytes);
}

std::string embeddings_text(const EmbeddingPlan& plan, bool base64,
                            const std::vector<Findings>& found) {
  JsonWriter json;
  json.begin_object().member("object", "list").key("data").begin_array();
  for (size_t i = 0; i < found.size(); ++i) {
    json.begin_object().member("object", "embedding").member("index", static_cast<int64_t>(i));
    json.key("embedding");
    if (base64)
      json.value(base64_of(embedding_of(found[i].mean, plan.dimensions)));
    else
      write_embedding(json, found[i], plan);
    json.end_object();
  }
  json.end_array().member("model", plan.model).key("usage").begin_object();
  json.member("prompt_tokens", plan.tokens).member("total_tokens", plan.tokens).end_object();
  return json.end_object().text();
}

Asked<ReadingRequest> read_request(const Question& asked) {
  Fields fields(asked.body);
  const std::string format = fields.string("encoding_format").value_or("float");
  const bool base64 = format == "base64";
  if (format != "float" && format != "base64")
    fields.refuse("encoding_format", "encoding_format has to be float or base64");
  EmbeddingPlan plan;
  ReadingRequest out = read_embeddings(asked, fields, "input", base64 ? 6 : 13, plan);
  if (fields.error()) return tl::unexpected(*fields.error());
  out.write = [plan, base64](const std::vector<Findings>& found) {
    return embeddings_text(plan, base64, found);
  };
  return out;
}

// llama-server's: each text has a list of vectors, of one here.
Asked<ReadingRequest> read_llama_request(const Question& asked) {
  Fields fields(asked.body);
  EmbeddingPlan plan;
  ReadingRequest out =
      read_embeddings(asked, fields, fields.find("content") ? "content" : "input", 13, plan);
  if (fields.error()) return tl::unexpected(*fields.error());
  out.write = [plan](const std::vector<Findings>& found) {
    JsonWriter json;
    json.begin_array();
    for (size_t i = 0; i < found.size(); ++i) {
      json.begin_object().member("index", static_cast<int64_t>(i)).key("embedding").begin_array();
      write_embedding(json, found[i], plan);
      json.end_array().end_object();
    }
    return json.end_array().text();
  };
  return out;
}

}  // namespace

ReadingRequest read_embeddings(const Question& asked, Fields& fields, std::string_view field,
                               uint64_t number_bytes, EmbeddingPlan& plan) {
  refuse_history(fields);
  ReadingRequest out{.prompts = {}, .wanted = {.mean = true}, .write = {}};
  const Host& host = *asked.served->host;
  const int64_t width = host.model().info().dimensions.width;
  plan.model = host.name();
  plan.dimensions = static_cast<size_t>(fields.integer("dimensions", 1, width).value_or(width));
  out.prompts = read_prompts(*asked.served, fields,
                             {.name = field, .most = limits::kInputs, .may_be_empty = false});
  for (const auto& ids : out.prompts) out.tokens += static_cast<int64_t>(ids.size());
  plan.tokens = out.tokens;
  const uint64_t bytes = out.prompts.size() * plan.dimensions * number_bytes;
  if (bytes > limits::kAnswerBytes)
    fields.refuse(field, fmt::format("{} vectors of {} numbers would be some {} MiB, and an answer "
                                     "has at most {}; base64 takes half",
                                     out.prompts.size(), plan.dimensions, bytes / limits::kMiB,
                                     limits::kAnswerBytes / limits::kMiB));
  return out;
}

std::vector<float> embedding_of(const std::vector<float>& mean, size_t dimensions) {
  double squares = 0;
  for (size_t i = 0; i < dimensions; ++i) squares += double{mean[i]} * mean[i];
  const double scale = squares > 0 ? 1 / std::sqrt(squares) : 0;
  std::vector<float> out(dimensions);
  for (size_t i = 0; i < dimensions; ++i) out[i] = static_cast<float>(mean[i] * scale);
  return out;
}

void write_embedding(JsonWriter& json, const Findings& found, const EmbeddingPlan& plan) {
  json.begin_array();
  for (const float number : embedding_of(found.mean, plan.dimensions)) json.value(number);
  json.end_array();
}

void answer_embeddings(Service& service, const ExchangePtr& exchange) {
  answer_readings(service, exchange, read_request);
}
void answer_llama_embedding(Service& service, const ExchangePtr& exchange) {
  answer_readings(service, exchange, read_llama_request);
}

}  // namespace skein::server
