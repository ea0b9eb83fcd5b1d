#include "server/text_reply.h"

#include <algorithm>
#include <new>
#include <numeric>
#include <utility>

#include "base/base64.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/utf8.h"

namespace skein::server {
namespace {

using Clock = std::chrono::steady_clock;

bool is_text(std::string_view bytes) {
  while (!bytes.empty()) {
    const size_t length = utf8_length(bytes);
    if (length == 0) return false;
    bytes.remove_prefix(length);
  }
  return true;
}

double ms_between(Clock::time_point from, Clock::time_point to) {
  return std::max(0.0, std::chrono::duration<double, std::milli>(to - from).count());
}

double per_second(int64_t count, double ms) {
  return ms > 0 ? static_cast<double>(count) * 1000 / ms : 0;
}

}  // namespace

std::string token_label(const text::Tokenizer& tokenizer, int32_t id) {
  const std::string_view bytes = tokenizer.bytes_of(id);
  if (bytes.empty()) {
    const std::string_view name = tokenizer.special_name(id);
    return name.empty() ? fmt::format("token_id:{}", id) : std::string(name);
  }
  if (is_text(bytes)) return std::string(bytes);
  std::string out = "bytes:";
  for (const char byte : bytes) out += fmt::format("\\x{:02x}", static_cast<unsigned char>(byte));
  return out;
}

std::string text_of(const text::Tokenizer& tokenizer, std::span<const int32_t> ids) {
  std::string out;
  for (const int32_t id : ids) out += tokenizer.bytes_of(id);
  return out;
}

std::string_view reason_name(Finish finish, Called called) {
  // Whatever cut it, nobody is to run what is only the beginning of a call.
  if (finish == Finish::length || finish == Finish::interrupted || called == Called::cut)
    return "length";
  return called == Called::whole ? "tool_calls" : "stop";
}

AnswerParts parts_of(const ReplyPlan& plan, const std::string& answer) {
  AnswerParts out;
  if (!plan.calls) return {.text = answer, .calls = {}};
  using Piece = text::CallReader::Piece;
  text::CallReader reader(*plan.calls);
  const auto take = [&](std::vector<Piece> pieces) {
    for (Piece& piece : pieces) switch (piece.kind) {
        case Piece::Kind::text: out.text += piece.text; break;
        case Piece::Kind::call: out.calls.push_back({std::move(piece.text), {}, false}); break;
        case Piece::Kind::arguments: out.calls.back().arguments += piece.text; break;
        case Piece::Kind::end: out.calls.back().whole = true; break;
      }
  };
  take(reader.push(answer));
  take(reader.finish());
  return out;
}

std::string call_id(std::string_view reply, size_t choice, size_t call) {
  const size_t dash = reply.find_first_of("-_");
  const std::string_view tail = reply.substr(dash == std::string_view::npos ? 0 : dash + 1);
  if (choice == 0 && call == 0) return fmt::format("call_{}", tail);
  return fmt::format("call_{}_{}_{}", tail, choice, call);
}

TextReply::TextReply(ReplyPlan plan)
    : plan_(std::move(plan)),
      created_(std::chrono::duration_cast<std::chrono::seconds>(
                   std::chrono::system_clock::now().time_since_epoch())
                   .count()),
      choices_(plan_.choices * plan_.prompts) {}

void TextReply::accepted() {
  accepted_at_ = last_at_ = Clock::now();
  answer().note({.model = plan_.host->name(), .prompt_tokens = plan_.prompt_tokens});
  if (!plan_.stream) return;
  Response head = stream_head();
  head.fields = {{"Cache-Control", "no-cache"},
                 {"X-Accel-Buffering", "no"},
                 {"x-skein-model", plan_.host->name()}};
  head.ping_seconds = plan_.ping_seconds;
  answer().begin(std::move(head));
  write_opening();
}

void TextReply::read(const Order& order, Findings findings) {
  read_at_ = last_at_ = Clock::now();
  take_prompt(order, std::move(findings.scores));
}

void TextReply::stands(size_t, const State& state, int64_t tokens) {
  if (!trace_) {
    const auto shape = heads_of(state.layout());
    if (!shape) return;  // was refused before
    trace_.emplace(*shape, *plan_.trace);
  }
  const auto changes = trace_->look(state, tokens);
  if (!changes) return;
  JsonWriter json;
  json.begin_object().member("tokens", tokens);
  json.member("data", base64_text(trace_bytes(*changes, plan_.trace->by))).end_object();
  if (!traced_.empty()) traced_ += ',';
  traced_ += json.text();
}

void TextReply::told(size_t index, const Event& event, const Generation& generation) {
  Choice& one = choices_[index];
  // One that closes a thought may be the answer's first.
  const bool thought = event.thought_count > one.thoughts && event.text.empty();
  total_ += event.count - std::exchange(one.tokens, event.count);
  answer().count_tokens(total_);
  one.thoughts = event.thought_count;
  one.finish = event.finish;
  if (event.finish == Finish::stop) one.stop_string = generation.stop_string();
  last_at_ = Clock::now();
  if (plan_.keeper) plan_.keeper->told(index, event, generation);
  const int32_t id = event.id >= 0 ? event.id : event.ending;
  size_t fresh = 0;
  if (id >= 0) {
    one.logprobs += event.logprob;
    if (keeps_entry(event, thought)) {
      if (!keeps_all()) one.entries.clear();
      one.entries.push_back({id, event.logprob, event.top});
      fresh = 1;
    }
  }
  if (plan_.stream) write_event(index, event, fresh);
  if (!keeps_all()) return;
  one.text += event.text;
  one.thinking += event.thinking;
  kept_bytes_ += event.text.size() + event.thinking.size() +
                 fresh * (sizeof(Entry) + event.top.size() * sizeof(TokenProbability));
  if (kept_bytes_ <= limits::kAnswerBytes) return;
  cut_ = true;
  failed({.message = fmt::format("the answer grew beyond {} bytes", limits::kAnswerBytes),
          .param = "max_tokens"});
}

void TextReply::failed(const ApiError& error) {
  if (!plan_.stream) return answer().send(error_response(error, plan_.exchange->errors));
  write_failure(error);
  answer().end(/*closes=*/true);
}

// What is long is made by a worker: the engine's thread has others to serve.
void TextReply::finished() {
  if (!ends_long() && !plan_.keeper) return write_end();
  plan_.workers->owe([self = shared_from_this()] { self->conclude(); });
}

void TextReply::conclude() {
  try {
    if (plan_.keeper)
      if (auto kept = plan_.keeper->finish(); !kept && plan_.must_keep) {
        // The answer may stand there although its session does not stand at it.
        JsonWriter json;
        plan_.keeper->write(json);
        kept.error().state = json.text();
        return failed(kept.error());
      }
    if (plan_.keeper && plan_.keeper->wants_files())
      return plan_.keeper->read_files(
          plan_.source, [self = shared_from_this()] { return self->answer().gone(); },
          [self = shared_from_this()] { self->conclude_kept(); });
    conclude_kept();
  } catch (const std::bad_alloc&) {
    failed(api_error({Code::memory, ""}));
  }
}

void TextReply::conclude_kept() {
  try {
    if (plan_.stream) return write_end();
    answer().send({.fields = {{"x-skein-model", plan_.host->name()}}, .body = whole()});
  } catch (const std::bad_alloc&) {
    failed(api_error({Code::memory, ""}));
  }
}

void TextReply::write_failure(const ApiError& error) {
  answer().write("data: " + error_text(error) + "\n\n");
}

void TextReply::write_end() {
  if (plan_.include_usage || plan_.keeper) {
    JsonWriter json;
    begin_object(json, true);
    json.key("choices").begin_array().end_array();
    if (plan_.include_usage) {
      write_usage(json);
      write_timings(json);
    }
    if (plan_.keeper) write_state(json);
    send_chunk(json.end_object().text());
  }
  answer().write("data: [DONE]\n\n");
  answer().end();
}

std::string TextReply::whole() {
  JsonWriter json;
  begin_object(json, false);
  json.key("choices").begin_array();
  size_t as = 0;
  for (const size_t index : shown()) write_choice(json, index, as++);
  json.end_array();
  write_usage(json);
  write_timings(json);
  if (plan_.keeper) write_state(json);
  return json.end_object().text();
}

TextReply::Spent TextReply::spent() const {
  Spent out{.prompt = plan_.prompt_tokens, .cached = cached_, .tokens = total_};
  for (const Choice& one : choices_) out.thoughts += one.thoughts;
  return out;
}

// Of each prompt's choices the likeliest, token for token.
std::vector<size_t> TextReply::shown() const {
  std::vector<size_t> out;
  for (size_t prompt = 0; prompt < plan_.prompts; ++prompt) {
    std::vector<size_t> own(plan_.choices);
    std::iota(own.begin(), own.end(), prompt * plan_.choices);
    if (plan_.shown < plan_.choices) {
      const auto mean = [&](size_t index) {
        const Choice& one = choices_[index];
        return one.logprobs / static_cast<double>(std::max<int64_t>(one.tokens, 1));
      };
      std::stable_sort(own.begin(), own.end(),
                       [&](size_t a, size_t b) { return mean(a) > mean(b); });
      own.resize(plan_.shown);
    }
    out.insert(out.end(), own.begin(), own.end());
  }
  return out;
}

void TextReply::begin_object(JsonWriter& json, bool chunk) const {
  json.begin_object().member("id", plan_.id).member("object", object(chunk));
  json.member("created", created_).member("model", plan_.host->name());
  json.member("system_fingerprint",
              "fp_" + hex(plan_.host->model().info().fingerprint).substr(0, 12));
  if (plan_.relaxed.empty()) return;
  json.key("skein").begin_object().key("relaxed").begin_array();
  for (const std::string& place : plan_.relaxed) json.value(place);
  json.end_array().end_object();
}

void TextReply::write_state(JsonWriter& json) const {
  json.key("state");
  plan_.keeper->write(json);
  if (plan_.keeper->answers() < 2) return;
  json.key("states").begin_array();
  for (size_t i = 0; i < plan_.keeper->answers(); ++i) plan_.keeper->write(json, i);
  json.end_array();
}

void TextReply::send_chunk(const std::string& json) {
  std::string piece;
  piece.reserve(json.size() + 8);
  piece += "data: ";
  piece += json;
  piece += "\n\n";
  answer().write(piece);
}

void TextReply::write_usage(JsonWriter& json) const {
  const Spent used = spent();
  json.key("usage").begin_object().member("prompt_tokens", used.prompt);
  json.member("completion_tokens", used.tokens).member("total_tokens", used.prompt + used.tokens);
  if (plan_.ai00) {
    json.member("prompt", used.prompt).member("completion", used.tokens);
    json.member("total", used.prompt + used.tokens).key("duration").begin_object();
    const auto ms = static_cast<int64_t>(times().answer_ms);
    json.member("secs", ms / 1000).member("nanos", ms % 1000 * 1'000'000).end_object();
  }
  json.key("prompt_tokens_details").begin_object().member("cached_tokens", used.cached);
  json.end_object().key("completion_tokens_details").begin_object();
  json.member("reasoning_tokens", used.thoughts).end_object().end_object();
}

void TextReply::write_token(JsonWriter& json, int32_t id, double logprob) const {
  json.member("token", token_label(tokenizer(), id)).member("logprob", logprob);
  json.key("bytes").begin_array();
  for (const char byte : tokenizer().bytes_of(id))
    json.value(static_cast<int64_t>(static_cast<unsigned char>(byte)));
  json.end_array();
}

TextReply::Times TextReply::times() const {
  return {.before_ms = ms_between(plan_.exchange->began, accepted_at_),
          .prompt_ms = ms_between(accepted_at_, read_at_),
          .answer_ms = ms_between(read_at_, last_at_)};
}

// As llama-server has it, whose clients show it.
void TextReply::write_timings(JsonWriter& json) const {
  const auto [before_ms, prompt_ms, ms] = times();
  json.key("timings").begin_object().member("cache_n", cached_);
  const int64_t read = plan_.prompt_tokens - cached_;
  json.member("prompt_n", read);
  json.member("prompt_ms", prompt_ms);
  json.member("prompt_per_second", per_second(read, prompt_ms));
  json.member("predicted_n", total_).member("predicted_ms", ms);
  json.member("predicted_per_second", per_second(total_, ms)).end_object();
}

}  // namespace skein::server
