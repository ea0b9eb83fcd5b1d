// How one kind of model is talked to: names, separators, thinking, stops, sampling. One table.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "text/tokenizer.h"

namespace skein::text {

// What the prompt does about thinking. The length words belong to the user's text.
enum class ThinkMode : uint8_t {
  none,   // Assistant:
  fake,   // an empty thought, the default of G1 for speed
  free,   // the model thinks as long as it likes
  bit,    // " (think a bit)"
  think,  // " (think)"
  lot,    // " (think a lot)"
  zh,     // a thought begun in Chinese
};

std::string_view think_mode_name(ThinkMode mode);
std::optional<ThinkMode> think_mode_by_name(std::string_view name);

enum class StopPolicy : uint8_t {
  none,        // only the stop strings asked for: raw completion
  blank_line,  // the first blank line ends a turn
  role,        // a line that begins with a role name and a colon ends it
  token,       // only a token that means the end (Tokenizer::ends), and no text
  tentative,   // a blank line ends it if the model goes on with a role name
};

std::string_view stop_policy_name(StopPolicy policy);
std::optional<StopPolicy> stop_policy_by_name(std::string_view name);

// Starting values for a sampler. top_p 0 is greedy, top_k 0 is off.
struct SamplerDefaults {
  float temperature = 1;
  float top_p = 1;
  int32_t top_k = 0;
  float presence = 0;
  float frequency = 0;
  float decay = 0.996f;
};

struct Profile {
  std::string_view name;   // what --template and --profile take
  std::string_view about;  // one line for a list

  // A turn is `name: text` and ends with a blank line, or it stands between the two special tokens
  // below. Without a user name there is no template: the text goes to the model as it is.
  std::string_view user;
  std::string_view assistant;
  std::string_view system;    // empty: a system text stands before the first turn without a name
  std::string_view preamble;  // stands there when no system text was given
  // What a question is about: a part of its own after the question, or, without a name, before it.
  std::string_view material = {};
  std::string_view turn_begin = {};  // "<|im_start|>", then the name on a line of its own
  std::string_view turn_end = {};    // "<|im_end|>", then a line end

  std::span<const std::string_view> role_words;  // what a turn may begin with
  std::span<const ThinkMode> think_modes;        // those the model knows; none is always one
  ThinkMode think = ThinkMode::none;             // unless asked otherwise
  StopPolicy stop = StopPolicy::none;
  SamplerDefaults sampler;
  SamplerDefaults thinking_sampler;  // for every mode but none and fake

  bool leading_end_of_text = false;  // a fresh sequence begins with id 0
  // Whether Tokenizer::blank_line_is_two counts; not for texts that are no prompt of ours.
  bool split_last_blank_line = false;

  bool has_template() const { return !user.empty(); }
  bool has_turn_tokens() const { return !turn_begin.empty(); }
  bool supports(ThinkMode mode) const;
  const SamplerDefaults& sampler_for(ThinkMode mode) const;
};

std::span<const Profile> profiles();

// nullptr: no profile has this name.
const Profile* profile_by_name(std::string_view name);

// What is known of a model when its profile is chosen.
struct ProfileHints {
  int64_t rows = 0;                      // of the head
  std::string_view file_name;            // tells apart kinds of models that share the rows
  const Tokenizer* tokenizer = nullptr;  // its special tokens, if it was found
  std::string_view chat_template;        // the model's own, never run: only looked at
};
const Profile& default_profile(const ProfileHints& hints);

// Whether the next token begins somebody's turn or ends the document, by more than half of the
// probability: what StopPolicy::tentative asks at a blank line. `probabilities` by id.
bool role_holds_mass(std::span<const float> probabilities, const Tokenizer& tokenizer,
                     const Profile& profile);

}  // namespace skein::text
