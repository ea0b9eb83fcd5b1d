#include "server/answer.h"

#include <utility>

#include "base/limits.h"

namespace skein::server {
namespace {

constexpr size_t kMostHeard = 4 * limits::kMiB;

}  // namespace

void Answer::tell() {
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(told_, true)) return;
  }
  if (!output_) return;
  // Without memory for the call, whoever tells more tells of this too.
  struct Call {
    Answer& answer;
    bool made = false;
    ~Call() {
      if (made) return;
      const std::lock_guard lock(answer.mutex_);
      answer.told_ = false;
    }
  } call{*this};
  output_();
  call.made = true;
}

void Answer::on_change(std::function<void()> call) {
  const std::lock_guard lock(mutex_);
  changed_ = std::move(call);
}

void Answer::tell_change() {
  std::function<void()> call;
  {
    const std::lock_guard lock(mutex_);
    call = changed_;
  }
  if (call) call();
}

void Answer::send(Response whole) {
  if (const Hear hear = std::exchange(hear_, {})) hear(whole, nullptr);
  {
    const std::lock_guard lock(mutex_);
    pending_.head = std::move(whole);
    pending_.ended = true;
  }
  tell();
}

void Answer::begin(Response head) {
  if (hear_) heard_head_ = head;
  {
    const std::lock_guard lock(mutex_);
    pending_.bytes = std::exchange(head.body, {});
    unsent_ += pending_.bytes.size();
    pending_.head = std::move(head);
    pending_.streams = true;
  }
  tell();
}

void Answer::write(std::string_view piece) {
  if (hear_ && heard_.size() + piece.size() <= kMostHeard)
    heard_ += piece;
  else
    hear_ = {};
  if (gone()) return;
  {
    const std::lock_guard lock(mutex_);
    pending_.bytes.append(piece);
    unsent_ += piece.size();
    if (unsent_ >= limits::kUnsentBytes) full_.store(true, std::memory_order_release);
  }
  tell();
}

void Answer::end(bool closes) {
  if (const Hear hear = std::exchange(hear_, {}); hear && !closes && heard_head_)
    hear(*heard_head_, &heard_);
  {
    const std::lock_guard lock(mutex_);
    pending_.ended = true;
    pending_.closes = closes;
  }
  tell();
}

Answer::Output Answer::take() {
  const std::lock_guard lock(mutex_);
  told_ = false;
  return std::exchange(pending_, {});
}

void Answer::wrote(size_t bytes) {
  {
    const std::lock_guard lock(mutex_);
    unsent_ -= std::min(unsent_, bytes);
    if (!full() || unsent_ > limits::kUnsentBytes / 2) return;
    full_.store(false, std::memory_order_release);
  }
  tell_change();
}

void Answer::leave() {
  if (gone_.exchange(true, std::memory_order_acq_rel)) return;
  tell_change();
}

void Answer::note(Facts facts) {
  const std::lock_guard lock(mutex_);
  facts_ = std::move(facts);
}

Facts Answer::facts() const {
  const std::lock_guard lock(mutex_);
  Facts out = facts_;
  out.tokens = tokens_.load(std::memory_order_relaxed);
  return out;
}

}  // namespace skein::server
