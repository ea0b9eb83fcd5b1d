// /openapi.json: the table of routes, with the fields that their bodies and queries have. A test
// gives each field what it cannot be, and the route has to name it.
#include <map>
#include <span>
#include <vector>

#include "server/service.h"

namespace skein::server {
namespace {

struct Field {
  std::string_view name;
  std::string_view type;  // empty: of several
  std::string_view what;
};

constexpr Field kWishes[] = {
    {"name", "string", "What it is called, beside its id"},
    {"pinned", "boolean", "It is kept, whatever its ttl says, and so are its numbers"},
    {"pin", "boolean", "The same"},
    {"ttl", "integer", "Seconds after its last use that it is kept; 0: for ever"},
};
constexpr Field kText[] = {
    {"input", "", "A text, token ids or messages"},
    {"messages", "array", "Messages, instead of input"},
    {"kind", "string", "A word of yours for it, such as document"},
    {"model", "string", "The model's name"},
    {"user", "string", "For whom, among those of the same key"},
    {"stream", "boolean", "Events that say how far it is, and the state as the last"},
};
constexpr Field kOrigin[] = {
    {"parent", "string", "The state to go on from: an id or a name"},
    {"state", "string", "The same"},
};
constexpr Field kKept[] = {
    {"session", "string", "Goes on from where it stands, and moves it"},
    {"session_ttl", "integer", "Seconds after its last move that it is kept; 0: for ever"},
    {"return_state", "", "true, id, url or base64: the answer becomes a state"},
};
constexpr Field kSampling[] = {
    {"model", "string", "The model's name"},
    {"user", "string", "For whom, among those of the same key"},
    {"temperature", "number", "0: the likeliest token"},
    {"top_p", "number", "The likeliest tokens of that probability together"},
    {"top_k", "integer", "So many of the likeliest"},
    {"min_p", "number", "Tokens of at least that share of the likeliest's probability"},
    {"typical_p", "number", "The most typical tokens of that probability together"},
    {"presence_penalty", "number", "Against tokens that were there"},
    {"frequency_penalty", "number", "Against them by how often"},
    {"penalty_decay", "number", "How both fade with each token"},
    {"repetition_penalty", "number", "A factor against tokens that were there"},
    {"mirostat", "integer", "0 or 2"},
    {"mirostat_tau", "number", "Its surprise"},
    {"mirostat_eta", "number", "How fast it gets there"},
    {"seed", "integer", "The same seed draws the same; -1: any"},
    {"logit_bias", "", "By token ids, or pairs of an id or a text and a number or false"},
    {"stop", "", "A text, or several, before which the answer ends"},
    {"stop_token_ids", "array", "Tokens before which it ends"},
    {"ignore_eos", "boolean", "The model cannot end it"},
    {"profile", "string", "Another kind of model's sampling values"},
    {"sample_order", "string", "openai or rwkv"},
    {"n", "integer", "Answers"},
    {"stream", "boolean", "As events"},
    {"stream_options", "object", "include_usage"},
    {"sse_ping_interval", "integer", "Seconds after which a silent stream says that it lives"},
    {"no_cache", "boolean", "Nothing is gone on from or kept"},
    {"cache_prompt", "boolean", "false says the same"},
    {"tools", "array", "Functions that may be called"},
};
constexpr Field kChat[] = {
    {"messages", "array", "The conversation, or what is new of it"},
    {"max_tokens", "integer", "Of the answer; -1: no limit"},
    {"max_completion_tokens", "integer", "The same, and comes first"},
    {"logprobs", "boolean", "Probabilities of the answer's tokens"},
    {"top_logprobs", "integer", "And of so many others"},
    {"think", "", "Whether, how much or in which way"},
    {"reasoning_effort", "string", "none to xhigh"},
    {"state_trace", "object", "Of a stream: per (layer or head) and every so many tokens"},
    {"reasoning_budget", "integer", "Tokens of a thought; -1: no bound"},
};
constexpr Field kCompletion[] = {
    {"prompt", "", "A text, token ids, or several of them"},
    {"max_tokens", "integer", "-1: no limit; 0 with echo: the prompt alone"},
    {"echo", "boolean", "The prompt before the text"},
    {"logprobs", "integer", "Probabilities, with those of so many others"},
    {"best_of", "integer", "The likeliest of so many"},
    {"prepend_eod", "boolean", "The id that ends a text, before the prompt"},
    {"return_token_ids", "boolean", "Ids beside texts"},
};
constexpr Field kResponse[] = {
    {"input", "", "A text, or items"},
    {"instructions", "string", "Stands before all of it, and is not inherited"},
    {"previous_response_id", "string", "Goes on from that one"},
    {"store", "boolean", "Whether it is kept"},
    {"metadata", "object", "Strings of yours"},
    {"include", "array", "message.output_text.logprobs"},
    {"text", "object", "format"},
    {"reasoning", "object", "effort and summary"},
    {"truncation", "string", "auto or disabled; nothing is cut off"},
    {"max_output_tokens", "integer", "Of the answer; -1: no limit"},
    {"top_logprobs", "integer", "Probabilities, with those of so many others"},
};
constexpr Field kPrompted[] = {
    {"messages", "array", "Turns of a user and an assistant, of blocks or a text"},
    {"system", "", "Stands before them: a text, or blocks"},
    {"tools", "array", "What the model may call: name, description, input_schema"},
    {"tool_choice", "object", "auto, any, tool or none; disable_parallel_tool_use"},
    {"thinking", "object", "enabled, disabled or adaptive; budget_tokens"},
    {"output_config", "object", "format, a json_schema; effort"},
    {"model", "string", "The model's name"},
    {"user", "string", "For whom, among those of the same key"},
};
constexpr Field kMessage[] = {
    {"max_tokens", "integer", "Of the answer; has to be given"},
    {"stop_sequences", "", "Texts before which the answer ends"},
    {"temperature", "number", "0: the likeliest token"},
    {"top_p", "number", "The likeliest tokens of that probability together"},
    {"top_k", "integer", "So many of the likeliest"},
    {"stream", "boolean", "As events"},
};
constexpr Field kAi00[] = {
    {"max_tokens", "integer", "Of the answer: 256 unless it is said"},
    {"stop", "", "A text, or several, before which the answer ends"},
    {"stream", "boolean", "As events"},
    {"bias", "", "By token ids, added to how likely they are"},
    {"sampler", "object", "top_p, top_k, temperature, penalties"},
    {"sampler_override", "object", "The same with a type: Nucleus, Mirostat or Typical"},
    {"bnf_schema", "string", "A grammar in KBNF that the answer keeps to"},
    {"model", "string", "The model's name"},
};
constexpr Field kAi00Chat[] = {
    {"messages", "", "A message, or several"},
    {"names", "object", "What System, User and Assistant are called"},
};
constexpr Field kAi00Prompt[] = {{"prompt", "", "A text, or several that are one"}};
constexpr Field kAi00Input[] = {{"input", "", "A text, or several that are one"},
                                {"model", "string", "The model's name"}};
constexpr Field kAi00Choices[] = {{"choices", "array", "Texts that may follow"},
                                  {"calibrate", "boolean", "Less how likely each is by itself"}};
constexpr Field kAi00Vector[] = {{"input", "string", "The text"},
                                 {"prefix", "string", "Stands before it"},
                                 {"model", "string", "The model's name"}};
constexpr Field kAi00Load[] = {{"model_path", "string", "The name of a model that is there"}};
constexpr Field kEmbeddings[] = {
    {"input", "", "A text, token ids, or several of them"},
    {"encoding_format", "string", "float or base64"},
    {"dimensions", "integer", "The first so many numbers"},
    {"model", "string", "The model's name"},
    {"user", "string", "For whom, among those of the same key"},
};
constexpr Field kRerank[] = {
    {"query", "string", "What they are to answer"},
    {"documents", "array", "Texts, or objects with one"},
    {"top_n", "integer", "The best so many"},
    {"return_documents", "boolean", "With their texts"},
    {"model", "string", "The model's name"},
    {"user", "string", "For whom, among those of the same key"},
};
constexpr Field kTokenize[] = {
    {"prompt", "string", "The text, also as content; or messages"},
    {"parse_special", "boolean", "Names of special tokens are those"},
    {"with_pieces", "boolean", "With each one's text"},
    {"model", "string", "The model's name"},
};
constexpr Field kDetokenize[] = {{"tokens", "array", "Token ids"},
                                 {"model", "string", "The model's name"}};
constexpr Field kTemplate[] = {
    {"messages", "array", "The conversation"},
    {"think", "", "As of a chat"},
    {"model", "string", "The model's name"},
};
constexpr Field kLlama[] = {
    {"prompt", "", "A text, token ids, or several of them"},
    {"n_predict", "integer", "-1: no limit; 0: the prompt alone is read"},
    {"n_probs", "integer", "Probabilities, with those of so many others"},
    {"return_tokens", "boolean", "Ids beside texts"},
    {"return_progress", "boolean", "In a stream, how far the prompt is read"},
    {"timings_per_token", "boolean", "In a stream, with each piece"},
    {"response_fields", "array", "What is wanted of the answer: timings/cache_n"},
    {"samplers", "", "A list of names, or their letters: others are off"},
    {"id_slot", "integer", "There are no slots"},
    {"grammar", "string", "GBNF, which the answer keeps to"},
    {"lora", "array", "Empty"},
};
constexpr Field kInfill[] = {
    {"input_prefix", "string", "Before what is filled in"},
    {"input_suffix", "string", "Behind it"},
    {"input_extra", "array", "Other files: objects with a text"},
};
constexpr Field kFillIn[] = {
    {"prompt", "string", "Before what is filled in"},
    {"suffix", "string", "Behind it"},
    {"max_tokens", "integer", "Of what is filled in; -1: no limit"},
};
constexpr Field kContent[] = {{"content", "", "A text, token ids, or several of them"}};
constexpr Field kModelName[] = {{"model", "string", "The model's name"}};
constexpr Field kOllama[] = {
    {"model", "string", "The model's name, also with :latest"},
    {"options", "object", "num_predict, temperature, top_p, seed, stop and so on"},
    {"keep_alive", "", "Seconds, or a duration: how long the model stays; 0: not at all"},
};
constexpr Field kOllamaAnswer[] = {
    {"stream", "boolean", "A line for each piece, unless false"},
    {"format", "", "json, or a JSON Schema that the answer keeps to"},
    {"think", "", "true, false, or how much"},
    {"logprobs", "boolean", "Probabilities of the answer's tokens"},
    {"top_logprobs", "integer", "And of so many others"},
};
constexpr Field kOllamaChat[] = {
    {"messages", "array", "The conversation; none: the model is loaded"},
    {"tools", "array", "Functions that may be called"},
    {"tool_choice", "", "Which of them; Ollama itself has no such field"},
};
constexpr Field kOllamaGenerate[] = {
    {"prompt", "string", "A question, or a text; none: the model is loaded"},
    {"system", "string", "Stands before it"},
    {"suffix", "string", "What is filled in stands before this"},
    {"raw", "boolean", "The prompt is taken as it is"},
    {"context", "array", "What an earlier answer had there"},
    {"template", "string", "Not offered"},
    {"images", "array", "Not offered"},
};
constexpr Field kOllamaInput[] = {
    {"input", "", "A text, or several"},
    {"dimensions", "integer", "The first so many numbers"},
    {"truncate", "boolean", "Nothing is ever too long"},
};
constexpr Field kOllamaPrompt[] = {{"prompt", "string", "A text"}};
constexpr Field kMove[] = {
    {"state", "string", "Where it is to stand: an id or a name"},
    {"ttl", "integer", "Seconds after its last move that it is kept; 0: for ever"},
};
constexpr Field kPages[] = {{"limit", "integer", "Rows of a page"},
                            {"after", "string", "The page behind the one that said this as next"}};
constexpr Field kStateList[] = {
    {"ids", "string", "Ids or names, with commas: those that are there"},
    {"kind", "string", "Only of that kind"},
    {"parent", "string", "Only those behind this one"}};
constexpr Field kUpload[] = {{"model", "string", "Of a file: the model that it is of"}};
constexpr Field kPart[] = {{"part", "integer", "Of a text that is longer than one answer, from 0"}};
constexpr Field kWith[] = {{"with", "string", "The other state: an id or a name"}};
constexpr Field kSince[] = {
    {"since", "string", "Another state, from which changes are told"},
    {"fields", "string",
     "norm, change, rank, with commas: numbers for drawing, by layer and head"}};
constexpr Field kView[] = {{"view", "string", "heads: numbers for drawing, by layer and head"}};
constexpr Field kTrace[] = {{"from", "integer", "The first token that is told of"},
                            {"to", "integer", "The one behind the last, 1024 behind it at most"},
                            {"per", "string", "layer or head"}};
constexpr Field kRace[] = {{"tokens", "integer", "How many are generated"},
                           {"points", "integer", "How often it is said how far it is"},
                           {"model", "string", "The model's name"},
                           {"user", "string", "For whom, among those of the same key"}};
constexpr Field kOrder[] = {{"limit", "integer", "Rows of a page"},
                            {"after", "string", "The item before it"},
                            {"order", "string", "asc or desc"}};

using Lists = std::vector<std::span<const Field>>;

// Of a body. Routes without /v1 have those of the same with it.
Lists body_of(std::string_view method, std::string_view path) {
  if (path == "/completion") return {kLlama, kSampling, kKept, kOrigin};
  if (path == "/infill") return {kInfill, kLlama, kSampling};
  if (path.ends_with("/fim/completions")) return {kFillIn, kSampling};
  if (path == "/embedding") return {kContent, kEmbeddings};
  if (path.starts_with("/models/")) return {kModelName};
  if (path == "/api/chat") return {kOllama, kOllamaChat, kOllamaAnswer};
  if (path == "/api/generate") return {kOllama, kOllamaGenerate, kOllamaAnswer};
  if (path == "/api/embed") return {kOllama, kOllamaInput};
  if (path == "/api/embeddings") return {kOllama, kOllamaPrompt};
  if (path == "/api/show") return {kModelName};
  if (path == "/v1/messages") return {kPrompted, kMessage, kKept, kOrigin};
  if (path == "/v1/messages/count_tokens") return {kPrompted, kOrigin};
  if (path.ends_with("/models/load")) return {kAi00Load};
  if (path.starts_with("/api/oai/")) {
    if (path.ends_with("/chat/completions")) return {kAi00Chat, kAi00, kKept, kOrigin};
    if (path.ends_with("/completions")) return {kAi00Prompt, kAi00, kKept, kOrigin};
    if (path.ends_with("/chooses")) return {kAi00Choices, kAi00Input, kOrigin};
    if (path.ends_with("/states")) return {kAi00Input, kOrigin};
    if (path.ends_with("/embeds")) return {kAi00Vector};
  }
  if (path.ends_with("/chat/completions")) return {kChat, kSampling, kKept, kOrigin};
  if (path.ends_with("/completions")) return {kCompletion, kSampling, kKept, kOrigin};
  if (path.ends_with("/responses")) return {kResponse, kSampling};
  if (path.ends_with("/embeddings")) return {kEmbeddings};
  if (path.ends_with("/rerank") || path.ends_with("/reranking")) return {kRerank};
  if (path.ends_with("/race")) return {kRace};
  if (path == "/tokenize") return {kTokenize};
  if (path == "/detokenize") return {kDetokenize};
  if (path == "/apply-template") return {kTemplate};
  if (path == "/v1/states") return {kText, kOrigin, kWishes};
  if (path.ends_with("/append")) return {kText, kWishes};
  if (path.ends_with("/fork") || method == "PATCH") return {kWishes};
  if (method == "PUT") return {kMove};
  return {};
}

Lists query_of(std::string_view method, std::string_view path) {
  if (method == "POST" && path == "/v1/states") return {kUpload, kWishes};
  if (method != "GET") return {};
  if (path == "/v1/states") return {kStateList, kPages};
  if (path == "/v1/sessions" || path.ends_with("/log")) return {kPages};
  if (path.ends_with("/diff")) return {kWith, kView};
  if (path.ends_with("/trace")) return {kTrace};
  if (path.ends_with("/stats")) return {kSince};
  if (path == "/v1/states/{id}") return {kPart};
  if (path.ends_with("/input_items")) return {kOrder};
  return {};
}

void write_parameter(JsonWriter& json, std::string_view name, std::string_view where,
                     std::string_view type, std::string_view what) {
  json.begin_object().member("name", name).member("in", where);
  json.member("required", where == "path");
  if (!what.empty()) json.member("description", what);
  json.key("schema").begin_object().member("type", type).end_object().end_object();
}

void write_body(JsonWriter& json, const Route& route) {
  json.key("requestBody").begin_object().key("content").begin_object();
  json.key("application/json").begin_object().key("schema").begin_object();
  json.member("type", "object").key("properties").begin_object();
  for (const auto& list : body_of(route.method, route.path))
    for (const Field& field : list) {
      json.key(field.name).begin_object();
      if (!field.type.empty()) json.member("type", field.type);
      json.member("description", field.what).end_object();
    }
  json.end_object().end_object().end_object();
  if (route.takes_file) json.key("application/octet-stream").begin_object().end_object();
  json.end_object().end_object();
}

void write_route(JsonWriter& json, const Route& route) {
  json.begin_object().member("summary", route.summary);
  json.key("parameters").begin_array();
  if (route.path.find("{id}") != std::string_view::npos)
    write_parameter(json, "id", "path", "string", "");
  for (const auto& list : query_of(route.method, route.path))
    for (const Field& field : list)
      write_parameter(json, field.name, "query", field.type, field.what);
  json.end_array().key("security").begin_array();
  if (route.role != Role::open)
    json.begin_object().key("key").begin_array().end_array().end_object();
  json.end_array();
  if (route.method != "GET" && route.method != "DELETE") write_body(json, route);
  json.key("responses").begin_object().key("200").begin_object();
  json.member("description", route.summary).end_object().end_object().end_object();
}

}  // namespace

std::string operation_name(const Route& route) {
  std::string out(route.method);
  for (char& c : out) c = static_cast<char>(c | 0x20);
  return out;
}

void answer_openapi(Service& service, const std::shared_ptr<Exchange>& exchange) {
  std::map<std::string_view, std::vector<const Route*>> paths;
  for (const Route& route : routes()) paths[route.path].push_back(&route);
  JsonWriter json;
  json.begin_object().member("openapi", "3.1.0").key("info").begin_object();
  json.member("title", "Skein").member("version", service.options().version).end_object();
  json.key("components").begin_object().key("securitySchemes").begin_object().key("key");
  json.begin_object().member("type", "http").member("scheme", "bearer").end_object();
  json.end_object().end_object().key("paths").begin_object();
  for (const auto& [path, methods] : paths) {
    json.key(path).begin_object();
    for (const Route* route : methods) {
      json.key(operation_name(*route));
      write_route(json, *route);
    }
    json.end_object();
  }
  json.end_object().end_object();
  exchange->answer->send({.body = json.text()});
}

}  // namespace skein::server
