#include "server/model_shelf.h"

#include <algorithm>
#include <ctime>
#include <limits>
#include <new>
#include <system_error>
#include <utility>

#include "base/bytes_text.h"
#include "base/clock.h"
#include "base/platform.h"
#include "server/history.h"

namespace skein::server {
namespace {

constexpr double kForEver = std::numeric_limits<double>::infinity();

std::string bytes_of(int64_t bytes) { return bytes_text(static_cast<double>(bytes)); }

ApiError too_late(const std::string& name, double seconds) {
  return {.status = 503,
          .message = fmt::format("the model {} was not there within {:.0f} seconds",
                                 escaped(name, 80), seconds),
          .param = "model",
          .code = "overloaded",
          .retry_seconds = 5};
}

}  // namespace

std::string_view ModelShelf::stands_name(Stands stands) {
  switch (stands) {
    case Stands::there: return "loaded";
    case Stands::away: return "unloaded";
    case Stands::coming: return "loading";
    default: return "failed";
  }
}

ModelShelf::ModelShelf(ShelfOptions options) : options_(std::move(options)) {}

void ModelShelf::add(Served served) {
  auto slot = std::make_unique<Slot>();
  slot->name = served.host->name();
  slot->info = served.host->model().info();
  slot->created = served.created;
  slot->states = fingerprint_of(served.host->model());
  slot->served = std::make_shared<Served>(std::move(served));
  slots_.push_back(std::move(slot));
}

void ModelShelf::add(ModelOnDemand model) {
  auto slot = std::make_unique<Slot>();
  slot->name = std::move(model.name);
  slot->info = std::move(model.info);
  slot->created = static_cast<int64_t>(std::time(nullptr));
  slot->bytes = model.bytes;
  slot->load = std::move(model.load);
  slot->stands = Stands::away;
  slots_.push_back(std::move(slot));
  if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
}

std::optional<size_t> ModelShelf::find(std::string_view name) const {
  for (size_t i = 0; i < slots_.size(); ++i)
    if (slots_[i]->name == name) return i;
  return std::nullopt;
}

ServedPtr ModelShelf::get(size_t model) {
  const std::lock_guard lock(mutex_);
  slots_[model]->used = Clock::now();
  return slots_[model]->served;
}

std::vector<ServedPtr> ModelShelf::all() const {
  const std::lock_guard lock(mutex_);
  std::vector<ServedPtr> out;
  for (const auto& slot : slots_)
    if (slot->served) out.push_back(slot->served);
  return out;
}

ModelShelf::Fact ModelShelf::fact(size_t model) const {
  const std::lock_guard lock(mutex_);
  const Slot& slot = *slots_[model];
  return {slot.name, slot.info, slot.created, slot.bytes, slot.stands};
}

std::vector<ModelShelf::Fact> ModelShelf::facts() const {
  std::vector<Fact> out;
  for (size_t i = 0; i < slots_.size(); ++i) out.push_back(fact(i));
  return out;
}

int64_t ModelShelf::most_state_bytes() const {
  const std::lock_guard lock(mutex_);
  int64_t out = 0;
  for (const auto& slot : slots_) out = std::max(out, slot->info.state_bytes);
  return out;
}

std::optional<size_t> ModelShelf::find_states(const Digest& fingerprint) const {
  const std::lock_guard lock(mutex_);
  for (size_t i = 0; i < slots_.size(); ++i)
    if (slots_[i]->states == fingerprint) return i;
  return std::nullopt;
}

bool ModelShelf::knows_states(size_t model) const {
  const std::lock_guard lock(mutex_);
  return slots_[model]->states.has_value();
}

Asked<void> ModelShelf::wait_for(size_t model, ModelWaiter waiter) {
  ServedPtr there;
  std::optional<ApiError> refusal;
  {
    const std::lock_guard lock(mutex_);
    Slot& slot = *slots_[model];
    const bool failed =
        slot.stands == Stands::failed && seconds_since(slot.failed_at) < options_.retry_seconds;
    if (closing_) {
      refusal = *closing_;
    } else if (slot.served) {
      there = slot.served;
    } else if (failed) {
      refusal = slot.failure;
    } else if (waiting_ >= options_.waiting) {
      refusal = ApiError{.status = 429,
                         .message = fmt::format("{} requests wait for models already", waiting_),
                         .code = "rate_limit_exceeded",
                         .retry_seconds = 5};
    } else {
      slot.waiting.push_back(std::move(waiter));
      ++waiting_;
    }
  }
  if (refusal) return tl::unexpected(*refusal);
  if (there)
    waiter.call(std::move(there), {});
  else
    changed_.notify_one();
  return {};
}

void ModelShelf::close(const ApiError& why) {
  std::list<ModelWaiter> left;
  std::vector<ServedPtr> hosts;
  {
    const std::lock_guard lock(mutex_);
    if (!closing_) closing_ = why;
    for (const auto& slot : slots_) {
      left.splice(left.end(), slot->waiting);
      if (slot->served) hosts.push_back(slot->served);
    }
    waiting_ = 0;
  }
  changed_.notify_one();
  for (const ModelWaiter& one : left) one.call(nullptr, why);
  for (const ServedPtr& one : hosts) one->host->close();
}

void ModelShelf::stop() {
  close({.status = 503,
         .message = "the server is ending",
         .code = "server_ending",
         .retry_seconds = 5});
  if (thread_.joinable()) thread_.join();
  for (const auto& slot : slots_)
    if (slot->served) slot->served->host->stop();
}

int64_t ModelShelf::free_memory() const {
  return options_.free_memory ? options_.free_memory() : static_cast<int64_t>(memory_available());
}

int64_t ModelShelf::loaded_bytes() const {
  int64_t out = 0;
  for (const auto& slot : slots_)
    if (slot->served) out += slot->bytes;
  return out;
}

// Whoever left, or waited as long as he may.
void ModelShelf::drop_waiters(Lock& lock) {
  std::list<ModelWaiter> late;
  std::vector<std::string> names;
  for (const auto& slot : slots_)
    for (auto at = slot->waiting.begin(); at != slot->waiting.end();) {
      const auto next = std::next(at);
      const bool gone = at->gone();
      if (gone || seconds_since(at->since) >= options_.wait_seconds) {
        --waiting_;
        if (gone) {
          slot->waiting.erase(at);
        } else {
          late.splice(late.end(), slot->waiting, at);
          names.push_back(slot->name);
        }
      }
      at = next;
    }
  if (late.empty()) return;
  lock.unlock();
  size_t place = 0;
  for (const ModelWaiter& one : late)
    one.call(nullptr, too_late(names[place++], options_.wait_seconds));
  lock.lock();
}

void ModelShelf::keep(size_t model, double seconds) {
  {
    const std::lock_guard lock(mutex_);
    Slot& slot = *slots_[model];
    if (!slot.load) return;
    slot.idle_seconds = seconds < 0 ? kForEver : seconds;
  }
  changed_.notify_one();
}

double ModelShelf::idle_seconds(const Slot& slot) const {
  if (slot.idle_seconds) return *slot.idle_seconds;
  return options_.idle_seconds > 0 ? options_.idle_seconds : kForEver;
}

std::optional<double> ModelShelf::goes_in(size_t model) const {
  const std::lock_guard lock(mutex_);
  const Slot& slot = *slots_[model];
  const double seconds = idle_seconds(slot);
  if (!slot.load || !slot.served || seconds == kForEver) return std::nullopt;
  return std::max(0.0, seconds - (in_use(slot) ? 0 : seconds_since(slot.used)));
}

void ModelShelf::let_go(Lock& lock, Slot& slot) {
  std::shared_ptr<Served> last = std::move(slot.served);
  slot.served.reset();
  slot.stands = Stands::away;
  slot.idle_seconds.reset();
  lock.unlock();
  last.reset();  // waits for its engine's thread
  lock.lock();
}

void ModelShelf::drop_idle(Lock& lock) {
  for (const auto& slot : slots_) {
    if (!slot->load || !slot->served) continue;
    if (in_use(*slot)) slot->used = Clock::now();
    if (!in_use(*slot) && seconds_since(slot->used) >= idle_seconds(*slot)) let_go(lock, *slot);
  }
}

// Of those that are not there the one that somebody waits for longest.
ModelShelf::Slot* ModelShelf::next_wanted() {
  Slot* best = nullptr;
  for (const auto& slot : slots_) {
    if (slot->served || slot->waiting.empty()) continue;
    if (!best || slot->waiting.front().since < best->waiting.front().since) best = slot.get();
  }
  return best;
}

// Those that nobody has used for the longest time go first.
ModelShelf::Room ModelShelf::make_room(Lock& lock, const Slot& wanted) {
  for (;;) {
    const int64_t free = free_memory();
    const bool within = options_.memory <= 0 || loaded_bytes() + wanted.bytes <= options_.memory;
    if (within && (options_.memory > 0 || free <= 0 || wanted.bytes <= free)) return Room::enough;
    Slot* oldest = nullptr;
    bool used = false;
    for (const auto& slot : slots_) {
      if (!slot->load || !slot->served) continue;
      used = used || in_use(*slot);
      if (!in_use(*slot) && (!oldest || slot->used < oldest->used)) oldest = slot.get();
    }
    if (!oldest) return used ? Room::later : Room::never;
    let_go(lock, *oldest);
  }
}

void ModelShelf::fail(Lock& lock, Slot& slot, ApiError error) {
  slot.stands = Stands::failed;
  slot.failed_at = Clock::now();
  slot.failure = error;
  std::list<ModelWaiter> waiting = std::exchange(slot.waiting, {});
  waiting_ -= waiting.size();
  lock.unlock();
  for (const ModelWaiter& one : waiting) one.call(nullptr, error);
  lock.lock();
}

void ModelShelf::load(Lock& lock, Slot& slot) {
  slot.stands = Stands::coming;
  std::optional<Result<Served>> outcome;
  const auto read = [&] {
    Result<Served> out = skein::fail(Code::memory, "not enough memory");
    try {
      out = slot.load();
    } catch (const std::bad_alloc&) {
    }
    const std::lock_guard guard(mutex_);
    outcome = std::move(out);
    changed_.notify_all();
  };
  std::thread reader;
  try {
    reader = std::thread(read);
  } catch (const std::system_error&) {
    outcome = skein::fail(Code::memory, "there is no thread for it");
  }
  // Those who waited long enough are told meanwhile.
  while (!outcome) {
    drop_waiters(lock);
    if (!outcome) changed_.wait_for(lock, std::chrono::milliseconds(100));
  }
  lock.unlock();
  if (reader.joinable()) reader.join();
  lock.lock();
  Result<Served>& made = *outcome;
  if (!made) {
    const bool memory = made.error().code == Code::memory;
    return fail(lock, slot,
                {.status = memory ? 503 : 500,
                 .message = fmt::format("the model {} cannot be loaded: {}", escaped(slot.name, 80),
                                        made.error().message),
                 .param = "model",
                 .code = "model_load_failed",
                 .retry_seconds = static_cast<int>(options_.retry_seconds) + 1});
  }
  slot.info = made->host->model().info();
  slot.states = fingerprint_of(made->host->model());
  slot.served = std::make_shared<Served>(std::move(*made));
  slot.stands = Stands::there;
  slot.used = Clock::now();
  std::list<ModelWaiter> waiting = std::exchange(slot.waiting, {});
  waiting_ -= waiting.size();
  if (closing_) slot.served->host->close();
  const ServedPtr served = slot.served;
  lock.unlock();
  for (const ModelWaiter& one : waiting) one.call(served, {});
  lock.lock();
}

// Nobody says when a model is not used any more, or a client has left: that is looked at.
double ModelShelf::seconds_to_sleep() const {
  constexpr double kLook = 0.1, kAway = 3600;
  const bool waits = waiting_ > 0;
  double soonest = kForEver;
  for (const auto& slot : slots_)
    if (slot->load && slot->served) soonest = std::min(soonest, idle_seconds(*slot));
  if (waits) return kLook;
  return soonest == kForEver ? kAway : std::clamp(soonest / 4, 0.01, 1.0);
}

void ModelShelf::run() {
  Lock lock(mutex_);
  while (!closing_) {
    drop_waiters(lock);
    drop_idle(lock);
    Slot* const wanted = closing_ ? nullptr : next_wanted();
    const Room room = wanted ? make_room(lock, *wanted) : Room::later;
    if (closing_) break;
    if (wanted && room == Room::enough) {
      load(lock, *wanted);
      continue;
    }
    if (wanted && room == Room::never) {
      const bool bound = options_.memory > 0;
      fail(lock, *wanted,
           {.status = 503,
            .message = fmt::format(
                "the model {} needs {} of memory, and {} {}", escaped(wanted->name, 80),
                bytes_of(wanted->bytes), bytes_of(bound ? options_.memory : free_memory()),
                bound ? "are all that models may take (--model-memory)" : "are free"),
            .param = "model",
            .code = "model_load_failed",
            .retry_seconds = static_cast<int>(options_.retry_seconds) + 1});
      continue;
    }
    changed_.wait_for(lock, std::chrono::duration<double>(seconds_to_sleep()));
  }
}

}  // namespace skein::server
