// /v1/embeddings: texts as vectors. The mean over a text's tokens of what the model's logits are
// computed from, made as long as 1. No RWKV base model was trained to have sentence vectors: the
// documentation calls it experimental.
#include <bit>
#include <cmath>
#include <utility>

#include "base/base64.h"
#include "base/limits.h"
#include "server/prompts.h"
#include "server/question.h"
#include "server/reading_reply.h"

namespace skein::server {
namespace {

struct EmbeddingPlan {
  std::string model;
  size_t dimensions = 0;
  bool base64 = false;
  int64_t tokens = 0;
};

// The first numbers of a vector, as long as 1 again.
std::vector<float> embedding_of(const std::vector<float>& mean, size_t dimensions) {
  double squares = 0;
  for (size_t i = 0; i < dimensions; ++i) squares += double{mean[i]} * mean[i];
  const double scale = squares > 0 ? 1 / std::sqrt(squares) : 0;
  std::vector<float> out(dimensions);
  for (size_t i = 0; i < dimensions; ++i) out[i] = static_cast<float>(mean[i] * scale);
  return out;
}

// The numbers' bytes, the least first.
std::string base64_of(const std::vector<float>& numbers) {
  std::string bytes;
  bytes.reserve(numbers.size() * sizeof(float));
  for (const float number : numbers)
    for (int shift = 0; shift < 32; shift += 8)
      bytes += static_cast<char>(std::bit_cast<uint32_t>(number) >> shift & 0xff);
  return base64_text(bytes);
}

std::string embeddings_text(const EmbeddingPlan& plan, const std::vector<Findings>& found) {
  JsonWriter json;
  json.begin_object().member("object", "list").key("data").begin_array();
  for (size_t i = 0; i < found.size(); ++i) {
    const std::vector<float> numbers = embedding_of(found[i].mean, plan.dimensions);
    json.begin_object().member("object", "embedding").member("index", static_cast<int64_t>(i));
    json.key("embedding");
    if (plan.base64) {
      json.value(base64_of(numbers));
    } else {
      json.begin_array();
      for (const float number : numbers) json.value(number);
      json.end_array();
    }
    json.end_object();
  }
  json.end_array().member("model", plan.model).key("usage").begin_object();
  json.member("prompt_tokens", plan.tokens).member("total_tokens", plan.tokens).end_object();
  return json.end_object().text();
}

Asked<ReadingRequest> read_request(const Question& asked) {
  Fields fields(asked.body);
  refuse_history(fields);
  ReadingRequest out{.prompts = {}, .wanted = {.mean = true}, .write = {}};
  EmbeddingPlan plan;
  const Host& host = *asked.served->host;
  const int64_t width = host.model().info().dimensions.width;
  plan.model = host.name();
  plan.dimensions = static_cast<size_t>(fields.integer("dimensions", 1, width).value_or(width));
  const std::string format = fields.string("encoding_format").value_or("float");
  plan.base64 = format == "base64";
  if (format != "float" && format != "base64")
    fields.refuse("encoding_format", "encoding_format has to be float or base64");
  out.prompts = read_prompts(*asked.served, fields,
                             {.name = "input", .most = limits::kInputs, .may_be_empty = false});
  for (const auto& ids : out.prompts) out.tokens += static_cast<int64_t>(ids.size());
  const uint64_t number_bytes = plan.base64 ? 6 : 13;  // in the answer, about
  const uint64_t bytes = out.prompts.size() * plan.dimensions * number_bytes;
  if (bytes > limits::kAnswerBytes)
    fields.refuse("input", fmt::format("{} vectors of {} numbers would be some {} MiB, and an "
                                       "answer has at most {}; base64 takes half",
                                       out.prompts.size(), plan.dimensions, bytes / limits::kMiB,
                                       limits::kAnswerBytes / limits::kMiB));
  if (fields.error()) return tl::unexpected(*fields.error());
  plan.tokens = out.tokens;
  out.write = [plan](const std::vector<Findings>& found) { return embeddings_text(plan, found); };
  return out;
}

}  // namespace

void answer_embeddings(Service& service, const ExchangePtr& exchange) {
  answer_readings(service, exchange, read_request);
}

}  // namespace skein::server
