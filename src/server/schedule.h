// Who of those that want something of a model comes next, who makes room for him, and who is not
// let in. Figures only: it has no thread and no clock and knows no model, so that a simulation can
// drive it as well as a server.
//
// Three levels are fair: owners (a key, or an address), users of an owner, orders of a user. Each
// has had a service, in units of what tokens cost; of those that want something he is next who has
// had least, and newcomers begin where the least served stand, with no credit for having been away.
// Orders that run together get their tokens together; where there are more of them than places, one
// that has had its turn makes room for one that comes before it.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace skein::server {

// Whose a request is. An owner cannot be made up; what users an owner has is his affair.
struct Source {
  std::string owner, user;  // no user: all of those are one
};

struct ScheduleOptions {
  int64_t parallel = 32;    // sequences that run at once
  int64_t waiting = 256;    // requests that have not begun
  int64_t memory = 0;       // bytes of all that have begun and not ended
  double turn_seconds = 2;  // after which an order makes room for others; infinite: at its end
  double wait_seconds = 600;
};

// Of a histogram of how long requests waited, in seconds.
inline constexpr std::array<double, 10> kWaitBounds = {0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300};

// Since the beginning.
struct ScheduleCounts {
  uint64_t full = 0;       // turned away: too many wait
  uint64_t share = 0;      // turned away: too many of one owner or user wait
  uint64_t overdue = 0;    // waited longer than they may
  uint64_t turns = 0;      // made room after their turn
  uint64_t readers = 0;    // made room because nobody reads what they say
  uint64_t abandoned = 0;  // nobody wanted them any more before they began
  std::array<uint64_t, kWaitBounds.size() + 1> waits{};
  double waited = 0;  // seconds, of all that began
};

class Schedule {
 public:
  explicit Schedule(const ScheduleOptions& options) : options_(options) {}
  Schedule(const Schedule&) = delete;
  Schedule& operator=(const Schedule&) = delete;

  // What of a token a prompt's token and a generated one are. In company the latter takes twice as
  // long (0.1B, F16, two cores: 516 and 200 to 250 a second).
  static constexpr int64_t kPromptUnits = 1, kTokenUnits = 2;

 private:
  struct Line {  // a user, an owner, or all of them
    Line* above = nullptr;
    double served = 0;
    double floor = 0;             // where who comes to it begins
    int64_t tickets = 0;          // under way
    int64_t requests = 0;         // that have not begun
    int64_t waiting_tickets = 0;  // orders that have not
    int64_t waiting_units = 0;    // of their prompts
    int64_t sequences = 0;        // running and parked
    int64_t bytes = 0;            // of those
  };
  struct User;
  struct Request {
    double came = 0;
    bool begun = false;
    bool overdue = false;
    int64_t waiting = 0;  // orders
  };

 public:
  enum class Stands : uint8_t { outside, waiting, running, parked };

  // An order. It belongs to the caller, who sets the first three and keeps it until leave().
  struct Ticket {
    int64_t sequences = 1;
    int64_t bytes = 0;
    uint64_t tokens = 0;  // of its prompt
    // Running or parked: nobody takes what it says, so it needs no place.
    bool stalled = false;
    Stands stands() const { return stands_; }

   private:
    friend class Schedule;
    Stands stands_ = Stands::outside;
    User* user_ = nullptr;
    std::shared_ptr<Request> request_;
    uint64_t number_ = 0;
    double served_ = 0;
    double since_ = 0;  // when it got its place
    int64_t had_ = 0;   // units since then
    int64_t all_ = 0;   // units
  };

  struct Refusal {
    bool own = false;  // because of what the same owner or user has there already
    int64_t waiting = 0;
    int64_t seconds = 1;  // after which there may be room
  };
  // Whether a request of these orders is let in. What fits at once does not count as waiting.
  std::optional<Refusal> refuse(const Source& source, int64_t sequences, int64_t bytes,
                                uint64_t tokens);
  // The orders of a request, one behind the other. Throws std::bad_alloc, and then nothing has
  // changed.
  void enter(const Source& source, std::span<Ticket* const> orders, double now);
  // It has ended, or nobody wants it any more. Takes no memory.
  void leave(Ticket& ticket);

  // The next one that gets a place now, which counts as running from here on, and behind `leaving`
  // those that have to give theirs up for it, as parked. Null: nobody. Takes no memory where
  // `leaving` has room for all that run.
  Ticket* next(double now, std::vector<Ticket*>& leaving);
  // What a running one got.
  void charge(Ticket& ticket, int64_t units);
  // What all of them got, and how long it took: what Retry-After goes by.
  void worked(int64_t units, double seconds);

  // One of a request that has not begun and waited longer than it may; the caller lets it leave.
  Ticket* overdue(double now);
  // When overdue() will have one at the earliest; infinite: nobody waits.
  double next_overdue() const;

  // After which somebody who waits may have been served.
  int64_t retry_seconds() const { return seconds_until_room(all_, 1); }

  int64_t waiting() const { return all_.requests; }      // requests that have not begun
  int64_t orders() const { return std::ssize(begun_); }  // that have
  int64_t running() const { return running_; }           // sequences
  int64_t parked() const { return parked_; }             // likewise
  int64_t stalled() const;                               // of those, with no reader
  int64_t bytes() const { return all_.bytes; }           // of both
  const ScheduleOptions& options() const { return options_; }
  const ScheduleCounts& counts() const { return counts_; }

 private:
  struct Owner;
  struct User : Line {
    Owner* owner = nullptr;
    std::deque<Ticket*> waits;
  };
  struct Owner : Line {
    std::map<std::string, User, std::less<>> users;
  };

  User& user_of(const Source& source);
  void lift_floors(User& user);
  static bool precedes(const Ticket& a, const Ticket& b);
  static bool comes_before(const Ticket& a, const Ticket& b);
  static void count_waiting(Ticket& ticket, int64_t orders);
  static void count_begun(Ticket& ticket, int64_t orders);
  bool is_free(int64_t sequences) const;
  bool may_displace(const Ticket& ticket) const;
  bool may_make_room(const Ticket& running, const Ticket& next, double now) const;
  Ticket* first(bool also_new);
  bool make_room(const Ticket& next, double now, std::vector<Ticket*>& leaving);
  void start(Ticket& ticket, double now);
  void park(Ticket& ticket);
  static void count_request(Line& user, int64_t requests);
  int64_t seconds_until_room(const Line& line, double share) const;

  const ScheduleOptions options_;
  std::map<std::string, Owner, std::less<>> owners_;
  Line all_;                    // over the owners
  std::vector<Ticket*> begun_;  // running and parked; with room for all tickets
  uint64_t numbers_ = 0;
  int64_t running_ = 0, parked_ = 0;  // sequences

  double rate_ = 0;  // units a second; 0: not known
  double window_units_ = 0, window_seconds_ = 0;
  double answer_units_ = 0;  // of an order that ended, without its prompt
  ScheduleCounts counts_;
};

}  // namespace skein::server
