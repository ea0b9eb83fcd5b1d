// What a connection asks about a request, and whom it hands it to. It knows no socket, and whoever
// implements it is called on the connections' thread and computes nothing there.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "server/access.h"
#include "server/answer.h"
#include "server/api_error.h"
#include "server/http.h"

namespace skein::server {

struct Route;
struct Served;
class WantedForm;

// A body's bytes among those of all, from the first one on until somebody has taken it apart or it
// is gone.
class BodyShare {
 public:
  using Total = std::atomic<uint64_t>;
  ~BodyShare() { release(); }

  // False: there would be more than `most` of all. On the connections' thread.
  bool take(const std::shared_ptr<Total>& of, uint64_t bytes, uint64_t most) {
    if (of->load() + bytes > most) return false;
    total_ = of;
    *total_ += bytes;
    bytes_ += bytes;
    return true;
  }
  // From any thread, behind the last take().
  void release() {
    if (const uint64_t bytes = bytes_.exchange(0)) *total_ -= bytes;
  }

 private:
  std::shared_ptr<Total> total_;
  std::atomic<uint64_t> bytes_{0};
};

// A request and its answer. Belongs to the connection until serve(); afterwards it is only read,
// but for the body, which belongs to whoever serves.
struct Exchange {
  Head head;
  std::string body;
  BodyShare share;          // the body's
  std::string id;           // of the request
  std::string peer;         // the address it came from
  std::string owner;        // whom the request counts for: a key, or the address
  Role role = Role::admin;  // of its key; without keys everybody may do everything
  std::chrono::steady_clock::time_point began;
  const Route* route = nullptr;
  uint64_t most_body = 0;  // bytes, where it may have more than others; 0: as all
  std::string parameter;   // of the path, "name" of /v1/models/name
  ErrorForm errors = ErrorForm::openai;
  // Models stay while somebody holds them; and what is not there yet, for which its handler waits.
  std::vector<std::shared_ptr<const Served>> models;
  std::shared_ptr<void> running;  // the mark of an Idempotency-Key
  std::optional<size_t> waits_for;
  // The form of the answer, and whether its handler waits for it.
  std::shared_ptr<WantedForm> form;
  bool waits_for_form = false;
  std::shared_ptr<Answer> answer = std::make_shared<Answer>();
};

class Site {
 public:
  virtual ~Site() = default;

  // Of a request whose body was not read: the answer, unless it may be read and served. Sets the
  // exchange's id and route.
  virtual std::optional<Response> refuse(Exchange& exchange) = 0;
  // Of one that the gate refused, or whose body is not taken.
  virtual Response refuse(const Exchange& exchange, const Refusal& refusal) = 0;
  // Fields that stand in each of its answers. Sets the exchange's id if it has none.
  virtual void add_fields(Exchange& exchange, Response& response) = 0;
  virtual void serve(std::shared_ptr<Exchange> exchange) = 0;
  // `status` of the answer, 0: it was not answered; `bytes` of its body. `whole`: all of it left.
  virtual void finished(const Exchange& exchange, int status, uint64_t bytes, bool whole) = 0;
};

}  // namespace skein::server
