// Token bytes on their way to a reader: however they are cut, the pieces add up to the whole, and
// each piece is valid UTF-8 (F11). The stop matcher stands on the same way: what it shows must not
// depend on the cuts either, and its account of the tokens must be exact.
//
// The first bytes choose the matcher's options, one byte the stop string's length; of the rest a
// byte 0xfe ends a token.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "fuzz/oracle.h"
#include "text/stops.h"
#include "text/unicode.h"
#include "text/utf8_stream.h"

namespace {

using namespace skein::text;
using skein::fuzz::require;

constexpr size_t kNone = std::string_view::npos;
constexpr std::string_view kRoles[] = {"User", "A"};
constexpr std::string_view kOpenings[] = {"", " <think", " <think>\n</think", " <think>\u55ef"};
constexpr StopPolicy kPolicies[] = {StopPolicy::none, StopPolicy::blank_line, StopPolicy::role,
                                    StopPolicy::tentative};

struct Shown {
  std::string thinking;
  std::string text;
  bool stopped = false;
};

Shown shown(const StopOptions& options, const std::vector<std::string>& tokens) {
  auto made = StopMatcher::create(options);
  require(made.has_value());
  StopMatcher matcher = std::move(*made);
  Shown out;
  std::string pushed;
  size_t certain = 0, count = 0;
  const auto take = [&](const StopMatcher::Step& step) {
    out.thinking += step.thinking;
    out.text += step.text;
    require(matcher.restore_point() >= certain);
    certain = matcher.restore_point();
  };
  for (const std::string& token : tokens) {
    pushed += token;
    ++count;
    const auto step = matcher.push(token);
    take(step);
    if (step.decision == Decision::ask) take(matcher.resolve(false));
    if (matcher.stopped()) break;
  }
  out.stopped = matcher.stopped();
  if (!out.stopped) take(matcher.finish());

  require(certain <= count);
  std::string account;
  for (size_t n = 0; n < certain; ++n) account += tokens[n];
  account += matcher.remainder();
  if (!options.chat) require(account == out.text);
  account += matcher.overshoot();
  require(account == pushed);
  return out;
}

std::string streamed(const std::vector<std::string>& tokens) {
  Utf8Stream stream;
  std::string out;
  for (const std::string& token : tokens) {
    const std::string piece = stream.push(token);
    require(first_invalid_utf8(piece) == kNone);
    require(stream.pending().size() <= 3);
    out += piece;
  }
  const std::string end = stream.flush();
  require(first_invalid_utf8(end) == kNone);
  return out + end;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  std::string_view input(reinterpret_cast<const char*>(data), size);
  StopOptions options;
  options.role_words = kRoles;
  options.policy = kPolicies[data[0] & 3];
  options.opening = kOpenings[data[0] >> 2 & 3];
  options.chat = (data[0] & 16) != 0;
  const std::string_view stop = input.substr(2, data[1]);
  input.remove_prefix(2 + stop.size());
  if (!stop.empty() && first_invalid_utf8(stop) == kNone) options.stop_strings.emplace_back(stop);

  std::vector<std::string> tokens(1), letters;
  std::string whole;
  for (const char c : input) {
    if (static_cast<unsigned char>(c) == 0xfe) {
      tokens.emplace_back();
      continue;
    }
    tokens.back() += c;
    letters.emplace_back(1, c);
    whole += c;
  }
  require(streamed(tokens) == streamed({whole}));
  require(streamed(letters) == streamed({whole}));
  if (first_invalid_utf8(whole) == kNone) require(streamed(letters) == whole);

  const Shown once = shown(options, {whole});
  for (const auto& cut : {tokens, letters}) {
    const Shown other = shown(options, cut);
    require(other.stopped == once.stopped);
    require(other.text == once.text && other.thinking == once.thinking);
  }
  return 0;
}
