// /v1/chat/completions: messages to the text that the model was trained on.
#include <algorithm>
#include <utility>

#include "base/limits.h"
#include "run/held_answer.h"
#include "server/generation_request.h"
#include "server/names.h"
#include "text/tools.h"

namespace skein::server {
namespace {

using text::ThinkMode;

constexpr size_t kParts = 1024;

ThinkMode mode_of(bool thinks) { return thinks ? ThinkMode::free : ThinkMode::fake; }

}  // namespace

std::optional<ThinkMode> mode_of_effort(std::string_view effort) {
  if (effort == "none" || effort == "minimal") return ThinkMode::fake;
  if (effort == "low") return ThinkMode::bit;
  if (effort == "medium") return ThinkMode::think;
  if (effort == "high" || effort == "xhigh") return ThinkMode::lot;
  return std::nullopt;
}

ThinkMode read_think(Fields& fields, ThinkMode otherwise) {
  ThinkMode mode = otherwise;
  if (const Json more = fields.find("chat_template_kwargs")) {
    Fields inside(more);
    if (const auto thinks = inside.boolean("enable_thinking")) mode = mode_of(*thinks);
    if (inside.error())
      fields.refuse("chat_template_kwargs.enable_thinking", inside.error()->message);
  }
  if (const auto effort = fields.string("reasoning_effort")) {
    if (const auto found = mode_of_effort(*effort))
      mode = *found;
    else
      fields.refuse("reasoning_effort",
                    "reasoning_effort has to be none, minimal, low, medium, high or xhigh");
  }
  if (const Json think = fields.find("think")) {
    const auto flag = think.boolean();
    const auto name = think.string();
    auto named = name ? text::think_mode_by_name(*name) : std::nullopt;
    if (name && !named) named = mode_of_effort(*name);
    if (flag)
      mode = mode_of(*flag);
    else if (named)
      mode = *named;
    else
      fields.refuse("think",
                    "think has to be true, false, a level (low, medium, high) or a mode (none, "
                    "fake, free, bit, think, lot, zh)");
  }
  int64_t budget = 0;
  if (fields.find("reasoning_budget").integer(budget) && budget == 0) mode = ThinkMode::fake;
  return mode;
}

Asked<std::string> read_content(const Json& content, const std::string& where) {
  if (const auto text = content.string()) return std::string(*text);
  const auto parts = content.array();
  if (!parts) return refused("content has to be a string or a list of parts", where);
  if (parts->size() > kParts)
    return refused(fmt::format("content has more than {} parts", kParts), where);
  std::string out;
  for (const Json& part : *parts) {
    const auto type = part.find("type").string();
    const auto text = part.find("text").string();
    if (!type) return refused("a part of content has no type", where);
    if ((*type != "text" && *type != "input_text" && *type != "output_text") || !text)
      return refused(
          fmt::format("a part of content is \"{}\"; this model reads text", escaped(*type, 40)),
          where);
    if (!out.empty()) out += '\n';
    out += *text;
  }
  return out;
}

std::optional<text::Role> role_by_name(std::string_view name) {
  if (name == "system" || name == "developer") return text::Role::system;
  if (name == "user") return text::Role::user;
  if (name == "assistant") return text::Role::assistant;
  return std::nullopt;
}

namespace {

// Functions that an answer of the history calls, as the model writes calls.
Asked<std::string> read_calls(const text::Profile& profile, const Json& message,
                              const std::string& where) {
  std::string out;
  const auto add = [&](const Json& function) {
    const auto name = function.find("name").string();
    const Json given = function.find("arguments");
    const auto text = given.string();
    if (!name || (!text && !given.object())) return false;
    if (!out.empty()) out += '\n';
    // As the text of an object, or, of Ollama's clients, as the object.
    out += text::render_call(profile, *name, text ? std::string(*text) : json_text(given));
    return true;
  };
  bool right = true;
  if (const Json calls = message.find("tool_calls"); calls && !calls.is_null()) {
    const auto list = calls.array();
    right = static_cast<bool>(list);
    for (size_t i = 0; right && i < list->size(); ++i) right = add((*list)[i].find("function"));
  }
  if (const Json old = message.find("function_call"); old && !old.is_null())
    right = add(old) && right;
  if (!right)
    return refused("a call has to be a function with a name and arguments", where + ".tool_calls");
  return out;
}

Asked<text::Message> read_message(const text::Profile& profile, const Json& json,
                                  const std::string& where) {
  if (!json.object()) return refused("a message has to be an object", where);
  const auto role = json.find("role").string();
  if (!role) return refused("a message has no role", where + ".role");
  text::Message out;
  if (*role == "tool" || *role == "function")
    out.role = text::Role::tool;
  else if (const auto found = role_by_name(*role))
    out.role = *found;
  else
    return refused(fmt::format("the role \"{}\" is none of system, developer, user, assistant, "
                               "tool and function",
                               escaped(*role, 40)),
                   where + ".role");
  auto calls = read_calls(profile, json, where);
  if (!calls) return tl::unexpected(std::move(calls).error());
  const Json content = json.find("content");
  if (calls->empty() || (content && !content.is_null())) {
    auto text = read_content(content, where + ".content");
    if (!text) return tl::unexpected(std::move(text).error());
    out.text = std::move(*text);
  }
  if (!out.text.empty() && !calls->empty()) out.text += '\n';
  out.text += *calls;
  return out;
}

// Where what many conversations begin with ends, and where what is asked now begins.
std::vector<size_t> ends_of(const text::Profile& profile, const text::Prompt& prompt,
                            std::span<const text::Message> messages, ThinkMode mode) {
  std::vector<size_t> out;
  if (messages.front().role == text::Role::system) {
    out.push_back(text::render_system(profile, messages.front().text).text.size());
    if (messages.size() == 1) return out;
  }
  const text::Message& last = messages.back();
  if (last.role == text::Role::user && last.material.empty()) {
    const size_t turn = text::render_turn(profile, last.text, false, mode).prompt.text.size();
    if (turn < prompt.text.size()) out.push_back(prompt.text.size() - turn);
  }
  return out;
}

Asked<RenderedChat> render(const Served& served, Fields& fields, const Json& body,
                           const History& history) {
  auto messages = read_messages(*served.wording, body.find("messages"));
  if (!messages) return tl::unexpected(std::move(messages).error());
  if (messages->empty() && !history.given)
    return refused("messages is empty: there is nothing to answer", "messages");
  const bool goes_on =
      messages->empty() ? history.after == text::After::answer || history.after == text::After::text
                        : messages->back().role == text::Role::assistant;
  if (!fields.flag("add_generation_prompt", true) && !goes_on)
    fields.decline("add_generation_prompt",
                   "a prompt without the beginning of an answer is not offered");
  if (goes_on && !fields.flag("continue_final_message", true))
    fields.decline("continue_final_message",
                   "a last message of the assistant is gone on with; another turn is not offered");
  const ThinkMode think = read_think(fields, served.think);
  AskedTools tools = read_tools(fields);
  if (fields.error()) return tl::unexpected(*fields.error());
  // A history that is gone on with has been told of them.
  if (!history.given || history.fresh()) add_tools(*served.wording, tools, *messages);
  auto out = render_messages(served, *messages, think, "messages", history);
  if (out) out->tools = std::move(tools);
  return out;
}

}  // namespace

Asked<RenderedChat> render_messages(const Served& served, std::span<const text::Message> messages,
                                    ThinkMode think, const std::string& param,
                                    const History& history) {
  const text::Profile& profile = *served.wording;
  RenderedChat out;
  // Without a message an answer goes on where it stopped, or begins where its place is.
  out.goes_on = messages.empty()
                    ? history.after == text::After::answer || history.after == text::After::text
                    : messages.back().role == text::Role::assistant;
  out.think = profile.supports(think) ? think : ThinkMode::none;
  // What the answer begins with is read by itself, as a chat does that keeps the state before it.
  if (!out.goes_on) out.opening = text::render_turn(profile, "", false, out.think).opening;
  const bool follows = history.given && !history.fresh();
  if (follows) {
    out.prompt = text::render_more(profile, history.after, messages, out.think);
  } else {
    out.prompt = text::render(profile, messages, out.think);
    out.prompt.text.resize(out.prompt.text.size() - out.opening.size());
    if (!messages.empty()) out.ends = ends_of(profile, out.prompt, messages, out.think);
  }
  const text::Tokenizer& tokenizer = served.host->tokenizer();
  auto ids = text::encode_prompt(tokenizer, profile, out.prompt, !follows);
  auto more = tokenizer.encode(out.opening);
  if (!ids || !more) return refused((ids ? more.error() : ids.error()).message, param);
  out.ids = std::move(*ids);
  out.ids.insert(out.ids.end(), more->begin(), more->end());
  out.opening_ids = more->size();
  if (out.ids.empty() && history.fresh()) return refused("there is nothing to answer", param);
  if (out.ids.size() > limits::kPromptTokens)
    return tl::unexpected(ApiError{
        .message = fmt::format("{} tokens are more than {}", out.ids.size(), limits::kPromptTokens),
        .param = param,
        .code = "context_length_exceeded"});
  return out;
}

int64_t read_think_budget(Fields& fields) {
  constexpr auto kMost = static_cast<int64_t>(limits::kPromptTokens);
  return fields.integer("reasoning_budget", -1, kMost).value_or(-1);
}

int64_t read_token_limit(Fields& fields, std::string_view name, int64_t otherwise) {
  const auto given = fields.integer(name, -1, static_cast<int64_t>(limits::kPromptTokens));
  if (given == 0)
    fields.refuse(name, fmt::format("{} has to be at least 1, or -1", fields.theirs(name)));
  return given.value_or(otherwise);
}

namespace {

// What the answer has to be: of the form, or calls, behind the thought that its opening begins.
Asked<Relaxed> hold_answer(const Served& served, const RenderedChat& chat, AskedForm form,
                           GenerateOptions& options) {
  const text::Profile& profile = *served.wording;
  constrain::Wanted& wanted = form.wanted;
  if (chat.tools.any())
    wanted.calls = {.form = &text::call_form(profile),
                    .tools = chat.tools.callable,
                    .calling = chat.tools.calling,
                    .parallel = chat.tools.parallel,
                    .schema = wanted.schema};
  if (!wanted.says_something()) return Relaxed();
  form.parameters = chat.tools.parameters;
  if (!chat.goes_on) wanted.beginning = beginning_of(profile, chat.opening, wanted);
  auto held = hold(served, form, options);
  if (!held) return held;
  // Behind free text everything is as ever.
  const bool has_free_text = wanted.calls && wanted.language == constrain::Language::any_text &&
                             wanted.calls->calling == constrain::Calling::optional;
  if (has_free_text) return held;
  options.stops.stop_strings.clear();
  end_as_turn(profile, served.host->tokenizer(), wanted, options);
  return held;
}

}  // namespace

Asked<GenerationRequest> chat_generation(const Served& served, RenderedChat chat,
                                         CommonFields common, AskedForm form,
                                         const History& history) {
  const text::Profile& profile = *served.wording;
  GenerateOptions& options = common.options;
  options.stops.policy = profile.stop;
  options.stops.role_words = profile.role_words;
  // An answer that is gone on with is past its thought, and its blanks are its own.
  options.stops.chat = profile.has_template() && !chat.goes_on;
  options.stops.opening = chat.opening;
  options.profile = &profile;
  auto relaxed = hold_answer(served, chat, std::move(form), options);
  if (!relaxed) return tl::unexpected(std::move(relaxed).error());
  GenerationRequest out;
  out.plan.relaxed = std::move(*relaxed);
  if (chat.tools.any()) out.plan.calls = &text::call_form(profile);
  out.plan.stream = common.stream;
  out.plan.include_usage = common.include_usage;
  out.plan.ping_seconds = common.ping_seconds;
  out.plan.choices = out.plan.shown = common.choices;
  out.plan.prompt_tokens = static_cast<int64_t>(chat.ids.size());
  out.plan.logprobs = options.logprobs;
  const size_t of_text = chat.ids.size() - chat.opening_ids;
  const bool leads = of_text > 0 && !history.given && profile.leading_end_of_text &&
                     chat.ids[0] == served.host->tokenizer().end_of_text();
  out.orders.push_back({.prompt = std::move(chat.ids),
                        .text = PromptText{.prompt = std::move(chat.prompt),
                                           .leads = leads,
                                           .tokens = of_text,
                                           .marks = std::move(chat.ends),
                                           .asked = std::move(chat.asked)},
                        .choices = common.choices,
                        .sampling = std::move(common.sampling),
                        .options = std::move(options),
                        .shared = common.shared,
                        // A thought and what stands for one leave the history.
                        .answer_returns = chat.opening_ids == 0 || history.keeps});
  out.plan.opening_ids = chat.opening_ids;
  return out;
}

Asked<std::vector<text::Message>> read_messages(const text::Profile& profile, const Json& messages,
                                                const std::string& where) {
  const auto list = messages.array();
  if (!list) return refused(fmt::format("{} has to be a list", where), where);
  std::vector<text::Message> out;
  for (const Json& each : *list) {
    auto message = read_message(profile, each, fmt::format("{}[{}]", where, out.size()));
    if (!message) return tl::unexpected(std::move(message).error());
    out.push_back(std::move(*message));
  }
  return out;
}

Asked<RenderedChat> render_chat(const Served& served, const Json& body) {
  Fields fields(body);
  const auto wording = read_names(*served.wording, fields);
  return render(with_wording(served, wording), fields, body, {});
}

namespace {

// How a stream's tokens move the state. Of heads there are many, so that they are told less often.
std::optional<TraceWish> read_trace(const Served& served, Fields& fields,
                                    const CommonFields& common) {
  const Json given = fields.find("state_trace");
  if (!given || given.is_null()) return std::nullopt;
  if (!given.object()) fields.refuse("state_trace", "state_trace has to be an object");
  Fields inside(given);
  const std::string per = inside.string("per").value_or("layer");
  TraceWish out{.by = per == "head" ? TraceBy::head : TraceBy::layer};
  const int64_t least = out.by == TraceBy::head ? kHeadTraceEvery : 1;
  out.every = inside.integer("every", least, 1 << 20).value_or(least);
  if (per != "layer" && per != "head") inside.refuse("per", "per has to be layer or head");
  if (inside.error())
    fields.refuse("state_trace." + inside.error()->param, inside.error()->message);
  if (!common.stream || common.choices != 1)
    fields.refuse("state_trace", "state_trace is of a stream of one answer");
  if (const auto shape = heads_of(*served.host->model().state_layout()); !shape)
    fields.refuse("state_trace", shape.error().message);
  return out;
}

}  // namespace

Asked<GenerationRequest> read_chat_request(const Served& served, const Defaults& defaults,
                                           const Json& body, const History& history) {
  Fields fields(body);
  const auto wording = read_names(*served.wording, fields);
  const Served named = with_wording(served, wording);
  auto chat = render(named, fields, body, history);
  if (!chat) return tl::unexpected(std::move(chat).error());
  auto common = read_common_fields(served, defaults, chat->think, fields);
  if (!common) return tl::unexpected(std::move(common).error());
  if (fields.find("text").find("format"))
    fields.decline("text", "text.format belongs to /v1/responses; response_format says it here");
  AskedForm form = read_form(fields);
  GenerateOptions& options = common->options;
  options.max_tokens = read_token_limit(fields, "max_tokens", defaults.predict);
  options.max_tokens = read_token_limit(fields, "max_completion_tokens", options.max_tokens);
  options.think_budget = read_think_budget(fields);
  options.logprobs = fields.flag("logprobs", false);
  options.top_logprobs = static_cast<int32_t>(
      fields.integer("top_logprobs", 0, static_cast<int64_t>(limits::kTopLogprobs)).value_or(0));
  if (options.top_logprobs > 0 && !options.logprobs)
    fields.refuse("top_logprobs", "top_logprobs needs logprobs: true");
  const auto trace = read_trace(served, fields, *common);
  if (fields.error()) return tl::unexpected(*fields.error());
  auto out = chat_generation(named, std::move(*chat), std::move(*common), std::move(form), history);
  if (!out) return out;
  out->plan.wording = wording;
  out->reply = make_chat_reply;
  out->plan.trace = trace;
  return out;
}

}  // namespace skein::server
