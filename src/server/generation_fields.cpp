// What requests for a chat's answer and for a text's continuation have in common.
#include <charconv>
#include <limits>
#include <utility>

#include "base/limits.h"
#include "server/generation_request.h"

namespace skein::server {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// Whether a field says something: not null, false, 0, "", [] or {}.
bool says_something(const Json& value) {
  if (!value || value.is_null()) return false;
  if (const auto flag = value.boolean()) return *flag;
  if (const auto text = value.string()) return !text->empty();
  if (const auto array = value.array()) return !array->empty();
  if (const auto object = value.object()) return !object->empty();
  double number = 0;
  return !value.number(number) || number != 0;
}

// Fields that would change the answer and that nothing here understands yet.
constexpr std::pair<std::string_view, std::string_view> kNotOffered[] = {
    {"functions", "functions are called tools now: send tools and tool_choice"},
    {"format", "format is Ollama's; response_format says the same here"},
    {"presystem", "another preamble is not offered"},
    {"dry_multiplier", "this sampler is not offered"},
    {"xtc_probability", "this sampler is not offered"},
    {"min_tokens", "a least number of tokens is not offered"},
    {"bad_words", "banned words are not offered; logit_bias bans tokens"},
    {"include_stop_str_in_output", "a stop string is never part of the answer"},
};

void decline(Fields& fields) {
  for (const auto& [name, why] : kNotOffered)
    if (says_something(fields.find(name))) fields.decline(name, std::string(why));
  if (const Json call = fields.find("function_call");
      says_something(call) && call.string() != "none" && call.string() != "auto")
    fields.decline("function_call", "function_call is called tool_choice now");
}

template <typename T>
void set(T& target, std::optional<T> value) {
  if (value) target = *value;
}

// Whether the request has a seed of its own.
bool read_sampler(Fields& fields, Sampling& sampling) {
  set(sampling.temperature, fields.number("temperature", 0, 100));
  if (const auto top_p = fields.number("top_p", 0, 1)) {
    if (*top_p > 0)
      sampling.top_p = *top_p;
    else
      fields.refuse("top_p", "top_p has to be above 0; temperature 0 takes the likeliest token");
  }
  if (const auto top_k = fields.integer("top_k", -1, std::numeric_limits<int32_t>::max()))
    sampling.top_k = static_cast<int32_t>(std::max<int64_t>(*top_k, 0));
  set(sampling.min_p, fields.number("min_p", 0, 1));
  for (const std::string_view name : {"typical", "typical_p"})
    set(sampling.typical_p, fields.number(name, 1e-6, 1));
  set(sampling.presence, fields.number("presence_penalty", -100, 100));
  set(sampling.frequency, fields.number("frequency_penalty", -100, 100));
  set(sampling.penalty_decay, fields.number("penalty_decay", 0, 1));
  for (const std::string_view name : {"repeat_penalty", "repetition_penalty"})
    set(sampling.repetition, fields.number(name, 1e-3, 1e3));
  if (const auto mirostat = fields.integer("mirostat", 0, 2)) {
    sampling.mirostat = static_cast<int>(*mirostat);
    if (*mirostat == 1) fields.decline("mirostat", "mirostat 1 is not offered; 2 is");
  }
  set(sampling.mirostat_tau, fields.number("mirostat_tau", 1e-6, 1e3));
  set(sampling.mirostat_eta, fields.number("mirostat_eta", 0, 1e3));
  const auto seed = fields.integer("seed", INT64_MIN, INT64_MAX);
  const bool seeded = seed && *seed != -1;
  if (seeded) sampling.seed = static_cast<uint64_t>(*seed);
  if (const auto order = fields.string("sample_order")) {
    if (const auto parsed = parse_sample_order(*order))
      sampling.order = *parsed;
    else
      fields.refuse("sample_order", parsed.error().message);
  }
  if (const auto style = fields.string("penalty_style")) {
    if (const auto parsed = parse_penalty_style(*style))
      sampling.penalty_style = *parsed;
    else
      fields.refuse("penalty_style", parsed.error().message);
  }
  return seeded;
}

// {"id": bias} or [[id or text, bias or false], ...].
class Biases {
 public:
  Biases(const Served& served, Fields& fields, Sampling& sampling)
      : served_(served), fields_(fields), sampling_(sampling) {}

  void read() {
    const Json all = fields_.find("logit_bias");
    if (!all) return;
    const auto object = all.object();
    const auto array = all.array();
    if (!object && !array) return refuse("logit_bias has to be an object or a list of pairs");
    if ((object ? object->size() : array->size()) > limits::kLogitBias)
      return refuse(fmt::format("logit_bias has more than {} entries", limits::kLogitBias));
    if (object)
      for (const auto& [key, value] : *object) add_key(key, value);
    else
      for (const Json& pair : *array) add_pair(pair);
  }

 private:
  void refuse(std::string why) { fields_.refuse("logit_bias", std::move(why)); }

  void add_key(std::string_view key, const Json& value) {
    int64_t id = -1;
    const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), id);
    if (error != std::errc() || end != key.data() + key.size())
      return refuse(fmt::format("\"{}\" is no token id", escaped(key, 40)));
    add(id, value);
  }

  void add_pair(const Json& pair) {
    const auto two = pair.array();
    if (!two || two->size() != 2) return refuse("an entry of logit_bias is no pair");
    const Json what = two->front(), value = (*two)[1];
    int64_t id = -1;
    if (what.integer(id)) return add(id, value);
    const auto text = what.string();
    if (!text) return refuse("an entry of logit_bias begins with no id and no text");
    const auto ids = served_.host->tokenizer().encode(*text);
    if (!ids) return refuse(ids.error().message);
    for (const int32_t each : *ids) add(each, value);
  }

  void add(int64_t id, const Json& value) {
    if (id < 0 || id >= served_.host->model().vocab())
      return refuse(fmt::format("{} is no token of this model, which has {}", id,
                                served_.host->model().vocab()));
    double bias = 0;
    if (value.boolean() == false)
      bias = -kInfinity;
    else if (!value.number(bias) || bias < -1000 || bias > 1000)
      return refuse("a bias has to be a number from -1000 to 1000, or false");
    sampling_.logit_bias.push_back({static_cast<int32_t>(id), bias});
  }

  const Served& served_;
  Fields& fields_;
  Sampling& sampling_;
};

void read_stops(const Served& served, Fields& fields, GenerateOptions& options) {
  if (const Json stop = fields.find("stop")) {
    std::vector<std::string>& strings = options.stops.stop_strings;
    if (const auto one = stop.string())
      strings.emplace_back(*one);
    else if (const auto list = stop.array(); list && list->size() <= limits::kStopStrings)
      for (const Json& each : *list)
        each.string() ? static_cast<void>(strings.emplace_back(*each.string()))
                      : fields.refuse("stop", "a stop is no string");
    else
      fields.refuse("stop", list ? fmt::format("more than {} stop strings", limits::kStopStrings)
                                 : "stop has to be a string or a list of strings");
    if (const auto made = text::StopMatcher::create(options.stops); !made)
      fields.refuse("stop", made.error().message);
  }
  if (const Json list = fields.find("stop_token_ids")) {
    const auto ids = list.array();
    if (!ids || ids->size() > limits::kLogitBias)
      return fields.refuse("stop_token_ids", "stop_token_ids has to be a short list of ids");
    for (const Json& each : *ids) {
      int64_t id = 0;
      if (!each.integer(id) || id < 0 || id >= served.host->model().vocab())
        return fields.refuse("stop_token_ids", "stop_token_ids names no token of this model");
      options.ends.push_back(static_cast<int32_t>(id));
    }
  }
}

}  // namespace

Asked<CommonFields> read_common_fields(const Served& served, const Defaults& defaults,
                                       text::ThinkMode think, Fields& fields) {
  decline(fields);
  CommonFields out;
  const text::Profile* profile = served.profile;
  if (const auto name = fields.string("profile")) {
    profile = text::profile_by_name(*name);
    if (!profile)
      return refused(fmt::format("there is no profile \"{}\"", escaped(*name, 40)), "profile");
  }
  auto sampling = served.sampling(*profile, think);
  if (!sampling) return tl::unexpected(api_error(sampling.error()));
  out.sampling = std::move(*sampling);
  out.seeded = read_sampler(fields, out.sampling);
  Biases(served, fields, out.sampling).read();
  if (fields.flag("ignore_eos", false)) {
    const auto ends = served.host->tokenizer().ends();
    out.sampling.banned.insert(out.sampling.banned.end(), ends.begin(), ends.end());
  }
  read_stops(served, fields, out.options);
  out.options.fingerprint = false;
  out.choices = static_cast<size_t>(
      fields.integer("n", 1, static_cast<int64_t>(limits::kChoices)).value_or(1));
  out.shared = !fields.flag("no_cache", false) && fields.flag("cache_prompt", true);
  out.stream = fields.flag("stream", false);
  if (const Json more = fields.find("stream_options")) {
    Fields inside(more);
    if (!more.object())
      fields.refuse("stream_options", "stream_options has to be an object");
    else
      out.include_usage = inside.flag("include_usage", false);
    if (inside.error()) fields.refuse("stream_options.include_usage", inside.error()->message);
  }
  out.ping_seconds = fields.integer("sse_ping_interval", 0, 3600).value_or(defaults.ping_seconds);
  if (fields.error()) return tl::unexpected(*fields.error());
  if (auto sampler = Sampler::create(out.sampling, served.host->traits()); !sampler)
    return tl::unexpected(api_error(sampler.error()));
  return out;
}

}  // namespace skein::server
