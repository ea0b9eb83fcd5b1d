#include "cli/sampling_options.h"

#include <algorithm>
#include <limits>
#include <random>

#include "cli/suggest.h"

namespace skein::cli {
namespace {

Status to_id(std::string_view text, int32_t& out) {
  int64_t id = 0;
  SK_TRY_STATUS(convert(text, id));
  if (id < 0 || id > std::numeric_limits<int32_t>::max())
    return fail(Code::argument, "{} is no token id", id);
  out = static_cast<int32_t>(id);
  return {};
}

template <double Sampling::*field>
Status set_number(Sampling& sampling, std::string_view text) {
  SK_TRY_STATUS(convert(text, sampling.*field));
  return validate(sampling);
}
template <double Sampling::*field>
std::string show_number(const Sampling& sampling) {
  return fmt::format("{}", sampling.*field);
}

Status set_top_k(Sampling& sampling, std::string_view text) {
  int64_t value = 0;
  SK_TRY_STATUS(convert(text, value));
  if (value < 0 || value > std::numeric_limits<int32_t>::max())
    return fail(Code::argument, "{} has to be at least 0", value);
  sampling.top_k = static_cast<int32_t>(value);
  return {};
}

Status set_mirostat(Sampling& sampling, std::string_view text) {
  if (text != "0" && text != "2")
    return fail(Code::argument, "\"{}\" is neither 0 nor 2", escaped(text, 40));
  sampling.mirostat = text == "2" ? 2 : 0;
  return {};
}

Status set_order(Sampling& sampling, std::string_view text) {
  SK_TRY(sampling.order, parse_sample_order(text));
  return {};
}

Status set_style(Sampling& sampling, std::string_view text) {
  SK_TRY(sampling.penalty_style, parse_penalty_style(text));
  return {};
}

Status set_seed(Sampling& sampling, std::string_view text) { return convert(text, sampling.seed); }

// ID=B, and like llama.cpp ID+B and ID-B.
Status set_bias(Sampling& sampling, std::string_view text) {
  const size_t sign = text.find_first_of("=+-");
  if (sign == std::string_view::npos || sign == 0)
    return fail(Code::argument, "\"{}\" is not ID=B", escaped(text, 40));
  LogitBias bias;
  SK_TRY_STATUS(to_id(text.substr(0, sign), bias.id));
  SK_TRY_STATUS(convert(text.substr(sign + 1), bias.bias));
  if (text[sign] == '-') bias.bias = -bias.bias;
  sampling.logit_bias.push_back(bias);
  return validate(sampling);
}

Status set_ban(Sampling& sampling, std::string_view text) {
  SK_TRY(const std::vector<int32_t> ids, parse_ids(text));
  sampling.banned.insert(sampling.banned.end(), ids.begin(), ids.end());
  return validate(sampling);
}

constexpr SamplingSetting kSettings[] = {
    {"temp", "T", "temperature; 0: always the likeliest token", false,
     set_number<&Sampling::temperature>, show_number<&Sampling::temperature>},
    {"top-p", "P", "keep the likeliest tokens that together have P; 1: all", false,
     set_number<&Sampling::top_p>, show_number<&Sampling::top_p>},
    {"top-k", "K", "keep the K likeliest tokens; 0: all", false, set_top_k,
     [](const Sampling& s) { return fmt::format("{}", s.top_k); }},
    {"min-p", "P", "keep tokens at least P times as likely as the likeliest; 0: all", false,
     set_number<&Sampling::min_p>, show_number<&Sampling::min_p>},
    {"typical", "P", "keep the most typical tokens that together have P; 1: all", false,
     set_number<&Sampling::typical_p>, show_number<&Sampling::typical_p>},
    {"mirostat", "N", "2: mirostat 2 instead of the four above; 0: off", false, set_mirostat,
     [](const Sampling& s) { return fmt::format("{}", s.mirostat); }},
    {"mirostat-tau", "BITS", "the surprise mirostat aims at", false,
     set_number<&Sampling::mirostat_tau>, show_number<&Sampling::mirostat_tau>},
    {"mirostat-eta", "E", "how fast mirostat learns", false, set_number<&Sampling::mirostat_eta>,
     show_number<&Sampling::mirostat_eta>},
    {"presence-penalty", "X", "off the logit of a token that stands in the answer", false,
     set_number<&Sampling::presence>, show_number<&Sampling::presence>},
    {"frequency-penalty", "X", "off the logit for each time a token stands there", false,
     set_number<&Sampling::frequency>, show_number<&Sampling::frequency>},
    {"penalty-decay", "D", "what remains of those counts with each token", false,
     set_number<&Sampling::penalty_decay>, show_number<&Sampling::penalty_decay>},
    {"penalty-style", "NAME", "how penalties count: skein, rwkv-pip, ai00 or openai", false,
     set_style, [](const Sampling& s) { return std::string(penalty_style_name(s.penalty_style)); }},
    {"repeat-penalty", "X", "divides the logits of tokens that stand in the answer; 1: off", false,
     set_number<&Sampling::repetition>, show_number<&Sampling::repetition>},
    {"order", "NAME", "rwkv: the temperature acts after top-p; openai: before it", false, set_order,
     [](const Sampling& s) { return std::string(sample_order_name(s.order)); }},
    {"logit-bias", "ID=B", "add B to the logit of a token; may stand several times", true, set_bias,
     [](const Sampling& s) {
       std::string out;
       for (const LogitBias& one : s.logit_bias)
         out += fmt::format("{}{}={}", out.empty() ? "" : " ", one.id, one.bias);
       return out;
     }},
    {"ban", "ID", "never draw these tokens; may stand several times", true, set_ban,
     [](const Sampling& s) {
       std::string out;
       for (const int32_t id : s.banned) out += fmt::format("{}{}", out.empty() ? "" : ",", id);
       return out;
     }},
    {"seed", "N", "of the random numbers; without one, or -1, another answer each time", false,
     set_seed, [](const Sampling& s) { return fmt::format("{}", s.seed); }},
};

// What people write instead in other programs.
constexpr std::pair<std::string_view, std::string_view> kSynonyms[] = {
    {"temperature", "temp"},          {"typical-p", "typical"},
    {"presence", "presence-penalty"}, {"frequency", "frequency-penalty"},
    {"decay", "penalty-decay"},       {"repetition", "repeat-penalty"},
};

}  // namespace

std::span<const SamplingSetting> sampling_settings() { return kSettings; }

void SamplingOptions::declare(Options& options) {
  options.section("Sampling");
  for (const SamplingSetting& setting : kSettings) {
    std::vector<std::string> unused;
    Option& option =
        options.value("--" + std::string(setting.name), unused, setting.placeholder, setting.help);
    option.repeats = setting.repeats;
    option.assign = [this, &setting](std::string_view text) { return set(setting.name, text); };
  }
  options.section("Options");
}

Status SamplingOptions::set(std::string_view name, std::string_view value) {
  std::string plain(name);
  std::replace(plain.begin(), plain.end(), '_', '-');
  for (const auto& [synonym, meant] : kSynonyms)
    if (plain == synonym) plain = meant;
  const auto found =
      std::find_if(std::begin(kSettings), std::end(kSettings),
                   [&](const SamplingSetting& setting) { return setting.name == plain; });
  if (found == std::end(kSettings)) {
    std::vector<std::string> known;
    for (const SamplingSetting& setting : kSettings) known.emplace_back(setting.name);
    return fail(Code::argument, "there is no setting {}{}", escaped(name, 40),
                did_you_mean(plain, known));
  }
  if (found->name == "seed" && value == "-1") {  // llama.cpp's for none
    std::erase_if(given_, [&](const auto& one) { return one.first == found; });
    return {};
  }
  Sampling trial;
  SK_TRY_STATUS(found->set(trial, value));
  if (!found->repeats) std::erase_if(given_, [&](const auto& one) { return one.first == found; });
  given_.emplace_back(found, value);
  return {};
}

bool SamplingOptions::has(std::string_view name) const {
  return std::any_of(given_.begin(), given_.end(),
                     [&](const auto& one) { return one.first->name == name; });
}

Result<Sampling> SamplingOptions::sampling(const text::Profile& profile,
                                           text::ThinkMode mode) const {
  Sampling sampling = sampling_of(profile.sampler_for(mode));
  if (!has_seed()) {
    std::random_device random;
    sampling.seed = random();  // 32 bits, so that it can be read out and typed again
  }
  for (const auto& [setting, value] : given_) SK_TRY_STATUS(setting->set(sampling, value));
  return sampling;
}

void SamplingOptions::write(JsonWriter& json) const {
  static constexpr std::pair<std::string_view, std::string_view> kOthers[] = {
      {"temp", "temperature"}, {"typical", "typical_p"}, {"order", "sample_order"}};
  std::vector<LogitBias> biases, bans;
  for (const auto& [setting, value] : given_) {
    if (setting->repeats) {
      constexpr double kBan = -100;  // as that API has it
      Sampling one;
      if (!setting->set(one, value)) continue;
      biases.insert(biases.end(), one.logit_bias.begin(), one.logit_bias.end());
      for (const int32_t id : one.banned) bans.push_back({id, kBan});
      continue;
    }
    std::string name(setting->name);
    std::replace(name.begin(), name.end(), '-', '_');
    for (const auto& [ours, theirs] : kOthers)
      if (setting->name == ours) name = theirs;
    if (int64_t whole = 0; convert(value, whole))
      json.member(name, whole);
    else if (double number = 0; convert(value, number))
      json.member(name, number);
    else
      json.member(name, value);
  }
  biases.insert(biases.end(), bans.begin(), bans.end());  // what is banned stays so
  if (biases.empty()) return;
  json.key("logit_bias").begin_object();
  for (size_t i = 0; i < biases.size(); ++i) {
    const auto later = [&](const LogitBias& one) { return one.id == biases[i].id; };
    const auto rest = biases.begin() + static_cast<std::ptrdiff_t>(i) + 1;
    if (std::none_of(rest, biases.end(), later))
      json.member(fmt::format("{}", biases[i].id), biases[i].bias);
  }
  json.end_object();
}

void declare_draft(Options& options, int64_t& draft) {
  options
      .value("--draft", draft, "N",
             "guess up to N tokens from repetitions and read them in one pass; the text is the "
             "same; 0: off")
      .range(0, Lookahead::kMostGuesses);
}

Result<std::vector<int32_t>> parse_ids(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r\n";
  const auto skip_blanks = [&] {
    text.remove_prefix(std::min(text.find_first_not_of(kBlanks), text.size()));
  };
  std::vector<int32_t> ids;
  bool comma = false;  // the last thing read
  for (skip_blanks(); !text.empty(); skip_blanks()) {
    if (text.front() == ',') {
      if (comma || ids.empty()) break;
      comma = true;
      text.remove_prefix(1);
      continue;
    }
    comma = false;
    const size_t end = std::min(text.find_first_of(", \t\r\n"), text.size());
    SK_TRY_STATUS(to_id(text.substr(0, end), ids.emplace_back()));
    text.remove_prefix(end);
  }
  if (comma || !text.empty())
    return fail(Code::argument, "a list of token ids has a comma with no id beside it");
  if (ids.empty()) return fail(Code::argument, "a list of token ids is empty");
  return ids;
}

}  // namespace skein::cli
