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
// Before what failed for want of memory is tried again, unless something else moves.
constexpr auto kPause = std::chrono::milliseconds(50);
// Steps in a row that may fail for want of memory.
constexpr int kStepTries = 3;

}  // namespace

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
      options_(options),
      budget_(budget_of(options)),
      runtime_(std::move(model), std::move(tokenizer)),
      thread_([this] { run(); }) {}

Host::~Host() {
  close();
  thread_.join();
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
    const int64_t bytes = memory_of(model(), order);
    tokens += order.prompt.size();
    if (bytes > budget_)
      return refused(fmt::format("this takes {} bytes of memory for {} texts at once; there are {}",
                                 bytes, order.choices, budget_),
                     "n");
    jobs.push_back(std::make_unique<Job>(runtime_, std::move(order), group));
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
  const auto stepped = runtime_.engine.step();
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
