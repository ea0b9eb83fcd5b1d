#include "run/engine.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <new>
#include <utility>

#include "base/check.h"

namespace skein {
namespace {

constexpr auto kBlock = static_cast<size_t>(kFastBlock);

// Reads a text and is done.
class Reader final : public Task {
 public:
  Reader(Session& session, std::span<const int32_t> ids)
      : session_(&session), ids_(ids.begin(), ids.end()) {}

  size_t count() const { return read_.load(std::memory_order_relaxed); }
  const Status& status() const { return status_; }

  Next next(Scratch&) override {
    return !status_ || count() == ids_.size() || take_cancel() ? Next::end : Next::reading;
  }
  Reading reading() override {
    return {.session = session_, .tokens = std::span(ids_).subspan(count())};
  }
  Next took(Done done, Scratch& scratch) override {
    status_ = std::move(done.status);
    if (!status_) return Next::end;
    read_.store(count() + done.tokens, std::memory_order_relaxed);
    if (count() == ids_.size()) session_->keep_logits(done.logits);
    return next(scratch);
  }
  void abandon() noexcept override { status_ = no_memory(); }

 private:
  Session* session_;
  const std::vector<int32_t> ids_;
  std::atomic<size_t> read_{0};
  Status status_;
};

bool may_be_cut(const Reading& reading) { return !reading.exact && reading.rows.empty(); }

// States may have changed by now, so it goes on without memory for the words.
Error copy_of(const Error& error) noexcept {
  try {
    return error;
  } catch (const std::bad_alloc&) {
    return {error.code, "out of memory"};
  }
}

// Where one job of several is at fault, the others can do without it.
bool is_of_one_job(Code code) {
  return code == Code::argument || code == Code::mismatch || code == Code::memory;
}

}  // namespace

size_t cut_prompt(uint64_t read, size_t left, size_t room) {
  if (left <= room) return left;
  const uint64_t end = (read + std::max<size_t>(room, 1)) / kBlock * kBlock;
  const uint64_t block_end = (read / kBlock + 1) * kBlock;
  return std::min<uint64_t>(left, std::max(end, block_end) - read);
}

Engine::Engine(std::shared_ptr<Model> model, EngineOptions options)
    : model_(std::move(model)),
      options_(std::move(options)),
      pool_(model_->threads()),
      scratch_(static_cast<size_t>(pool_.size())) {}

Engine::~Engine() {
  for (const Entry& entry : entries_) --entry.task->active_;
  for (const auto& task : submitted_) --task->active_;
}

double Engine::steady_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

Status Engine::submit(std::shared_ptr<Task> task) {
  SK_TRY(const Turn::Held door, door_.take("the engine"));
  // Whoever starts and leaves without a step in between leaves nothing behind.
  std::erase_if(submitted_, [](const auto& each) {
    if (!each->left()) return false;
    --each->active_;
    return true;
  });
  if (std::find(submitted_.begin(), submitted_.end(), task) != submitted_.end()) return {};
  submitted_.push_back(std::move(task));
  ++submitted_.back()->active_;
  return {};
}

// What is in use in another process stays there: a Turn that cannot be had says so with words, and
// words take memory.
void Engine::forget(const std::shared_ptr<Task>& task) noexcept try {
  const auto turn = turn_.take("the engine");
  if (!turn) return;  // the step that had it is in another process
  if (const auto door = door_.take("the engine"))
    std::erase_if(submitted_, [&](const auto& each) {
      if (each != task) return false;
      --task->active_;
      return true;
    });
  for (Entry& entry : entries_)
    if (entry.task == task) entry.next = Task::Next::end;
  drop_ended();
} catch (const std::bad_alloc&) {
}

Result<size_t> Engine::active() const {
  SK_TRY(const Turn::Held door, door_.take("the engine"));
  return submitted_.size() + inside_;
}

Status Engine::welcome() {
  SK_TRY(const Turn::Held door, door_.take("the engine"));
  entries_.reserve(entries_.size() + submitted_.size());
  for (auto& task : submitted_) {
    const bool here = std::any_of(entries_.begin(), entries_.end(),
                                  [&](const Entry& entry) { return entry.task == task; });
    if (here)
      --task->active_;
    else
      entries_.push_back({.task = std::move(task)});
  }
  submitted_.clear();
  inside_ = entries_.size();
  return {};
}

// Whoever waits for a task may use it as soon as it is no longer active.
void Engine::drop_ended() noexcept try {
  std::erase_if(entries_, [](Entry& entry) {
    if (entry.next != Task::Next::end) return false;
    const std::shared_ptr<Task> task = std::move(entry.task);
    --task->active_;
    return true;
  });
  if (const auto door = door_.take("the engine")) inside_ = entries_.size();
} catch (const std::bad_alloc&) {
}

namespace {

// A task that runs out of memory ends, and the others do not notice.
template <typename F>
Task::Next guarded(Task& task, const F& call) {
  try {
    return call();
  } catch (const std::bad_alloc&) {
    task.abandon();
    return Task::Next::end;
  }
}

}  // namespace

Result<bool> Engine::step() {
  SK_TRY(const Turn::Held turn, turn_.take("the engine"));
  try {
    SK_TRY_STATUS(welcome());
    // So many tokens take hardly longer than one where weights come from memory.
    constexpr size_t kCheapTokens = 16;
    const size_t cheap = kCheapTokens / std::max<size_t>(entries_.size(), 1);
    scratch_[0].guesses = entries_.size() <= 1 ? SIZE_MAX : cheap > 0 ? cheap - 1 : 0;
    bool moved = false;
    for (Entry& entry : entries_) {
      Task& task = *entry.task;
      entry.next =
          task.left() ? Task::Next::end : guarded(task, [&] { return task.next(scratch_[0]); });
      moved = moved || entry.next == Task::Next::end || entry.next == Task::Next::event;
    }
    choose_counts();
    if (!stepped_.empty()) {
      moved = true;
      const double start = now();
      if (!read_roughly()) read_together();
      take_all();
      if (stepped_.size() == 1) stepped_[0]->task->spent(now() - start);
    }
    drop_ended();
    return moved;
  } catch (const std::bad_alloc&) {
    drop_ended();
    return no_memory();
  }
}

// The tasks choose side by side on the pool's threads.
void Engine::take_all() {
  const auto some = [this](int thread, Range range) {
    for (int64_t i = range.begin; i < range.end; ++i) {
      Entry& entry = *stepped_[static_cast<size_t>(i)];
      entry.next = guarded(*entry.task, [&] {
        return entry.task->took(std::move(entry.done), scratch_[static_cast<size_t>(thread)]);
      });
    }
  };
  const auto count = static_cast<int64_t>(stepped_.size());
  const auto job = [&](int thread) { some(thread, share(count, thread, pool_.size())); };
  // A pool that is given no threads, or no memory for them, has run nothing.
  const auto run = [&] {
    try {
      return pool_.run(std::ref(job)).has_value();
    } catch (const std::bad_alloc&) {
      return false;
    }
  };
  if (count == 1 || pool_.size() == 1 || !run()) some(0, {0, count});
}

// Whoever generates gets his token in every step; prompts share what room is left.
void Engine::choose_counts() {
  stepped_.clear();
  size_t prompts = 0, tokens = 0;
  for (Entry& entry : entries_) {
    entry.count = 0;
    if (entry.next != Task::Next::reading) continue;
    entry.reading = entry.task->reading();
    if (may_be_cut(entry.reading)) {
      ++prompts;
      continue;
    }
    entry.count = entry.reading.tokens.size();
    tokens += entry.count;
    stepped_.push_back(&entry);
  }
  if (prompts == 0) return;
  const auto chunk = static_cast<size_t>(model_->chunk());
  size_t room = chunk;
  if (std::isfinite(options_.patience))
    room = token_seconds_ > 0 ? static_cast<size_t>(std::clamp(options_.patience / token_seconds_,
                                                               1.0, static_cast<double>(chunk)))
                              : std::min(kBlock, chunk);
  room = std::max(room > tokens ? room - tokens : 0, std::min(kBlock, chunk));
  // In turn from where the last step had no room any more.
  size_t place = first_prompt_ < entries_.size() ? first_prompt_ : 0;
  bool served = false;
  for (size_t seen = 0; seen < entries_.size() && room > 0; ++seen) {
    Entry& entry = entries_[place];
    if (entry.next == Task::Next::reading && may_be_cut(entry.reading)) {
      const size_t left = entry.reading.tokens.size();
      // Half a block would become a whole one, and a step of more than a chunk is several passes.
      if (served && room < kBlock && left > room) break;
      const size_t part = std::max(room / prompts--, std::min(room, kBlock));
      entry.count = cut_prompt(entry.reading.session->state().tokens_read(), left, part);
      room -= std::min(room, entry.count);
      stepped_.push_back(&entry);
      served = true;
    }
    place = (place + 1) % entries_.size();
  }
  first_prompt_ = place;
}

// Of a step that is one token whose logits may be bounds. False where there is no second plane: it
// has to be read like any other.
bool Engine::read_roughly() {
  Entry& entry = *stepped_[0];
  const Reading& reading = entry.reading;
  if (stepped_.size() != 1 || !reading.rough || reading.tokens.size() != 1) return false;
  const auto bounds = reading.session->begin_rough_reading();
  if (!bounds) return false;
  const double start = now();
  State& state = reading.session->change_state();
  Done& done = entry.done = Done();
  done.tokens = 1;
  done.rough = true;
  try {
    done.status = model_->eval(state, reading.tokens[0], **bounds);
  } catch (const std::bad_alloc&) {
    done.status = no_memory();
  }
  done.seconds = now() - start;
  if (entry.done.status) reading.session->finish_rough_reading();
  return true;
}

void Engine::read_together() {
  const auto vocab = static_cast<size_t>(model_->vocab());
  const bool alone = stepped_.size() == 1;
  // A pass gives logits or what they are computed from: two passes where both are wanted.
  const auto logits_end = std::partition(stepped_.begin(), stepped_.end(), [](const Entry* entry) {
    return entry->reading.hidden.empty();
  });
  const auto with_logits = static_cast<size_t>(logits_end - stepped_.begin());
  jobs_.clear();
  failed_.reserve(stepped_.size());  // the second pass must not fail for want of it
  if (!alone) rows_.resize(stepped_.size() * vocab);
  size_t row = 0, tokens = 0;
  for (Entry* const entry : stepped_) {
    const Reading& reading = entry->reading;
    Job job = {.state = &reading.session->change_state(),
               .tokens = reading.tokens.first(entry->count),
               .want = Want::none};
    entry->done = Done();
    entry->done.tokens = entry->count;
    if (!reading.rows.empty()) {
      job.want = Want::all;
      job.logits = reading.rows.data();
      job.first = reading.first;
    } else if (!reading.hidden.empty()) {
      job.want = Want::all;
      job.logits = reading.hidden.data();
    } else if (entry->count == reading.tokens.size()) {
      const std::span<float> place =
          alone ? reading.session->begin_reading() : std::span(rows_).subspan(row++ * vocab, vocab);
      job.want = reading.exact ? Want::all : Want::last;
      job.first = entry->count - 1;
      job.logits = place.data();
      entry->done.logits = place;
    }
    tokens += entry->count;
    jobs_.push_back(job);
  }
  const double start = now();
  evaluate(0, with_logits);
  evaluate(with_logits, jobs_.size());
  const double seconds = now() - start;
  Entry& only = *stepped_[0];
  if (alone) {
    only.done.seconds = seconds;
    if (only.done.status && !only.done.logits.empty()) only.reading.session->finish_reading();
  }
  // Few tokens cost as much as one, which says nothing of a prompt's.
  if (tokens >= kBlock / 2) {
    const double each = seconds / static_cast<double>(tokens);
    token_seconds_ = token_seconds_ > 0 ? (token_seconds_ + each) / 2 : each;
  }
}

// The jobs from `begin` to `end`, which want the same.
void Engine::evaluate(size_t begin, size_t end) {
  if (begin == end) return;
  const std::span<const Job> all = std::span(jobs_).subspan(begin, end - begin);
  const bool hidden = !stepped_[begin]->reading.hidden.empty();
  failed_.assign(all.size(), 0);
  const auto eval = [&](std::span<const Job> jobs, std::span<uint8_t> not_finite) -> Status {
    try {
      return hidden ? model_->eval_hidden(jobs, not_finite) : model_->eval(jobs, not_finite);
    } catch (const std::bad_alloc&) {
      return no_memory();
    }
  };
  const Status status = eval(all, failed_);
  if (status) return;
  const Code code = status.error().code;
  // A state that was lost before: nobody has read anything.
  const bool none_read = code == Code::corrupt && all.size() > 1 &&
                         std::find(failed_.begin(), failed_.end(), 1) == failed_.end();
  for (size_t i = 0; i < all.size(); ++i) {
    Status& of_job = stepped_[begin + i]->done.status;
    if (all.size() > 1 && (none_read || is_of_one_job(code)))
      of_job = eval(all.subspan(i, 1), {});
    else if (code != Code::corrupt || all.size() == 1)
      of_job = tl::unexpected(copy_of(status.error()));
    else if (failed_[i])
      of_job = model_->not_finite();
  }
}

Status Engine::wait(const std::shared_ptr<Task>& task) { return follow(task, {}, 0, {}); }

Status Engine::next(const std::shared_ptr<Generation>& generation, Event& event) {
  while (!generation->take(event)) {
    if (!generation->active()) {
      if (generation->take(event)) break;  // it was told on the way out
      if (generation->finish() != Finish::running) {
        event = {};
        event.finish = generation->finish();
        return {};
      }
      SK_TRY_STATUS(submit(generation));
    }
    SK_TRY_STATUS(step());
  }
  // Nobody else looks at it any more: an ended one is dropped in the step that ended it.
  return event.finish == Finish::running ? Status() : generation->status();
}

Status Engine::follow(const std::shared_ptr<Task>& task, const std::function<size_t()>& done,
                      size_t total, const Progress& progress) {
  SK_TRY_STATUS(submit(task));
  // A way out by an error or an exception leaves nothing behind that uses what is the caller's.
  struct Last {
    Engine& engine;
    const std::shared_ptr<Task>& task;
    ~Last() {
      if (task->active()) engine.forget(task);
    }
  } const last{*this, task};
  bool goes_on = true;
  while (task->active()) {
    SK_TRY_STATUS(step());
    if (!progress || !goes_on || done() == total || progress(done(), total)) continue;
    goes_on = false;
    task->cancel();
  }
  if (progress && done() == total) progress(total, total);
  return {};
}

Result<size_t> Engine::read(Session& session, std::span<const int32_t> ids,
                            const Progress& progress) {
  SK_TRY_STATUS(session.check(ids));
  if (ids.empty() || (progress && !progress(0, ids.size()))) return size_t{0};
  const auto reader = std::make_shared<Reader>(session, ids);
  SK_TRY_STATUS(follow(
      reader, [&] { return reader->count(); }, ids.size(), progress));
  SK_TRY_STATUS(reader->status());
  return reader->count();
}

}  // namespace skein
