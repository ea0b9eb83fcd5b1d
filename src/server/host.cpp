#include "server/host.h"

#include <algorithm>
#include <new>
#include <utility>

#include "base/limits.h"
#include "base/platform.h"

namespace skein::server {
namespace {

const ApiError kLeaving = {
    .status = 503, .message = "the server is ending", .code = "server_ending", .retry_seconds = 5};

}  // namespace

// A request: its orders end together.
struct Host::Group {
  std::shared_ptr<Reply> reply;
  size_t left = 0;     // orders that have not ended
  bool begun = false;  // one of them is active or was
  bool over = false;   // failed, or nobody listens

  void fail(const ApiError& error) {
    if (!std::exchange(over, true)) reply->failed(error);
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
  bool advance() {
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
  }

  void fail(const Error& error) {
    group_->fail(api_error(error));
    over_ = true;
    drop();
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

  void drop() {
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
    reply->accepted();
    for (auto& job : jobs) waiting_.push_back(std::move(job));
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
bool Host::admit() {
  std::vector<std::unique_ptr<Job>> gone;  // dropped without the lock
  {
    std::unique_lock lock(mutex_);
    load_.active = static_cast<int64_t>(active_.size());
    load_.sequences = sequences_;
    load_.bytes = bytes_;
    if (idle_) changed_.wait(lock, [&] { return woken_ || closing_; });
    if (closing_) return false;
    const bool look = std::exchange(woken_, false);
    const auto leave = [&](std::unique_ptr<Job>& job) {
      if (!std::exchange(job->group().begun, true)) --waiting_groups_;
      waiting_tokens_ -= job->tokens();
      return std::move(job);
    };
    if (look) {
      for (auto& job : waiting_)
        if (job->group().over || job->group().reply->gone()) gone.push_back(leave(job));
      std::erase(waiting_, nullptr);
    }
    while (!waiting_.empty() && fits(*waiting_.front())) {
      Job& next = *waiting_.front();
      sequences_ += next.sequences();
      bytes_ += next.bytes();
      active_.push_back(leave(waiting_.front()));
      waiting_.pop_front();
    }
    load_.waiting = waiting_groups_;
  }
  return true;
}

// Whether anything came of it.
bool Host::advance() {
  bool moved = false;
  for (auto& job : active_) {
    try {
      moved = job->advance() || moved;
    } catch (const std::bad_alloc&) {
      job->fail({Code::memory, "out of memory"});
      moved = true;
    }
  }
  std::erase_if(active_, [&](std::unique_ptr<Job>& job) {
    if (!job->is_over()) return false;
    sequences_ -= job->sequences();
    bytes_ -= job->bytes();
    Group& group = job->group();
    if (--group.left == 0 && !group.over) group.reply->finished();
    return true;
  });
  return moved;
}

void Host::run() {
  while (true) {
    try {
      if (!admit()) break;
      const bool moved = advance();
      const auto stepped = engine_.step();
      if (!stepped && !active_.empty()) active_.back()->fail(stepped.error());
      if (stepped && *stepped) ++steps_;
      idle_ = !moved && stepped && !*stepped;
    } catch (const std::bad_alloc&) {
      if (!active_.empty()) active_.back()->fail({Code::memory, "out of memory"});
    }
  }
  fail_all();
}

void Host::fail_all() {
  for (auto& job : active_) job->group().fail(kLeaving);
  active_.clear();
  std::deque<std::unique_ptr<Job>> rest;
  {
    const std::lock_guard lock(mutex_);
    rest.swap(waiting_);
  }
  for (auto& job : rest) job->group().fail(kLeaving);
}

}  // namespace skein::server
