#include "server/desk.h"

#include <algorithm>
#include <new>
#include <utility>

namespace skein::server {
namespace {

// Steps in a row that may fail for want of memory.
constexpr int kStepTries = 3;
// Before what failed for want of memory is tried again, unless something else moves.
constexpr double kPauseSeconds = 0.05;

}  // namespace

Desk::Desk(Runtime& runtime, std::string name, const ScheduleOptions& options,
           std::function<double()> clock)
    : runtime_(runtime), name_(std::move(name)), clock_(std::move(clock)), schedule_(options) {}

Asked<Desk::RequestPtr> Desk::prepare(std::vector<Order> orders,
                                      std::shared_ptr<Reply> reply) const {
  RequestPtr out(new Request, [](Request* request) { delete request; });
  const auto group = std::make_shared<Group>(Group{.reply = reply, .left = orders.size()});
  for (Order& order : orders) {
    const int64_t bytes = memory_of(*runtime_.model, order);
    const int64_t budget = schedule_.options().memory;
    if (bytes > budget)
      return refused(fmt::format("this takes {} bytes of memory for {} texts at once; there are {}",
                                 bytes, order.choices, budget),
                     "n");
    Entry& entry = out->entries.emplace_back();
    entry.job = std::make_unique<Job>(runtime_, std::move(order), group);
    entry.place = std::prev(out->entries.end());
    entry.sequences = entry.job->sequences();
    entry.bytes = bytes;
    entry.tokens = entry.job->tokens();
    out->sequences += entry.sequences;
    out->bytes += bytes;
    out->tokens += entry.tokens;
    out->tickets.push_back(&entry);
  }
  out->reply = std::move(reply);
  return out;
}

Asked<void> Desk::admits(const std::vector<Order>& orders, const Source& source) {
  int64_t sequences = 0, bytes = 0;
  uint64_t tokens = 0;
  for (const Order& order : orders) {
    sequences += static_cast<int64_t>(std::max<size_t>(order.choices, 1));
    bytes += memory_of(*runtime_.model, order);
    tokens += order.prompt.size();
  }
  return refusal_of(source, sequences, bytes, tokens);
}

Asked<void> Desk::refusal_of(const Source& source, int64_t sequences, int64_t bytes,
                             uint64_t tokens) {
  const auto refusal = schedule_.refuse(source, sequences, bytes, tokens);
  if (!refusal) return {};
  return tl::unexpected(ApiError{
      .status = 429,
      .message = refusal->own
                     ? fmt::format("{} requests of yours wait for {} already, and the places that "
                                   "are left are for others",
                                   refusal->waiting, name_)
                     : fmt::format("{} requests wait for {} already", refusal->waiting, name_),
      .code = "rate_limit_exceeded",
      .retry_seconds = static_cast<int>(refusal->seconds)});
}

Asked<void> Desk::enter(Request& request, const Source& source) {
  if (auto taken = refusal_of(source, request.sequences, request.bytes, request.tokens); !taken)
    return taken;
  schedule_.enter(source, request.tickets, clock_());
  struct Places {  // taken back on the way out without memory
    Schedule& schedule;
    Request& request;
    ~Places() {
      if (request.entries.empty()) return;
      for (Schedule::Ticket* ticket : request.tickets) schedule.leave(*ticket);
    }
  } const places{schedule_, request};
  request.reply->accepted();
  waiting_.splice(waiting_.end(), request.entries);
  return {};
}

// ---- A round.

void Desk::drop_gone() noexcept {
  for (auto at = waiting_.begin(); at != waiting_.end();) {
    const auto one = at++;
    if (!one->job->is_unwanted()) continue;
    schedule_.leave(*one);
    gone_.splice(gone_.end(), waiting_, one);
  }
}

void Desk::drop_overdue(double now) noexcept {
  while (Schedule::Ticket* const late = schedule_.overdue(now)) {
    const Group* const group = &entry(*late).job->group();
    entry(*late).overdue = true;
    late_retry_ = schedule_.retry_seconds();
    for (auto at = waiting_.begin(); at != waiting_.end();) {
      const auto one = at++;
      if (&one->job->group() != group) continue;
      schedule_.leave(*one);
      gone_.splice(gone_.end(), waiting_, one);
    }
  }
}

void Desk::advance() noexcept {
  moved_ = false;
  short_ = false;
  for (Entry& one : begun_)
    if ((one.stands() == Schedule::Stands::running && !one.starts) || one.job->is_unwanted())
      moved_ = one.job->advance() || moved_;
}

void Desk::plan(bool woken) noexcept {
  began_ = clock_();
  account();
  if (woken) drop_gone();
  for (Entry& one : begun_) one.stalled = one.job->is_stalled();
  try {
    give_places();
  } catch (const std::bad_alloc&) {
    short_ = true;
  }
  // Of those for whom there is no place even now.
  drop_overdue(began_);
}

void Desk::give_places() {
  leaving_.reserve(begun_.size());
  while (Schedule::Ticket* const next = schedule_.next(began_, leaving_)) {
    moved_ = true;
    for (Schedule::Ticket* ticket : leaving_) {
      entry(*ticket).parks = true;
      entry(*ticket).starts = false;  // it may not have come to that, for want of memory
    }
    Entry& one = entry(*next);
    one.starts = true;
    if (!std::exchange(one.begun, true)) begun_.splice(begun_.end(), waiting_, one.place);
  }
}

void Desk::account() noexcept {
  int64_t units = 0;
  for (auto at = begun_.begin(); at != begun_.end();) {
    const auto one = at++;
    const int64_t got = one->job->units() - one->charged;
    if (got > 0) {
      schedule_.charge(*one, got);
      one->charged += got;
      units += got;
    }
    if (!one->job->is_over()) continue;
    schedule_.leave(*one);
    --one->job->group().left;
    ended_.splice(ended_.end(), begun_, one);
  }
  schedule_.worked(units, std::exchange(busy_, 0));
}

// What was planned.
void Desk::move() noexcept {
  for (Entry& one : gone_)
    if (std::exchange(one.overdue, false)) {
      try {
        one.job->group().fail(too_late());
      } catch (const std::bad_alloc&) {
        one.job->fail(Error{Code::memory, ""});
      }
    }
  gone_.clear();
  for (Entry& one : begun_) {
    if (std::exchange(one.parks, false)) one.job->park();
    if (one.starts) one.starts = !one.job->start();
    short_ = short_ || one.starts;
  }
  // Who has ended needs no place any more before he is told so.
  ended_.remove_if([](const Entry& one) { return one.job->group().settle(); });
  short_ = short_ || !ended_.empty();
}

bool Desk::step() noexcept try {
  move();
  const auto stepped = runtime_.engine.step();
  if (stepped) {
    failed_steps_ = 0;
    if (*stepped) ++steps_;
    moved_ = moved_ || *stepped;
  } else if (!begun_.empty()) {
    // It changed nothing, and is nobody's fault.
    short_ = true;
    if (stepped.error().code == Code::memory && ++failed_steps_ < kStepTries) return moved_;
    failed_steps_ = 0;
    for (Entry& one : begun_)
      if (one.stands() == Schedule::Stands::running) one.job->fail(stepped.error());
    moved_ = true;
  }
  if (moved_) busy_ += std::max(clock_() - began_, 0.0);
  return moved_;
} catch (const std::bad_alloc&) {
  short_ = true;
  return moved_;
}

double Desk::seconds_to_sleep() const {
  const double late = std::max(schedule_.next_overdue() - clock_(), 0.0);
  return short_ ? std::min(kPauseSeconds, late) : late;
}

ApiError Desk::too_late() const {
  return {
      .status = 503,
      .message = fmt::format("this waited {} seconds for its turn: {} has more to do than it can",
                             schedule_.options().wait_seconds, name_),
      .code = "overloaded",
      .retry_seconds = static_cast<int>(late_retry_)};
}

void Desk::fail_all(const ApiError& error) noexcept {
  for (Entries* list : {&begun_, &waiting_}) {
    for (Entry& one : *list) {
      schedule_.leave(one);
      one.job->group().fail(error);
    }
    list->clear();
  }
  ended_.clear();
  gone_.clear();
}

}  // namespace skein::server
