// /api/oai/chooses: which of several texts goes on from an input, by how likely each is.
#include <algorithm>
#include <numeric>
#include <utility>

#include "base/limits.h"
#include "server/reading_reply.h"
#include "server/routes/ai00_request.h"

namespace skein::server {
namespace {

struct Choices {
  std::string model;
  std::vector<std::string> texts;
  std::vector<size_t> tokens;  // of each
  bool calibrated = false;     // behind the others stand the same without the input
};

// The mean of -ln p over the last tokens of a prompt, which are the choice's.
double perplexity(const Findings& found, size_t tokens) {
  double sum = 0;
  for (size_t i = found.scores.size() - tokens; i < found.scores.size(); ++i)
    sum -= found.scores[i].logprob;
  return sum / static_cast<double>(tokens);
}

std::string choices_text(const Choices& plan, const std::vector<Findings>& found) {
  const size_t count = plan.texts.size();
  std::vector<double> values;
  for (size_t i = 0; i < count; ++i)
    values.push_back(perplexity(found[i], plan.tokens[i]) -
                     (plan.calibrated ? perplexity(found[count + i], plan.tokens[i]) : 0));
  std::vector<size_t> order(count);
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return values[a] < values[b]; });
  JsonWriter json;
  json.begin_object().member("object", "list").member("model", plan.model);
  json.key("data").begin_array();
  for (size_t rank = 0; rank < count; ++rank) {
    const size_t index = order[rank];
    json.begin_object().member("object", "choice").member("index", static_cast<int64_t>(index));
    json.member("rank", static_cast<int64_t>(rank)).member("choice", plan.texts[index]);
    json.member("perplexity", values[index]).end_object();
  }
  return json.end_array().end_object().text();
}

struct ChoiceRequest {
  Choices plan;
  std::vector<std::vector<int32_t>> prompts;
};

Asked<ChoiceRequest> read(const Question& asked, const History& history) {
  Fields fields(asked.body);
  const text::Tokenizer& tokenizer = asked.served->host->tokenizer();
  ChoiceRequest out;
  Choices& plan = out.plan;
  plan.model = asked.served->host->name();
  const auto input = fields.find("input") ? read_ai00_text(fields, "input") : std::string();
  if (!input) return tl::unexpected(input.error());
  const auto list = fields.find("choices").array();
  if (!list || list->empty())
    return refused("choices has to be a list of texts, and not empty", "choices");
  if (list->size() > limits::kInputs)
    return refused(fmt::format("more than {} choices", limits::kInputs), "choices");
  plan.calibrated = fields.flag("calibrate", false);
  if (fields.error()) return tl::unexpected(*fields.error());
  auto before = tokenizer.encode(*input);
  if (!before) return refused(before.error().message, "input");
  // Something has to stand before a choice; where nothing does it is the end of another text.
  const std::vector<int32_t> nothing = {std::max(tokenizer.end_of_text(), 0)};
  if (before->empty() && history.fresh()) *before = nothing;
  std::vector<std::vector<int32_t>> alone;
  size_t tokens = 0;
  for (const Json& each : *list) {
    const std::string where = fmt::format("choices[{}]", plan.texts.size());
    const auto text = each.string();
    if (!text || text->empty()) return refused("a choice has to be a text, and not empty", where);
    const auto ids = tokenizer.encode(*text);
    if (!ids) return refused(ids.error().message, where);
    plan.texts.emplace_back(*text);
    plan.tokens.push_back(ids->size());
    for (auto* prompts : {&out.prompts, &alone}) {
      std::vector<int32_t> prompt = prompts == &alone ? nothing : *before;
      prompt.insert(prompt.end(), ids->begin(), ids->end());
      prompts->push_back(std::move(prompt));
    }
    tokens += history.tokens.size() + out.prompts.back().size();
  }
  if (tokens > limits::kPromptTokens)
    return refused(
        fmt::format("{} tokens with all choices are more than {}", tokens, limits::kPromptTokens),
        "input");
  if (plan.calibrated)
    out.prompts.insert(out.prompts.end(), std::make_move_iterator(alone.begin()),
                       std::make_move_iterator(alone.end()));
  return out;
}

}  // namespace

void answer_ai00_choices(Service& service, const ExchangePtr& exchange) {
  const auto asked = question_of(service, exchange);
  if (!asked) return answer_error(exchange, asked.error());
  const auto history = open_ai00_history(service, *exchange, *asked);
  if (!history) return answer_error(exchange, history.error());
  auto request = read(*asked, *history);
  if (!request) return answer_error(exchange, request.error());
  Host& host = *asked->served->host;
  auto orders = reading_orders(std::move(request->prompts), {.scores = true});
  const int64_t tokens = settle(host, *history, orders, 0);
  auto reply = make_reading_reply(
      {.exchange = exchange,
       .host = &host,
       .workers = &service.workers(),
       .prompts = orders.size(),
       .tokens = tokens,
       .write = [plan = std::move(request->plan)](const std::vector<Findings>& found) {
         return choices_text(plan, found);
       }});
  submit(exchange, *asked, std::move(orders), std::move(reply));
}

}  // namespace skein::server
