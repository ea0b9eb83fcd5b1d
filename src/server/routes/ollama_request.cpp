// Ollama's /api/chat and /api/generate: the same orders as /v1/chat/completions and
// /v1/completions, by its names.
#include <algorithm>
#include <utility>

#include "base/limits.h"
#include "server/generating.h"
#include "server/prompts.h"
#include "server/routes/fill_in.h"
#include "server/routes/ollama_question.h"
#include "server/routes/ollama_reply.h"

namespace skein::server {
namespace {

constexpr FieldName kNames[] = {
    {"messages", "messages"},
    {"prompt", "prompt"},
    {"tools", "tools"},
    // Not Ollama's own: which function is called is the model's choice there.
    {"tool_choice", "tool_choice"},
    {"parallel_tool_calls", "parallel_tool_calls"},
    {"think", "think"},
    {"stream", "stream"},
    {"logprobs", "logprobs"},
    {"top_logprobs", "top_logprobs"},
    {"max_tokens", "options.num_predict"},
    {"temperature", "options.temperature"},
    {"top_k", "options.top_k"},
    {"top_p", "options.top_p"},
    {"min_p", "options.min_p"},
    {"typical_p", "options.typical_p"},
    {"seed", "options.seed"},
    {"stop", "options.stop"},
    {"repetition_penalty", "options.repeat_penalty"},
    {"presence_penalty", "options.presence_penalty"},
    {"frequency_penalty", "options.frequency_penalty"},
    {"penalty_decay", "options.penalty_decay"},
    {"mirostat", "options.mirostat"},
    {"mirostat_tau", "options.mirostat_tau"},
    {"mirostat_eta", "options.mirostat_eta"},
};
constexpr FieldNames kFields = {.list = kNames, .only_these = true};

// A body as it is, and the fields of it that others have, too.
struct Body {
  explicit Body(const Json& body) : own(body), shared(body, kFields) {
    if (const Json options = own.find("options"); options && !options.object())
      own.refuse("options", "options has to be an object");
  }
  const std::optional<ApiError>& error() const {
    return own.error() ? own.error() : shared.error();
  }

  Fields own, shared;
};

AskedForm read_format(Fields& own) {
  AskedForm out;
  out.param = "format";
  const Json format = own.find("format");
  if (!format || format.string() == "") return out;
  if (format.string() == "json") {
    out.wanted.language = constrain::Language::any_object;
  } else if (format.object()) {
    out.wanted.language = constrain::Language::schema;
    out.wanted.text = json_text(format);
  } else {
    own.refuse("format", "format has to be \"json\" or a JSON Schema");
  }
  return out;
}

void refuse_images(Fields& own, const Json& images, std::string where) {
  if (!images || images.is_null() || (images.array() && images.array()->empty())) return;
  own.refuse(where, "this model reads text and no images");
}

// What decides how the text is generated, behind what it is made of.
Asked<CommonFields> read_common(const Served& served, const Defaults& defaults,
                                text::ThinkMode think, Body& body) {
  auto out = read_common_fields(served, defaults, think, body.shared);
  if (!out) return out;
  out->stream = body.shared.flag("stream", true);
  GenerateOptions& options = out->options;
  // 0 and less are no limit.
  const auto limit =
      body.shared.integer("max_tokens", INT32_MIN, static_cast<int64_t>(limits::kPromptTokens));
  options.max_tokens = limit ? (*limit > 0 ? *limit : -1) : defaults.predict;
  options.logprobs = body.shared.flag("logprobs", false);
  options.top_logprobs = static_cast<int32_t>(
      body.shared.integer("top_logprobs", 0, static_cast<int64_t>(limits::kTopLogprobs))
          .value_or(0));
  options.logprobs = options.logprobs || options.top_logprobs > 0;
  return out;
}

Asked<GenerationRequest> conversation(const Served& served, const Defaults& defaults, Body& body,
                                      std::vector<text::Message> messages, const History& history,
                                      const std::string& field) {
  const text::ThinkMode think = read_think(body.shared, served.think);
  AskedTools tools = read_tools(body.shared);
  if (body.error()) return tl::unexpected(*body.error());
  if (history.fresh()) add_tools(*served.wording, tools, messages);
  auto chat = render_messages(served, messages, think, field, history);
  if (!chat) return tl::unexpected(std::move(chat).error());
  chat->tools = std::move(tools);
  auto common = read_common(served, defaults, chat->think, body);
  if (!common) return tl::unexpected(std::move(common).error());
  AskedForm form = read_format(body.own);
  if (body.error()) return tl::unexpected(*body.error());
  return chat_generation(served, std::move(*chat), std::move(*common), std::move(form), history);
}

Asked<GenerationRequest> read_chat(const Served& served, const Defaults& defaults, const Json& json,
                                   const History& history) {
  Body body(json);
  auto messages = read_messages(*served.wording, json.find("messages"));
  if (!messages) return tl::unexpected(std::move(messages).error());
  for (size_t i = 0; const Json& each : json.find("messages").array())
    refuse_images(body.own, each.find("images"), fmt::format("messages[{}].images", i++));
  auto out = conversation(served, defaults, body, std::move(*messages), history, "messages");
  if (out)
    out->reply = [](ReplyPlan plan) {
      return make_ollama_reply(std::move(plan), {.is_chat = true});
    };
  return out;
}

// The text as it is, or the middle of one.
Asked<GenerationRequest> continuation(const Served& served, const Defaults& defaults, Body& body,
                                      const std::string& suffix, const History& history) {
  auto common = read_common(served, defaults, text::ThinkMode::none, body);
  if (!common) return tl::unexpected(std::move(common).error());
  const AskedForm form = read_format(body.own);
  Completion asked;
  if (!suffix.empty()) {
    fill_in(served, body.own, "suffix", body.own.string("prompt").value_or(""), suffix, asked,
            common->options);
  } else {
    asked.texts = texts_of(body.own.find("prompt"));
    asked.prompts = read_prompts(served, body.shared, {.name = "prompt", .most = 1});
  }
  asked.logprobs = common->options.logprobs;
  asked.top = static_cast<size_t>(common->options.top_logprobs);
  if (body.error()) return tl::unexpected(*body.error());
  return completion_generation(served, std::move(*common), form, std::move(asked), history);
}

Asked<GenerationRequest> read_generate(const Served& served, const Defaults& defaults,
                                       const Json& json, const History& history) {
  Body body(json);
  Fields& own = body.own;
  const bool raw = own.flag("raw", false);
  const std::string prompt = own.string("prompt").value_or("");
  const std::string suffix = own.string("suffix").value_or("");
  const std::string system = own.string("system").value_or("");
  refuse_images(own, own.find("images"), "images");
  const bool has_template = !own.string("template").value_or("").empty();
  if (raw && (has_template || !system.empty() || history.given))
    own.refuse("raw", "raw takes the prompt as it is: no template, system or context with it");
  if (has_template)
    own.decline("template",
                "the model's own way of writing turns is used; raw: true takes a "
                "prompt as it is");
  if (!suffix.empty() && history.given)
    own.refuse("suffix", "what is filled in does not go on from a context");
  if (body.error()) return tl::unexpected(*body.error());
  Asked<GenerationRequest> out;
  if (raw || !suffix.empty()) {
    out = continuation(served, defaults, body, suffix, history);
  } else {
    std::vector<text::Message> messages;
    if (!system.empty()) messages.push_back({.role = text::Role::system, .text = system});
    messages.push_back({.text = prompt});
    out = conversation(served, defaults, body, std::move(messages), history, "prompt");
  }
  if (out)
    out->reply = [context = !raw](ReplyPlan plan) {
      return make_ollama_reply(std::move(plan), {.context = context});
    };
  return out;
}

// What a request goes on from: the ids of an earlier answer, in that field.
Asked<History> read_context(Service& service, const ExchangePtr& exchange,
                            const OllamaQuestion& asked, std::string_view field) {
  // No states and sessions here, but texts that are the key's own.
  const Digest tenant = service.tenant_of(*exchange);
  History out{.tenant = tenant, .start = {.scope = tenant}};
  const Json given = asked.body().find(field);
  if (!given || given.is_null()) return out;
  const auto list = given.array();
  if (!list || list->size() > limits::kPromptTokens)
    return refused("context has to be what an earlier answer had there", "context");
  for (const Json& each : *list) {
    int64_t id = 0;
    if (!each.integer(id) || id < 0 || id >= asked.served().host->model().vocab())
      return refused("context holds what is no token of this model", "context");
    out.tokens.push_back(static_cast<int32_t>(id));
  }
  out.given = !out.tokens.empty();
  out.after = text::After::answer;
  return out;
}

void answer(Service& service, const ExchangePtr& exchange, std::string_view asks,
            const Generating& how) {
  auto body = service.body_of(*exchange);
  if (!body) return answer_error(exchange, body.error());
  if (is_errand(*body, asks)) return answer_errand(service, exchange, *body, how.is_chat);
  const auto asked = ollama_question(service, exchange, std::move(*body));
  if (!asked) return answer_error(exchange, asked.error());
  auto history = read_context(service, exchange, *asked, how.is_chat ? "" : "context");
  if (!history) return answer_error(exchange, history.error());
  auto request = how.read(asked->served(), service.options().defaults, asked->body(), *history);
  if (!request) return answer_error(exchange, request.error());
  start_generation(service, exchange, asked->question, std::move(*history), std::move(*request),
                   how);
}

}  // namespace

void answer_ollama_chat(Service& service, const ExchangePtr& exchange) {
  answer(service, exchange, "messages", {.id = "chat-", .read = read_chat, .is_chat = true});
}
void answer_ollama_generate(Service& service, const ExchangePtr& exchange) {
  answer(service, exchange, "prompt", {.id = "gen-", .read = read_generate});
}

}  // namespace skein::server
