#include "server/job.h"

#include <algorithm>
#include <new>
#include <utility>

#include "server/schedule.h"

namespace skein::server {
namespace {

// Nobody waits for what is read sooner than somebody else's step is over.
constexpr size_t kWorthWaiting = 8;

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
                 EngineOptions options, int64_t kept_bytes)
    : model(std::move(the_model)),
      tokenizer(std::move(the_tokenizer)),
      traits(token_traits(
          model->vocab(), [this](int32_t id) { return tokenizer->bytes_of(id); },
          tokenizer->ends())),
      engine(model, std::move(options)),
      states(*model, kept_bytes) {}

void recall(PrefixStates& states, const text::Tokenizer& tokenizer, Order& order) {
  if (!order.text) return;
  const PromptText text = *std::exchange(order.text, std::nullopt);
  if (!order.shared || !states.keeps()) return;
  const auto end = order.prompt.begin() + static_cast<std::ptrdiff_t>(text.tokens);
  const std::vector<int32_t> behind(end, order.prompt.end());
  order.prompt.erase(end, order.prompt.end());
  order.prompt =
      states.tokens_of(order.start, text.prompt, tokenizer, std::move(order.prompt), text.leads);
  size_t place = 0, count = 0;
  auto mark = text.marks.begin();
  auto asked = text.asked.begin();
  for (const int32_t id : order.prompt) {
    const size_t bytes = tokenizer.bytes_of(id).size();
    const bool before = count++ == 0 && text.leads;
    if (!before) place += bytes > 0 ? bytes : tokenizer.special_name(id).size();
    // One inside a token stands before that: what follows it next time may cut there otherwise.
    for (; asked != text.asked.end() && *asked <= place; ++asked)
      if (const size_t at = *asked == place ? count : count - 1; at > 0)
        order.asked_marks.push_back(at);
    for (; mark != text.marks.end() && *mark <= place; ++mark)
      if (*mark == place) order.marks.push_back(count);
  }
  if (!behind.empty()) order.certain_mark = order.prompt.size();
  order.prompt.insert(order.prompt.end(), behind.begin(), behind.end());
}

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
  const bool gone = group_->reply->gone();
  if (is_unwanted()) {
    group_->over = over_ = true;
    if (gone) cancel();
    drop();
    return true;
  }
  moved_ = !begun_;
  const Status status = !std::exchange(begun_, true) || ahead_ ? begin()
                        : scoring_ || reading_                 ? after_reading()
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
  if (ahead_) {
    // Past that place there may have been no memory for it.
    if (ahead_->active() && ahead_->read_count() < ahead_at_) return {};
    moved_ = true;
  }
  const StateTree::Found found = find_beginning();
  if (shares() && wait_for_another(found.tokens)) return {};
  return read_from(found);
}

// What somebody has read of the prompt, and nobody knows more of.
StateTree::Found Job::find_beginning() {
  if (!shares()) return {};
  StateTree::Found found = runtime_->states.find(order_.start, order_.prompt);
  if (const auto other = std::move(ahead_)) {
    StateTree::Found theirs = other->take_share(ahead_at_);
    if (theirs.tokens > found.tokens) found = std::move(theirs);
  }
  return found;
}

// Whoever reads what this prompt goes on with beyond what is known.
Job::Ahead Job::who_is_ahead(size_t known) const {
  const std::span<const int32_t> prompt = order_.prompt;
  Ahead best{nullptr, known + kWorthWaiting - 1};
  for (const auto& reading : runtime_->readings) {
    if (!reading->active() || reading->start().scope != order_.start.scope) continue;
    const auto ids = reading->ids();
    const auto parted = std::mismatch(prompt.begin(), prompt.end(), ids.begin(), ids.end()).first;
    auto common = static_cast<size_t>(parted - prompt.begin());
    // Of all of it the logits are needed, which the end of the same prompt has.
    if (common < prompt.size() || common < ids.size())
      common = runtime_->states.usable(order_.start, std::min(common, prompt.size() - 1));
    if (common <= best.at || common <= reading->read_count()) continue;
    best = {reading, common};
  }
  return best;
}

// He is waited for, at the place where the two part.
bool Job::wait_for_another(size_t known) {
  Ahead ahead = who_is_ahead(known);
  if (!ahead.reading || !ahead.reading->share(ahead.at)) return false;
  ahead_ = std::move(ahead.reading);
  ahead_at_ = ahead.at;
  return true;
}

// While it made room others may have read further in what it reads.
bool Job::is_overtaken() {
  if (!shares() || !reading_ || reading_->active()) return false;
  const size_t mine = reading_->read_count();
  if (runtime_->states.find(order_.start, order_.prompt).tokens >= mine + kWorthWaiting)
    return true;
  const Ahead ahead = who_is_ahead(mine);
  return ahead.reading && ahead.reading->read_count() > mine;
}

Status Job::read_from(const StateTree::Found& found) {
  const auto& layout = runtime_->model->state_layout();
  const StateTree::Kept& beginning = found.kept ? found.kept : order_.start.state;
  SK_TRY(State state, beginning ? beginning->state.copy_into(layout) : State::make(layout));
  first_ = std::make_unique<Session>(runtime_->model, std::move(state));
  SK_TRY_STATUS(first_->check(order_.prompt));
  // Less what it has read itself, should this not be its first reading.
  const size_t reused = found.tokens - std::min(found.tokens, static_cast<size_t>(read_before_));
  const size_t fresh = reused - std::min(reused, std::exchange(reused_, reused));
  runtime_->cached_tokens += fresh;
  group_->reply->reused(order_, fresh);
  if (order_.wanted.any()) {
    scoring_ = std::make_shared<PromptReading>(*first_, order_.prompt, order_.wanted);
    return runtime_->engine.submit(scoring_);
  }
  const size_t size = order_.prompt.size();
  if (found.tokens == size) {
    first_->keep_logits(found.kept->logits);
    group_->reply->read(order_, {});
    return start_choices();
  }
  PrefixStates& states = runtime_->states;
  std::vector<size_t> marks;
  if (shares()) {
    // A branch that lies near is read again as soon.
    constexpr size_t kNear = 16;
    const size_t branch = states.common(order_.start, order_.prompt);
    marks = choose_marks(found.tokens, size, order_.marks);
    if (branch >= found.tokens + kNear) marks.push_back(branch);
    for (const size_t each : {order_.certain_mark, states.usable(order_.start, size)})
      marks.push_back(each);
    marks.insert(marks.end(), order_.asked_marks.begin(), order_.asked_marks.end());
    for (size_t& mark : marks) mark = states.usable(order_.start, mark);
    std::erase_if(marks, [&](size_t mark) { return mark <= found.tokens || mark >= size; });
    std::sort(marks.begin(), marks.end());
  }
  reading_ = std::make_shared<PrefixReading>(*first_, order_.prompt, found.tokens, order_.start,
                                             std::move(marks), shares() ? &states : nullptr);
  if (shares()) runtime_->readings.push_back(reading_);
  return runtime_->engine.submit(reading_);
}

// Gives back first what it had: the words may need it.
void Job::end(const ApiError& error) noexcept {
  over_ = true;
  drop();
  group_->fail(error);
}

void Job::drop() noexcept {
  stop();
  std::erase(runtime_->readings, reading_);
  if (ahead_) ahead_->take_share(ahead_at_);
  scoring_.reset();
  reading_.reset();
  ahead_.reset();
  choices_.clear();
  first_.reset();
}

int64_t Job::units() noexcept {
  if (reading_) prompt_read_ = read_before_ + static_cast<int64_t>(reading_->fresh_count());
  if (scoring_) prompt_read_ = scoring_->count();
  return Schedule::kPromptUnits * prompt_read_ + Schedule::kTokenUnits * generated_;
}

void Job::park() noexcept {
  const bool reads = reading_ && reading_->active();
  stop();
  if (reads) reading_->leave(false);
}

void Job::stop() noexcept {
  if (scoring_ && scoring_->active()) runtime_->engine.forget(scoring_);
  if (reading_ && reading_->active()) runtime_->engine.forget(reading_);
  for (Choice& choice : choices_)
    if (choice.generation && choice.generation->active())
      runtime_->engine.forget(choice.generation);
}

bool Job::start() noexcept {
  // It reads on from where they are.
  if (bool overtaken = false; tell([&] { overtaken = is_overtaken(); }) && overtaken) {
    count_reading();
    std::erase(runtime_->readings, reading_);
    reading_.reset();
    first_.reset();
    begun_ = false;
  }
  if (!begun_) return advance(), true;
  if (reading_) reading_->resume();
  bool taken = true;
  const auto take_up = [&](const std::shared_ptr<Task>& task) {
    if (task && !task->active()) taken = runtime_->engine.submit(task).has_value() && taken;
  };
  const bool told = tell([&] {
    take_up(scoring_);
    take_up(reading_);
    for (Choice& choice : choices_) take_up(choice.generation);
  });
  return told && taken;
}

void Job::count_reading() noexcept {
  runtime_->prompt_tokens += reading_->fresh_count();
  read_before_ += static_cast<int64_t>(reading_->fresh_count());
  prompt_read_ = read_before_;
}

// Whoever left may come back, to go on or to ask something else.
void Job::cancel() noexcept {
  if (!shares()) return;
  if (reading_) {
    if (reading_->active()) runtime_->engine.forget(reading_);
    count_reading();
    reading_->leave(true);
  }
  for (size_t i = 0; i < choices_.size(); ++i) {
    Choice& choice = choices_[i];
    if (!choice.session || !choice.generation) continue;
    if (choice.generation->active()) runtime_->engine.forget(choice.generation);
    take_last(i);
    keep(choice);
  }
}

// The tokens that were chosen after what the state has read: whoever goes on reads them, and knows
// what follows.
void Job::take_last(size_t index) noexcept try {
  Choice& choice = choices_[index];
  while (choice.generation->take(choice.event)) {
    if (choice.event.id >= 0) choice.ids.push_back(choice.event.id);
    group_->reply->told(order_.first_choice + index, choice.event, *choice.generation);
  }
} catch (const std::bad_alloc&) {
}

// The state that a choice has come to, which nobody needs any more.
void Job::keep(Choice& choice) noexcept try {
  if (!shares() || !order_.answer_returns) return;
  std::vector<int32_t> ids = order_.prompt;
  ids.insert(ids.end(), choice.ids.begin(), choice.ids.end());
  const uint64_t read = choice.session->state().tokens_read() - order_.start.tokens_read();
  if (read > ids.size() || read < order_.prompt.size()) return;
  ids.resize(read);
  // With fast numerics nothing may go on from here.
  if (runtime_->model->info().numerics != Numerics::exact) return;
  runtime_->states.keep(order_.start, ids, {std::move(choice.session->change_state()), {}});
} catch (const std::bad_alloc&) {
}

Status Job::after_reading() {
  if (reading_ && told_read_ < reading_->read_count())
    group_->reply->progressed(order_, told_read_ = reading_->read_count());
  if (scoring_ ? scoring_->active() : reading_->active()) return {};
  moved_ = true;
  Findings findings;
  if (scoring_) {
    SK_TRY_STATUS(copy_of(scoring_->status()));
    prompt_read_ = scoring_->count();
    runtime_->prompt_tokens += order_.prompt.size();
    findings = std::move(scoring_->findings());
  } else {
    std::erase(runtime_->readings, reading_);
    count_reading();
    SK_TRY_STATUS(copy_of(reading_->status()));
  }
  group_->reply->read(order_, std::move(findings));
  scoring_.reset();
  reading_.reset();
  return start_choices();
}

Status Job::start_choices() {
  if (order_.wants_state)
    group_->reply->arrived(order_, std::make_shared<const Session::Snapshot>(first_->snapshot()));
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
    if (group_->reply->watches())
      group_->reply->stands(order_.first_choice + i, choices_[i].session->state(), 0);
    Sampling sampling = order_.sampling;
    sampling.seed = choice_seed(sampling.seed, i);
    SK_TRY(Sampler sampler, Sampler::create(sampling, runtime_->traits));
    SK_TRY(choices_[i].generation,
           Generation::start(*choices_[i].session, runtime_->tokenizer.get(), std::move(sampler),
                             order_.options));
    SK_TRY_STATUS(runtime_->engine.submit(choices_[i].generation));
  }
  over_ = left_ == 0;
  // The last word may have to wait for memory.
  if (over_) first_.reset();
  return {};
}

Status Job::take_events() {
  for (size_t i = 0; i < choices_.size(); ++i) {
    Choice& choice = choices_[i];
    if (!choice.generation || group_->reply->full()) continue;
    if (!choice.generation->take(choice.event)) continue;
    moved_ = true;
    const bool ended = choice.event.finish != Finish::running;
    if (choice.event.id >= 0 && shares() && order_.answer_returns)
      choice.ids.push_back(choice.event.id);
    if (ended) SK_TRY_STATUS(copy_of(choice.generation->status()));
    const int64_t fresh = choice.event.count - std::exchange(choice.counted, choice.event.count);
    runtime_->tokens += static_cast<uint64_t>(fresh);
    generated_ += fresh;
    if (group_->reply->watches())
      group_->reply->stands(order_.first_choice + i, choice.session->state(),
                            choice.generation->read_count());
    group_->reply->told(order_.first_choice + i, choice.event, *choice.generation);
    if (!ended) continue;
    if (choice.generation->active()) runtime_->engine.forget(choice.generation);
    choice.generation.reset();
    keep(choice);
    choice.session.reset();
    --left_;
  }
  over_ = left_ == 0;
  return {};
}

}  // namespace skein::server
