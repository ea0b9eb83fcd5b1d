// /v1/completions: texts, or ids, to be gone on with and scored.
#include <algorithm>
#include <utility>

#include "base/limits.h"
#include "server/generation_request.h"
#include "server/prompts.h"
#include "server/routes/fill_in.h"

namespace skein::server {

std::vector<std::string> texts_of(const Json& prompt) {
  std::vector<std::string> out;
  if (const auto list = prompt.array())
    for (const Json& each : *list) out.emplace_back(each.string().value_or(""));
  else
    out.emplace_back(prompt.string().value_or(""));
  return out;
}

Asked<GenerationRequest> completion_generation(const Served& served, CommonFields common,
                                               const AskedForm& form, Completion asked,
                                               const History& history) {
  GenerateOptions& options = common.options;
  auto relaxed = hold(served, form, options);
  if (!relaxed) return tl::unexpected(std::move(relaxed).error());
  if (options.constraint) options.stops.stop_strings.clear();

  GenerationRequest out;
  ReplyPlan& plan = out.plan;
  plan.relaxed = std::move(*relaxed);
  plan.stream = common.stream;
  plan.include_usage = common.include_usage;
  plan.ping_seconds = common.ping_seconds;
  plan.choices = asked.made;
  plan.shown = common.choices;
  plan.prompts = asked.prompts.size();
  plan.logprobs = asked.logprobs;
  plan.top = asked.top;
  plan.echo = asked.echo;
  plan.token_ids = asked.token_ids;
  // The best is chosen by its probability.
  options.logprobs = asked.logprobs || asked.made > common.choices;
  options.top_logprobs = static_cast<int32_t>(asked.top);
  if (plan.logprobs && plan.echo) {
    // What is told of a prompt's tokens stands in the answer once for each choice.
    constexpr uint64_t kToken = 96, kTop = 64;  // bytes of one, about
    uint64_t tokens = 0;
    for (const auto& ids : asked.prompts) tokens += ids.size();
    const uint64_t bytes = tokens * plan.choices * (kToken + plan.top * kTop);
    if (bytes > limits::kAnswerBytes)
      return refused(fmt::format("the scores of {} tokens for {} choices would be some {} "
                                 "MiB, and an answer has at most {}",
                                 tokens, plan.choices, bytes / limits::kMiB,
                                 limits::kAnswerBytes / limits::kMiB),
                     "logprobs");
  }
  for (auto& ids : asked.prompts) {
    // Without a seed, equal prompts are told different things.
    if (!common.seeded && !out.orders.empty())
      common.sampling.seed = choice_seed(common.sampling.seed, plan.choices);
    plan.prompt_tokens += static_cast<int64_t>(ids.size());
    Order order;
    order.prompt = std::move(ids);
    order.first_choice = out.orders.size() * plan.choices;
    order.choices = asked.only_reads ? 0 : asked.made;
    order.wanted.scores = plan.echo && plan.logprobs;
    order.wanted.top = plan.top;
    order.sampling = common.sampling;
    order.options = options;
    order.shared = common.shared;
    const size_t place = out.orders.size();
    if (place < asked.texts.size() && !asked.texts[place].empty() && !history.given)
      order.text = PromptText{.prompt = {std::move(asked.texts[place])},
                              .leads = order.prompt[0] == served.host->tokenizer().end_of_text(),
                              .tokens = order.prompt.size()};
    out.orders.push_back(std::move(order));
  }
  return out;
}

namespace {

// What is to be gone on with, or filled in.
void read_what(const Served& served, Fields& fields, const History& history,
               GenerateOptions& options, Completion& asked) {
  const Json given = fields.find("prompt");
  if (const auto suffix = fields.string("suffix"); suffix && !suffix->empty()) {
    if (!given.string()) return fields.refuse("prompt", "a suffix needs a prompt that is a string");
    if (history.given) return fields.refuse("suffix", "a suffix does not go on from a state");
    return fill_in(served, fields, "suffix", *given.string(), *suffix, asked, options);
  }
  if (history.given && (!given || given.string() == "")) {
    asked.prompts.resize(1);  // it goes on from there
    return;
  }
  asked.texts = texts_of(given);
  asked.prompts = read_prompts(served, fields, {.name = "prompt", .most = limits::kPrompts});
}

}  // namespace

Asked<GenerationRequest> read_fill_in_request(const Served& served, const Defaults& defaults,
                                              const Json& body, const History& history) {
  Fields fields(body);
  auto common = read_common_fields(served, defaults, text::ThinkMode::none, fields);
  if (!common) return tl::unexpected(std::move(common).error());
  Completion asked;
  const auto prefix = fields.string("prompt");
  if (!prefix)
    fields.refuse("prompt", "prompt is missing: the text before what is to be filled in");
  fill_in(served, fields, "suffix", prefix.value_or(""), fields.string("suffix").value_or(""),
          asked, common->options);
  if (history.given) fields.refuse("suffix", "what is filled in does not go on from a state");
  common->options.max_tokens = read_token_limit(fields, "max_tokens", defaults.predict);
  asked.made = common->choices;
  if (fields.error()) return tl::unexpected(*fields.error());
  auto out = completion_generation(served, std::move(*common), {}, std::move(asked), history);
  if (out) out->reply = make_chat_reply;
  return out;
}

Asked<GenerationRequest> read_completion_request(const Served& served, const Defaults& defaults,
                                                 const Json& body, const History& history) {
  Fields fields(body);
  auto common = read_common_fields(served, defaults, text::ThinkMode::none, fields);
  if (!common) return tl::unexpected(std::move(common).error());
  const AskedForm form = read_form(fields);
  if (read_tools(fields).any()) fields.decline("tools", "tools belong to a chat");
  Completion asked;
  read_what(served, fields, history, common->options, asked);
  if (history.keeps && asked.prompts.size() > 1)
    fields.refuse("prompt", "one prompt goes on from a state or leaves one, not several");
  constexpr auto kMost = static_cast<int64_t>(limits::kPromptTokens);
  const int64_t max_tokens = fields.integer("max_tokens", -1, kMost).value_or(16);
  common->options.max_tokens = max_tokens;
  asked.only_reads = max_tokens == 0;
  asked.echo = fields.flag("echo", false);
  if (history.given && asked.echo)
    fields.refuse("echo", "what a state has read is not told again: no echo with it");
  if (asked.only_reads && !asked.echo)
    fields.refuse("max_tokens", "max_tokens 0 needs echo: there is nothing to answer with");
  const auto logprobs = fields.integer("logprobs", 0, static_cast<int64_t>(limits::kTopLogprobs));
  asked.logprobs = logprobs.has_value();
  asked.top = static_cast<size_t>(logprobs.value_or(0));
  const auto best_of = fields.integer("best_of", 1, static_cast<int64_t>(limits::kChoices));
  asked.made = std::max(common->choices, static_cast<size_t>(best_of.value_or(1)));
  if (best_of && static_cast<size_t>(*best_of) < common->choices)
    fields.refuse("best_of", "best_of has to be at least n");
  const bool chooses = asked.made > common->choices;
  if (chooses && history.keeps)
    fields.refuse("best_of", "the best of several has no state of its own: n of them have");
  if (asked.only_reads && history.returned != Returned::nothing)
    fields.refuse("max_tokens",
                  "without an answer there is no state of one; POST /v1/states reads a text");
  if (chooses && common->stream)
    fields.refuse("best_of", "the best of several is only known at the end: not with stream");
  asked.token_ids = fields.flag("return_token_ids", false);
  if (fields.error()) return tl::unexpected(*fields.error());
  auto out = completion_generation(served, std::move(*common), form, std::move(asked), history);
  if (out) out->reply = make_completion_reply;
  return out;
}

}  // namespace skein::server
