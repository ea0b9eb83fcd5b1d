#include "server/form_desk.h"

#include <algorithm>
#include <new>
#include <utility>

namespace skein::server {
namespace {

using constrain::Made;
using constrain::Wanted;
using constrain::Words;

ApiError too_many(std::string message) {
  return {.status = 429,
          .message = std::move(message),
          .code = "rate_limit_exceeded",
          .retry_seconds = 1};
}

}  // namespace

FormDesk::FormDesk(FormDeskOptions options) : options_(std::move(options)) {}

WantedFormPtr FormDesk::form(const Wanted& wanted, const std::shared_ptr<const Words>& words) {
  const Digest key = constrain::key_of(wanted, *words);
  const std::lock_guard lock(mutex_);
  std::weak_ptr<WantedForm>& place = known_[key];
  if (WantedFormPtr there = place.lock()) return there;
  auto out = std::make_shared<WantedForm>();
  out->desk_ = this;
  if (auto made = constrain::Compiled::shared().find(key)) {
    out->made_.emplace(std::move(*made));
    out->done_.store(true, std::memory_order_release);
  } else {
    out->wanted_ = wanted;
    out->words_ = words;
  }
  place = out;
  // Those that nobody holds are forgotten when they are as many as all that may wait.
  if (known_.size() > 2 * options_.waiting)
    std::erase_if(known_, [](const auto& one) { return one.second.expired(); });
  return out;
}

size_t FormDesk::share_of(const std::string& owner) const {
  const auto running = running_.find(owner);
  const auto waiting = std::count_if(queue_.begin(), queue_.end(),
                                     [&](const auto& form) { return form->owner_ == owner; });
  return static_cast<size_t>(waiting) + (running == running_.end() ? 0 : running->second);
}

Asked<void> FormDesk::wait_for(const WantedFormPtr& form, FormWaiter waiter) {
  bool made = false;
  {
    const std::lock_guard lock(mutex_);
    if (closing_)
      return tl::unexpected(ApiError{.status = 503,
                                     .message = "the server is ending",
                                     .code = "server_ending",
                                     .retry_seconds = 5});
    made = form->made() != nullptr;
    if (!made && !form->queued_ && !form->running_) {
      if (queue_.size() >= options_.waiting)
        return tl::unexpected(too_many("too many schemas and grammars wait to be made ready"));
      if (share_of(waiter.owner) >= options_.of_one)
        return tl::unexpected(too_many("too many schemas and grammars of yours wait already"));
      while (threads_.size() < options_.threads) threads_.emplace_back([this] { run(); });
      form->owner_ = waiter.owner;
      form->queued_ = true;
      queue_.push_back(form);
    }
    if (!made) form->waiting_.push_back(std::move(waiter));
  }
  if (made)
    waiter.call();
  else
    changed_.notify_one();
  return {};
}

// Of one owner no more than half of the threads make forms, so that whoever sends slow ones leaves
// room for others. Null: none may be begun now.
WantedFormPtr FormDesk::next() {
  const size_t most = std::max<size_t>(options_.threads / 2, 1);
  for (auto it = queue_.begin(); it != queue_.end();) {
    const WantedFormPtr form = *it;
    std::erase_if(form->waiting_, [](const FormWaiter& waiter) { return waiter.gone(); });
    if (form->waiting_.empty()) {
      form->queued_ = false;
      it = queue_.erase(it);
      continue;
    }
    size_t& running = running_[form->owner_];
    if (running < most) {
      ++running;
      queue_.erase(it);
      form->queued_ = false;
      form->running_ = true;
      return form;
    }
    ++it;
  }
  return nullptr;
}

void FormDesk::run() {
  while (true) {
    WantedFormPtr form;
    {
      Lock lock(mutex_);
      changed_.wait(lock, [&] { return closing_ || (form = next()); });
      if (!form) return;
    }
    make(form);
  }
}

void FormDesk::make(const WantedFormPtr& form) {
  const auto made = [&]() -> constrain::Checked<Made> {
    try {
      return options_.make ? options_.make(form->wanted_, form->words_)
                           : constrain::made_for(form->wanted_, form->words_);
    } catch (const std::bad_alloc&) {
      return tl::unexpected(
          constrain::Problems{{"constraint_too_large", "", "there is no memory for it now"}});
    }
  };
  form->made_.emplace(made());
  form->wanted_ = {};
  form->words_.reset();
  std::vector<FormWaiter> waiting;
  {
    const std::lock_guard lock(mutex_);
    form->done_.store(true, std::memory_order_release);
    form->running_ = false;
    if (const auto it = running_.find(form->owner_); --it->second == 0) running_.erase(it);
    waiting.swap(form->waiting_);
  }
  changed_.notify_all();
  for (const FormWaiter& waiter : waiting) waiter.call();
}

void FormDesk::close() {
  std::vector<FormWaiter> waiting;
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
    for (const WantedFormPtr& form : queue_) {
      form->queued_ = false;
      for (FormWaiter& waiter : form->waiting_) waiting.push_back(std::move(waiter));
      form->waiting_.clear();
    }
    queue_.clear();
  }
  changed_.notify_all();
  for (const FormWaiter& waiter : waiting) waiter.call();
}

void FormDesk::stop() {
  close();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

}  // namespace skein::server
