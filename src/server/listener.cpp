#include "server/listener.h"

#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstring>
#include <map>
#include <new>
#include <unordered_map>
#include <utility>

#include "server/request_reader.h"

namespace skein::server {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using std::chrono::milliseconds;

constexpr auto kTick = milliseconds(100);
constexpr auto kLast = milliseconds(1000);  // after a drain that took too long
constexpr int kWaitingBytes = 64 * 1024;  // in the system, of one connection, before they are sent

Refusal bodies_full() {
  return {503, "the bodies that are under way fill the memory for them; come again"};
}

class Connection;

// An address of the old kind is the same one whichever way it came.
asio::ip::address plain(const asio::ip::address& address) {
  if (!address.is_v6() || !address.to_v6().is_v4_mapped()) return address;
  return asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6());
}

}  // namespace

struct Listener::Impl {
  explicit Impl(const ListenOptions& given) : options(given) {}

  void accept();
  void tick(const std::function<bool()>& stop_asked, const std::function<void()>& overdue);
  void drain(const std::function<void()>& overdue);
  void welcome(tcp::socket socket);
  void turn_away(tcp::socket& socket, const std::string& peer, std::string_view why);
  void forget(Connection* connection, const std::string& peer);

  const ListenOptions options;
  asio::io_context io{1};
  tcp::acceptor acceptor{io};
  asio::steady_timer timer{io};
  Site* site = nullptr;
  bool accepting = false;
  bool draining = false;
  std::map<std::string, uint64_t> peers;  // those elsewhere
  std::unordered_map<Connection*, std::shared_ptr<Connection>> connections;
  std::atomic<int64_t> count{0};
  // Bytes of those that nobody has taken apart.
  const std::shared_ptr<BodyShare::Total> bodies = std::make_shared<BodyShare::Total>(0);
};

namespace {

// A client: one request after the other, each with its answer before the next is looked at.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(Listener::Impl& house, tcp::socket socket, std::string peer)
      : house_(house),
        socket_(std::move(socket)),
        deadline_(house.io),
        stall_(house.io),
        ping_(house.io),
        ahead_(house.io),
        peer_(std::move(peer)) {}

  void start() {
    arm(house_.options.header_ms);
    read();
  }
  // The server wants to end: what is under way may go on, what is not begun is not.
  void drain() {
    keep_ = false;
    const bool begun = phase_ == Phase::body || reader_.has_begun();
    if (phase_ != Phase::heading && phase_ != Phase::body) return;
    begun ? refuse({503, "the server is ending"}) : close();
  }
  void close();

 private:
  enum class Phase : uint8_t { heading, body, answering, discarding, closed };

  // Handlers run on the one thread; without memory for one its connection ends.
  template <typename F>
  auto guarded(F call) {
    return [self = shared_from_this(), call](const auto&... args) {
      try {
        call(args...);
      } catch (const std::bad_alloc&) {
        self->close();
      }
    };
  }

  void arm(int64_t ms) {
    const uint64_t armed = ++armed_;
    deadline_.expires_after(milliseconds(ms));
    deadline_.async_wait(guarded([this, armed](error_code error) {
      if (!error && armed == armed_) on_deadline();
    }));
  }
  void disarm() {
    ++armed_;
    deadline_.cancel();
  }
  void on_deadline();

  void read();
  void read_ahead();
  void received(size_t count);
  void lost();
  void advance();
  bool read_head();
  uint64_t most_body() const { return std::max(house_.options.body_bytes, exchange_->most_body); }
  bool read_body();
  bool hold(size_t count) {
    return exchange_->share.take(house_.bodies, count, house_.options.bodies_bytes);
  }
  void serve();
  void refuse(const Refusal& refusal);

  void pump();
  void begin(Response head, bool streams);
  void add_piece(std::string_view bytes);
  void write();
  void wrote(size_t count);
  void arm_ping();
  void finish_answer();
  void discard();
  void report(bool whole);

  Listener::Impl& house_;
  tcp::socket socket_;
  asio::steady_timer deadline_, stall_, ping_, ahead_;
  uint64_t armed_ = 0, stalls_ = 0, pings_ = 0;
  const std::string peer_;
  RequestReader reader_;
  std::array<char, 16384> in_;
  bool reading_ = false;
  Phase phase_ = Phase::heading;
  bool begun_ = false;  // some of a later request's header is there
  uint64_t requests_ = 0;
  uint64_t discarded_ = 0;

  std::shared_ptr<Exchange> exchange_;  // that is read or answered
  bool keep_ = true;                    // the connection may go on after this answer
  bool chunked_ = false;                // the answer
  bool streams_ = false;
  bool ended_ = false;  // all of it is in out_
  int64_t ping_seconds_ = 0;
  std::string_view ping_text_;
  int status_ = 0;
  uint64_t sent_bytes_ = 0;  // of the answer's body

  std::string out_;
  size_t written_ = 0;  // of out_
  size_t taken_ = 0;    // of the answer's stream, in out_
  bool writing_ = false;
};

void Connection::close() {
  if (phase_ == Phase::closed) return;
  phase_ = Phase::closed;
  const auto self = shared_from_this();
  report(false);
  if (exchange_) exchange_->answer->leave();
  error_code ignored;
  socket_.close(ignored);
  for (asio::steady_timer* timer : {&deadline_, &stall_, &ping_, &ahead_}) timer->cancel();
  house_.forget(this, peer_);
}

void Connection::on_deadline() {
  const bool begun = phase_ == Phase::body || (phase_ == Phase::heading && reader_.has_begun());
  if (begun)
    refuse({408, phase_ == Phase::body ? "the body did not come in time"
                                       : "the header did not come in time"});
  else
    close();
}

void Connection::read() {
  if (reading_ || phase_ == Phase::closed) return;
  reading_ = true;
  socket_.async_read_some(asio::buffer(in_), guarded([this](error_code error, size_t count) {
                            reading_ = false;
                            if (phase_ == Phase::closed) return;
                            if (!error) return received(count);
                            error == asio::error::eof ? lost() : close();
                          }));
}

// While an answer is under way. Whoever sends more before he has read it is not listened to for a
// while; but only who reads notices that the other side has left, so what still comes is thrown
// away then, and the connection ends with the answer.
void Connection::read_ahead() {
  if (!keep_ || reader_.waiting() < limits::kHeaderSectionBytes) return read();
  ahead_.expires_after(milliseconds(house_.options.ahead_ms));
  ahead_.async_wait(guarded([this, request = requests_](error_code error) {
    if (error || phase_ != Phase::answering || request != requests_) return;
    keep_ = false;
    read();
  }));
}

void Connection::received(size_t count) {
  // Of the latter nothing will be a request.
  if (phase_ == Phase::discarding || (phase_ == Phase::answering && !keep_)) {
    discarded_ += count;
    return discarded_ > limits::kDiscardBytes ? close() : read();
  }
  if (phase_ == Phase::body && !hold(count)) return refuse(bodies_full());
  reader_.feed({in_.data(), count});
  phase_ == Phase::answering ? read_ahead() : advance();
}

// The other side sends nothing any more. It has left, or has said all and waits for the answer: a
// few bytes tell, since they are refused where nobody is. In a stream they are a comment, before an
// answer the interim one that every client of HTTP/1.1 skips; before one of HTTP/1.0 there are none
// that could be sent, and whoever asks that way counts as gone.
void Connection::lost() {
  if (phase_ != Phase::answering) return close();
  pump();
  if (phase_ != Phase::answering) return;
  const bool begun = status_ > 0;
  if (!begun && exchange_->head.minor == 0) return close();
  socket_.async_wait(tcp::socket::wait_error, guarded([this](error_code) {
                       if (phase_ == Phase::answering) close();
                     }));
  if (writing_ || ended_ || (begun && !streams_)) return;
  begun ? add_piece(ping_text_) : static_cast<void>(out_ += "HTTP/1.1 100 Continue\r\n\r\n");
  write();
}

void Connection::advance() {
  while (phase_ == Phase::heading || phase_ == Phase::body)
    if (!(phase_ == Phase::heading ? read_head() : read_body())) return;
}

bool Connection::read_head() {
  auto head = reader_.read_head();
  if (!head) return refuse(head.error()), false;
  if (!*head) {
    // From the first byte on there is less time than between two requests.
    if (!begun_ && reader_.has_begun() && requests_ > 0) {
      begun_ = true;
      arm(house_.options.header_ms);
    }
    read();
    return false;
  }
  ++requests_;
  begun_ = false;
  exchange_ = std::make_shared<Exchange>();
  exchange_->head = std::move(**head);
  exchange_->peer = peer_;
  exchange_->began = std::chrono::steady_clock::now();
  exchange_->answer->on_output([self = weak_from_this(), &io = house_.io] {
    asio::post(io, [self] {
      const auto one = self.lock();
      if (!one) return;
      try {
        one->pump();
      } catch (const std::bad_alloc&) {
        one->close();
      }
    });
  });
  const Head& is = exchange_->head;
  keep_ = is.keep_alive && !house_.draining && requests_ < limits::kConnectionRequests;
  auto refusal = house_.site->refuse(*exchange_);
  if (!refusal && is.length > most_body()) {
    const auto text =
        fmt::format("a body of {} bytes; at most {} are taken", is.length, most_body());
    refusal = house_.site->refuse(*exchange_, Refusal{413, text});
  }
  if (refusal) {
    // The body stays unread, so what follows would be taken for a request.
    if (is.has_body() || refusal->last) keep_ = false;
    phase_ = Phase::answering;
    disarm();
    exchange_->answer->send(std::move(*refusal));
    read_ahead();
    return false;
  }
  if (!is.has_body()) return serve(), false;
  if (!hold(reader_.waiting())) return refuse(bodies_full()), false;
  phase_ = Phase::body;
  const auto longest = static_cast<int64_t>(1000 * is.length / limits::kBodyBytesPerSecond);
  arm(std::max(house_.options.body_ms, longest));
  if (is.expects_continue && !reader_.has_begun()) {
    out_ = "HTTP/1.1 100 Continue\r\n\r\n";
    write();
  }
  return true;
}

bool Connection::read_body() {
  auto body = reader_.read_body(most_body());
  if (!body) return refuse(body.error()), false;
  if (!*body) return read(), false;
  exchange_->body = std::move(**body);
  serve();
  return false;
}

void Connection::serve() {
  phase_ = Phase::answering;
  disarm();
  house_.site->serve(exchange_);
  if (phase_ == Phase::answering) read_ahead();
}

// Of what is no request: nothing that follows can be one.
void Connection::refuse(const Refusal& refusal) {
  if (!exchange_) exchange_ = std::make_shared<Exchange>();
  exchange_->peer = peer_;
  exchange_->began = std::chrono::steady_clock::now();
  keep_ = false;
  phase_ = Phase::answering;
  disarm();
  reader_.drop();
  exchange_->share.release();
  exchange_->answer->on_output({});
  exchange_->answer->send(house_.site->refuse(*exchange_, refusal));
  pump();
}

// Writes what the answer has.
void Connection::pump() {
  if (phase_ != Phase::answering || writing_ || ended_) return;
  Answer::Output output = exchange_->answer->take();
  if (output.closes) keep_ = false;
  if (output.head) begin(std::move(*output.head), output.streams);
  if (!output.bytes.empty()) {
    taken_ = output.bytes.size();
    add_piece(output.bytes);
  }
  if (output.ended) {
    ended_ = true;
    if (streams_ && chunked_) out_ += "0\r\n\r\n";
  }
  if (!out_.empty()) return write();
  if (ended_) return finish_answer();
  arm_ping();
}

void Connection::begin(Response head, bool streams) {
  // Whoever has read the answer may send the next body.
  exchange_->share.release();
  house_.site->add_fields(*exchange_, head);
  const Head& asked = exchange_->head;
  status_ = head.status;
  streams_ = streams;
  chunked_ = streams && asked.minor == 1;
  if (streams && !chunked_) keep_ = false;
  ping_seconds_ = head.ping_seconds;
  ping_text_ = head.ping_text;
  out_ += fmt::format("HTTP/1.1 {} {}\r\n", head.status, reason_of(head.status));
  const auto add = [&](std::string_view name, std::string_view value) {
    out_ += name;
    out_ += ": ";
    for (const char c : value)
      if (static_cast<unsigned char>(c) >= ' ') out_ += c;
    out_ += "\r\n";
  };
  const bool has_body = head.status != 204 && head.status != 304;
  if (has_body) add("Content-Type", head.type);
  if (chunked_)
    add("Transfer-Encoding", "chunked");
  else if (!streams && has_body)
    add("Content-Length", fmt::format("{}", head.body.size()));
  if (!keep_)
    add("Connection", "close");
  else if (asked.minor == 0)
    add("Connection", "keep-alive");
  for (const Field& field : head.fields) add(field.name, field.value);
  out_ += "\r\n";
  if (streams || asked.method == "HEAD") return;
  sent_bytes_ += head.body.size();
  out_ += head.body;
}

void Connection::add_piece(std::string_view bytes) {
  sent_bytes_ += bytes.size();
  if (chunked_) out_ += fmt::format("{:x}\r\n", bytes.size());
  out_ += bytes;
  if (chunked_) out_ += "\r\n";
}

void Connection::write() {
  writing_ = true;
  const uint64_t stalls = ++stalls_;
  ++pings_;
  stall_.expires_after(milliseconds(house_.options.stall_ms));
  stall_.async_wait(guarded([this, stalls](error_code error) {
    if (!error && stalls == stalls_) close();
  }));
  socket_.async_write_some(asio::buffer(out_.data() + written_, out_.size() - written_),
                           guarded([this](error_code error, size_t count) {
                             if (phase_ == Phase::closed) return;
                             error ? close() : wrote(count);
                           }));
}

void Connection::wrote(size_t count) {
  written_ += count;
  if (written_ < out_.size()) return write();
  writing_ = false;
  ++stalls_;
  stall_.cancel();
  out_.clear();
  if (out_.capacity() > 2 * limits::kUnsentBytes) out_.shrink_to_fit();
  written_ = 0;
  if (taken_ > 0) exchange_->answer->wrote(std::exchange(taken_, 0));
  if (phase_ != Phase::answering) return;  // it was told to go on
  ended_ ? finish_answer() : pump();
}

void Connection::arm_ping() {
  if (!streams_ || ping_seconds_ <= 0) return;
  const uint64_t pings = ++pings_;
  ping_.expires_after(std::chrono::seconds(ping_seconds_));
  ping_.async_wait(guarded([this, pings](error_code error) {
    if (error || pings != pings_ || phase_ != Phase::answering || writing_ || ended_) return;
    add_piece(ping_text_);
    write();
  }));
}

void Connection::report(bool whole) {
  if (exchange_ && (status_ > 0 || !exchange_->head.method.empty()))
    house_.site->finished(*exchange_, status_, sent_bytes_, whole);
}

void Connection::finish_answer() {
  report(true);
  exchange_.reset();
  ended_ = streams_ = chunked_ = false;
  status_ = 0;
  sent_bytes_ = 0;
  if (!keep_ || house_.draining) return discard();
  phase_ = Phase::heading;
  arm(reader_.has_begun() ? house_.options.header_ms : house_.options.idle_ms);
  advance();
}

// Closing with bytes unread would reset the connection, and the answer might be lost with it.
void Connection::discard() {
  phase_ = Phase::discarding;
  error_code ignored;
  socket_.shutdown(tcp::socket::shutdown_send, ignored);
  arm(1000 * static_cast<int64_t>(limits::kDiscardSeconds));
  read();
}

}  // namespace

void Listener::Impl::forget(Connection* connection, const std::string& peer) {
  if (const auto at = peers.find(peer); at != peers.end() && --at->second == 0) peers.erase(at);
  connections.erase(connection);
  count.store(static_cast<int64_t>(connections.size()));
  if (draining && connections.empty()) io.stop();
}

// In one write that nobody waits for: whoever has too many connections is not given another one.
void Listener::Impl::turn_away(tcp::socket& socket, const std::string& peer, std::string_view why) {
  Exchange exchange;
  exchange.peer = peer;
  exchange.began = std::chrono::steady_clock::now();
  Response response = site->refuse(exchange, Refusal{503, std::string(why)});
  site->add_fields(exchange, response);
  std::string out = fmt::format(
      "HTTP/1.1 503 {}\r\nContent-Type: {}\r\nContent-Length: {}\r\n"
      "Connection: close\r\n",
      reason_of(503), response.type, response.body.size());
  for (const Field& field : response.fields)
    out += fmt::format("{}: {}\r\n", field.name, field.value);
  out += "\r\n" + response.body;
  error_code error;
  socket.non_blocking(true, error);
  socket.write_some(asio::buffer(out), error);
  socket.shutdown(tcp::socket::shutdown_send, error);
  site->finished(exchange, 503, response.body.size(), true);
}

void Listener::Impl::welcome(tcp::socket socket) {
  error_code error;
  const tcp::endpoint remote = socket.remote_endpoint(error);
  if (error) return;
  const asio::ip::address address = plain(remote.address());
  const std::string peer = address.to_string();
  if (connections.size() >= limits::kConnections)
    return turn_away(socket, peer,
                     fmt::format("{} connections are open already", connections.size()));
  if (!address.is_loopback()) {
    uint64_t& of_peer = peers[peer];
    if (of_peer >= limits::kPeerConnections)
      return turn_away(socket, peer,
                       fmt::format("{} connections of {} are open already; a proxy "
                                   "on the server's own machine may have more",
                                   of_peer, peer));
    ++of_peer;
  }
  socket.set_option(tcp::no_delay(true), error);
  const unsigned stall = static_cast<unsigned>(options.stall_ms);
  ::setsockopt(socket.native_handle(), IPPROTO_TCP, TCP_USER_TIMEOUT, &stall, sizeof(stall));
  // What waits in the system counts as unsent, too: it would take megabytes for each who does not
  // read, and what fills them would be generated for nobody. What is on the way is not bounded.
  const int waiting = kWaitingBytes;
  ::setsockopt(socket.native_handle(), IPPROTO_TCP, TCP_NOTSENT_LOWAT, &waiting, sizeof(waiting));
  const auto made = std::make_shared<Connection>(*this, std::move(socket), peer);
  connections.emplace(made.get(), made);
  count.store(static_cast<int64_t>(connections.size()));
  made->start();
}

// Where it fails (no descriptors, most likely, and they come back) the next tick begins again.
void Listener::Impl::accept() {
  acceptor.async_accept([this](error_code error, tcp::socket socket) {
    accepting = false;
    if (error || !acceptor.is_open()) return;
    try {
      welcome(std::move(socket));
    } catch (const std::bad_alloc&) {
    }
    accept();
  });
  accepting = true;
}

void Listener::Impl::tick(const std::function<bool()>& stop_asked,
                          const std::function<void()>& overdue) {
  if (stop_asked()) return drain(overdue);
  timer.expires_after(kTick);
  timer.async_wait([this, &stop_asked, &overdue](error_code error) {
    if (!error) tick(stop_asked, overdue);
  });
  if (!accepting) accept();
}

void Listener::Impl::drain(const std::function<void()>& overdue) {
  draining = true;
  error_code ignored;
  acceptor.close(ignored);
  std::vector<std::shared_ptr<Connection>> all;
  for (const auto& [key, connection] : connections) all.push_back(connection);
  for (const auto& connection : all) connection->drain();
  if (connections.empty()) return io.stop();
  timer.expires_after(milliseconds(options.drain_ms));
  timer.async_wait([this, &overdue](error_code error) {
    if (error) return;
    overdue();
    timer.expires_after(kLast);
    timer.async_wait([this](error_code) { io.stop(); });
  });
}

Result<bool> is_loopback(const std::string& host) {
  if (host == "localhost") return true;
  error_code error;
  const auto address = asio::ip::make_address(host, error);
  if (error)
    return fail(Code::argument, "{} is no address to listen at, such as 127.0.0.1, ::1 or 0.0.0.0",
                escaped(host));
  return address.is_loopback();
}

Result<std::string> address_of(int socket) {
  int listens = 0, type = 0;
  socklen_t size = sizeof(int);
  sockaddr_storage place{};
  socklen_t place_size = sizeof(place);
  const bool known = ::getsockopt(socket, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) == 0 &&
                     ::getsockopt(socket, SOL_SOCKET, SO_TYPE, &type, &size) == 0 &&
                     ::getsockname(socket, reinterpret_cast<sockaddr*>(&place), &place_size) == 0;
  const bool internet = place.ss_family == AF_INET || place.ss_family == AF_INET6;
  if (!known || !listens || type != SOCK_STREAM || !internet)
    return fail(Code::argument,
                "the socket that was handed over is none that listens for TCP; in skein.socket, "
                "ListenStream= has to be a port, or an address and a port");
  tcp::endpoint out;
  out.resize(place_size);
  std::memcpy(out.data(), &place, place_size);
  return plain(out.address()).to_string();
}

Listener::Listener(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

// Connections that were cut off hold on to the house.
Listener::~Listener() { impl_->connections.clear(); }

Result<std::unique_ptr<Listener>> Listener::open(const ListenOptions& options) {
  SK_TRY_STATUS(is_loopback(options.host));
  auto impl = std::make_unique<Impl>(options);
  error_code error;
  if (options.socket >= 0) {
    const bool old = options.host.find(':') == std::string::npos;
    impl->acceptor.assign(old ? tcp::v4() : tcp::v6(), options.socket, error);
    if (error) return fail(Code::io, "cannot listen at the socket: {}", error.message());
    return std::unique_ptr<Listener>(new Listener(std::move(impl)));
  }
  const auto address =
      asio::ip::make_address(options.host == "localhost" ? "127.0.0.1" : options.host, error);
  const tcp::endpoint place(address, static_cast<uint16_t>(options.port));
  tcp::acceptor& acceptor = impl->acceptor;
  acceptor.open(place.protocol(), error);
  if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error) acceptor.bind(place, error);
  if (!error) acceptor.listen(1024, error);
  if (error == asio::error::address_in_use)
    return fail(Code::io,
                "port {} of {} is taken; choose another one with --port, or --port 0 for any that "
                "is free",
                options.port, options.host);
  if (error == asio::error::access_denied)
    return fail(Code::io, "port {} is not yours to listen at; choose one above 1023 with --port",
                options.port);
  if (error)
    return fail(Code::io, "cannot listen at port {} of {}: {}", options.port, options.host,
                error.message());
  return std::unique_ptr<Listener>(new Listener(std::move(impl)));
}

uint16_t Listener::port() const {
  error_code ignored;
  return impl_->acceptor.local_endpoint(ignored).port();
}
int64_t Listener::connections() const { return impl_->count.load(); }

void Listener::run(Site& site, const std::function<bool()>& stop_asked,
                   const std::function<void()>& overdue) {
  impl_->site = &site;
  // A handler of no connection that runs out of memory: the tick, which is begun again.
  while (!impl_->io.stopped()) {
    try {
      impl_->tick(stop_asked, overdue);
      impl_->io.run();
    } catch (const std::bad_alloc&) {
    }
  }
}

}  // namespace skein::server
