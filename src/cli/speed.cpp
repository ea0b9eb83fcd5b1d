#include "cli/speed.h"

#include <algorithm>

#include "base/platform.h"
#include "cli/progress.h"

namespace skein::cli {
namespace {

// "1 token", "2 tokens".
std::string tokens_text(int64_t count) {
  return fmt::format("{} token{}", count, count == 1 ? "" : "s");
}

double rate(double tokens, double seconds) { return seconds > 0 ? tokens / seconds : 0; }

std::string speed_sentence(const Speed& speed) {
  std::string out = tokens_text(speed.tokens);
  const double tokens_per_second = speed.tokens_per_second();
  if (tokens_per_second > 0)
    out += fmt::format(" at {:.{}f} tokens/s", tokens_per_second, tokens_per_second < 100 ? 1 : 0);
  if (speed.drafted > 0)
    out += fmt::format(", {} of {} guesses right", speed.accepted, speed.drafted);
  if (speed.prompt_tokens == 0) return out;
  if (speed.tokens == 0)
    return out + fmt::format("; {} read in {:.2f} s",
                             tokens_text(static_cast<int64_t>(speed.prompt_tokens)),
                             speed.prompt_seconds);
  return out + fmt::format("; the first came after {:.2f} s, in which {} {} read",
                           speed.prompt_seconds, speed.prompt_tokens,
                           speed.prompt_tokens == 1 ? "was" : "were");
}

std::string speed_line(const Speed& speed, Model& model) {
  std::string line = "peak memory " + bytes_text(static_cast<double>(peak_resident_bytes()));
  if (speed.prompt_tokens > 0)
    line += fmt::format(", read at {:.0f} tokens/s",
                        rate(static_cast<double>(speed.prompt_tokens), speed.prompt_seconds));
  // A pass over the weights may have brought several tokens.
  const ModelInfo& info = model.info();
  const double rough_share =
      static_cast<double>(speed.rough) / static_cast<double>(std::max<int64_t>(speed.tokens, 1));
  // What the second plane saved, less the rows of the head that were read all the same.
  const auto head = static_cast<double>(info.second_plane_bytes + info.second_plane_saves);
  const double saved = static_cast<double>(info.second_plane_saves) - speed.exact_share * head;
  const double bytes_per_second =
      (static_cast<double>(info.bytes_per_token) - rough_share * saved) * speed.passes_per_second();
  if (bytes_per_second > 0) line += ", " + rate_text(bytes_per_second);
  if (const double limit = model.measure_limits(3).read_bandwidth;
      limit > 0 && bytes_per_second > 0)
    line += fmt::format(", {:.0f} % of read bandwidth", 100 * bytes_per_second / limit);
  if (speed.rough > 0)
    line += fmt::format(", {} by a two-plane head ({:.{}f} % of its rows read exactly)",
                        tokens_text(speed.rough), 100 * speed.exact_share,
                        speed.exact_share < 0.1 ? 2 : 0);
  if (speed.fingerprint) line += fmt::format(", logits {:016x}", *speed.fingerprint);
  return line;
}

}  // namespace

Speed speed_of(const Reply& reply) {
  return {.prompt_tokens = reply.prompt_tokens,
          .prompt_seconds = reply.prompt_seconds,
          .tokens = reply.tokens,
          .seconds = reply.seconds,
          .fingerprint = reply.fingerprint,
          .rough = reply.rough,
          .exact_share = reply.exact_share,
          .drafted = reply.drafted,
          .accepted = reply.accepted};
}

std::string speed_text(const Speed& speed, Model& model, bool all) {
  std::string out = speed_sentence(speed);
  return all ? out + "\n" + speed_line(speed, model) : out;
}

void write_speed(JsonWriter& json, const Speed& speed) {
  json.key("usage").begin_object();
  json.member("prompt_tokens", static_cast<uint64_t>(speed.prompt_tokens));
  json.member("completion_tokens", speed.tokens);
  json.member("drafted_tokens", speed.drafted);
  json.member("accepted_tokens", speed.accepted);
  json.member("two_plane_tokens", speed.rough);
  json.end_object();
  json.key("speed").begin_object();
  json.member("prompt_tokens_per_second",
              rate(static_cast<double>(speed.prompt_tokens), speed.prompt_seconds));
  json.member("tokens_per_second", speed.tokens_per_second());
  json.member("peak_resident_bytes", peak_resident_bytes());
  json.end_object();
  json.key("fingerprint");
  if (speed.fingerprint)
    json.value(fmt::format("{:016x}", *speed.fingerprint));
  else
    json.null();
}

}  // namespace skein::cli
