// Makes the forms that answers are held to ready, on threads of its own: one that takes long holds
// up nobody but those who ask for it. However many ask for the same one, it is made once.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "constrain/wanted.h"
#include "server/api_error.h"

namespace skein::server {

class FormDesk;

// Somebody who waits for a form. `call`: it is made, or he is not waited for any more; told on a
// thread of the desk, or of who closes it.
struct FormWaiter {
  std::string owner;  // whom it counts for
  std::function<void()> call;
  std::function<bool()> gone;
};

// A form that is wanted. Whoever holds it finds it made, also where it was refused.
class WantedForm {
 public:
  // What came of it; null: it is not made yet.
  const constrain::Checked<constrain::Made>* made() const {
    return done_.load(std::memory_order_acquire) ? &*made_ : nullptr;
  }
  FormDesk& desk() const { return *desk_; }

 private:
  friend class FormDesk;

  FormDesk* desk_ = nullptr;
  constrain::Wanted wanted_;  // until it is made
  std::shared_ptr<const constrain::Words> words_;
  std::optional<constrain::Checked<constrain::Made>> made_;
  std::atomic<bool> done_{false};
  // Of the desk's lock:
  bool queued_ = false, running_ = false;
  std::string owner_;  // who asked first
  std::vector<FormWaiter> waiting_;
};
using WantedFormPtr = std::shared_ptr<WantedForm>;

struct FormDeskOptions {
  size_t threads = 4;
  size_t waiting = 32;  // forms; beyond it requests are turned away
  size_t of_one = 16;   // of those and of those that are being made, of the same owner
  // What makes them; null: constrain::made_for(). For tests.
  std::function<constrain::Checked<constrain::Made>(const constrain::Wanted&,
                                                    const std::shared_ptr<const constrain::Words>&)>
      make{};
};

class FormDesk {
 public:
  explicit FormDesk(FormDeskOptions options = {});
  ~FormDesk() { stop(); }
  FormDesk(const FormDesk&) = delete;
  FormDesk& operator=(const FormDesk&) = delete;

  // From any thread. One that was made before is made; no other is begun by this.
  WantedFormPtr form(const constrain::Wanted& wanted,
                     const std::shared_ptr<const constrain::Words>& words);
  // Has it made. Errors: 429 (too many wait, of all or of this owner), 503 (the server ends).
  Asked<void> wait_for(const WantedFormPtr& form, FormWaiter waiter);

  // Those who wait are called, and nobody waits any more.
  void close();
  // And waits for what is being made.
  void stop();

 private:
  using Lock = std::unique_lock<std::mutex>;

  void run();
  WantedFormPtr next();
  size_t share_of(const std::string& owner) const;
  void make(const WantedFormPtr& form);

  const FormDeskOptions options_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<Digest, std::weak_ptr<WantedForm>> known_;  // that somebody holds
  std::deque<WantedFormPtr> queue_;
  std::map<std::string, size_t> running_;  // forms by owner
  bool closing_ = false;
  std::vector<std::thread> threads_;  // begun when the first one is asked for
};

}  // namespace skein::server
