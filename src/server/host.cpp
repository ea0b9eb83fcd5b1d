#include "server/host.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/platform.h"

namespace skein::server {
namespace {

const ApiError kLeaving = {
    .status = 503, .message = "the server is ending", .code = "server_ending", .retry_seconds = 5};

double seconds_now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace

int64_t sequence_bytes(const HostOptions& options) {
  if (options.memory > 0) return options.memory;
  const auto free = static_cast<int64_t>(memory_available());
  return free > 0 ? free / 2 / options.models : INT64_MAX;
}

int64_t kept_bytes(const HostOptions& options) {
  if (options.kept >= 0) return options.kept;
  return static_cast<int64_t>(memory_available()) / 4 / options.models;
}

Host::Host(std::string name, std::shared_ptr<Model> model, text::TokenizerPtr tokenizer,
           const HostOptions& options)
    : name_(std::move(name)),
      budget_(sequence_bytes(options)),
      runtime_(std::move(model), std::move(tokenizer), EngineOptions{}, kept_bytes(options)),
      forms_(options.forms),
      desk_(runtime_, name_,
            {.parallel = options.parallel,
             .waiting = options.waiting,
             .memory = budget_,
             .turn_seconds = options.turn_seconds,
             .wait_seconds = options.wait_seconds},
            seconds_now),
      thread_([this] { run(); }) {}

std::shared_ptr<const constrain::Words> Host::words() {
  std::call_once(words_made_,
                 [this] { words_ = std::make_shared<const constrain::Words>(runtime_.tokenizer); });
  return words_;
}

Host::~Host() { stop(); }

void Host::stop() {
  close();
  if (thread_.joinable()) thread_.join();
  forms_.stop();
}

Asked<void> Host::admits(const std::vector<Order>& orders, const Source& source) {
  const std::lock_guard lock(mutex_);
  if (closing_) return tl::unexpected(kLeaving);
  return desk_.admits(orders, source);
}

Asked<void> Host::submit(std::vector<Order> orders, std::shared_ptr<Reply> reply,
                         const Source& source) {
  auto request = desk_.prepare(std::move(orders), std::move(reply));
  if (!request) return tl::unexpected(std::move(request).error());
  {
    const std::lock_guard lock(mutex_);
    if (closing_) return tl::unexpected(kLeaving);
    if (auto entered = desk_.enter(**request, source); !entered) return entered;
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
  forms_.close();
}

Load Host::load() const {
  const std::lock_guard lock(mutex_);
  const Schedule& schedule = desk_.schedule();
  return {.parallel = schedule.options().parallel,
          .active = schedule.orders(),
          .waiting = schedule.waiting(),
          .sequences = schedule.running() + schedule.parked(),
          .parked = schedule.parked(),
          .stalled = schedule.stalled(),
          .bytes = schedule.bytes(),
          .counts = schedule.counts()};
}

// Over half a second at least. A pause counts for nothing.
void Host::measure(double now) {
  constexpr double kWindow = 0.5;
  const double seconds = now - measured_at_;
  if (seconds < kWindow) return;
  const uint64_t all = tokens();
  if (seconds < 4 * kWindow)
    rate_.store(static_cast<double>(all - measured_tokens_) / seconds, std::memory_order_relaxed);
  measured_at_ = now;
  measured_tokens_ = all;
}

void Host::run() {
  for (bool idle = true;;) {
    bool woken = false, moved = false;
    {
      std::unique_lock lock(mutex_);
      // A wait of days is one that somebody ends.
      const auto sleep = std::chrono::duration<double>(std::min(desk_.seconds_to_sleep(), 86400.0));
      if (idle) {
        rate_.store(0, std::memory_order_relaxed);
        changed_.wait_for(lock, sleep, [&] { return woken_ || closing_; });
      }
      if (closing_) return desk_.fail_all(kLeaving);
      woken = std::exchange(woken_, false);
    }
    desk_.advance();
    {
      const std::lock_guard lock(mutex_);
      desk_.plan(woken);
      const int64_t orders = desk_.schedule().orders() + desk_.schedule().waiting();
      // Somebody may have waited until others are gone.
      moved = orders_.exchange(orders, std::memory_order_relaxed) > orders;
    }
    idle = !desk_.step() && !moved;
    measure(seconds_now());
  }
}

}  // namespace skein::server
