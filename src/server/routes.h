// What the server answers: one table. Documents, metrics and the check of keys read it too; a new
// route is a row in routes.cpp.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "server/access.h"
#include "server/site.h"

namespace skein::server {

class Service;

// Answers the exchange now or later. Where `computes`, on a worker's thread.
using Handler = void (*)(Service& service, const std::shared_ptr<Exchange>& exchange);

struct Route {
  std::string_view method;
  std::string_view path;  // one part may be "{id}"; of two that fit the first counts
  Role role = Role::admin;
  bool computes = false;
  Handler handler = nullptr;
  std::string_view summary;
  bool takes_file = false;  // a body may be application/octet-stream, and as long as a state
};

std::span<const Route> routes();
// As an OpenAPI document calls it, "get".
std::string operation_name(const Route& route);

struct Match {
  const Route* route = nullptr;  // null: none of this method
  std::string parameter;         // of the path
  std::string allowed;           // methods of this path, "GET, HEAD"; empty: there is no such path
};
// HEAD is served where GET is. A slash at the end does not count.
Match find_route(std::string_view method, std::string_view path);

// The handlers, by files of server/routes.
void answer_root(Service& service, const std::shared_ptr<Exchange>& exchange);
void answer_page_file(Service& service, const std::shared_ptr<Exchange>& exchange);
void answer_boot(Service& service, const std::shared_ptr<Exchange>& exchange);
void answer_health(Service& service, const std::shared_ptr<Exchange>& exchange);
void answer_models(Service& service, const std::shared_ptr<Exchange>& exchange);
void answer_model(Service& service, const std::shared_ptr<Exchange>& exchange);
void answer_status(Service& service, const std::shared_ptr<Exchange>& exchange);
void answer_race(Service& service, const std::shared_ptr<Exchange>& exchange);
void answer_metrics(Service& service, const std::shared_ptr<Exchange>& exchange);
void answer_openapi(Service& service, const std::shared_ptr<Exchange>& exchange);
void answer_chat(Service& service, const std::shared_ptr<Exchange>& exchange);
void answer_completion(Service& service, const std::shared_ptr<Exchange>& exchange);
void answer_response(Service& service, const std::shared_ptr<Exchange>& exchange);
void answer_stored_response(Service& service, const std::shared_ptr<Exchange>& exchange);
void answer_input_items(Service& service, const std::shared_ptr<Exchange>& exchange);
void answer_deletion(Service& service, const std::shared_ptr<Exchange>& exchange);
void answer_message(Service& service, const std::shared_ptr<Exchange>& exchange);
void answer_message_count(Service& service, const std::shared_ptr<Exchange>& exchange);
void answer_embeddings(Service& service, const std::shared_ptr<Exchange>& exchange);
void answer_rerank(Service& service, const std::shared_ptr<Exchange>& exchange);
void answer_tokenize(Service& service, const std::shared_ptr<Exchange>& exchange);
void answer_detokenize(Service& service, const std::shared_ptr<Exchange>& exchange);
void answer_tokenizer_info(Service& service, const std::shared_ptr<Exchange>& exchange);
void answer_apply_template(Service& service, const std::shared_ptr<Exchange>& exchange);

// llama-server's.
void answer_llama_completion(Service& service, const std::shared_ptr<Exchange>& exchange);
void answer_either_completion(Service& service, const std::shared_ptr<Exchange>& exchange);
void answer_infill(Service& service, const std::shared_ptr<Exchange>& exchange);
void answer_llama_embedding(Service& service, const std::shared_ptr<Exchange>& exchange);
void answer_props(Service& service, const std::shared_ptr<Exchange>& exchange);
void refuse_props(Service& service, const std::shared_ptr<Exchange>& exchange);
void answer_slots(Service& service, const std::shared_ptr<Exchange>& exchange);
void refuse_slot(Service& service, const std::shared_ptr<Exchange>& exchange);
void answer_adapters(Service& service, const std::shared_ptr<Exchange>& exchange);
void refuse_adapters(Service& service, const std::shared_ptr<Exchange>& exchange);
void load_model(Service& service, const std::shared_ptr<Exchange>& exchange);
void unload_model(Service& service, const std::shared_ptr<Exchange>& exchange);
void answer_fill_in(Service& service, const std::shared_ptr<Exchange>& exchange);

// Ollama's.
void answer_ollama_generate(Service& service, const std::shared_ptr<Exchange>& exchange);
void answer_ollama_chat(Service& service, const std::shared_ptr<Exchange>& exchange);
void answer_ollama_embed(Service& service, const std::shared_ptr<Exchange>& exchange);
void answer_ollama_embeddings(Service& service, const std::shared_ptr<Exchange>& exchange);
void answer_ollama_tags(Service& service, const std::shared_ptr<Exchange>& exchange);
void answer_ollama_ps(Service& service, const std::shared_ptr<Exchange>& exchange);
void answer_ollama_show(Service& service, const std::shared_ptr<Exchange>& exchange);
void answer_ollama_version(Service& service, const std::shared_ptr<Exchange>& exchange);
void refuse_ollama_library(Service& service, const std::shared_ptr<Exchange>& exchange);

// Ai00's.
void answer_ai00_chat(Service& service, const std::shared_ptr<Exchange>& exchange);
void answer_ai00_completion(Service& service, const std::shared_ptr<Exchange>& exchange);
void answer_ai00_choices(Service& service, const std::shared_ptr<Exchange>& exchange);
void answer_ai00_state(Service& service, const std::shared_ptr<Exchange>& exchange);
void answer_ai00_vector(Service& service, const std::shared_ptr<Exchange>& exchange);
void answer_ai00_info(Service& service, const std::shared_ptr<Exchange>& exchange);
void answer_ai00_list(Service& service, const std::shared_ptr<Exchange>& exchange);
void answer_ai00_adapters(Service& service, const std::shared_ptr<Exchange>& exchange);
void answer_ai00_load(Service& service, const std::shared_ptr<Exchange>& exchange);
void answer_ai00_unload(Service& service, const std::shared_ptr<Exchange>& exchange);
void refuse_ai00_change(Service& service, const std::shared_ptr<Exchange>& exchange);

void answer_states(Service& service, const std::shared_ptr<Exchange>& exchange);
void make_state(Service& service, const std::shared_ptr<Exchange>& exchange);
void answer_state(Service& service, const std::shared_ptr<Exchange>& exchange);
void change_state(Service& service, const std::shared_ptr<Exchange>& exchange);
void remove_state(Service& service, const std::shared_ptr<Exchange>& exchange);
void fork_state(Service& service, const std::shared_ptr<Exchange>& exchange);
void append_to_state(Service& service, const std::shared_ptr<Exchange>& exchange);
void answer_state_log(Service& service, const std::shared_ptr<Exchange>& exchange);
void answer_state_diff(Service& service, const std::shared_ptr<Exchange>& exchange);
void answer_state_stats(Service& service, const std::shared_ptr<Exchange>& exchange);
void answer_state_trace(Service& service, const std::shared_ptr<Exchange>& exchange);
void answer_sessions(Service& service, const std::shared_ptr<Exchange>& exchange);
void answer_session(Service& service, const std::shared_ptr<Exchange>& exchange);
void move_session(Service& service, const std::shared_ptr<Exchange>& exchange);
void remove_session(Service& service, const std::shared_ptr<Exchange>& exchange);

}  // namespace skein::server
