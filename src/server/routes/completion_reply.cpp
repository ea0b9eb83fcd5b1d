// The answer of /v1/completions.
#include <algorithm>
#include <span>
#include <utility>

#include "server/text_reply.h"

namespace skein::server {
namespace {

// Characters, where each begins.
int64_t characters_in(std::string_view bytes) {
  return std::count_if(bytes.begin(), bytes.end(),
                       [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; });
}

class CompletionReply final : public TextReply {
 public:
  explicit CompletionReply(ReplyPlan given)
      : TextReply(std::move(given)),
        offsets_(plan().choices * plan().prompts, 0),
        prompts_(plan().token_ids ? plan().prompts : 0) {}

 private:
  std::string_view object(bool chunk) const override {
    return plan().ai00 && chunk ? "text_completion.chunk" : "text_completion";
  }

  void take_prompt(const Order& order, std::vector<TokenScore> scores) override {
    if (plan().token_ids) prompts_[order.first_choice / plan().choices] = order.prompt;
    if (!plan().echo) return;
    const std::string text = text_of(tokenizer(), order.prompt);
    std::vector<Entry> entries;
    if (plan().logprobs) {
      for (size_t i = 0; i < order.prompt.size(); ++i) {
        Entry& entry = entries.emplace_back();
        entry.id = order.prompt[i];
        if (i == 0) continue;
        entry.logprob = scores[i - 1].logprob;
        entry.top = std::move(scores[i - 1].top);
      }
    }
    // Where nothing is generated the prompt is all there is.
    for (size_t i = 0; i < plan().choices; ++i) {
      Choice& one = choice(order.first_choice + i);
      one.entries = entries;
      const Finish finish = order.choices == 0 ? Finish::length : Finish::running;
      one.finish = finish;
      if (plan().stream)
        write_piece(order.first_choice + i, text, entries.size(), finish);
      else
        one.text = text;
    }
  }

  void write_event(size_t index, const Event& event, size_t fresh) override {
    if (!event.text.empty() || fresh > 0 || event.finish != Finish::running)
      write_piece(index, event.text, fresh, event.finish);
  }

  bool keeps_entry(const Event&, bool) const override {
    return plan().logprobs || plan().token_ids;
  }

  void write_choice(JsonWriter& json, size_t index, size_t shown_as) override {
    const Choice& one = choices()[index];
    write_members(json, index, shown_as, one.text, one.entries.size(), one.finish);
  }

  void write_piece(size_t index, std::string_view text, size_t fresh, Finish finish) {
    chunk([&](JsonWriter& json) { write_members(json, index, index, text, fresh, finish); });
  }

  void write_members(JsonWriter& json, size_t index, size_t shown_as, std::string_view text,
                     size_t fresh, Finish finish) {
    const Choice& one = choices()[index];
    const auto entries = std::span(one.entries).last(fresh);
    json.begin_object().member("index", static_cast<int64_t>(shown_as)).member("text", text);
    if (plan().ai00 && plan().stream) {
      json.key("delta").begin_object();
      if (!text.empty()) json.member("content", text);
      json.end_object();
    }
    json.key("logprobs");
    if (plan().logprobs && fresh > 0)
      write_logprobs(json, index, entries);
    else
      json.null();
    json.key("finish_reason");
    finish == Finish::running ? json.null() : json.value(reason_name(finish));
    if (plan().token_ids) write_ids(json, index, entries);
    json.end_object();
  }

  void write_logprobs(JsonWriter& json, size_t index, std::span<const Entry> entries) {
    json.begin_object().key("tokens").begin_array();
    for (const Entry& entry : entries) json.value(token_label(tokenizer(), entry.id));
    json.end_array().key("token_logprobs").begin_array();
    for (const Entry& entry : entries) entry.logprob ? json.value(*entry.logprob) : json.null();
    json.end_array().key("top_logprobs").begin_array();
    for (const Entry& entry : entries) write_top(json, entry);
    json.end_array().key("text_offset").begin_array();
    int64_t& offset = offsets_[index];
    for (const Entry& entry : entries) {
      json.value(offset);
      offset += characters_in(tokenizer().bytes_of(entry.id));
    }
    json.end_array().end_object();
  }

  // The token itself is always among them: whoever compares its number with the largest of these
  // learns whether it was the likeliest.
  void write_top(JsonWriter& json, const Entry& entry) const {
    if (!entry.logprob) {
      json.null();
      return;
    }
    json.begin_object();
    bool itself = false;
    for (size_t i = 0; i < std::min(entry.top.size(), plan().top); ++i) {
      itself = itself || entry.top[i].id == entry.id;
      json.member(token_label(tokenizer(), entry.top[i].id), entry.top[i].logprob);
    }
    if (!itself) json.member(token_label(tokenizer(), entry.id), *entry.logprob);
    json.end_object();
  }

  // Of what was generated; entries of an echoed prompt stand before those.
  void write_ids(JsonWriter& json, size_t index, std::span<const Entry> entries) const {
    const std::vector<int32_t>& prompt = prompts_[index / plan().choices];
    if (!plan().stream) {
      json.key("prompt_token_ids").begin_array();
      for (const int32_t id : prompt) json.value(static_cast<int64_t>(id));
      json.end_array();
    }
    const bool echoed = plan().echo && plan().logprobs &&
                        (!plan().stream || (!entries.empty() && !entries.front().logprob));
    json.key("token_ids").begin_array();
    for (const Entry& entry : entries.subspan(echoed ? std::min(prompt.size(), entries.size()) : 0))
      json.value(static_cast<int64_t>(entry.id));
    json.end_array();
  }

  std::vector<int64_t> offsets_;  // by choice: characters before its next entry
  std::vector<std::vector<int32_t>> prompts_;
};

}  // namespace

std::shared_ptr<Reply> make_completion_reply(ReplyPlan plan) {
  return std::make_shared<CompletionReply>(std::move(plan));
}

}  // namespace skein::server
