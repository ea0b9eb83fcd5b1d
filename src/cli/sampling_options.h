// The sampling settings, one table: flags of `complete` and `run`, and /set and /show in a chat.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "cli/options.h"
#include "run/generate.h"
#include "text/profile.h"

namespace skein::cli {

struct SamplingSetting {
  std::string_view name;  // of the flag and of /set: "top-p"
  std::string_view placeholder;
  std::string_view help;
  bool repeats;
  Status (*set)(Sampling&, std::string_view value);
  std::string (*show)(const Sampling&);
};

std::span<const SamplingSetting> sampling_settings();

class SamplingOptions {
 public:
  void declare(Options& options);
  // One more, as if it had stood on the command line. Accepts "top_p" and "temperature" too.
  // Errors: argument (no such setting, with the nearest one; a bad value).
  Status set(std::string_view name, std::string_view value);

  // The profile's values for that way of thinking, and over them what was set. Without a seed one
  // is drawn from the system, another one each time.
  Result<Sampling> sampling(const text::Profile& profile, text::ThinkMode mode) const;
  bool has_seed() const { return has("seed"); }
  bool has(std::string_view name) const;
  // What was set, as members of a request with OpenAI's names, or those of servers like it.
  void write(JsonWriter& json) const;
  // The same for people: "temp" and "0.5".
  std::span<const std::pair<const SamplingSetting*, std::string>> given() const { return given_; }

 private:
  std::vector<std::pair<const SamplingSetting*, std::string>> given_;
};

// --draft N.
void declare_draft(Options& options, int64_t& draft);

// "1,2,3" or "1 2 3": token ids. Error: argument.
Result<std::vector<int32_t>> parse_ids(std::string_view text);

}  // namespace skein::cli
