// /v1/rerank: which documents answer a query. The model is asked for each of them, and the score is
// how much likelier its answer is Yes than No.
#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "base/limits.h"
#include "server/fields.h"
#include "server/question.h"
#include "server/reading_reply.h"

namespace skein::server {
namespace {

struct RerankPlan {
  std::string model;
  std::vector<std::string> documents;
  size_t top = 0;
  bool shows_documents = false;
  int64_t tokens = 0;
};

// The task stands before what it is about, and the query before the documents: so states of the
// beginning serve all of them.
std::string question_about(std::string_view query, std::string_view document) {
  return fmt::format(
      "Does the document answer the query? Answer with Yes or No.\nQuery: {}\nDocument: {}", query,
      document);
}

// The two answers part in one token; what they have in common before it belongs to the prompt.
Status part_answers(const Served& served, std::vector<int32_t>& common, Wanted& wanted) {
  const text::Tokenizer& tokenizer = served.host->tokenizer();
  const std::string_view blank = served.wording->has_turn_tokens() ? "" : " ";
  SK_TRY(const std::vector<int32_t> yes, tokenizer.encode(fmt::format("{}Yes", blank)));
  SK_TRY(const std::vector<int32_t> no, tokenizer.encode(fmt::format("{}No", blank)));
  const auto [at, other] = std::mismatch(yes.begin(), yes.end(), no.begin(), no.end());
  if (at == yes.end() || other == no.end())
    return fail(Code::unsupported, "this model's vocabulary does not tell Yes from No");
  common.assign(yes.begin(), at);
  wanted.following = {*at, *other};
  return {};
}

Status add_prompts(const Served& served, std::string_view query, const RerankPlan& plan,
                   ReadingRequest& request) {
  std::vector<int32_t> common;
  SK_TRY_STATUS(part_answers(served, common, request.wanted));
  const text::Profile& profile = *served.wording;
  for (const std::string& document : plan.documents) {
    const text::Message question = {.text = question_about(query, document)};
    text::Prompt prompt = text::render(profile, {&question, 1}, text::ThinkMode::none);
    if (!profile.has_template()) prompt.add("\nAnswer:");
    SK_TRY(std::vector<int32_t> ids,
           text::encode_prompt(served.host->tokenizer(), profile, prompt, true));
    ids.insert(ids.end(), common.begin(), common.end());
    request.tokens += static_cast<int64_t>(ids.size());
    request.prompts.push_back(std::move(ids));
  }
  return {};
}

// A document is a string, or an object with a text.
void read_documents(Fields& fields, std::vector<std::string>& out) {
  const auto list = fields.find("documents").array();
  if (!list) return fields.refuse("documents", "documents has to be a list of strings");
  if (list->empty()) return fields.refuse("documents", "documents is empty");
  if (list->size() > limits::kInputs)
    return fields.refuse("documents", fmt::format("more than {} documents", limits::kInputs));
  for (const Json& each : *list) {
    const Json text = each.object() ? each.find("text") : each;
    if (!text.string())
      return fields.refuse(fmt::format("documents[{}]", out.size()),
                           "a document has to be a string, or an object with a text");
    out.emplace_back(*text.string());
  }
}

std::string results_text(const RerankPlan& plan, const std::vector<Findings>& found) {
  std::vector<double> scores;
  for (const Findings& one : found)
    scores.push_back(1 / (1 + std::exp(one.following[1] - one.following[0])));
  std::vector<size_t> places(scores.size());
  std::iota(places.begin(), places.end(), size_t{0});
  std::stable_sort(places.begin(), places.end(),
                   [&](size_t a, size_t b) { return scores[a] > scores[b]; });
  places.resize(plan.top);
  JsonWriter json;
  json.begin_object().member("object", "list").member("model", plan.model);
  json.key("results").begin_array();
  for (const size_t place : places) {
    json.begin_object().member("index", static_cast<int64_t>(place));
    json.member("relevance_score", scores[place]);
    if (plan.shows_documents)
      json.key("document").begin_object().member("text", plan.documents[place]).end_object();
    json.end_object();
  }
  json.end_array().key("usage").begin_object().member("prompt_tokens", plan.tokens);
  return json.member("total_tokens", plan.tokens).end_object().end_object().text();
}

Asked<ReadingRequest> read_request(const Question& asked) {
  Fields fields(asked.body);
  refuse_history(fields);
  ReadingRequest out;
  RerankPlan plan;
  plan.model = asked.served->host->name();
  const auto query = fields.string("query");
  if (!query || query->empty()) fields.refuse("query", "query has to be a string, and not empty");
  read_documents(fields, plan.documents);
  const auto all = static_cast<int64_t>(plan.documents.size());
  plan.top =
      static_cast<size_t>(std::min(fields.integer("top_n", 1, INT32_MAX).value_or(all), all));
  plan.shows_documents = fields.flag("return_documents", false);
  if (fields.error()) return tl::unexpected(*fields.error());
  // It is read again with each document.
  if (query->size() * plan.documents.size() > limits::kPromptTokens)
    return refused(fmt::format("a query of {} bytes for {} documents is too much; ask for fewer",
                               query->size(), plan.documents.size()),
                   "query");
  if (auto added = add_prompts(*asked.served, *query, plan, out); !added)
    return tl::unexpected(api_error(added.error()));
  plan.tokens = out.tokens;
  out.write = [plan = std::move(plan)](const std::vector<Findings>& found) {
    return results_text(plan, found);
  };
  return out;
}

}  // namespace

void answer_rerank(Service& service, const ExchangePtr& exchange) {
  answer_readings(service, exchange, read_request);
}

}  // namespace skein::server
