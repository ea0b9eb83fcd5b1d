#include "server/routes/llama_settings.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace skein::server {
namespace {

enum class Part : uint8_t { penalties, top_k, typical_p, top_p, min_p, temperature, other };

struct Name {
  std::string_view name;
  char letter;  // 0: none
  Part part;
};
constexpr Name kNames[] = {
    {"penalties", 'e', Part::penalties}, {"top_k", 'k', Part::top_k},
    {"typ_p", 'y', Part::typical_p},     {"typical_p", 0, Part::typical_p},
    {"typical", 0, Part::typical_p},     {"top_p", 'p', Part::top_p},
    {"min_p", 'm', Part::min_p},         {"temperature", 't', Part::temperature},
    {"temp", 0, Part::temperature},
};

// Names that mean nothing here are of samplers that are off, or their fields would be refused.
std::vector<Part> parts_of(Fields& fields, const Json& given) {
  std::vector<Part> out;
  const auto add = [&](auto is_it) {
    const auto found = std::find_if(std::begin(kNames), std::end(kNames), is_it);
    out.push_back(found == std::end(kNames) ? Part::other : found->part);
  };
  if (const auto letters = given.string())
    for (const char letter : *letters) add([&](const Name& one) { return one.letter == letter; });
  else if (const auto list = given.array())
    for (const Json& each : *list) {
      const auto name = each.string();
      if (!name) fields.refuse("samplers", "samplers has to be a list of names");
      add([&](const Name& one) { return one.name == name; });
    }
  else
    fields.refuse("samplers", "samplers has to be a list of names, or a string of their letters");
  return out;
}

}  // namespace

void read_samplers(Fields& fields, Sampling& sampling) {
  const Json given = fields.find("samplers");
  if (!given) return;
  const std::vector<Part> parts = parts_of(fields, given);
  if (parts.empty()) return;
  const auto has = [&](Part part) {
    return std::find(parts.begin(), parts.end(), part) != parts.end();
  };
  if (!has(Part::penalties)) {
    sampling.presence = sampling.frequency = 0;
    sampling.repetition = 1;
  }
  if (!has(Part::top_k)) sampling.top_k = 0;
  if (!has(Part::typical_p)) sampling.typical_p = 1;
  if (!has(Part::top_p)) sampling.top_p = 1;
  if (!has(Part::min_p)) sampling.min_p = 0;
  if (!has(Part::temperature) && sampling.temperature != 0) sampling.temperature = 1;
  bool before = false, behind = false, past = false;  // what cuts, seen from the temperature
  for (const Part part : parts) {
    past = past || part == Part::temperature;
    // The likeliest k are the same at every temperature.
    if (part != Part::typical_p && part != Part::top_p && part != Part::min_p) continue;
    (past ? behind : before) = true;
  }
  if (!past || (!before && !behind)) return;
  if (before && behind)
    fields.decline("samplers",
                   "the temperature acts before top_p, min_p and typ_p or behind all of them");
  sampling.order = before ? SampleOrder::rwkv : SampleOrder::openai;
}

void write_settings(JsonWriter& json, const Sampling& sampling, const GenerateOptions& options) {
  json.member("n_predict", options.max_tokens).member("max_tokens", options.max_tokens);
  json.member("seed", sampling.seed).member("temperature", sampling.temperature);
  json.member("top_k", int64_t{sampling.top_k}).member("top_p", sampling.top_p);
  json.member("min_p", sampling.min_p).member("typical_p", sampling.typical_p);
  json.member("repeat_penalty", sampling.repetition);
  json.member("presence_penalty", sampling.presence);
  json.member("frequency_penalty", sampling.frequency);
  json.member("penalty_decay", sampling.penalty_decay);
  json.member("mirostat", sampling.mirostat).member("mirostat_tau", sampling.mirostat_tau);
  json.member("mirostat_eta", sampling.mirostat_eta);
  json.key("stop").begin_array();
  for (const std::string& stop : options.stops.stop_strings) json.value(stop);
  json.end_array().key("samplers").begin_array().value("penalties");
  if (sampling.order == SampleOrder::openai) json.value("temperature");
  for (const char* name : {"top_p", "top_k", "min_p", "typ_p"}) json.value(name);
  if (sampling.order == SampleOrder::rwkv) json.value("temperature");
  json.end_array();
}

}  // namespace skein::server
