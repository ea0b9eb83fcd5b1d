// llama-server's /completion and /infill: the same orders as /v1/completions, by its names.
#include <algorithm>
#include <utility>

#include "base/limits.h"
#include "server/generating.h"
#include "server/prompts.h"
#include "server/routes/fill_in.h"
#include "server/routes/llama_reply.h"
#include "server/routes/llama_settings.h"
#include "server/service.h"

namespace skein::server {
namespace {

constexpr auto kMostTokens = static_cast<int64_t>(limits::kPromptTokens);

// What would change the answer, where it is not what does nothing.
void decline_others(Fields& fields) {
  for (const char* name : {"dynatemp_range", "top_n_sigma", "t_max_predict_ms", "n_indent"})
    if (fields.number(name, -1e9, 1e9).value_or(0) > 0)
      fields.decline(name, fmt::format("{} is not offered", name));
  if (const Json list = fields.find("lora")) {
    if (!list.array()) fields.refuse("lora", "lora has to be a list");
    if (!list.array()->empty())
      fields.decline("lora", "adapters are merged when a model is loaded (--lora)");
  }
}

// -1 is no limit, and -2, as much as the context holds, is none here either.
int64_t read_limit(Fields& fields, int64_t otherwise) {
  for (const char* name : {"n_predict", "max_tokens"})
    if (const auto given = fields.integer(name, -2, kMostTokens))
      return std::max<int64_t>(*given, -1);
  return otherwise;
}

std::vector<std::string> read_response_fields(Fields& fields) {
  std::vector<std::string> out;
  const Json list = fields.find("response_fields");
  if (!list) return out;
  constexpr size_t kMost = 64;
  if (!list.array() || list.array()->size() > kMost)
    fields.refuse("response_fields",
                  fmt::format("response_fields has to be a list of at most {} names", kMost));
  for (const Json& each : list.array())
    each.string() ? static_cast<void>(out.emplace_back(*each.string()))
                  : fields.refuse("response_fields", "response_fields has to be a list of names");
  return out;
}

// What both routes have, behind what is to be gone on with.
Asked<GenerationRequest> finish_request(const Served& served, const Defaults& defaults,
                                        Fields& fields, CommonFields common, Completion asked,
                                        const History& history) {
  const AskedForm form = read_form(fields);
  decline_others(fields);
  read_samplers(fields, common.sampling);
  GenerateOptions& options = common.options;
  options.max_tokens = read_limit(fields, defaults.predict);
  asked.only_reads = options.max_tokens == 0;
  asked.made = common.choices;
  const int64_t shown =
      fields.integer("n_probs", 0, static_cast<int64_t>(limits::kTopLogprobs)).value_or(0);
  asked.logprobs = shown > 0;
  asked.top = static_cast<size_t>(shown);
  asked.token_ids = fields.flag("return_tokens", false);
  if (fields.flag("post_sampling_probs", false) && shown > 0)
    fields.decline("post_sampling_probs", "probabilities are the model's own, before sampling");
  if (history.keeps && asked.prompts.size() > 1)
    fields.refuse("prompt", "one prompt goes on from a state or leaves one, not several");
  if (history.keeps && asked.only_reads)
    fields.refuse("n_predict", "without an answer there is no state of one");
  fields.integer("id_slot", -1, INT32_MAX);  // there are no slots to choose from
  LlamaPlan plan;
  plan.fields = read_response_fields(fields);
  plan.timings = fields.flag("timings_per_token", false);
  plan.progress = fields.flag("return_progress", false);
  if (fields.error()) return tl::unexpected(*fields.error());
  JsonWriter settings;
  settings.begin_object();
  write_settings(settings, common.sampling, options);
  settings.member("n_probs", shown).member("stream", common.stream);
  plan.settings = settings.end_object().text();
  auto out = completion_generation(served, std::move(common), form, std::move(asked), history);
  if (out)
    out->reply = [plan = std::move(plan)](ReplyPlan reply) mutable {
      return make_llama_reply(std::move(reply), std::move(plan));
    };
  return out;
}

Asked<GenerationRequest> read_completion(const Served& served, const Defaults& defaults,
                                         const Json& body, const History& history) {
  Fields fields(body);
  auto common = read_common_fields(served, defaults, text::ThinkMode::none, fields);
  if (!common) return tl::unexpected(std::move(common).error());
  Completion asked;
  const Json given = fields.find("prompt");
  if (history.given && (!given || given.string() == "")) {
    asked.prompts.resize(1);
  } else {
    asked.texts = texts_of(given);
    asked.prompts = read_prompts(served, fields, {.name = "prompt", .most = limits::kPrompts});
  }
  return finish_request(served, defaults, fields, std::move(*common), std::move(asked), history);
}

// Other files stand before the one that is written in.
std::string read_extra(Fields& fields) {
  std::string out;
  const Json list = fields.find("input_extra");
  if (list && !list.array()) fields.refuse("input_extra", "input_extra has to be a list of files");
  for (const Json& each : list.array()) {
    const auto text = each.find("text").string();
    if (!text) fields.refuse("input_extra", "a file of input_extra needs a text");
    out += fmt::format("{}\n", text.value_or(""));
  }
  return out;
}

Asked<GenerationRequest> read_infill(const Served& served, const Defaults& defaults,
                                     const Json& body, const History& history) {
  Fields fields(body);
  auto common = read_common_fields(served, defaults, text::ThinkMode::none, fields);
  if (!common) return tl::unexpected(std::move(common).error());
  std::string prefix = read_extra(fields);
  for (const char* name : {"input_prefix", "prompt"}) prefix += fields.string(name).value_or("");
  const std::string suffix = fields.string("input_suffix").value_or("");
  if (history.given) fields.refuse("session", "what is filled in does not go on from a state");
  Completion asked;
  fill_in(served, fields, "input_suffix", prefix, suffix, asked, common->options);
  return finish_request(served, defaults, fields, std::move(*common), std::move(asked), history);
}

// One path, two APIs: only llama-server's clients say n_predict and nothing of OpenAI's.
Asked<GenerationRequest> read_either(const Served& served, const Defaults& defaults,
                                     const Json& body, const History& history) {
  const bool is_llama = body.find("n_predict") && !body.find("max_tokens");
  return (is_llama ? read_completion : read_completion_request)(served, defaults, body, history);
}

}  // namespace

void answer_llama_completion(Service& service, const ExchangePtr& exchange) {
  generate(service, exchange, {.id = "cmpl-", .read = read_completion});
}
void answer_either_completion(Service& service, const ExchangePtr& exchange) {
  generate(service, exchange, {.id = "cmpl-", .read = read_either});
}
void answer_infill(Service& service, const ExchangePtr& exchange) {
  generate(service, exchange, {.id = "cmpl-", .read = read_infill});
}

}  // namespace skein::server
