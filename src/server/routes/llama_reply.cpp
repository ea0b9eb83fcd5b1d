#include "server/routes/llama_reply.h"

#include <algorithm>
#include <cmath>
#include <span>
#include <utility>

#include "base/clock.h"

namespace skein::server {
namespace {

// The members at those paths, each by its last name; of several with the same the first.
std::string select(const std::string& text, const std::vector<std::string>& paths) {
  const auto all = parse_json(text, text.size());
  std::vector<std::string_view> told;
  JsonWriter json;
  json.begin_object();
  for (const std::string& path : paths) {
    Json at = all ? *all : Json();
    std::string_view rest = path, name;
    do {
      name = rest.substr(0, rest.find('/'));
      rest.remove_prefix(std::min(name.size() + 1, rest.size()));
      at = at.find(name);
    } while (!rest.empty());
    if (!at || std::find(told.begin(), told.end(), name) != told.end()) continue;
    told.push_back(name);
    json.key(name).value(at);
  }
  return json.end_object().text();
}

class LlamaReply final : public TextReply {
 public:
  LlamaReply(ReplyPlan given, LlamaPlan wanted)
      : TextReply(std::move(given)), wanted_(std::move(wanted)), prompts_(plan().prompts) {
    has_line_end_.resize(plan().choices * plan().prompts);
  }

 private:
  struct PromptFacts {
    std::string text;  // of an answer that is no stream
    int64_t tokens = 0, cached = 0;
  };

  void reused(const Order& order, size_t tokens) override {
    TextReply::reused(order, tokens);
    prompts_[order.first_choice / plan().choices].cached += static_cast<int64_t>(tokens);
  }

  void progressed(const Order& order, size_t tokens) override {
    if (!plan().stream || !wanted_.progress || full()) return;
    const PromptFacts& prompt = prompts_[order.first_choice / plan().choices];
    JsonWriter json;
    json.begin_object().member("index", static_cast<int64_t>(order.first_choice));
    json.member("content", "").member("stop", false);
    json.key("prompt_progress").begin_object();
    json.member("total", static_cast<int64_t>(order.prompt.size())).member("cache", prompt.cached);
    json.member("processed", static_cast<int64_t>(tokens))
        .member("time_ms", 1000 * seconds_since(plan().exchange->began));
    write(json.end_object().end_object().text());
  }

  void take_prompt(const Order& order, std::vector<TokenScore>) override {
    PromptFacts& prompt = prompts_[order.first_choice / plan().choices];
    prompt.tokens = static_cast<int64_t>(order.prompt.size());
    if (!plan().stream) prompt.text = text_of(tokenizer(), order.prompt);
    if (order.choices > 0) return;
    // Where nothing is generated that is all.
    for (size_t i = 0; i < plan().choices; ++i) {
      choice(order.first_choice + i).finish = Finish::length;
      if (plan().stream) write(last_word(order.first_choice + i));
    }
  }

  bool keeps_entry(const Event& event, bool) const override {
    return event.id >= 0 && (plan().logprobs || plan().token_ids || plan().stream);
  }

  void write_event(size_t index, const Event& event, size_t fresh) override {
    has_line_end_[index] = has_line_end_[index] || event.text.find('\n') != std::string::npos;
    if (!event.text.empty() || fresh > 0) write(piece(index, event.text, fresh));
    if (event.finish != Finish::running) write(last_word(index));
  }

  std::string piece(size_t index, std::string_view text, size_t fresh) {
    JsonWriter json;
    const auto entries = std::span(choices()[index].entries).last(fresh);
    begin(json, index, text, entries, false);
    write_probabilities(json, entries);
    if (wanted_.timings) write_timings(json);
    return json.end_object().text();
  }

  void begin(JsonWriter& json, size_t index, std::string_view text, std::span<const Entry> entries,
             bool ends) const {
    json.begin_object().member("index", static_cast<int64_t>(index)).member("content", text);
    json.key("tokens").begin_array();
    if (plan().stream || plan().token_ids)
      for (const Entry& entry : entries) json.value(int64_t{entry.id});
    json.end_array().member("stop", ends).member("id_slot", -1);
    json.member("tokens_predicted", choices()[index].tokens);
    json.member("tokens_evaluated", prompts_[index / plan().choices].tokens);
  }

  // The whole answer, or the end of a stream's.
  std::string last_word(size_t index) const {
    const Choice& one = choices()[index];
    const PromptFacts& prompt = prompts_[index / plan().choices];
    JsonWriter json;
    const auto entries = std::span(one.entries);
    begin(json, index, plan().stream ? "" : one.text,
          plan().stream ? std::span<const Entry>() : entries, true);
    json.member("model", plan().host->name());
    json.key("generation_settings").raw(wanted_.settings);
    if (!plan().stream) {
      json.member("prompt", prompt.text);
      write_probabilities(json, entries);
    }
    const bool lines =
        plan().stream ? has_line_end_[index] : one.text.find('\n') != std::string::npos;
    json.member("has_new_line", lines).member("truncated", false);
    json.member("stop_type", stop_type(one)).member("stopping_word", one.stop_string);
    json.member("tokens_cached", prompt.cached);
    write_timings(json);
    json.end_object();
    return wanted_.fields.empty() ? json.text() : select(json.text(), wanted_.fields);
  }

  static std::string_view stop_type(const Choice& one) {
    switch (one.finish) {
      case Finish::stop: return one.stop_string.empty() ? "eos" : "word";
      case Finish::end_of_text:
      case Finish::complete: return "eos";
      default: return "limit";
    }
  }

  // In both forms that readers know.
  void write_probabilities(JsonWriter& json, std::span<const Entry> entries) const {
    if (!plan().logprobs || entries.empty()) return;
    json.key("completion_probabilities").begin_array();
    for (const Entry& entry : entries) {
      json.begin_object();
      write_one(json, entry.id, entry.logprob.value_or(0));
      json.key("top_logprobs").begin_array();
      for (const TokenProbability& top : entry.top) {
        json.begin_object();
        write_one(json, top.id, top.logprob);
        json.end_object();
      }
      json.end_array().member("content", token_label(tokenizer(), entry.id));
      json.key("probs").begin_array();
      for (const TokenProbability& top : entry.top) {
        json.begin_object().member("tok_str", token_label(tokenizer(), top.id));
        json.member("prob", std::exp(top.logprob)).end_object();
      }
      json.end_array().end_object();
    }
    json.end_array();
  }
  void write_one(JsonWriter& json, int32_t id, double logprob) const {
    json.member("id", int64_t{id});
    write_token(json, id, logprob);
  }

  void write(const std::string& json) { answer().write("data: " + json + "\n\n"); }
  void write_end() override { answer().end(); }
  std::string whole() override {
    if (choices().size() == 1) return last_word(0);
    std::string out = "[";
    for (size_t i = 0; i < choices().size(); ++i) {
      if (i > 0) out += ',';
      out += last_word(i);
    }
    return out + "]";
  }

  const LlamaPlan wanted_;
  std::vector<PromptFacts> prompts_;
  std::vector<bool> has_line_end_;  // of the choices of a stream
};

}  // namespace

std::shared_ptr<Reply> make_llama_reply(ReplyPlan plan, LlamaPlan wanted) {
  return std::make_shared<LlamaReply>(std::move(plan), std::move(wanted));
}

}  // namespace skein::server
