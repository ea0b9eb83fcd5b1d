#include "server/routes/ai00_request.h"

#include <algorithm>
#include <utility>

#include "base/limits.h"
#include "server/names.h"

namespace skein::server {
namespace {

constexpr int64_t kMaxTokens = 256;
constexpr std::string_view kNoState = "00000000-0000-0000-0000-000000000000";

// Its samplers are objects; `sampler_override` comes first and has a type. Outside of one the
// fields are those of the other routes.
constexpr FieldName kFlat[] = {{"logit_bias", "bias"}};
constexpr FieldName kSampler[] = {{"logit_bias", "bias"},
                                  {"temperature", "sampler.temperature"},
                                  {"top_p", "sampler.top_p"},
                                  {"top_k", "sampler.top_k"},
                                  {"presence_penalty", "sampler.presence_penalty"},
                                  {"frequency_penalty", "sampler.frequency_penalty"},
                                  {"penalty_decay", "sampler.penalty_decay"}};
constexpr FieldName kNucleus[] = {{"logit_bias", "bias"},
                                  {"temperature", "sampler_override.temperature"},
                                  {"top_p", "sampler_override.top_p"},
                                  {"top_k", "sampler_override.top_k"},
                                  {"presence_penalty", "sampler_override.presence_penalty"},
                                  {"frequency_penalty", "sampler_override.frequency_penalty"},
                                  {"penalty_decay", "sampler_override.penalty_decay"}};
constexpr FieldName kTypical[] = {{"logit_bias", "bias"},
                                  {"temperature", "sampler_override.temperature"},
                                  {"typical_p", "sampler_override.tau"},
                                  {"top_k", "sampler_override.top_k"},
                                  {"presence_penalty", "sampler_override.presence_penalty"},
                                  {"frequency_penalty", "sampler_override.frequency_penalty"},
                                  {"penalty_decay", "sampler_override.penalty_decay"}};
constexpr FieldName kMirostat[] = {{"logit_bias", "bias"},
                                   {"mirostat_tau", "sampler_override.tau"},
                                   {"mirostat_eta", "sampler_override.rate"}};

struct Ai00Sampler {
  std::span<const FieldName> names = kFlat;  // but for bias, where it is called logit_bias
  bool object = false;
  bool mirostat = false;
};

Asked<Ai00Sampler> sampler_of(const Json& body) {
  Fields fields(body);
  const Json sampler = fields.find("sampler"), override = fields.find("sampler_override");
  if (sampler && !sampler.object()) return refused("sampler has to be an object", "sampler");
  if (!override) return sampler ? Ai00Sampler{.names = kSampler, .object = true} : Ai00Sampler{};
  const auto type = override.find("type").string();
  if (type == "Nucleus" || type == "nucleus") return Ai00Sampler{.names = kNucleus, .object = true};
  if (type == "Typical" || type == "typical") return Ai00Sampler{.names = kTypical, .object = true};
  if (type == "Mirostat" || type == "mirostat")
    return Ai00Sampler{.names = kMirostat, .object = true, .mirostat = true};
  return refused("type has to be Nucleus, Mirostat or Typical", "sampler_override.type");
}

// Of both routes. What Ai00 does with such values it does in its own order.
Asked<CommonFields> read_common(const Served& served, const Defaults& defaults,
                                text::ThinkMode think, Fields& fields, const Ai00Sampler& sampler) {
  auto common = read_common_fields(served, defaults, think, fields);
  if (!common) return common;
  common->choices = 1;
  common->options.max_tokens = read_token_limit(fields, "max_tokens", kMaxTokens);
  if (!sampler.object) return common;
  if (!fields.find("sample_order")) common->sampling.order = SampleOrder::rwkv;
  if (!fields.find("penalty_style")) common->sampling.penalty_style = PenaltyStyle::ai00;
  if (sampler.mirostat) common->sampling.mirostat = 2;
  if (auto made = Sampler::create(common->sampling, served.host->traits()); !made)
    return tl::unexpected(api_error(made.error()));
  return common;
}

std::optional<text::Role> role_of(std::string_view name) {
  if (name == "System") return text::Role::system;
  if (name == "User") return text::Role::user;
  if (name == "Assistant") return text::Role::assistant;
  if (name == "Observation" || name == "observation" || name == "tool") return text::Role::tool;
  return role_by_name(name);
}

// One message, or a list of them.
Asked<std::vector<text::Message>> read_records(const Json& given) {
  std::vector<text::Message> out;
  const auto add = [&](const Json& record, const std::string& where) -> Asked<void> {
    const auto name = record.find("role").string();
    const auto role = name ? role_of(*name) : std::optional(text::Role::system);
    if (!role || (record.find("role") && !name))
      return refused("a role has to be System, User, Assistant or Observation", where + ".role");
    auto text = read_content(record.find("content"), where + ".content");
    if (!text) return tl::unexpected(std::move(text).error());
    out.push_back({.role = *role, .text = std::move(*text)});
    return {};
  };
  if (given.object()) {
    if (auto added = add(given, "messages"); !added) return tl::unexpected(added.error());
    return out;
  }
  if (!given.array()) return refused("messages has to be a message or a list of them", "messages");
  for (size_t i = 0; const Json& each : *given.array())
    if (auto added = add(each, fmt::format("messages[{}]", i++)); !added)
      return tl::unexpected(added.error());
  return out;
}

// Both have that name.
std::span<const FieldName> names_of(const Ai00Sampler& sampler, const Json& body) {
  return body.find("bias") ? sampler.names : sampler.names.subspan(1);
}

}  // namespace

Asked<std::string> read_ai00_text(Fields& fields, std::string_view name) {
  const Json given = fields.find(name);
  if (const auto text = given.string()) return std::string(*text);
  const auto list = given.array();
  std::string out;
  bool right = static_cast<bool>(list);
  for (const Json& each : list) {
    right = right && each.string();
    if (right) out += *each.string();
  }
  if (!right)
    return refused(fmt::format("{} has to be a text, or a list of texts that are one", name),
                   std::string(name));
  return out;
}

Asked<FieldNames> ai00_state(const Json& body) {
  static constexpr FieldName kNone[] = {{"state", "state.none"}}, kById[] = {{"state", "state.id"}},
                             kByName[] = {{"state", "state.name"}};
  const Json state = body.find("state");
  if (state.string() == kNoState) return FieldNames{kNone};
  if (!state.object()) return FieldNames{};
  if (state.find("data") || state.find("path"))
    return tl::unexpected(ApiError{.status = 501,
                                   .message = "a state's numbers are uploaded to /v1/states, and "
                                              "are known by their name from then on",
                                   .param = "state"});
  const Json id = state.find("id");
  return FieldNames{id && !id.is_null() && id.string() != kNoState ? kById : kByName};
}

Asked<History> open_ai00_history(Service& service, const Exchange& exchange,
                                 const Question& asked) {
  const auto names = ai00_state(asked.body);
  if (!names) return tl::unexpected(names.error());
  const auto wanted = precondition_of(exchange.head);
  if (!wanted) return tl::unexpected(wanted.error());
  Fields fields(asked.body, *names);
  return open_history(service.store(), service.tenant_of(exchange), *asked.served->host, fields,
                      *wanted);
}

Asked<GenerationRequest> read_ai00_chat(const Served& served, const Defaults& defaults,
                                        const Json& body, const History& history) {
  const auto sampler = sampler_of(body);
  if (!sampler) return tl::unexpected(sampler.error());
  Fields fields(body, {names_of(*sampler, body)});
  const auto wording = read_names(*served.wording, fields);
  const Served named = with_wording(served, wording);
  AskedTools tools = read_tools(fields);
  const text::ThinkMode think = read_think(fields, served.think);
  if (fields.error()) return tl::unexpected(*fields.error());
  auto messages = read_records(body.find("messages"));
  if (!messages) return tl::unexpected(std::move(messages).error());
  if (messages->empty() && !history.given)
    return refused("messages is empty: there is nothing to answer", "messages");
  if (!history.given || history.fresh()) add_tools(*named.wording, tools, *messages);
  auto chat = render_messages(named, *messages, think, "messages", history);
  if (!chat) return tl::unexpected(std::move(chat).error());
  chat->tools = std::move(tools);
  auto common = read_common(named, defaults, chat->think, fields, *sampler);
  if (!common) return tl::unexpected(std::move(common).error());
  common->options.think_budget = read_think_budget(fields);
  AskedForm form = read_form(fields);
  if (fields.error()) return tl::unexpected(*fields.error());
  auto out = chat_generation(named, std::move(*chat), std::move(*common), std::move(form), history);
  if (!out) return out;
  out->plan.wording = wording;
  out->plan.ai00 = true;
  out->reply = make_chat_reply;
  return out;
}

Asked<GenerationRequest> read_ai00_completion(const Served& served, const Defaults& defaults,
                                              const Json& body, const History& history) {
  const auto sampler = sampler_of(body);
  if (!sampler) return tl::unexpected(sampler.error());
  Fields fields(body, {names_of(*sampler, body)});
  const auto prompt = read_ai00_text(fields, "prompt");
  if (!prompt) return tl::unexpected(prompt.error());
  auto common = read_common(served, defaults, text::ThinkMode::none, fields, *sampler);
  if (!common) return tl::unexpected(std::move(common).error());
  if (!fields.find("stop")) common->options.stops.stop_strings = {"\n\n"};
  const AskedForm form = read_form(fields);
  if (fields.error()) return tl::unexpected(*fields.error());
  auto ids = served.host->tokenizer().encode(*prompt);
  if (!ids) return refused(ids.error().message, "prompt");
  if (ids->empty() && !history.given) return refused("there is nothing to go on from", "prompt");
  if (ids->size() > limits::kPromptTokens)
    return tl::unexpected(ApiError{
        .message = "the text is too long", .param = "prompt", .code = "context_length_exceeded"});
  Completion asked;
  if (!ids->empty()) asked.texts.push_back(*prompt);
  asked.prompts.push_back(std::move(*ids));
  auto out = completion_generation(served, std::move(*common), form, std::move(asked), history);
  if (!out) return out;
  out->plan.ai00 = true;
  out->reply = make_completion_reply;
  return out;
}

}  // namespace skein::server
