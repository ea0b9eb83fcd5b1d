// Generations and the engine that turns them.
#include <algorithm>
#include <optional>

#include "api/border.h"
#include "api/constraint.h"
#include "api/first_version.h"
#include "api/handles.h"
#include "api/sampling.h"
#include "api/sized.h"
#include "base/limits.h"
#include "run/draft.h"
#include "run/engine.h"
#include "run/held_answer.h"
#include "text/template.h"

using namespace skein;
using namespace skein::api;

struct sk_engine {
  std::shared_ptr<Engine> engine;
  std::shared_ptr<FoundVocabulary> found;  // the model's, which may be closed meanwhile
};

namespace {

// A generation with all that it refers to. The engine shares it while it turns it.
struct Conversation {
  Vocabulary vocabulary;
  Session session;
  std::unique_ptr<Drafter> drafter;
  std::shared_ptr<Generation> generation;

  Conversation(std::shared_ptr<Model> model, State state)
      : session(std::move(model), std::move(state)) {}
};

std::shared_ptr<Task> task_of(const std::shared_ptr<Conversation>& conversation) {
  return {conversation, conversation->generation.get()};
}

}  // namespace

struct sk_generation {
  std::shared_ptr<Engine> engine;
  std::shared_ptr<Conversation> conversation;
  // The last event that was handed over, which the caller's pointers lead into.
  Event event;
  std::vector<sk_token_logprob> top;
  std::vector<int32_t> told;  // by events
  std::vector<int32_t> rest;  // what settling read beside those
  std::atomic<bool> ended{false};

  Generation& generation() const { return *conversation->generation; }
};

namespace {

constexpr size_t kMessages = 1 << 16;

Result<text::Role> parse_role(std::string_view name) {
  if (name == "system") return text::Role::system;
  if (name == "user") return text::Role::user;
  if (name == "assistant") return text::Role::assistant;
  if (name == "tool") return text::Role::tool;
  return fail(Code::argument, "the role '{}' is unknown; there are system, user, assistant, tool",
              escaped(name));
}

struct Conversed {
  std::vector<int32_t> ids;
  const text::Profile* profile = nullptr;
  std::string opening;
};

// The messages as the model is to read them.
Result<Conversed> converse(const Model& model, const text::Tokenizer& tokenizer,
                           std::span<const sk_message> given, const char* think) {
  if (given.empty()) return fail(Code::argument, "a conversation without messages");
  if (given.size() > kMessages)
    return fail(Code::argument, "{} messages, at most {} are allowed", given.size(), kMessages);
  Conversed out;
  out.profile = &find_profile(ModelText::of(model), &tokenizer);
  text::ThinkMode mode = out.profile->think;
  if (think) {
    const auto named = text::think_mode_by_name(think);
    if (!named) return fail(Code::argument, "there is no way of thinking '{}'", escaped(think));
    mode = *named;
    if (!out.profile->supports(mode))
      return fail(Code::argument, "this model has no way of thinking '{}'", escaped(think));
  }
  std::vector<text::Message> messages;
  for (const sk_message& message : given) {
    SK_TRY_STATUS(require(message.role, "sk_message.role"));
    SK_TRY_STATUS(require(message.text, "sk_message.text"));
    SK_TRY(const text::Role role, parse_role(message.role));
    messages.push_back({role, message.text});
  }
  const text::Prompt prompt = text::render(*out.profile, messages, mode);
  SK_TRY(out.ids, text::encode_prompt(tokenizer, *out.profile, prompt, true));
  if (messages.back().role != text::Role::assistant)
    out.opening = text::render_turn(*out.profile, "", false, mode).opening;
  return out;
}

Status check_params(const sk_generate_params& given) {
  constexpr uint32_t kKnown = SK_GENERATE_IDS | SK_GENERATE_LOGPROBS;
  if ((given.flags & ~kKnown) != 0)
    return fail(Code::argument,
                "sk_generate_params.flags is {}, which has flags that this version of the library "
                "does not know",
                given.flags);
  if (given.prompt_count > 0) SK_TRY_STATUS(require(given.prompt, "prompt"));
  if (given.message_count > 0) SK_TRY_STATUS(require(given.messages, "messages"));
  if (given.stop_count > 0) SK_TRY_STATUS(require(given.stop, "stop"));
  if ((given.prompt_count > 0) == (given.message_count > 0))
    return fail(Code::argument, "give a prompt or messages, one of them");
  if (given.prompt_count > limits::kPromptTokens)
    return fail(Code::argument, "a prompt of {} tokens, at most {} are allowed", given.prompt_count,
                limits::kPromptTokens);
  if (given.stop_count > limits::kStopStrings)
    return fail(Code::argument, "{} stop texts, at most {} are allowed", given.stop_count,
                limits::kStopStrings);
  for (const char* text : std::span(given.stop, given.stop_count))
    SK_TRY_STATUS(require(text, "stop text"));
  if (given.max_tokens < 0 || given.think_budget < 0)
    return fail(Code::argument, "max_tokens and think_budget are not below 0, which is no limit");
  if (given.draft < 0 || given.draft > Lookahead::kMostGuesses)
    return fail(Code::argument, "draft is {}; it has to be 0 to {}", given.draft,
                Lookahead::kMostGuesses);
  constexpr int32_t kMostTop = 1000;
  if (given.top_logprobs < 0 || given.top_logprobs > kMostTop)
    return fail(Code::argument, "top_logprobs is {}; it has to be 0 to {}", given.top_logprobs,
                kMostTop);
  if (given.think && given.message_count == 0) return fail(Code::argument, "think is for messages");
  if ((given.flags & SK_GENERATE_IDS) != 0 &&
      (given.message_count > 0 || given.stop_count > 0 || given.constraint))
    return fail(Code::argument, "messages, stop texts and constraints need the vocabulary");
  if (given.constrained_size > 0) {
    SK_TRY_STATUS(require(given.constrained_text, "constrained_text"));
    if (!given.constraint || given.message_count > 0)
      return fail(Code::argument, "constrained_text is for a constraint behind a prompt");
  }
  return {};
}

Result<State> first_state(const Model& model, const sk_state* from) {
  if (!from) return State::make(model.state_layout());
  if (!model.state_layout()->fits(from->state.layout()))
    return fail(Code::mismatch, "the state belongs to another model");
  if (from->state.lost()) return lost_state();
  return from->state.copy_into(model.state_layout());
}

// Holds the answer to the constraint, what stands of it already included.
Status hold(const sk_generate_params& given, const Vocabulary& vocabulary,
            GenerateOptions& options) {
  constrain::Beginning beginning;
  if (options.profile) {
    const constrain::Wanted& wanted = given.constraint->wanted;
    beginning = beginning_of(*options.profile, options.stops.opening, wanted);
    end_as_turn(*options.profile, *vocabulary.tokenizer, wanted, options);
  }
  SK_TRY(options.constraint, matcher_of(*given.constraint, vocabulary, beginning));
  if (given.constrained_size == 0) return {};
  SK_TRY(const bool fits,
         options.constraint->accept_bytes({given.constrained_text, given.constrained_size}));
  return fits ? Status()
              : fail(Code::argument,
                     "the constraint does not allow an answer that begins with "
                     "constrained_text");
}

Result<std::shared_ptr<Conversation>> make_conversation(const sk_engine& engine,
                                                        const sk_state* from,
                                                        const sk_generate_params& given) {
  SK_TRY_STATUS(check_params(given));
  Model& model = engine.engine->model();
  SK_TRY(State state, first_state(model, from));
  const bool fresh = state.tokens_read() == 0;
  auto out = std::make_shared<Conversation>(engine.engine->shared_model(), std::move(state));
  if ((given.flags & SK_GENERATE_IDS) != 0) {
    out->vocabulary.traits = std::make_shared<const TokenTraits>(token_traits(model.vocab()));
  } else {
    SK_TRY(out->vocabulary, engine.found->of(model));
  }
  const text::Tokenizer* tokenizer = out->vocabulary.tokenizer.get();

  GenerateOptions options;
  Conversed talk;
  if (given.message_count > 0) {
    if (!fresh)
      return fail(Code::argument,
                  "messages are a whole conversation; a state that has read something goes on with "
                  "a prompt");
    SK_TRY(talk, converse(model, *tokenizer, {given.messages, given.message_count}, given.think));
    options.profile = talk.profile;
    options.stops.policy = talk.profile->stop;
    options.stops.role_words = talk.profile->role_words;
    options.stops.chat = talk.profile->has_template();
    options.stops.opening = talk.opening;
  } else {
    talk.ids.assign(given.prompt, given.prompt + given.prompt_count);
  }
  for (const char* text : std::span(given.stop, given.stop_count))
    options.stops.stop_strings.emplace_back(text);
  if (given.max_tokens > 0) options.max_tokens = given.max_tokens;
  if (given.think_budget > 0) options.think_budget = given.think_budget;
  options.logprobs = (given.flags & SK_GENERATE_LOGPROBS) != 0 || given.top_logprobs > 0;
  options.top_logprobs = given.top_logprobs;
  if (given.draft > 0) {
    out->drafter = std::make_unique<PromptLookup>();
    SK_TRY_STATUS(out->session.check(talk.ids));
    for (const int32_t id : talk.ids) out->drafter->push(id);
    options.drafter = out->drafter.get();
    options.draft = given.draft;
  }
  if (given.constraint) SK_TRY_STATUS(hold(given, out->vocabulary, options));
  SK_TRY(const Sampling sampling, parse_sampling(given.sampling));
  SK_TRY(Sampler sampler, Sampler::create(sampling, *out->vocabulary.traits));
  SK_TRY(out->generation,
         Generation::start(out->session, talk.ids, tokenizer, std::move(sampler), options));
  return out;
}

int32_t finish_code(const Generation& generation) {
  switch (generation.finish()) {
    case Finish::running: return SK_FINISH_NONE;
    case Finish::stop: return SK_FINISH_STOP;
    case Finish::end_of_text: return SK_FINISH_END_OF_TEXT;
    case Finish::complete: return SK_FINISH_COMPLETE;
    case Finish::length: return SK_FINISH_LENGTH;
    case Finish::interrupted: return generation.status() ? SK_FINISH_CANCELLED : SK_FINISH_ERROR;
  }
  return SK_FINISH_NONE;
}

// The next event, if there is one: there is room for all of it, so that none is lost.
bool take(sk_generation& generation) {
  std::vector<int32_t>& told = generation.told;
  if (told.size() == told.capacity()) told.reserve(2 * told.size() + 64);
  if (!generation.generation().take(generation.event)) return false;
  if (generation.event.id >= 0) told.push_back(generation.event.id);
  return true;
}

// generation.event was taken: shows it to the caller, and what ended it.
Status hand_over_event(sk_generation& generation, struct sk_event* out) {
  const Event& event = generation.event;
  generation.top.clear();
  for (const TokenProbability& one : event.top) generation.top.push_back({one.id, 0, one.logprob});
  struct sk_event value = {};
  value.id = event.id;
  value.forced = event.forced ? 1 : 0;
  value.text = event.text.data();
  value.text_size = event.text.size();
  value.thinking = event.thinking.data();
  value.thinking_size = event.thinking.size();
  value.logprob = event.logprob;
  value.top = generation.top.data();
  value.top_count = generation.top.size();
  const bool ends = event.finish != Finish::running;
  if (ends) value.finish = finish_code(generation.generation());
  SK_TRY_STATUS(write_sized(value, first_version::kEvent, "sk_event", out));
  if (!ends) return {};
  generation.ended = true;
  return generation.generation().status();
}

// Steps until the engine has let go of it.
Status wait_for_end(const sk_generation& generation) {
  while (generation.generation().active()) SK_TRY_STATUS(generation.engine->step());
  return {};
}

}  // namespace

int32_t sk_engine_new(const sk_model* model, const sk_engine_params* params, sk_engine** out) {
  return guarded([&]() -> Status {
    SK_TRY_STATUS(require(model, "model"));
    SK_TRY_STATUS(require(out, "out"));
    sk_engine_params given = {};
    if (params)
      SK_TRY_STATUS(read_sized(params, first_version::kEngineParams, "sk_engine_params", given));
    if (given.reserved != 0)
      return fail(Code::argument, "sk_engine_params.reserved is {}, not 0", given.reserved);
    EngineOptions options;
    if (!(given.patience >= 0))
      return fail(Code::argument, "patience is {}, it has to be 0 or more", given.patience);
    if (given.patience > 0) options.patience = given.patience;
    auto engine = std::make_unique<sk_engine>();
    engine->engine = std::make_shared<Engine>(model->model, std::move(options));
    engine->found = model->found;
    *out = engine.release();
    return {};
  });
}

void sk_engine_free(sk_engine* engine) { delete engine; }

int32_t sk_engine_step(sk_engine* engine, int32_t* moved) {
  return guarded([&]() -> Status {
    SK_TRY_STATUS(require(engine, "engine"));
    SK_TRY(const bool did, engine->engine->step());
    if (moved) *moved = did ? 1 : 0;
    return {};
  });
}

int32_t sk_engine_active(const sk_engine* engine, size_t* count) {
  return guarded([&]() -> Status {
    SK_TRY_STATUS(require(engine, "engine"));
    SK_TRY_STATUS(require(count, "count"));
    SK_TRY(*count, engine->engine->active());
    return {};
  });
}

int32_t sk_chat_tokens(const sk_model* model, const sk_message* messages, size_t message_count,
                       const char* think, int32_t* ids, size_t capacity, size_t* count) {
  return guarded([&]() -> Status {
    SK_TRY_STATUS(require(model, "model"));
    SK_TRY_STATUS(require(messages, "messages"));
    SK_TRY_STATUS(require(count, "count"));
    SK_TRY(const Vocabulary vocabulary, model->vocabulary());
    SK_TRY(const Conversed talk,
           converse(*model->model, *vocabulary.tokenizer, {messages, message_count}, think));
    return hand_over(std::span(talk.ids), ids, capacity, count, "ids");
  });
}

int32_t sk_generation_start(sk_engine* engine, const sk_state* state,
                            const sk_generate_params* params, sk_generation** out) {
  return guarded([&]() -> Status {
    SK_TRY_STATUS(require(engine, "engine"));
    SK_TRY_STATUS(require(params, "params"));
    SK_TRY_STATUS(require(out, "out"));
    sk_generate_params given = {};
    SK_TRY_STATUS(read_sized(params, first_version::kGenerateParams, "sk_generate_params", given));
    auto made = std::make_unique<sk_generation>();
    made->engine = engine->engine;
    SK_TRY(made->conversation, make_conversation(*engine, state, given));
    made->top.reserve(static_cast<size_t>(given.top_logprobs));
    SK_TRY_STATUS(engine->engine->submit(task_of(made->conversation)));
    *out = made.release();
    return {};
  });
}

int32_t sk_generation_poll(sk_generation* generation, struct sk_event* out, int32_t* got) {
  return guarded([&]() -> Status {
    SK_TRY_STATUS(require(generation, "generation"));
    SK_TRY_STATUS(require(out, "out"));
    SK_TRY_STATUS(require(got, "got"));
    SK_TRY_STATUS(check_size(out->size, first_version::kEvent, "sk_event"));
    const bool there = take(*generation);
    *got = there ? 1 : 0;
    return there ? hand_over_event(*generation, out) : Status();
  });
}

int32_t sk_generation_next(sk_generation* generation, struct sk_event* out) {
  return guarded([&]() -> Status {
    SK_TRY_STATUS(require(generation, "generation"));
    SK_TRY_STATUS(require(out, "out"));
    SK_TRY_STATUS(check_size(out->size, first_version::kEvent, "sk_event"));
    if (generation->ended) return fail(Code::argument, "the generation has ended");
    while (!take(*generation)) {
      if (generation->ended) return fail(Code::argument, "another thread fetched the last event");
      if (!generation->generation().active())
        SK_TRY_STATUS(generation->engine->submit(task_of(generation->conversation)));
      SK_TRY_STATUS(generation->engine->step());
    }
    return hand_over_event(*generation, out);
  });
}

int32_t sk_generation_cancel(sk_generation* generation) {
  return guarded([&]() -> Status {
    SK_TRY_STATUS(require(generation, "generation"));
    generation->generation().cancel();
    return {};
  });
}

int32_t sk_generation_resume(sk_generation* generation, int64_t more) {
  return guarded([&]() -> Status {
    SK_TRY_STATUS(require(generation, "generation"));
    if (more < 0) return fail(Code::argument, "{} tokens more; 0 is no limit", more);
    if (!generation->ended) return fail(Code::argument, "the generation has not ended");
    SK_TRY_STATUS(wait_for_end(*generation));
    Generation& text = generation->generation();
    const int32_t finish = finish_code(text);
    if ((finish != SK_FINISH_LENGTH && finish != SK_FINISH_CANCELLED) ||
        text.settled().value_or(true))
      return fail(Code::argument, "only what was cut short, and not settled, can be continued");
    const Finish before = text.finish();
    text.resume(more > 0 ? more : -1);
    const auto submit = [&]() -> Status {
      try {
        return generation->engine->submit(task_of(generation->conversation));
      } catch (const std::bad_alloc&) {
        return no_memory();
      }
    };
    generation->ended = false;
    const Status submitted = submit();
    if (!submitted) {
      text.stay_ended(before);
      generation->ended = true;
    }
    return submitted;
  });
}

int32_t sk_generation_info(const sk_generation* generation, struct sk_generation_info* out) {
  return guarded([&]() -> Status {
    SK_TRY_STATUS(require(generation, "generation"));
    SK_TRY_STATUS(require(out, "out"));
    const Generation& text = generation->generation();
    struct sk_generation_info value = {};
    value.prompt_tokens = text.prompt().size();
    value.prompt_read = text.prompt_read();
    if (generation->ended) {
      value.finish = finish_code(text);
      value.tokens = static_cast<uint64_t>(text.count());
      value.thought_tokens = static_cast<uint64_t>(text.thought_count());
      value.drafted = static_cast<uint64_t>(text.drafted_count());
      value.accepted = static_cast<uint64_t>(text.accepted_count());
      value.fingerprint = text.fingerprint().value_or(0);
    }
    return write_sized(value, first_version::kGenerationInfo, "sk_generation_info", out);
  });
}

namespace {

// Has what was shown and not read yet read.
Status settle(sk_generation& generation) {
  if (!generation.ended) return fail(Code::argument, "the generation has not ended");
  SK_TRY_STATUS(wait_for_end(generation));
  Generation& text = generation.generation();
  if (text.settled().value_or(false)) return {};
  SK_TRY(generation.rest, text.settle());
  SK_TRY_STATUS(generation.engine->wait(task_of(generation.conversation)));
  SK_TRY(const bool settled, text.settled());
  return settled ? Status() : no_memory();
}

}  // namespace

int32_t sk_generation_tokens(sk_generation* generation, int32_t* ids, size_t capacity,
                             size_t* count) {
  return guarded([&]() -> Status {
    SK_TRY_STATUS(require(generation, "generation"));
    SK_TRY_STATUS(require(count, "count"));
    SK_TRY_STATUS(settle(*generation));
    const Generation& text = generation->generation();
    const auto prompt = text.prompt().first(text.prompt_read());
    std::vector<int32_t> all(prompt.begin(), prompt.end());
    const auto& told = generation->told;
    all.insert(all.end(), told.begin(), told.begin() + text.read_count());
    all.insert(all.end(), generation->rest.begin(), generation->rest.end());
    return hand_over(std::span<const int32_t>(all), ids, capacity, count, "ids");
  });
}

int32_t sk_generation_state(sk_generation* generation, sk_state** out) {
  return guarded([&]() -> Status {
    SK_TRY_STATUS(require(generation, "generation"));
    SK_TRY_STATUS(require(out, "out"));
    SK_TRY_STATUS(settle(*generation));
    const State& state = generation->conversation->session.state();
    if (state.lost()) return lost_state();
    SK_TRY(State copy, state.copy_into(state.shared_layout()));
    *out = new sk_state{std::move(copy)};
    return {};
  });
}

void sk_generation_free(sk_generation* generation) {
  if (!generation) return;
  generation->generation().leave();
  delete generation;
}
