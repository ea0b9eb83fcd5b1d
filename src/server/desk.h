// A model's orders from the door to the last word: those that wait, those that are generated and
// those that have made room for others. A Schedule decides, a Job does, and here are the rounds in
// which that happens. It has no thread; whoever has several calls what says so under one lock.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <vector>

#include "server/job.h"
#include "server/schedule.h"

namespace skein::server {

class Desk {
 public:
  // `clock`: seconds since any moment.
  Desk(Runtime& runtime, std::string name, const ScheduleOptions& options,
       std::function<double()> clock);
  ~Desk() = default;
  Desk(const Desk&) = delete;
  Desk& operator=(const Desk&) = delete;

  // A request on its way in.
  struct Request;
  using RequestPtr = std::unique_ptr<Request, void (*)(Request*)>;
  // Refused: 400 (one order alone takes more memory than there is for all).
  Asked<RequestPtr> prepare(std::vector<Order> orders, std::shared_ptr<Reply> reply) const;
  // Under the lock: whether such orders would be let in now. Refused: 429.
  Asked<void> admits(const std::vector<Order>& orders, const Source& source);
  // Under the lock. Refused: 429 (too many wait, of all or of the same source). Throws
  // std::bad_alloc, and then nothing has changed.
  Asked<void> enter(Request& request, const Source& source);

  // ---- A round, in this order; none of it throws.
  // What the last step brought is told, so that nobody makes room with words left to say.
  void advance() noexcept;
  // Under the lock: what everybody got, who needs no place any more; who begins, goes on and makes
  // room. `woken`: some reply may be gone.
  void plan(bool woken) noexcept;
  // That happens, and then a step. Whether anything came of the round.
  bool step() noexcept;

  // How long nothing can come of a round, unless something is told to it meanwhile. Under the lock.
  double seconds_to_sleep() const;
  // Of all there are, with an error; the last call. Under the lock.
  void fail_all(const ApiError& error) noexcept;

  const Schedule& schedule() const { return schedule_; }  // under the lock
  uint64_t steps() const { return steps_.load(); }

 private:
  struct Entry;
  using Entries = std::list<Entry>;
  struct Entry : Schedule::Ticket {
    std::unique_ptr<Job> job;
    Entries::iterator place;
    int64_t charged = 0;  // units
    bool begun = false;
    bool overdue = false;  // its request, which is to be told so
    bool parks = false, starts = false;
  };
  Asked<void> refusal_of(const Source& source, int64_t sequences, int64_t bytes, uint64_t tokens);
  static Entry& entry(Schedule::Ticket& ticket) { return static_cast<Entry&>(ticket); }

  void account() noexcept;
  void give_places();
  void drop_gone() noexcept;
  void drop_overdue(double now) noexcept;
  void move() noexcept;
  ApiError too_late() const;

  Runtime& runtime_;
  const std::string name_;
  const std::function<double()> clock_;

  // Under the lock.
  Schedule schedule_;
  Entries waiting_;

  // Of the rounds' thread.
  Entries begun_, ended_, gone_;
  std::vector<Schedule::Ticket*> leaving_;
  bool moved_ = false;
  bool short_ = false;  // something is to be tried again, for which there was no memory
  int failed_steps_ = 0;
  double began_ = 0, busy_ = 0;  // the round; seconds of rounds that came to something
  int64_t late_retry_ = 1;       // what those who waited too long are told
  std::atomic<uint64_t> steps_{0};
};

struct Desk::Request {
  std::list<Entry> entries;
  std::vector<Schedule::Ticket*> tickets;
  std::shared_ptr<Reply> reply;
  int64_t sequences = 0, bytes = 0;
  uint64_t tokens = 0;
};

}  // namespace skein::server
