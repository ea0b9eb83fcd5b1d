#include "server/host.h"

#include <algorithm>
#include <chrono>
#include <new>
#include <utility>

#include "base/limits.h"
#include "base/platform.h"

namespace skein::server {
namespace {

const ApiError kLeaving = {
    .status = 503, .message = "the server is ending", .code = "server_ending", .retry_seconds = 5};
// Made before there is none.
const ApiError kNoMemory = api_error({Code::memory, ""});
// Before what failed for want of memory is tried again, unless something else moves.
constexpr auto kPause = std::chrono::milliseconds(50);
// Steps in a row that may fail for want of memory.
constexpr int kStepTries = 3;

}  // namespace

// A request: its orders end together.
struct Host::Group {
  std::shared_ptr<Reply> reply;
  size_t left = 0;     // orders that have not ended
  bool begun = false;  // one of them is active or was
  bool over = false;   // failed, or nobody listens
  bool owed = false;   // there was no memory to say that it failed

  void fail(const ApiError& error) noexcept {
    if (!std::exchange(over, true)) owed = !tell([&] { reply->failed(error); });
  }

  // Says the last word, where it is to be said now. False: there was no memory for it.
  bool settle() noexcept {
    if (!over && left == 0) {
      over = true;
      owed = !tell([&] { reply->finished(); });
    }
    if (owed) owed = !reply->gone() && !tell([&] { reply->failed(kNoMemory); });
    return !owed;
  }

 private:
  template <typename F>
  static bool tell(F call) noexcept {
    try {
      call();
      return true;
    } catch (const std::bad_alloc&) {
      return false;
    }
  }
};

// An order on its way: its prompt is read, then its choices are generated side by side.
class Host::Job {
 public:
  Job(Host& host, Order order, std::shared_ptr<Group> group)
      : host_(&host),
        order_(std::move(order)),
        group_(std::move(group)),
        bytes_(host.bytes_of(order_)) {}
  ~Job() { drop(); }

  Group& group() { return *group_; }
  int64_t sequences() const { return static_cast<int64_t>(std::max<size_t>(order_.choices, 1)); }
  int64_t bytes() const { return bytes_; }
  uint64_t tokens() const { return order_.prompt.size(); }
  bool is_over() const { return over_; }

  // Whether anything moved.
  bool advance() noexcept try {
    if (group_->over || group_->reply->gone()) {
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

  void fail(const Error& error) noexcept try {
    end(api_error(error));
  } catch (const std::bad_alloc&) {
    end(kNoMemory);
  }

 private:
  struct Choice {
    std::unique_ptr<Session> session;
    std::shared_ptr<Generation> generation;
    Event event;
    int64_t counted = 0;
  };

  Status begin() {
    SK_TRY(State state, State::make(host_->model_->state_layout()));
    first_ = std::make_unique<Session>(host_->model_, std::move(state));
    SK_TRY_STATUS(first_->check(order_.prompt));
    reading_ = std::make_shared<PromptReading>(*first_, order_.prompt, order_.scored, order_.top);
    return host_->engine_.submit(reading_);
  }

  // Gives back first what it had: the words may need it.
  void end(const ApiError& error) noexcept {
    over_ = true;
    drop();
    group_->fail(error);
  }

  void drop() noexcept {
    if (reading_ && reading_->active()) host_->engine_.forget(reading_);
    for (Choice& choice : choices_)
      if (choice.generation && choice.generation->active())
        host_->engine_.forget(choice.generation);
    reading_.reset();
    choices_.clear();
    first_.reset();
  }

  Status after_reading() {
    if (reading_->active()) return {};
    moved_ = true;
    SK_TRY_STATUS(reading_->status());
    host_->prompt_tokens_ += order_.prompt.size();
    group_->reply->read(order_, std::move(reading_->scores()));
    reading_.reset();
    choices_.resize(order_.choices);
    // The last one takes what was read, the others a copy.
    for (size_t i = order_.choices; i-- > 0;) {
      if (i > 0) {
        choices_[i].session = std::make_unique<Session>(host_->model_, first_->state());
        choices_[i].session->keep_logits(first_->logits());
      } else {
        choices_[i].session = std::move(first_);
      }
    }
    left_ = order_.choices;
    for (size_t i = 0; i < choices_.size(); ++i) {
      Sampling sampling = order_.sampling;
      sampling.seed = choice_seed(sampling.seed, i);
      SK_TRY(Sampler sampler, Sampler::create(sampling, host_->traits_));
      SK_TRY(choices_[i].generation,
             Generation::start(*choices_[i].session, host_->tokenizer_.get(), std::move(sampler),
                               order_.options));
      SK_TRY_STATUS(host_->engine_.submit(choices_[i].generation));
    }
    over_ = left_ == 0;
    return {};
  }

  Status take_events() {
    for (size_t i = 0; i < choices_.size(); ++i) {
      Choice& choice = choices_[i];
      if (!choice.generation || group_->reply->full()) continue;
      if (!choice.generation->take(choice.event)) continue;
      moved_ = true;
      const bool ended = choice.event.finish != Finish::running;
      if (ended) SK_TRY_STATUS(choice.generation->status());
      host_->tokens_ += static_cast<uint64_t>(choice.generation->count() - choice.counted);
      choice.counted = choice.generation->count();
      group_->reply->told(order_.first_choice + i, choice.event, *choice.generation);
      if (!ended) continue;
      if (choice.generation->active()) host_->engine_.forget(choice.generation);
      choice.generation.reset();
      choice.session.reset();
      --left_;
    }
    over_ = left_ == 0;
    return {};
  }

  Host* host_;
  const Order order_;
  const std::shared_ptr<Group> group_;
  const int64_t bytes_;
  std::unique_ptr<Session> first_;
  std::shared_ptr<PromptReading> reading_;
  std::vector<Choice> choices_;
  size_t left_ = 0;
  bool begun_ = false;
  bool moved_ = false;
  bool over_ = false;
};

namespace {

int64_t budget_of(const HostOptions& options) {
  if (options.memory > 0) return options.memory;
  const auto free = static_cast<int64_t>(memory_available());
  return free > 0 ? free / 2 : INT64_MAX;
}

}  // namespace

Host::Host(std::string name, std::shared_ptr<Model> model, text::TokenizerPtr tokenizer,
           const HostOptions& options)
    : name_(std::move(name)),
      model_(std::move(model)),
      tokenizer_(std::move(tokenizer)),
      traits_(token_traits(
          model_->vocab(), [this](int32_t id) { return tokenizer_->bytes_of(id); },
          tokenizer_->ends())),
      options_(options),
      budget_(budget_of(options)),
      engine_(model_),
      thread_([this] { run(); }) {}

Host::~Host() {
  close();
  thread_.join();
}

// Each sequence has its state, one to go back to, a row of logits and what its sampler remembers;
// a prompt's scores need rows.
int64_t Host::bytes_of(const Order& order) const {
  const int64_t row = model_->vocab() * static_cast<int64_t>(sizeof(float));
  const auto sequences = static_cast<int64_t>(std::max<size_t>(order.choices, 1));
  const auto rows =
      static_cast<int64_t>(order.scored ? std::min(PromptReading::kRows, order.prompt.size()) : 0);
  return sequences * (2 * model_->info().state_bytes + 2 * row) + rows * row;
}

namespace {

// So that one more than `count` need no memory any more.
template <typename T>
void reserve_one(std::vector<T>& list, size_t count) {
  if (list.capacity() <= count) list.reserve(2 * count + 1);
}

}  // namespace

bool Host::fits(const Job& job) const {
  return active_.empty() ||
         (sequences_ + job.sequences() <= options_.parallel && bytes_ + job.bytes() <= budget_);
}

Asked<void> Host::submit(std::vector<Order> orders, std::shared_ptr<Reply> reply) {
  const auto group = std::make_shared<Group>(Group{.reply = reply, .left = orders.size()});
  std::vector<std::unique_ptr<Job>> jobs;
  uint64_t tokens = 0;
  for (Order& order : orders) {
    const int64_t bytes = bytes_of(order);
    tokens += order.prompt.size();
    if (bytes > budget_)
      return refused(fmt::format("this takes {} bytes of memory for {} texts at once; there are {}",
                                 bytes, order.choices, budget_),
                     "n");
    jobs.push_back(std::make_unique<Job>(*this, std::move(order), group));
  }
  {
    const std::lock_guard lock(mutex_);
    if (closing_) return tl::unexpected(kLeaving);
    const bool long_ones = waiting_groups_ > 0 && waiting_tokens_ + tokens > limits::kPromptTokens;
    if (waiting_groups_ >= options_.waiting || long_ones)
      return tl::unexpected(ApiError{
          .status = 429,
          .message = fmt::format("{} requests wait for {} already", waiting_groups_, name_),
          .code = "rate_limit_exceeded",
          .retry_seconds = 1});
    // Places first: what is accepted must not find that there is no memory for one.
    struct Places {
      std::deque<std::unique_ptr<Job>>& list;
      ~Places() { std::erase(list, nullptr); }
    } const places{waiting_};
    const auto before = static_cast<std::ptrdiff_t>(waiting_.size());
    for (size_t i = 0; i < jobs.size(); ++i) waiting_.emplace_back();
    reply->accepted();
    std::move(jobs.begin(), jobs.end(), waiting_.begin() + before);
    ++waiting_groups_;
    waiting_tokens_ += tokens;
    load_.waiting = waiting_groups_;
    woken_ = true;
  }
  changed_.notify_one();
  return {};
}

void Host::wake() {
  {
    const std::lock_guard lock(mutex_);
    woken_ = true;
  }
  changed_.notify_one();
}

void Host::close() {
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
  }
  changed_.notify_one();
}

Load Host::load() const {
  const std::lock_guard lock(mutex_);
  return load_;
}

// Takes what there is room for, first come, first served. False: it is over.
bool Host::admit() noexcept try {
  std::vector<std::unique_ptr<Job>> gone;  // dropped without the lock
  std::unique_lock lock(mutex_);
  load_.active = static_cast<int64_t>(active_.size());
  load_.sequences = sequences_;
  load_.bytes = bytes_;
  if (idle_ && short_)
    changed_.wait_for(lock, kPause, [&] { return closing_; });
  else if (idle_)
    changed_.wait(lock, [&] { return woken_ || closing_; });
  short_ = false;
  if (closing_) return false;
  const auto leave = [&](std::unique_ptr<Job>& job) {
    if (!std::exchange(job->group().begun, true)) --waiting_groups_;
    waiting_tokens_ -= job->tokens();
    return std::move(job);
  };
  // What takes memory comes before anything changes.
  if (woken_) {
    gone.reserve(waiting_.size());
    woken_ = false;
    for (auto& job : waiting_)
      if (job->group().over || job->group().reply->gone()) gone.push_back(leave(job));
    std::erase(waiting_, nullptr);
  }
  while (!waiting_.empty() && fits(*waiting_.front())) {
    reserve_one(active_, active_.size());
    reserve_one(ended_, ended_.size() + active_.size());
    Job& next = *waiting_.front();
    sequences_ += next.sequences();
    bytes_ += next.bytes();
    active_.push_back(leave(waiting_.front()));
    waiting_.pop_front();
  }
  load_.waiting = waiting_groups_;
  return true;
} catch (const std::bad_alloc&) {
  short_ = true;
  return true;
}

// Whether anything came of it.
bool Host::advance() noexcept {
  bool moved = false;
  for (auto& job : active_) moved = job->advance() || moved;
  retire();
  return moved;
}

// What has ended leaves the list and the counts before anybody is told, and nothing of that takes
// memory: ended_ has room for all of them.
void Host::retire() noexcept {
  for (auto& job : active_) {
    if (!job->is_over()) continue;
    sequences_ -= job->sequences();
    bytes_ -= job->bytes();
    --job->group().left;
    ended_.push_back(std::move(job));
  }
  std::erase(active_, nullptr);
  std::erase_if(ended_, [](const auto& job) { return job->group().settle(); });
  short_ = short_ || !ended_.empty();
}

// Whether anything came of it.
bool Host::step() noexcept try {
  const auto stepped = engine_.step();
  if (stepped) {
    failed_steps_ = 0;
    if (*stepped) ++steps_;
    return *stepped;
  }
  if (active_.empty()) return false;
  // It changed nothing, and is nobody's fault.
  short_ = true;
  if (stepped.error().code == Code::memory && ++failed_steps_ < kStepTries) return false;
  failed_steps_ = 0;
  for (auto& job : active_) job->fail(stepped.error());
  return true;
} catch (const std::bad_alloc&) {
  short_ = true;
  return false;
}

void Host::run() {
  while (admit()) {
    const bool moved = advance();
    idle_ = !step() && !moved;
  }
  fail_all();
}

void Host::fail_all() {
  for (auto& job : active_) job->group().fail(kLeaving);
  active_.clear();
  ended_.clear();
  const std::lock_guard lock(mutex_);
  for (auto& job : waiting_) job->group().fail(kLeaving);
  waiting_.clear();
}

}  // namespace skein::server
