// A client that writes what bytes it likes and reads answers apart by itself.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <charconv>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/json.h"

namespace skein::test {

struct Reply {
  int status = 0;                             // 0: the connection ended first
  std::map<std::string, std::string> fields;  // by names in small letters
  std::string body;

  Json json() const { return parse_json(body, 1 << 26).value_or(Json()); }
  std::string error(std::string_view key) const {
    return std::string(json().find("error").find(key).string().value_or(""));
  }
};

class Client {
 public:
  explicit Client(uint16_t port, int receive_bytes = 0) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    if (receive_bytes > 0)
      ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof(receive_bytes));
    sockaddr_in place{};
    place.sin_family = AF_INET;
    place.sin_port = htons(port);
    place.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = ::connect(fd_, reinterpret_cast<const sockaddr*>(&place), sizeof(place)) == 0;
  }
  ~Client() { close(); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  bool connected() const { return connected_; }
  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }

  // Sends nothing any more, and reads.
  void shut() { ::shutdown(fd_, SHUT_WR); }

  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t count = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (count <= 0) return false;
      bytes.remove_prefix(static_cast<size_t>(count));
    }
    return true;
  }
  bool request(std::string_view method, std::string_view path, std::string_view body = {},
               std::string_view fields = {}) {
    std::string out = fmt::format("{} {} HTTP/1.1\r\nHost: localhost\r\n{}", method, path, fields);
    if (method == "POST")
      out += fmt::format("Content-Type: application/json\r\nContent-Length: {}\r\n", body.size());
    return send(out + "\r\n" + std::string(body));
  }

  // Waits for such bytes, which read() gives all the same.
  bool comes(std::string_view bytes) {
    while (in_.find(bytes) == std::string::npos)
      if (!more()) return false;
    return true;
  }

  // The next answer, without the frames of its chunks.
  Reply read(bool has_body = true) {
    Reply out;
    size_t end = 0;
    while ((end = in_.find("\r\n\r\n")) == std::string::npos)
      if (!more()) return out;
    const std::string head = in_.substr(0, end + 2);
    in_.erase(0, end + 4);
    int status = 0;
    if (head.size() > 12) std::from_chars(head.data() + 9, head.data() + 12, status);
    for (size_t at = head.find("\r\n") + 2; at < head.size();) {
      const size_t line_end = head.find("\r\n", at), colon = head.find(": ", at);
      std::string name = head.substr(at, colon - at);
      for (char& c : name) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
      out.fields[name] = head.substr(colon + 2, line_end - colon - 2);
      at = line_end + 2;
    }
    if (!has_body) {
    } else if (out.fields.count("transfer-encoding")) {
      while (true) {
        while ((end = in_.find("\r\n")) == std::string::npos)
          if (!more()) return {};
        size_t size = 0;
        std::from_chars(in_.data(), in_.data() + end, size, 16);
        while (in_.size() < end + 2 + size + 2)
          if (!more()) return {};
        out.body += in_.substr(end + 2, size);
        in_.erase(0, end + 2 + size + 2);
        if (size == 0) break;
      }
    } else if (out.fields.count("content-length")) {
      const std::string& text = out.fields["content-length"];
      size_t size = 0;
      std::from_chars(text.data(), text.data() + text.size(), size);
      while (in_.size() < size)
        if (!more()) return {};
      out.body = in_.substr(0, size);
      in_.erase(0, size);
    } else if (status != 204 && status != 304 && status != 100) {
      while (more()) {
      }
      out.body = std::exchange(in_, {});
    }
    out.status = status;
    return out;
  }
  // Waits for the first byte of an answer.
  bool readable() { return !in_.empty() || more(); }
  // Of an answer whose head has come in part.
  int head_status() const {
    int status = 0;
    if (in_.size() > 12) std::from_chars(in_.data() + 9, in_.data() + 12, status);
    return status;
  }
  // Nothing comes any more.
  bool ended() { return in_.empty() && !more(); }

 private:
  // False: the end, or nothing came for two minutes.
  bool more() {
    pollfd wait{.fd = fd_, .events = POLLIN, .revents = 0};
    if (::poll(&wait, 1, 120'000) != 1) return false;
    char bytes[16384];
    const ssize_t count = ::recv(fd_, bytes, sizeof(bytes), 0);
    if (count <= 0) return false;
    in_.append(bytes, static_cast<size_t>(count));
    return true;
  }

  int fd_;
  bool connected_ = false;
  std::string in_;
};

inline Reply ask(uint16_t port, std::string_view method, std::string_view path,
                 std::string_view body = {}, std::string_view fields = {}) {
  Client client(port);
  client.request(method, path, body, fields);
  return client.read();
}
inline Reply post(uint16_t port, std::string_view path, std::string_view body,
                  std::string_view fields = {}) {
  return ask(port, "POST", path, body, fields);
}

// What a stream of events says: the data of each, without the last "[DONE]".
struct Events {
  std::vector<Json> data;
  bool done = false;

  explicit Events(std::string_view body) {
    while (!body.empty()) {
      const size_t end = std::min(body.find("\n\n"), body.size());
      std::string_view one = body.substr(0, end);
      if (one.starts_with("event: ")) one.remove_prefix(std::min(one.find('\n') + 1, one.size()));
      body.remove_prefix(std::min(end + 2, body.size()));
      if (one == "data: [DONE]")
        done = body.empty();
      else if (one.starts_with("data: "))
        data.push_back(parse_json(one.substr(6), 1 << 24).value_or(Json()));
    }
  }
};

}  // namespace skein::test
