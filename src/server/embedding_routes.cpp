// /v1/embeddings: texts as vectors. The mean over a text's tokens of what the model's logits are
// computed from, made as long as 1. No RWKV base model was trained to have sentence vectors: the
// documentation calls it experimental.
#include <bit>
#include <cmath>
#include <utility>

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

// The numbers' bytes, the least first, as RFC 4648 has them.
std::string base64_of(const std::vector<float>& numbers) {
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string bytes;
  bytes.reserve(numbers.size() * sizeof(float));
  for (const float number : numbers)
    for (int shift = 0; shift < 32; shift += 8)
      bytes += static_cast<char>(std::bit_cast<uint32_t>(number) >> shift & 0xff);
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t at = 0; at < bytes.size(); at += 3) {
    const size_t count = std::min<size_t>(3, bytes.size() - at);
    uint32_t three = 0;
    for (size_t i = 0; i < 3; ++i)
      three = three << 8 | (i < count ? static_cast<unsigned char>(bytes[at + i]) : 0U);
    for (size_t i = 0; i < 4; ++i) out += i <= count ? kDigits[three >> (18 - 6 * i) & 63] : '=';
  }
  return out;
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

struct EmbeddingRequest {
  EmbeddingPlan plan;
  std::vector<std::vector<int32_t>> prompts;
};

Asked<EmbeddingRequest> read_request(const Question& asked) {
  Fields fields(asked.body);
  refuse_history(fields);
  EmbeddingRequest out;
  const Host& host = *asked.served->host;
  const int64_t width = host.model().info().dimensions.width;
  out.plan.model = host.name();
  out.plan.dimensions = static_cast<size_t>(fields.integer("dimensions", 1, width).value_or(width));
  const std::string format = fields.string("encoding_format").value_or("float");
  out.plan.base64 = format == "base64";
  if (format != "float" && format != "base64")
    fields.refuse("encoding_format", "encoding_format has to be float or base64");
  out.prompts = read_prompts(*asked.served, fields,
                             {.name = "input", .most = limits::kInputs, .may_be_empty = false});
  for (const auto& ids : out.prompts) out.plan.tokens += static_cast<int64_t>(ids.size());
  const uint64_t number_bytes = out.plan.base64 ? 6 : 13;  // in the answer, about
  const uint64_t bytes = out.prompts.size() * out.plan.dimensions * number_bytes;
  if (bytes > limits::kAnswerBytes)
    fields.refuse("input", fmt::format("{} vectors of {} numbers would be some {} MiB, and an "
                                       "answer has at most {}; base64 takes half",
                                       out.prompts.size(), out.plan.dimensions,
                                       bytes / limits::kMiB, limits::kAnswerBytes / limits::kMiB));
  if (fields.error()) return tl::unexpected(*fields.error());
  return out;
}

}  // namespace

void answer_embeddings(Service& service, const ExchangePtr& exchange) {
  const auto asked = question_of(service, *exchange);
  if (!asked) return answer_error(exchange, asked.error());
  auto request = read_request(*asked);
  if (!request) return answer_error(exchange, request.error());
  Host& host = *asked->served->host;
  auto orders = reading_orders(std::move(request->prompts), {.mean = true});
  auto reply = make_reading_reply(
      {.exchange = exchange,
       .host = &host,
       .workers = &service.workers(),
       .prompts = orders.size(),
       .tokens = request->plan.tokens,
       .write = [plan = std::move(request->plan)](const std::vector<Findings>& found) {
         return embeddings_text(plan, found);
       }});
  submit(exchange, *asked, std::move(orders), std::move(reply));
}

}  // namespace skein::server
