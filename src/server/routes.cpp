#include "server/routes.h"

#include <algorithm>
#include <optional>

#include "server/query.h"

namespace skein::server {
namespace {

constexpr std::string_view kRoot =
    "The web page, for browsers; for others a text, as Ollama has it";
constexpr std::string_view kPageFile = "A file of the web page";
constexpr std::string_view kBoot = "What a page has to know before it has a key";
constexpr std::string_view kHealth = "Whether the server is ready";
constexpr std::string_view kModels = "The models that are served";
constexpr std::string_view kModel = "One of them";
constexpr std::string_view kChat = "An answer to a conversation, whole or as a stream";
constexpr std::string_view kCompletion = "What follows a text, or how likely the text is";
constexpr std::string_view kResponse = "An answer that is kept and can be gone on from";
constexpr std::string_view kStored = "A response that was kept";
constexpr std::string_view kInput = "What it was asked, in pages";
constexpr std::string_view kDeletion = "Forgets it";
constexpr std::string_view kMessage = "An answer to a conversation, as Anthropic's API has it";
constexpr std::string_view kCount = "How many tokens such a conversation has";
constexpr std::string_view kEmbeddings = "Texts as vectors (experimental)";
constexpr std::string_view kRerank = "Which documents answer a query, the likeliest first";
constexpr std::string_view kTokenize = "A text, or messages, as token ids";
constexpr std::string_view kDetokenize = "Token ids as a text";
constexpr std::string_view kInfo = "The special tokens of the vocabulary";
constexpr std::string_view kTemplate = "Messages as the model sees them";
constexpr std::string_view kMetrics = "Counters and gauges, for Prometheus";
constexpr std::string_view kStatus = "How it stands, in a line for pages";
constexpr std::string_view kRace =
    "Tokens on and on, and what they took: neither time nor memory grows";
constexpr std::string_view kOpenApi = "This table, as an OpenAPI document";

constexpr std::string_view kLlama = "What follows a text, as llama-server says it";
constexpr std::string_view kFillIn = "What stands in the middle of a text";
constexpr std::string_view kProps = "What the first model is set to";
constexpr std::string_view kSlots = "How many texts are generated";
constexpr std::string_view kAdapters = "None: they are merged when a model is loaded";
constexpr std::string_view kLoad = "Loads a model";
constexpr std::string_view kUnload = "Lets go of a model that was loaded on demand";
constexpr std::string_view kGenerate = "An answer, or what follows a text";
constexpr std::string_view kEmbedding = "A text as a vector (experimental)";
constexpr std::string_view kLoaded = "The models that are loaded";
constexpr std::string_view kVersion = "Which version of its API is spoken";
constexpr std::string_view kNot = "Not offered: 501, and what to do instead";
constexpr std::string_view kAi00Chat = "An answer to a conversation, as Ai00 has it";
constexpr std::string_view kAi00Text = "What follows a text, as Ai00 has it";
constexpr std::string_view kAi00Choices = "Which of several texts goes on from an input";
constexpr std::string_view kAi00State = "What a text makes of a state, as numbers";
constexpr std::string_view kAi00Vector = "A text as a vector, as Ai00 has it (experimental)";
constexpr std::string_view kAi00Info = "The first model and the states, as Ai00 has them";
constexpr std::string_view kAi00Adapters = "What the models run on";
constexpr std::string_view kAi00Load = "Loads a model that the server has";
constexpr std::string_view kAi00Unload = "Lets go of models that were loaded on demand";
constexpr std::string_view kAi00Change = "Not offered: 501, as skein convert does it";

constexpr std::string_view kStates =
    "States that have an id: ?ids= (or names), ?kind=, ?limit=, ?after=";
constexpr std::string_view kMakeState = "A state made of a text, messages or ids, or of a file";
constexpr std::string_view kState = "One of them with its text, or as a file";
constexpr std::string_view kChangeState = "Its name, whether it is pinned, how long it is kept";
constexpr std::string_view kRemoveState = "Forgets it; what stands behind it keeps its history";
constexpr std::string_view kForkState = "Another state at the same place";
constexpr std::string_view kAppend = "Reads more behind it, which makes another state";
constexpr std::string_view kStateLog = "The states on the way to it";
constexpr std::string_view kStateDiff = "How two of them differ: ?with=";
constexpr std::string_view kStateStats =
    "How large its numbers are, and their ranks, by layer and head; with ?since= how they changed";
constexpr std::string_view kStateTrace =
    "How much each of its tokens moved it: ?from=, ?to=, ?per=";
constexpr std::string_view kSessions = "Names that move from state to state";
constexpr std::string_view kSession = "Where one stands";
constexpr std::string_view kMoveSession = "Lets it stand elsewhere, if it is as If-Match says";
constexpr std::string_view kRemoveSession = "Forgets the name; the state stays";

constexpr Route kRoutes[] = {
    {"GET", "/", Role::open, false, answer_root, kRoot},
    {"GET", "/assets/{id}", Role::open, false, answer_page_file, kPageFile},
    {"GET", "/favicon.svg", Role::open, false, answer_page_file, kPageFile},
    {"GET", "/favicon.ico", Role::open, false, answer_page_file, kPageFile},
    {"GET", "/sw.js", Role::open, false, answer_page_file, kPageFile},
    {"GET", "/licences.txt", Role::open, false, answer_page_file, kPageFile},
    {"GET", "/ui/boot.json", Role::open, false, answer_boot, kBoot},
    {"GET", "/health", Role::open, false, answer_health, kHealth},
    {"GET", "/v1/health", Role::open, false, answer_health, kHealth},
    {"GET", "/v1/models", Role::read, false, answer_models, kModels},
    {"GET", "/models", Role::read, false, answer_models, kModels},
    {"POST", "/models/load", Role::generate, true, load_model, kLoad},
    {"POST", "/models/unload", Role::admin, true, unload_model, kUnload},
    {"GET", "/v1/models/{id}", Role::read, false, answer_model, kModel},
    {"GET", "/models/{id}", Role::read, false, answer_model, kModel},
    {"POST", "/v1/chat/completions", Role::generate, true, answer_chat, kChat},
    {"POST", "/chat/completions", Role::generate, true, answer_chat, kChat},
    {"POST", "/v1/completions", Role::generate, true, answer_completion, kCompletion},
    {"POST", "/completions", Role::generate, true, answer_either_completion, kCompletion},
    {"POST", "/v1/fim/completions", Role::generate, true, answer_fill_in, kFillIn},
    {"POST", "/v1/responses", Role::generate, true, answer_response, kResponse},
    {"POST", "/responses", Role::generate, true, answer_response, kResponse},
    {"GET", "/v1/responses/{id}/input_items", Role::generate, true, answer_input_items, kInput},
    {"GET", "/responses/{id}/input_items", Role::generate, true, answer_input_items, kInput},
    {"GET", "/v1/responses/{id}", Role::generate, true, answer_stored_response, kStored},
    {"GET", "/responses/{id}", Role::generate, true, answer_stored_response, kStored},
    {"DELETE", "/v1/responses/{id}", Role::generate, true, answer_deletion, kDeletion},
    {"DELETE", "/responses/{id}", Role::generate, true, answer_deletion, kDeletion},
    {"POST", "/v1/messages", Role::generate, true, answer_message, kMessage},
    {"POST", "/v1/messages/count_tokens", Role::read, true, answer_message_count, kCount},
    {"POST", "/v1/embeddings", Role::generate, true, answer_embeddings, kEmbeddings},
    {"POST", "/embeddings", Role::generate, true, answer_embeddings, kEmbeddings},
    {"POST", "/v1/rerank", Role::generate, true, answer_rerank, kRerank},
    {"POST", "/rerank", Role::generate, true, answer_rerank, kRerank},
    {"POST", "/v1/reranking", Role::generate, true, answer_rerank, kRerank},
    {"POST", "/reranking", Role::generate, true, answer_rerank, kRerank},
    {"POST", "/tokenize", Role::read, true, answer_tokenize, kTokenize},
    {"POST", "/detokenize", Role::read, true, answer_detokenize, kDetokenize},
    {"GET", "/tokenizer_info", Role::read, false, answer_tokenizer_info, kInfo},
    {"POST", "/apply-template", Role::read, true, answer_apply_template, kTemplate},
    {"POST", "/completion", Role::generate, true, answer_llama_completion, kLlama},
    {"POST", "/infill", Role::generate, true, answer_infill, kFillIn},
    {"POST", "/embedding", Role::generate, true, answer_llama_embedding, kEmbeddings},
    {"GET", "/props", Role::read, false, answer_props, kProps},
    {"POST", "/props", Role::admin, false, refuse_props, kNot},
    {"GET", "/slots", Role::read, false, answer_slots, kSlots},
    {"POST", "/slots/{id}", Role::state, false, refuse_slot, kNot},
    {"GET", "/lora-adapters", Role::read, false, answer_adapters, kAdapters},
    {"POST", "/lora-adapters", Role::admin, false, refuse_adapters, kNot},
    {"POST", "/api/generate", Role::generate, true, answer_ollama_generate, kGenerate},
    {"POST", "/api/chat", Role::generate, true, answer_ollama_chat, kChat},
    {"POST", "/api/embed", Role::generate, true, answer_ollama_embed, kEmbeddings},
    {"POST", "/api/embeddings", Role::generate, true, answer_ollama_embeddings, kEmbedding},
    {"GET", "/api/tags", Role::read, false, answer_ollama_tags, kModels},
    {"GET", "/api/ps", Role::read, false, answer_ollama_ps, kLoaded},
    {"POST", "/api/show", Role::read, true, answer_ollama_show, kModel},
    {"GET", "/api/version", Role::open, false, answer_ollama_version, kVersion},
    {"POST", "/api/pull", Role::admin, false, refuse_ollama_library, kNot},
    {"POST", "/api/push", Role::admin, false, refuse_ollama_library, kNot},
    {"POST", "/api/create", Role::admin, false, refuse_ollama_library, kNot},
    {"POST", "/api/copy", Role::admin, false, refuse_ollama_library, kNot},
    {"POST", "/api/blobs/{id}", Role::admin, false, refuse_ollama_library, kNot},
    {"DELETE", "/api/delete", Role::admin, false, refuse_ollama_library, kNot},
    {"GET", "/v1/states", Role::state, true, answer_states, kStates},
    {"POST", "/v1/states", Role::state, true, make_state, kMakeState, true},
    {"POST", "/v1/states/{id}/fork", Role::state, true, fork_state, kForkState},
    {"POST", "/v1/states/{id}/append", Role::state, true, append_to_state, kAppend},
    {"GET", "/v1/states/{id}/log", Role::state, true, answer_state_log, kStateLog},
    {"GET", "/v1/states/{id}/diff", Role::state, true, answer_state_diff, kStateDiff},
    {"GET", "/v1/states/{id}/stats", Role::state, true, answer_state_stats, kStateStats},
    {"GET", "/v1/states/{id}/trace", Role::state, true, answer_state_trace, kStateTrace},
    {"GET", "/v1/states/{id}", Role::state, true, answer_state, kState},
    {"PATCH", "/v1/states/{id}", Role::state, true, change_state, kChangeState},
    {"DELETE", "/v1/states/{id}", Role::state, true, remove_state, kRemoveState},
    {"GET", "/v1/sessions", Role::state, true, answer_sessions, kSessions},
    {"GET", "/v1/sessions/{id}", Role::state, true, answer_session, kSession},
    {"PUT", "/v1/sessions/{id}", Role::state, true, move_session, kMoveSession},
    {"DELETE", "/v1/sessions/{id}", Role::state, true, remove_session, kRemoveSession},
    {"GET", "/v1/status", Role::read, false, answer_status, kStatus},
    {"POST", "/v1/bench/race", Role::admin, true, answer_race, kRace},
    {"POST", "/api/oai/v1/chat/completions", Role::generate, true, answer_ai00_chat, kAi00Chat},
    {"POST", "/api/oai/chat/completions", Role::generate, true, answer_ai00_chat, kAi00Chat},
    {"POST", "/api/oai/v1/completions", Role::generate, true, answer_ai00_completion, kAi00Text},
    {"POST", "/api/oai/completions", Role::generate, true, answer_ai00_completion, kAi00Text},
    {"GET", "/api/oai/v1/models", Role::read, false, answer_models, kModels},
    {"GET", "/api/oai/models", Role::read, false, answer_models, kModels},
    {"POST", "/api/oai/v1/chooses", Role::generate, true, answer_ai00_choices, kAi00Choices},
    {"POST", "/api/oai/chooses", Role::generate, true, answer_ai00_choices, kAi00Choices},
    {"POST", "/api/oai/v1/states", Role::state, true, answer_ai00_state, kAi00State},
    {"POST", "/api/oai/states", Role::state, true, answer_ai00_state, kAi00State},
    {"POST", "/api/oai/v1/embeddings", Role::generate, true, answer_embeddings, kEmbeddings},
    {"POST", "/api/oai/embeddings", Role::generate, true, answer_embeddings, kEmbeddings},
    {"POST", "/api/oai/v1/embeds", Role::generate, true, answer_ai00_vector, kAi00Vector},
    {"POST", "/api/oai/embeds", Role::generate, true, answer_ai00_vector, kAi00Vector},
    {"GET", "/api/models/info", Role::state, true, answer_ai00_info, kAi00Info},
    {"GET", "/api/models/list", Role::read, false, answer_ai00_list, kModels},
    {"GET", "/api/adapters", Role::read, false, answer_ai00_adapters, kAi00Adapters},
    {"POST", "/api/models/load", Role::admin, true, answer_ai00_load, kAi00Load},
    {"POST", "/admin/models/load", Role::admin, true, answer_ai00_load, kAi00Load},
    {"POST", "/api/models/unload", Role::admin, true, answer_ai00_unload, kAi00Unload},
    {"POST", "/admin/models/unload", Role::admin, true, answer_ai00_unload, kAi00Unload},
    {"POST", "/api/models/save", Role::admin, true, refuse_ai00_change, kAi00Change},
    {"POST", "/admin/models/save", Role::admin, true, refuse_ai00_change, kAi00Change},
    {"GET", "/metrics", Role::read, false, answer_metrics, kMetrics},
    {"GET", "/openapi.json", Role::open, false, answer_openapi, kOpenApi},
};

// What stands in the place of {id}, or "" where a pattern has none. A name with a slash is written
// with %2F, or it would be another path; models' names have them, and nothing stands behind those.
std::optional<std::string> match(std::string_view pattern, std::string_view path) {
  const size_t brace = pattern.find('{');
  if (brace == std::string_view::npos)
    return pattern == path ? std::optional(std::string()) : std::nullopt;
  const std::string_view behind = pattern.substr(pattern.find('}') + 1);
  if (!path.starts_with(pattern.substr(0, brace)) || !path.ends_with(behind) ||
      path.size() <= brace + behind.size())
    return std::nullopt;
  const std::string_view part = path.substr(brace, path.size() - brace - behind.size());
  if (part.find('/') != std::string_view::npos && !pattern.starts_with("/models/") &&
      !pattern.starts_with("/v1/models/"))
    return std::nullopt;
  return without_percents(part);
}

}  // namespace

std::span<const Route> routes() { return kRoutes; }

Match find_route(std::string_view method, std::string_view path) {
  if (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
  Match out;
  std::string_view pattern;  // the first that fits
  for (const Route& route : kRoutes) {
    if (!pattern.empty() && route.path != pattern) continue;
    auto parameter = match(route.path, path);
    if (!parameter) continue;
    pattern = route.path;
    if (!out.allowed.empty()) out.allowed += ", ";
    out.allowed += route.method;
    if (route.method == "GET") out.allowed += ", HEAD";
    if (route.method != method && !(method == "HEAD" && route.method == "GET")) continue;
    out.route = &route;
    out.parameter = std::move(*parameter);
  }
  return out;
}

}  // namespace skein::server
