#include "server/job.h"

#include <new>
#include <utility>

#include "server/schedule.h"

namespace skein::server {
namespace {

// Made before there is none.
const ApiError kNoMemory = api_error({Code::memory, ""});

template <typename F>
bool tell(F call) noexcept {
  try {
    call();
    return true;
  } catch (const std::bad_alloc&) {
    return false;
  }
}

// A copy of the library's own ends the program where there is no memory for the words.
Status copy_of(const Status& status) {
  if (status) return {};
  return tl::unexpected(Error(status.error()));
}

}  // namespace

Runtime::Runtime(std::shared_ptr<Model> the_model, text::TokenizerPtr the_tokenizer,
                 EngineOptions options)
    : model(std::move(the_model)),
      tokenizer(std::move(the_tokenizer)),
      traits(token_traits(
          model->vocab(), [this](int32_t id) { return tokenizer->bytes_of(id); },
          tokenizer->ends())),
      engine(model, std::move(options)) {}

// Each sequence has its state, one to go back to, a row of logits and what its sampler remembers;
// a prompt that something is to be found out about needs rows.
int64_t memory_of(const Model& model, const Order& order) {
  const int64_t row = model.vocab() * static_cast<int64_t>(sizeof(float));
  const auto sequences = static_cast<int64_t>(std::max<size_t>(order.choices, 1));
  return sequences * (2 * model.info().state_bytes + 2 * row) +
         PromptReading::bytes(model, order.prompt.size(), order.wanted);
}

Job::Job(Runtime& runtime, Order order, std::shared_ptr<Group> group)
    : runtime_(&runtime),
      order_(std::move(order)),
      group_(std::move(group)),
      bytes_(memory_of(*runtime.model, order_)) {}

void Group::fail(const ApiError& error) noexcept {
  if (!std::exchange(over, true)) owed = !tell([&] { reply->failed(error); });
}

bool Group::settle() noexcept {
  if (!over && left == 0) {
    over = true;
    owed = !tell([&] { reply->finished(); });
  }
  if (owed) owed = !reply->gone() && !tell([&] { reply->failed(kNoMemory); });
  return !owed;
}

bool Job::advance() noexcept try {
  if (is_unwanted()) {
    group_->over = over_ = true;
    drop();
    return true;
  }
  moved_ = !begun_;
  const Status status = !std::exchange(begun_, true) ? begin()
                        : reading_                   ? after_reading()
                                                     : take_events();
  if (!status) fail(status.error());
  return moved_;
} catch (const std::bad_alloc&) {
  end(kNoMemory);
  return true;
}

void Job::fail(const Error& error) noexcept try {
  end(api_error(error));
} catch (const std::bad_alloc&) {
  end(kNoMemory);
}

Status Job::begin() {
  SK_TRY(State state, State::make(runtime_->model->state_layout()));
  first_ = std::make_unique<Session>(runtime_->model, std::move(state));
  SK_TRY_STATUS(first_->check(order_.prompt));
  reading_ = std::make_shared<PromptReading>(*first_, order_.prompt, order_.wanted);
  return runtime_->engine.submit(reading_);
}

// Gives back first what it had: the words may need it.
void Job::end(const ApiError& error) noexcept {
  over_ = true;
  drop();
  group_->fail(error);
}

void Job::drop() noexcept {
  park();
  reading_.reset();
  choices_.clear();
  first_.reset();
}

int64_t Job::units() noexcept {
  if (reading_) prompt_read_ = reading_->count();
  return Schedule::kPromptUnits * prompt_read_ + Schedule::kTokenUnits * generated_;
}

void Job::park() noexcept {
  if (reading_ && reading_->active()) runtime_->engine.forget(reading_);
  for (Choice& choice : choices_)
    if (choice.generation && choice.generation->active())
      runtime_->engine.forget(choice.generation);
}

bool Job::start() noexcept {
  if (!begun_) return advance(), true;
  bool taken = true;
  const auto take_up = [&](const std::shared_ptr<Task>& task) {
    if (task && !task->active()) taken = runtime_->engine.submit(task).has_value() && taken;
  };
  const bool told = tell([&] {
    take_up(reading_);
    for (Choice& choice : choices_) take_up(choice.generation);
  });
  return told && taken;
}

Status Job::after_reading() {
  if (reading_->active()) return {};
  moved_ = true;
  SK_TRY_STATUS(copy_of(reading_->status()));
  prompt_read_ = reading_->count();
  runtime_->prompt_tokens += order_.prompt.size();
  group_->reply->read(order_, std::move(reading_->findings()));
  reading_.reset();
  choices_.resize(order_.choices);
  // The last one takes what was read, the others a copy.
  for (size_t i = order_.choices; i-- > 0;) {
    if (i > 0) {
      choices_[i].session = std::make_unique<Session>(runtime_->model, first_->state());
      choices_[i].session->keep_logits(first_->logits());
    } else {
      choices_[i].session = std::move(first_);
    }
  }
  left_ = order_.choices;
  for (size_t i = 0; i < choices_.size(); ++i) {
    Sampling sampling = order_.sampling;
    sampling.seed = choice_seed(sampling.seed, i);
    SK_TRY(Sampler sampler, Sampler::create(sampling, runtime_->traits));
    SK_TRY(choices_[i].generation,
           Generation::start(*choices_[i].session, runtime_->tokenizer.get(), std::move(sampler),
                             order_.options));
    SK_TRY_STATUS(runtime_->engine.submit(choices_[i].generation));
  }
  over_ = left_ == 0;
  return {};
}

Status Job::take_events() {
  for (size_t i = 0; i < choices_.size(); ++i) {
    Choice& choice = choices_[i];
    if (!choice.generation || group_->reply->full()) continue;
    if (!choice.generation->take(choice.event)) continue;
    moved_ = true;
    const bool ended = choice.event.finish != Finish::running;
    if (ended) SK_TRY_STATUS(copy_of(choice.generation->status()));
    const int64_t count = choice.generation->count() + (choice.event.ending >= 0 ? 1 : 0);
    const int64_t fresh = count - std::exchange(choice.counted, count);
    runtime_->tokens += static_cast<uint64_t>(fresh);
    generated_ += fresh;
    group_->reply->told(order_.first_choice + i, choice.event, *choice.generation);
    if (!ended) continue;
    if (choice.generation->active()) runtime_->engine.forget(choice.generation);
    choice.generation.reset();
    choice.session.reset();
    --left_;
  }
  over_ = left_ == 0;
  return {};
}

}  // namespace skein::server
