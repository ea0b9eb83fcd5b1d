#include "text/profile.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

namespace skein::text {
namespace {

constexpr std::pair<ThinkMode, std::string_view> kThinkNames[] = {
    {ThinkMode::none, "none"}, {ThinkMode::fake, "fake"},   {ThinkMode::free, "free"},
    {ThinkMode::bit, "bit"},   {ThinkMode::think, "think"}, {ThinkMode::lot, "lot"},
    {ThinkMode::zh, "zh"},
};

constexpr std::pair<StopPolicy, std::string_view> kStopNames[] = {
    {StopPolicy::none, "none"},           {StopPolicy::blank_line, "blank_line"},
    {StopPolicy::role, "role"},           {StopPolicy::token, "token"},
    {StopPolicy::tentative, "tentative"},
};

constexpr ThinkMode kAllModes[] = {ThinkMode::none, ThinkMode::fake,  ThinkMode::free,
                                   ThinkMode::bit,  ThinkMode::think, ThinkMode::lot,
                                   ThinkMode::zh};
constexpr std::span<const ThinkMode> kNoThinking = std::span(kAllModes).first(1);

constexpr std::string_view kChatWords[] = {"User", "Assistant", "System"};
constexpr std::string_view kQaWords[] = {"Question", "Answer", "User", "Assistant"};
constexpr std::string_view kInstructWords[] = {"Instruction", "Input", "Response"};
constexpr std::string_view kRavenWords[] = {"Bob", "Alice", "User", "Assistant"};

// Official recommendations: the chat demo's, those of the G1 card and of Qwen2.5.
constexpr SamplerDefaults kChat = {1, 0.3f, 0, 0.5f, 0.5f, 0.996f};
constexpr SamplerDefaults kThinking = {1, 0.5f, 100, 0, 0, 0.997f};
constexpr SamplerDefaults kGreedy = {1, 0, 0, 0, 0, 0.996f};
constexpr SamplerDefaults kQwen = {0.7f, 0.8f, 20, 0, 0, 0.996f};
constexpr SamplerDefaults kCompletion = {1, 0.85f, 0, 0.2f, 0.2f, 0.996f};

constexpr std::string_view kTurnBegin = "<|im_start|>";
constexpr std::string_view kTurnEnd = "<|im_end|>";
constexpr std::string_view kQwenSystem =
    "You are Qwen, created by Alibaba Cloud. You are a helpful assistant.";

constexpr Profile kProfiles[] = {
    {.name = "g1",
     .about = "RWKV-7 G series: User and Assistant, can think",
     .user = "User",
     .assistant = "Assistant",
     .system = "System",
     .preamble = "",
     .role_words = kChatWords,
     .think_modes = kAllModes,
     .think = ThinkMode::fake,
     .stop = StopPolicy::tentative,
     .sampler = kChat,
     .thinking_sampler = kThinking},
    {.name = "world",
     .about = "World models: User and Assistant",
     .user = "User",
     .assistant = "Assistant",
     .system = "System",
     .preamble = "",
     .role_words = kChatWords,
     .think_modes = kNoThinking,
     .stop = StopPolicy::tentative,
     .sampler = kChat,
     .thinking_sampler = kChat},
    {.name = "qa",
     .about = "older World models: Question and Answer",
     .user = "Question",
     .assistant = "Answer",
     .system = "",
     .preamble = "",
     .role_words = kQaWords,
     .think_modes = kNoThinking,
     .stop = StopPolicy::blank_line,
     .sampler = kChat,
     .thinking_sampler = kChat},
    {.name = "raven",
     .about = "RWKV-4 Raven and Pile models: Bob and Alice",
     .user = "Bob",
     .assistant = "Alice",
     .system = "",
     .preamble = "Bob and Alice are having a conversation. Bob has questions, and Alice, who is "
                 "well informed and kind, answers each of them correctly and in full.",
     .role_words = kRavenWords,
     .think_modes = kNoThinking,
     .stop = StopPolicy::blank_line,
     .sampler = kChat,
     .thinking_sampler = kChat,
     .split_last_blank_line = true},
    {.name = "instruct",
     .about = "instruction-tuned World and Raven models: Instruction, Input and Response",
     .user = "Instruction",
     .assistant = "Response",
     .system = "",
     .preamble = "",
     .material = "Input",
     .role_words = kInstructWords,
     .think_modes = kNoThinking,
     .stop = StopPolicy::tentative,
     .sampler = kChat,
     .thinking_sampler = kChat,
     .split_last_blank_line = true},
    {.name = "chatml",
     .about = "models grown from Qwen (QRWKV6, ARWKV): turns between <|im_start|> and <|im_end|>",
     .user = "user",
     .assistant = "assistant",
     .system = "system",
     .preamble = "",
     .turn_begin = kTurnBegin,
     .turn_end = kTurnEnd,
     .role_words = {},
     .think_modes = kNoThinking,
     .stop = StopPolicy::token,
     .sampler = kQwen,
     .thinking_sampler = kQwen},
    {.name = "qwen",
     .about = "the same, introduced as Qwen2.5 introduces itself unless a system text is given",
     .user = "user",
     .assistant = "assistant",
     .system = "system",
     .preamble = kQwenSystem,
     .turn_begin = kTurnBegin,
     .turn_end = kTurnEnd,
     .role_words = {},
     .think_modes = kNoThinking,
     .stop = StopPolicy::token,
     .sampler = kQwen,
     .thinking_sampler = kQwen},
    {.name = "bytes",
     .about = "the bundled model and others of 257 ids: User and Assistant",
     .user = "User",
     .assistant = "Assistant",
     .system = "",
     .preamble = "",
     .role_words = kChatWords,
     .think_modes = kNoThinking,
     .stop = StopPolicy::blank_line,
     .sampler = kGreedy,
     .thinking_sampler = kGreedy,
     .leading_end_of_text = true},
    {.name = "plain",
     .about = "no template: the text as it is (music, base models)",
     .user = "",
     .assistant = "",
     .system = "",
     .preamble = "",
     .role_words = {},
     .think_modes = kNoThinking,
     .stop = StopPolicy::none,
     .sampler = kCompletion,
     .thinking_sampler = kCompletion},
};

bool is_letter_or_digit(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

// "g0", "g1", "g1a3" as a word of its own: rwkv7-g1a-0.4b-20250905-ctx4096.pth.
bool names_g_series(std::string_view name) {
  for (size_t n = 0; n + 1 < name.size(); ++n) {
    const bool starts = n == 0 || !is_letter_or_digit(name[n - 1]);
    const bool mark =
        (name[n] == 'g' || name[n] == 'G') && (name[n + 1] == '0' || name[n + 1] == '1');
    const bool more_digits = n + 2 < name.size() && name[n + 2] >= '0' && name[n + 2] <= '9';
    if (starts && mark && !more_digits) return true;
  }
  return false;
}

// The first token of `word:` as the model would write it, or -1 where that token is too short to
// mean the word: the A of "Assistant" begins many an ordinary sentence.
int32_t first_token(const Tokenizer& tokenizer, std::string_view word) {
  constexpr size_t kEnough = 3;
  const auto ids = tokenizer.encode(std::string(word) + ":");
  if (!ids || ids->empty()) return -1;
  const size_t length = tokenizer.bytes_of(ids->front()).size();
  return length >= std::min(kEnough, word.size()) ? ids->front() : -1;
}

}  // namespace

std::string_view think_mode_name(ThinkMode mode) {
  for (const auto& [value, name] : kThinkNames)
    if (value == mode) return name;
  return {};
}

std::optional<ThinkMode> think_mode_by_name(std::string_view name) {
  for (const auto& [value, known] : kThinkNames)
    if (known == name) return value;
  return std::nullopt;
}

std::string_view stop_policy_name(StopPolicy policy) {
  for (const auto& [value, name] : kStopNames)
    if (value == policy) return name;
  return {};
}

std::optional<StopPolicy> stop_policy_by_name(std::string_view name) {
  for (const auto& [value, known] : kStopNames)
    if (known == name) return value;
  return std::nullopt;
}

bool Profile::supports(ThinkMode mode) const {
  return std::find(think_modes.begin(), think_modes.end(), mode) != think_modes.end();
}

const SamplerDefaults& Profile::sampler_for(ThinkMode mode) const {
  const bool thinks = mode != ThinkMode::none && mode != ThinkMode::fake;
  return thinks ? thinking_sampler : sampler;
}

std::span<const Profile> profiles() { return kProfiles; }

const Profile* profile_by_name(std::string_view name) {
  for (const Profile& profile : kProfiles)
    if (profile.name == name) return &profile;
  return nullptr;
}

const Profile& default_profile(const ProfileHints& hints) {
  const bool has_turn_tokens = hints.tokenizer && hints.tokenizer->special_id(kTurnBegin) >= 0 &&
                               hints.tokenizer->special_id(kTurnEnd) >= 0;
  std::string_view name = "plain";
  if (hints.rows == 65536) name = names_g_series(hints.file_name) ? "g1" : "world";
  if (hints.rows == 50277) name = "raven";
  if (hints.rows == 257) name = "bytes";
  if (has_turn_tokens) {
    // Only a template that introduces the model does so: a system text that nobody wrote is words
    // in the user's mouth.
    const bool introduces = hints.chat_template.find(kQwenSystem) != std::string_view::npos;
    name = introduces ? "qwen" : "chatml";
  }
  return *profile_by_name(name);
}

bool role_holds_mass(std::span<const float> probabilities, const Tokenizer& tokenizer,
                     const Profile& profile) {
  std::vector<int32_t> ids(tokenizer.ends().begin(), tokenizer.ends().end());
  for (const std::string_view word : profile.role_words)
    if (const int32_t id = first_token(tokenizer, word); id >= 0) ids.push_back(id);
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  double mass = 0;
  for (const int32_t id : ids)
    if (static_cast<size_t>(id) < probabilities.size())
      mass += static_cast<double>(probabilities[static_cast<size_t>(id)]);
  return mass > 0.5;
}

}  // namespace skein::text
