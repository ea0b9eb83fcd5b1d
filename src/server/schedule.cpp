#include "server/schedule.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <new>
#include <tuple>
#include <utility>

#include "base/check.h"
#include "base/limits.h"

namespace skein::server {
namespace {

// Owners and users that are remembered, while they want nothing, for what they have had.
constexpr size_t kRemembered = 1024;
constexpr double kLongestRetry = 600;
constexpr double kWindow = 1;  // second of work, over which speed is measured

int64_t units_of(uint64_t prompt_tokens) {
  return static_cast<int64_t>(prompt_tokens) * Schedule::kPromptUnits;
}

// Where no more than the least served of them stands.
template <typename Lines>
double least_served(const Lines& lines, double otherwise) {
  double least = std::numeric_limits<double>::infinity();
  for (const auto& [name, line] : lines)
    if (line.tickets > 0) least = std::min(least, line.served);
  return std::isfinite(least) ? std::max(least, otherwise) : otherwise;
}

// Those who want nothing and have had no more than a newcomer, and of the others the least served
// beyond what is remembered.
template <typename Lines>
void forget_idle(Lines& lines, double floor) {
  if (lines.size() < kRemembered) return;
  std::erase_if(lines, [&](const auto& each) {
    return each.second.tickets == 0 && each.second.served <= floor;
  });
  while (lines.size() >= kRemembered) {
    auto least = lines.end();
    for (auto at = lines.begin(); at != lines.end(); ++at)
      if (at->second.tickets == 0 &&
          (least == lines.end() || at->second.served < least->second.served))
        least = at;
    if (least == lines.end()) return;
    lines.erase(least);
  }
}

}  // namespace

Schedule::User& Schedule::user_of(const Source& source) {
  forget_idle(owners_, all_.floor);
  Owner& owner = owners_[source.owner];
  forget_idle(owner.users, owner.floor);
  User& user = owner.users[source.user];
  owner.above = &all_;
  user.above = user.owner = &owner;
  return user;
}

// Newcomers begin where the least served of those stand that want something now.
void Schedule::lift_floors(User& user) {
  all_.floor = least_served(owners_, all_.floor);
  user.owner->floor = least_served(user.owner->users, user.owner->floor);
  double least = std::numeric_limits<double>::infinity();
  if (!user.waits.empty()) least = user.waits.front()->served_;
  for (const Ticket* ticket : begun_)
    if (ticket->user_ == &user) least = std::min(least, ticket->served_);
  if (std::isfinite(least)) user.floor = std::max(user.floor, least);
}

// ---- Who is let in.

bool Schedule::is_free(int64_t sequences) const {
  return running_ == 0 || running_ + sequences <= options_.parallel;
}

// With each of an owner's requests there is less left for him, so that others find room whoever
// came first.
std::optional<Schedule::Refusal> Schedule::refuse(const Source& source, int64_t sequences,
                                                  int64_t bytes, uint64_t tokens) {
  const bool at_once = all_.waiting_tickets == 0 && parked_ == 0 && is_free(sequences) &&
                       bytes <= options_.memory - all_.bytes;
  if (at_once) return std::nullopt;
  const int64_t left = options_.waiting - all_.requests;
  const bool long_ones = all_.requests > 0 &&
                         static_cast<uint64_t>(all_.waiting_units) + tokens > limits::kPromptTokens;
  if (left <= 0 || long_ones) {
    ++counts_.full;
    return Refusal{.waiting = all_.requests, .seconds = seconds_until_room(all_, 1)};
  }
  const auto owner = owners_.find(source.owner);
  if (owner == owners_.end()) return std::nullopt;
  const Owner& of_owner = owner->second;
  const auto user = source.user.empty() ? of_owner.users.end() : of_owner.users.find(source.user);
  const int64_t of_user = user == of_owner.users.end() ? 0 : user->second.requests;
  if (of_owner.requests + of_user <= left) return std::nullopt;
  ++counts_.share;
  const auto owners = std::count_if(owners_.begin(), owners_.end(),
                                    [](const auto& each) { return each.second.tickets > 0; });
  return Refusal{.own = true,
                 .waiting = of_owner.requests,
                 .seconds = seconds_until_room(of_owner, 1.0 / static_cast<double>(owners))};
}

// How long it takes at the speed so far until one of those that wait has been served, of which
// nobody knows how long its answer gets: as long as others were.
int64_t Schedule::seconds_until_room(const Line& line, double share) const {
  const double rate = rate_ > 0 ? rate_ : window_seconds_ > 0 ? window_units_ / window_seconds_ : 0;
  if (rate <= 0) return 1;
  double units = answer_units_;
  if (line.requests > 0)
    units = (static_cast<double>(line.waiting_units) +
             answer_units_ * static_cast<double>(line.waiting_tickets)) /
            static_cast<double>(line.requests);
  return static_cast<int64_t>(std::clamp(std::ceil(units / (rate * share)), 1.0, kLongestRetry));
}

void Schedule::count_waiting(Ticket& ticket, int64_t orders) {
  ticket.request_->waiting += orders;
  for (Line* line = ticket.user_; line; line = line->above) {
    line->waiting_tickets += orders;
    line->waiting_units += orders * units_of(ticket.tokens);
  }
}

void Schedule::count_begun(Ticket& ticket, int64_t orders) {
  for (Line* line = ticket.user_; line; line = line->above) {
    line->sequences += orders * ticket.sequences;
    line->bytes += orders * ticket.bytes;
  }
}

void Schedule::count_request(Line& user, int64_t requests) {
  for (Line* line = &user; line; line = line->above) line->requests += requests;
}

void Schedule::enter(const Source& source, std::span<Ticket* const> orders, double now) {
  SK_CHECK(!orders.empty());
  // What takes memory comes first.
  const size_t all = static_cast<size_t>(all_.tickets) + orders.size();
  if (begun_.capacity() < all) begun_.reserve(2 * all);
  const auto request = std::make_shared<Request>();
  User& user = user_of(source);
  lift_floors(user);
  struct Places {  // taken back on the way out without memory
    User& user;
    ~Places() {
      std::erase_if(user.waits,
                    [](const Ticket* each) { return each->stands_ == Stands::outside; });
    }
  } const places{user};
  for (Ticket* ticket : orders) user.waits.push_back(ticket);
  Owner& owner = *user.owner;
  if (owner.tickets == 0) owner.served = std::max(owner.served, all_.floor);
  if (user.tickets == 0) user.served = std::max(user.served, owner.floor);
  request->came = now;
  for (Ticket* ticket : orders) {
    ticket->stands_ = Stands::waiting;
    ticket->user_ = &user;
    ticket->request_ = request;
    ticket->number_ = ++numbers_;
    ticket->served_ = user.floor;
    count_waiting(*ticket, 1);
  }
  for (Line* line = &user; line; line = line->above) line->tickets += std::ssize(orders);
  count_request(user, 1);
}

void Schedule::leave(Ticket& ticket) {
  if (ticket.stands_ == Stands::outside) return;
  User& user = *ticket.user_;
  lift_floors(user);
  Request& request = *ticket.request_;
  if (ticket.stands_ == Stands::waiting) {
    std::erase(user.waits, &ticket);
    count_waiting(ticket, -1);
    if (request.waiting == 0 && !request.begun) {
      count_request(user, -1);
      if (!request.overdue) ++counts_.abandoned;
    }
  } else {
    std::erase(begun_, &ticket);
    count_begun(ticket, -1);
    (ticket.stands_ == Stands::running ? running_ : parked_) -= ticket.sequences;
    const auto answer =
        static_cast<double>(std::max<int64_t>(ticket.all_ - units_of(ticket.tokens), 0));
    answer_units_ = answer_units_ > 0 ? answer_units_ + (answer - answer_units_) / 8 : answer;
  }
  for (Line* line = &user; line; line = line->above) --line->tickets;
  ticket.stands_ = Stands::outside;
}

// ---- Who is next.

// Where their ways part, the one that has had less.
bool Schedule::precedes(const Ticket& a, const Ticket& b) {
  if (a.user_->owner != b.user_->owner) return a.user_->owner->served < b.user_->owner->served;
  if (a.user_ != b.user_) return a.user_->served < b.user_->served;
  return a.served_ < b.served_;
}

bool Schedule::comes_before(const Ticket& a, const Ticket& b) {
  const auto place = [](const Ticket& of) {
    return std::tuple(of.user_->owner->served, of.user_->served, of.served_, of.number_);
  };
  return place(a) < place(b);
}

// More than there are places for begin only as long as half of the memory that is left stays for
// others. Beyond a user's first there are twice as many as places, not counting what nobody reads:
// that takes no place from those who do.
bool Schedule::may_displace(const Ticket& ticket) const {
  const Owner& owner = *ticket.user_->owner;
  if (owner.sequences == 0) return true;
  if (owner.bytes + ticket.bytes > options_.memory - all_.bytes) return false;
  if (ticket.user_->sequences == 0) return true;
  int64_t read = owner.sequences;
  for (const Ticket* each : begun_)
    if (each->stalled && each->user_->owner == &owner) read -= each->sequences;
  return read + ticket.sequences <= 2 * options_.parallel;
}

Schedule::Ticket* Schedule::first(bool also_new) {
  Ticket* best = nullptr;
  const auto consider = [&](Ticket* ticket) {
    if (!best || comes_before(*ticket, *best)) best = ticket;
  };
  for (Ticket* ticket : begun_)
    if (ticket->stands_ == Stands::parked && !ticket->stalled) consider(ticket);
  if (!also_new || all_.waiting_tickets == 0) return best;
  for (auto& [name, owner] : owners_) {
    if (owner.waiting_tickets == 0) continue;
    for (auto& [user_name, user] : owner.users) {
      if (user.waits.empty()) continue;
      Ticket* const ticket = user.waits.front();
      if (is_free(ticket->sequences) || may_displace(*ticket)) consider(ticket);
    }
  }
  return best;
}

bool Schedule::may_make_room(const Ticket& running, const Ticket& next, double now) const {
  if (running.stands_ != Stands::running) return false;
  if (running.stalled) return true;
  return running.had_ > 0 && now - running.since_ >= options_.turn_seconds &&
         precedes(next, running);
}

// All of them or none: half a place is no use.
bool Schedule::make_room(const Ticket& next, double now, std::vector<Ticket*>& leaving) {
  int64_t left = running_;
  for (const Ticket* ticket : begun_)
    if (may_make_room(*ticket, next, now)) left -= ticket->sequences;
  if (left > 0 && left + next.sequences > options_.parallel) return false;
  while (!is_free(next.sequences)) {
    Ticket* last = nullptr;
    for (Ticket* ticket : begun_) {
      if (!may_make_room(*ticket, next, now)) continue;
      const bool sooner =
          !last ||
          (ticket->stalled != last->stalled ? ticket->stalled : comes_before(*last, *ticket));
      if (sooner) last = ticket;
    }
    ++(last->stalled ? counts_.readers : counts_.turns);
    last->stands_ = Stands::parked;
    running_ -= last->sequences;
    parked_ += last->sequences;
    leaving.push_back(last);
  }
  return true;
}

void Schedule::start(Ticket& ticket, double now) {
  if (ticket.stands_ == Stands::waiting) {
    User& user = *ticket.user_;
    SK_CHECK(user.waits.front() == &ticket);
    user.waits.pop_front();
    count_waiting(ticket, -1);
    count_begun(ticket, 1);
    begun_.push_back(&ticket);
    if (Request& request = *ticket.request_; !std::exchange(request.begun, true)) {
      count_request(user, -1);
      const double waited = std::max(now - request.came, 0.0);
      const auto bound = std::lower_bound(kWaitBounds.begin(), kWaitBounds.end(), waited);
      ++counts_.waits[static_cast<size_t>(bound - kWaitBounds.begin())];
      counts_.waited += waited;
    }
  } else {
    parked_ -= ticket.sequences;
  }
  running_ += ticket.sequences;
  ticket.stands_ = Stands::running;
  ticket.since_ = now;
  ticket.had_ = 0;
}

Schedule::Ticket* Schedule::next(double now, std::vector<Ticket*>& leaving) {
  leaving.clear();
  // Where there is no memory for whose turn it is to begin, nobody else begins; those that have
  // begun go on.
  for (const bool also_new : {true, false}) {
    Ticket* const ticket = first(also_new);
    if (!ticket) return nullptr;
    if (ticket->stands_ == Stands::waiting && ticket->bytes > options_.memory - all_.bytes)
      continue;
    if (!make_room(*ticket, now, leaving)) return nullptr;
    start(*ticket, now);
    return ticket;
  }
  return nullptr;
}

void Schedule::charge(Ticket& ticket, int64_t units) {
  ticket.had_ += units;
  ticket.all_ += units;
  ticket.served_ += static_cast<double>(units);
  for (Line* line = ticket.user_; line; line = line->above)
    line->served += static_cast<double>(units);
}

void Schedule::worked(int64_t units, double seconds) {
  window_units_ += static_cast<double>(units);
  window_seconds_ += seconds;
  if (window_seconds_ < kWindow) return;
  const double rate = window_units_ / window_seconds_;
  rate_ = rate_ > 0 ? (rate_ + rate) / 2 : rate;
  window_units_ = window_seconds_ = 0;
}

// ---- Who has waited too long. Each user's stand in the order in which they came.

Schedule::Ticket* Schedule::overdue(double now) {
  if (all_.requests == 0) return nullptr;
  for (auto& [name, owner] : owners_)
    for (auto& [user_name, user] : owner.users)
      for (Ticket* ticket : user.waits) {
        Request& request = *ticket->request_;
        if (request.begun || request.overdue) continue;
        if (request.came + options_.wait_seconds > now) break;
        request.overdue = true;
        ++counts_.overdue;
        return ticket;
      }
  return nullptr;
}

double Schedule::next_overdue() const {
  double least = std::numeric_limits<double>::infinity();
  if (all_.requests == 0) return least;
  for (const auto& [name, owner] : owners_)
    for (const auto& [user_name, user] : owner.users)
      for (const Ticket* ticket : user.waits)
        if (!ticket->request_->begun && !ticket->request_->overdue) {
          least = std::min(least, ticket->request_->came + options_.wait_seconds);
          break;
        }
  return least;
}

int64_t Schedule::stalled() const {
  int64_t out = 0;
  for (const Ticket* ticket : begun_) out += ticket->stalled ? ticket->sequences : 0;
  return out;
}

}  // namespace skein::server
