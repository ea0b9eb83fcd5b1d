// skein template: a conversation as the model sees it.
#include <algorithm>

#include "base/utf8.h"
#include "cli/commands.h"
#include "cli/model_text.h"
#include "cli/suggest.h"
#include "text/template.h"

namespace skein::cli {
namespace {

// Line ends, blanks at their ends and control bytes made visible; a line stays a line.
std::string visible(std::string_view text) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    const char c = text[at];
    const size_t length = std::max<size_t>(utf8_length(text.substr(at)), 1);
    const bool line_ends = at + 1 >= text.size() || text[at + 1] == '\n';
    if (c == '\n')
      out += "\\n\n";
    else if (c == '\\')
      out += "\\\\";
    else if (c == ' ' && line_ends)
      out += "\\x20";
    else
      out += escaped(text.substr(at, length));
    at += length;
  }
  return out;
}

class Template final : public Command {
 public:
  void declare(Options& options) override {
    options.argument("MODEL", model_, "the model; with --profile it may be left out")
        .model()
        .optional();
    std::vector<std::string> names;
    for (const text::Profile& profile : text::profiles()) names.emplace_back(profile.name);
    options.value("--profile", profile_, "NAME", "the template; by default the model's own")
        .one_of(names);
    options.value("--system", system_, "TEXT", "what stands before the conversation");
    options.value("--user", users_, "TEXT", "what the user says; may stand several times");
    options.value("--assistant", answers_, "TEXT",
                  "what was answered, in turn with --user; may stand several times");
    options.value("--material", material_, "TEXT", "what the last --user is about");
    options.value("--fill-prefix", fill_prefix_, "TEXT",
                  "for a text to fill in: what stands before it");
    options.value("--fill-suffix", fill_suffix_, "TEXT", "and what stands after it");
    std::vector<std::string> modes;
    for (const text::ThinkMode mode :
         {text::ThinkMode::none, text::ThinkMode::fake, text::ThinkMode::free, text::ThinkMode::bit,
          text::ThinkMode::think, text::ThinkMode::lot, text::ThinkMode::zh})
      modes.emplace_back(text::think_mode_name(mode));
    options.value("--think", think_, "MODE", "how the model is to think").one_of(modes);
    options.flag("--visible", visible_, "show line ends, control bytes and blanks at line ends");
    options.flag("--tokens", tokens_, "show the ids, one a line, and not the text");
    options.value("--vocab", vocab_, "FILE", "the vocabulary, for --tokens").file();
  }

  int run(Console& console) override {
    const auto status = find_profile();
    if (!status) return console.error(status.error());
    if (answers_.size() > users_.size())
      return console.error({Code::argument, "more --assistant than --user"});
    if (users_.size() > answers_.size() + 1)
      return console.error({Code::argument, "an --assistant is missing between two --user"});
    const bool fills = fill_prefix_ || fill_suffix_;
    if (fills && !users_.empty())
      return console.error(
          {Code::argument, "a text to fill in is no conversation: give one of both"});
    if (!material_.empty() && users_.empty())
      return console.error({Code::argument, "--material needs a --user that asks about it"});
    const text::ThinkMode mode =
        think_.empty() ? profile().think : *text::think_mode_by_name(think_);
    if (!profile().supports(mode))
      console.warn(
          fmt::format("models of the profile {} do not know think mode {}; it acts as none",
                      profile().name, think_));
    if (users_.empty() && !fills) return describe(console, mode);
    const text::Prompt text = fills ? text::Prompt{text::render_fill_in(fill_prefix_.value_or(""),
                                                                        fill_suffix_.value_or(""))}
                                    : text::render(profile(), messages(users_, answers_), mode);
    if (!tokens_ && !console.json()) {
      console.out(visible_ ? visible(text.text) : text.text);
      if (console.stdout_is_terminal()) console.out("\n");
      return kFine;
    }
    return print_tokens(console, text);
  }

 private:
  const text::Profile& profile() const { return *chosen_; }

  Status find_profile() {
    if (!profile_.empty()) {
      chosen_ = text::profile_by_name(profile_);
      if (model_.empty()) return {};
    } else if (model_.empty()) {
      return fail(Code::argument, "MODEL is missing; a template alone can be named with --profile");
    }
    auto tools = open_text(model_, vocab_);
    // The template does not need a vocabulary; what is wrong with it matters for --tokens only.
    if (!tools && (tokens_ || tools.error().code != Code::io))
      return tl::unexpected(std::move(tools).error());
    if (tools) tokenizer_ = tools->tokenizer;
    if (!chosen_ && tools) chosen_ = tools->profile;
    if (!chosen_) return tl::unexpected(std::move(tools).error());
    return {};
  }

  std::vector<text::Message> messages(const std::vector<std::string>& users,
                                      const std::vector<std::string>& answers) const {
    std::vector<text::Message> out;
    if (!system_.empty()) out.push_back({text::Role::system, system_});
    for (size_t i = 0; i < users.size(); ++i) {
      out.push_back({text::Role::user, users[i]});
      if (i < answers.size()) out.push_back({text::Role::assistant, answers[i]});
    }
    for (size_t i = out.size(); i-- > 0 && !material_.empty();)
      if (out[i].role == text::Role::user) {
        out[i].material = material_;
        break;
      }
    return out;
  }

  // Without a conversation: what the profile is.
  int describe(Console& console, text::ThinkMode mode) const {
    const text::Profile& p = profile();
    std::string modes;
    for (const text::ThinkMode known : p.think_modes)
      modes += (modes.empty() ? "" : ", ") + std::string(text::think_mode_name(known));
    const text::SamplerDefaults& s = p.sampler_for(mode);
    const std::string example =
        text::render(p, messages({"{first question}", "{next question}"}, {"{answer}"}), mode).text;
    if (console.json()) {
      JsonWriter json;
      json.begin_object().member("profile", p.name).member("about", p.about);
      json.member("user", p.user).member("assistant", p.assistant).member("system", p.system);
      json.member("think", text::think_mode_name(mode)).key("think_modes").begin_array();
      for (const text::ThinkMode known : p.think_modes) json.value(text::think_mode_name(known));
      json.end_array().member("stop", text::stop_policy_name(p.stop));
      json.key("sampler").begin_object().member("temp", s.temperature).member("top_p", s.top_p);
      json.member("top_k", s.top_k).member("presence", s.presence);
      json.member("frequency", s.frequency).member("decay", s.decay).end_object();
      json.member("leading_end_of_text", p.leading_end_of_text);
      json.member("example", example).end_object();
      console.object(json);
      return kFine;
    }
    console.line(fmt::format("{}: {}", console.styled(Style::bold, p.name), p.about));
    console.line(fmt::format("think modes  {}", modes));
    console.line(fmt::format("an answer ends by the rule \"{}\"", text::stop_policy_name(p.stop)));
    console.line(
        fmt::format("sampling     temp {}, top-p {}, top-k {}, presence {}, frequency {}, "
                    "decay {}",
                    s.temperature, s.top_p, s.top_k, s.presence, s.frequency, s.decay));
    if (p.leading_end_of_text) console.line("a fresh text begins with id 0");
    console.line("");
    console.line(visible(example));
    return kFine;
  }

  int print_tokens(Console& console, const text::Prompt& text) const {
    std::vector<int32_t> ids;
    if (tokenizer_) {
      auto encoded = text::encode_prompt(*tokenizer_, profile(), text, true);
      if (!encoded) return console.error(encoded.error());
      ids = std::move(*encoded);
    } else if (tokens_) {
      return console.error({Code::argument, "--tokens needs a model"});
    }
    if (!console.json()) {
      for (const int32_t id : ids)
        console.line(fmt::format("{:>6}  {}", id, escaped(tokenizer_->shown(id))));
      return kFine;
    }
    JsonWriter json;
    json.begin_object().member("profile", profile().name).member("text", text.text);
    json.key("ids");
    if (tokenizer_) {
      json.begin_array();
      for (const int32_t id : ids) json.value(id);
      json.end_array();
    } else {
      json.null();
    }
    console.object(json.end_object());
    return kFine;
  }

  std::string model_, profile_, system_, think_, vocab_, material_;
  std::optional<std::string> fill_prefix_, fill_suffix_;
  std::vector<std::string> users_, answers_;
  bool visible_ = false;
  bool tokens_ = false;
  const text::Profile* chosen_ = nullptr;
  text::TokenizerPtr tokenizer_;
};

}  // namespace

CommandPtr make_template() { return std::make_unique<Template>(); }

}  // namespace skein::cli
