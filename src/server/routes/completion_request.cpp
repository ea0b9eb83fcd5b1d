// /v1/completions: texts, or ids, to be gone on with and scored.
#include <algorithm>
#include <utility>

#include "base/limits.h"
#include "server/generation_request.h"
#include "server/prompts.h"

namespace skein::server {

Asked<GenerationRequest> read_completion_request(const Served& served, const Defaults& defaults,
                                                 const Json& body, const History& history) {
  Fields fields(body);
  auto common = read_common_fields(served, defaults, text::ThinkMode::none, fields);
  if (!common) return tl::unexpected(std::move(common).error());
  const AskedForm form = read_form(fields);
  if (read_tools(fields).any()) fields.decline("tools", "tools belong to a chat");
  if (const auto suffix = fields.string("suffix"); suffix && !suffix->empty())
    fields.decline("suffix", "this model was not trained to fill in the middle of a text");
  const Json given = fields.find("prompt");
  std::vector<std::vector<int32_t>> prompts;
  if (history.given && (!given || given.string() == ""))
    prompts.resize(1);  // it goes on from there
  else
    prompts = read_prompts(served, fields, {.name = "prompt", .most = limits::kPrompts});
  if (history.keeps && prompts.size() > 1)
    fields.refuse("prompt", "one prompt goes on from a state or leaves one, not several");
  GenerateOptions& options = common->options;
  constexpr auto kMost = static_cast<int64_t>(limits::kPromptTokens);
  options.max_tokens = fields.integer("max_tokens", -1, kMost).value_or(16);
  const bool echo = fields.flag("echo", false);
  if (history.given && echo)
    fields.refuse("echo", "what a state has read is not told again: no echo with it");
  if (options.max_tokens == 0 && !echo)
    fields.refuse("max_tokens", "max_tokens 0 needs echo: there is nothing to answer with");
  const auto logprobs = fields.integer("logprobs", 0, static_cast<int64_t>(limits::kTopLogprobs));
  options.logprobs = logprobs.has_value();
  options.top_logprobs = static_cast<int32_t>(logprobs.value_or(0));
  const auto best_of = fields.integer("best_of", 1, static_cast<int64_t>(limits::kChoices));
  const size_t choices = std::max(common->choices, static_cast<size_t>(best_of.value_or(1)));
  if (best_of && static_cast<size_t>(*best_of) < common->choices)
    fields.refuse("best_of", "best_of has to be at least n");
  if (choices > common->choices && history.keeps)
    fields.refuse("best_of", "the best of several has no state of its own: n of them have");
  if (options.max_tokens == 0 && history.returned != Returned::nothing)
    fields.refuse("max_tokens",
                  "without an answer there is no state of one; POST /v1/states reads a text");
  if (choices > common->choices && common->stream)
    fields.refuse("best_of", "the best of several is only known at the end: not with stream");
  if (fields.error()) return tl::unexpected(*fields.error());
  auto relaxed = hold(served, form, options);
  if (!relaxed) return tl::unexpected(std::move(relaxed).error());
  if (options.constraint) options.stops.stop_strings.clear();

  GenerationRequest out;
  ReplyPlan& plan = out.plan;
  plan.relaxed = std::move(*relaxed);
  const bool only_read = options.max_tokens == 0;
  plan.stream = common->stream;
  plan.include_usage = common->include_usage;
  plan.ping_seconds = common->ping_seconds;
  plan.choices = choices;
  plan.shown = common->choices;
  plan.prompts = prompts.size();
  plan.logprobs = options.logprobs;
  plan.top = static_cast<size_t>(options.top_logprobs);
  plan.echo = echo;
  plan.token_ids = fields.flag("return_token_ids", false);
  if (fields.error()) return tl::unexpected(*fields.error());
  // The best is chosen by its probability.
  options.logprobs = options.logprobs || choices > common->choices;
  if (plan.logprobs && echo) {
    // What is told of a prompt's tokens stands in the answer once for each choice.
    constexpr uint64_t kToken = 96, kTop = 64;  // bytes of one, about
    uint64_t tokens = 0;
    for (const auto& ids : prompts) tokens += ids.size();
    const uint64_t bytes = tokens * plan.choices * (kToken + plan.top * kTop);
    if (bytes > limits::kAnswerBytes)
      fields.refuse("logprobs",
                    fmt::format("the scores of {} tokens for {} choices would be some {} "
                                "MiB, and an answer has at most {}",
                                tokens, plan.choices, bytes / limits::kMiB,
                                limits::kAnswerBytes / limits::kMiB));
    if (fields.error()) return tl::unexpected(*fields.error());
  }
  const Json prompt = fields.find("prompt");
  for (auto& ids : prompts) {
    // Without a seed, equal prompts are told different things.
    if (!common->seeded && !out.orders.empty())
      common->sampling.seed = choice_seed(common->sampling.seed, plan.choices);
    plan.prompt_tokens += static_cast<int64_t>(ids.size());
    Order order;
    order.prompt = std::move(ids);
    order.first_choice = out.orders.size() * plan.choices;
    order.choices = only_read ? 0 : choices;
    order.wanted.scores = echo && plan.logprobs;
    order.wanted.top = plan.top;
    order.sampling = common->sampling;
    order.options = options;
    order.shared = common->shared;
    if (const Json text = prompt.array() ? (*prompt.array())[out.orders.size()] : prompt;
        text.string() && !history.given)
      order.text = PromptText{.prompt = {std::string(*text.string())},
                              .leads = order.prompt[0] == served.host->tokenizer().end_of_text(),
                              .tokens = order.prompt.size()};
    out.orders.push_back(std::move(order));
  }
  return out;
}

}  // namespace skein::server
