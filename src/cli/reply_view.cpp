#include "cli/reply_view.h"

#include "cli/interrupt.h"

namespace skein::cli {

Result<ShowThinking> parse_show_thinking(std::string_view name) {
  if (name == "auto") return ShowThinking::automatic;
  if (name == "always") return ShowThinking::always;
  if (name == "never") return ShowThinking::never;
  return fail(Code::argument, "\"{}\" is not one of auto, always, never", escaped(name, 40));
}

std::string without_controls(std::string_view text) {
  std::string out;
  for (size_t at = 0; at < text.size(); ++at) {
    const auto c = static_cast<unsigned char>(text[at]);
    // In UTF-8 the second set of controls is 0xC2 and a byte below 0xA0.
    const bool second =
        c == 0xC2 && at + 1 < text.size() && static_cast<unsigned char>(text[at + 1]) < 0xA0;
    if (second || c == 0x7F || (c < 0x20 && c != '\n' && c != '\t')) {
      out += "\uFFFD";
      at += second;
    } else {
      out += text[at];
    }
  }
  return out;
}

bool takes_back(const Console& console) { return console.stdout_is_terminal() && terminal_obeys(); }

ReplyView::ReplyView(Console& console, ShowThinking thinking)
    : console_(console), thinking_(thinking) {
  if (takes_back(console)) wrap_.emplace(console.width());
}

std::string ReplyView::shown(std::string_view text) {
  if (!console_.stdout_is_terminal()) return std::string(text);
  return wrap_ ? wrap_->next(without_controls(text)) : without_controls(text);
}

ChatListener ReplyView::listener() {
  return {.reading = [this](size_t done, size_t total) { return read(done, total); },
          .answer = [this](const Event& event) { return show(event); }};
}

bool ReplyView::read(size_t done, size_t total) {
  if (!progress_)
    progress_ = std::make_unique<Progress>(console_, "reading", Progress::Unit::tokens);
  progress_->update(static_cast<int64_t>(done), static_cast<int64_t>(total));
  if (done == total) progress_.reset();
  return done == total || !interrupt::requested();
}

bool ReplyView::show(const Event& event) {
  progress_.reset();
  const bool terminal = console_.stdout_is_terminal();
  const bool thoughts =
      thinking_ == ShowThinking::always || (thinking_ == ShowThinking::automatic && terminal);
  if (!console_.json()) {
    if (thoughts && !event.thinking.empty()) {
      if (part_ == Part::nothing && !terminal) console_.out("<think>\n");
      console_.out(console_.styled(Style::dim, shown(event.thinking)));
      part_ = Part::thought;
      line_open_ = true;
    }
    if (!event.text.empty()) {
      if (part_ == Part::thought) console_.out(terminal ? shown("\n\n") : "\n</think>\n\n");
      console_.out(shown(event.text));
      part_ = Part::text;
      line_open_ = !event.text.ends_with('\n');
    }
    console_.flush();
  }
  return !interrupt::requested() && !console_.closed();
}

void ReplyView::finish() {
  progress_.reset();
  if (part_ == Part::thought && !console_.stdout_is_terminal()) console_.out("\n</think>");
  if (line_open_) console_.out("\n");
  line_open_ = false;
  console_.flush();
}

}  // namespace skein::cli
