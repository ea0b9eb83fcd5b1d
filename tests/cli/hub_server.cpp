#include "cli/hub_server.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "base/hash.h"

namespace skein::test {
namespace {

std::string sha256_of(const std::string& content) {
  return hex(sha256(std::as_bytes(std::span(content))));
}

std::string git_sha1_of(const std::string& content) {
  Sha1 hash;
  hash.update("blob " + std::to_string(content.size()));
  hash.update(std::string_view("\0", 1));
  hash.update(content);
  return hex(hash.finish());
}

std::string page(int status, const std::string& headers, const std::string& body = {}) {
  return "HTTP/1.1 " + std::to_string(status) + " Status\r\n" + headers +
         "Content-Length: " + std::to_string(body.size()) + "\r\nConnection: close\r\n\r\n" + body;
}

std::string refusal(int status, const std::string& code) {
  return page(status, code.empty() ? "" : "X-Error-Code: " + code + "\r\n", "{\"error\":\"no\"}");
}

// "bytes=17-" or "bytes=0-0".
struct Range {
  size_t from = 0;
  std::optional<size_t> last;
};
std::optional<Range> range_of(const Seen& request) {
  const auto found = request.headers.find("range");
  if (found == request.headers.end()) return std::nullopt;
  const std::string& text = found->second;
  Range out;
  const char* end = text.data() + text.size();
  const auto [dash, error] = std::from_chars(text.data() + 6, end, out.from);
  size_t last = 0;
  if (dash + 1 < end && std::from_chars(dash + 1, end, last).ec == std::errc()) out.last = last;
  return out;
}

Seen parse(const std::string& head) {
  Seen out;
  const size_t first = head.find(' '), second = head.find(' ', first + 1);
  out.target = head.substr(first + 1, second - first - 1);
  for (size_t at = head.find("\r\n"); at != std::string::npos && at + 2 < head.size();) {
    const size_t end = std::min(head.find("\r\n", at + 2), head.size());
    const std::string line = head.substr(at + 2, end - at - 2);
    const size_t colon = line.find(": ");
    if (colon != std::string::npos) {
      std::string name = line.substr(0, colon);
      std::transform(name.begin(), name.end(), name.begin(),
                     [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
      out.headers[name] = line.substr(colon + 2);
    }
    at = end < head.size() ? end : std::string::npos;
  }
  return out;
}

}  // namespace

HubServer::Listener HubServer::listen() {
  Listener out;
  out.socket = Descriptor(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* plain = reinterpret_cast<sockaddr*>(&address);
  if (::bind(out.socket.get(), plain, size) == 0 && ::listen(out.socket.get(), 64) == 0 &&
      ::getsockname(out.socket.get(), plain, &size) == 0)
    out.port = ntohs(address.sin_port);
  return out;
}

HubServer::HubServer() : hub_(listen()), bytes_(listen()) {
  int ends[2] = {-1, -1};
  if (::pipe2(ends, O_CLOEXEC) == 0) {
    stop_read_ = Descriptor(ends[0]);
    stop_write_ = Descriptor(ends[1]);
  }
  acceptor_ = std::thread([this] { accept_all(); });
}

HubServer::~HubServer() {
  stop_write_ = Descriptor();  // its other end tells everybody
  acceptor_.join();
  for (std::thread& one : connections_) one.join();
}

std::string HubServer::endpoint() const { return "http://127.0.0.1:" + std::to_string(hub_.port); }
std::string HubServer::bytes_endpoint() const {
  return "http://127.0.0.1:" + std::to_string(bytes_.port);
}

void HubServer::put(const std::string& repo, const std::string& path, std::string content,
                    bool large) {
  const std::lock_guard lock(mutex_);
  repos_[repo][path] = {std::move(content), large};
}

void HubServer::put_plain(const std::string& name, std::string content) {
  const std::lock_guard lock(mutex_);
  plain_[name] = std::move(content);
}

void HubServer::rename(const std::string& from, const std::string& to) {
  const std::lock_guard lock(mutex_);
  renamed_[from] = to;
}

void HubServer::set(const Faults& faults) {
  const std::lock_guard lock(mutex_);
  faults_ = faults;
  answers_ = 0;
}

std::vector<Seen> HubServer::seen() const {
  const std::lock_guard lock(mutex_);
  return seen_;
}

void HubServer::accept_all() {
  for (;;) {
    pollfd ready[] = {{stop_read_.get(), POLLIN, 0},
                      {hub_.socket.get(), POLLIN, 0},
                      {bytes_.socket.get(), POLLIN, 0}};
    if (::poll(ready, 3, -1) < 0) continue;
    if (ready[0].revents != 0) return;
    for (const bool of_bytes : {false, true}) {
      if (ready[of_bytes ? 2 : 1].revents == 0) continue;
      const int connection =
          ::accept4((of_bytes ? bytes_ : hub_).socket.get(), nullptr, nullptr, SOCK_CLOEXEC);
      if (connection >= 0)
        connections_.emplace_back([this, connection, of_bytes] { serve(connection, of_bytes); });
    }
  }
}

bool HubServer::send(int connection, std::string_view text) const {
  while (!text.empty()) {
    pollfd ready[] = {{stop_read_.get(), POLLIN, 0}, {connection, POLLOUT, 0}};
    if (::poll(ready, 2, -1) < 0) continue;
    if (ready[0].revents != 0) return false;
    const ssize_t put = ::send(connection, text.data(), std::min<size_t>(text.size(), 65536),
                               MSG_NOSIGNAL | MSG_DONTWAIT);
    if (put < 0 && errno == EAGAIN) continue;
    if (put <= 0) return false;
    text.remove_prefix(static_cast<size_t>(put));
  }
  return true;
}

void HubServer::wait_for_end(int connection) const {
  pollfd ready[] = {{stop_read_.get(), POLLIN, 0}, {connection, POLLIN | POLLRDHUP, 0}};
  while (::poll(ready, 2, -1) < 0) {
  }
}

void HubServer::serve(int connection, bool of_bytes) {
  const Descriptor closes(connection);
  std::string head;
  char block[4096];
  while (head.find("\r\n\r\n") == std::string::npos) {
    pollfd ready[] = {{stop_read_.get(), POLLIN, 0}, {connection, POLLIN, 0}};
    if (::poll(ready, 2, -1) < 0) continue;
    const ssize_t got = ready[0].revents != 0 ? 0 : ::recv(connection, block, sizeof block, 0);
    if (got <= 0) return;
    head.append(block, static_cast<size_t>(got));
  }
  Seen request = parse(head);
  request.of_bytes = of_bytes;
  {
    const std::lock_guard lock(mutex_);
    seen_.push_back(request);
  }
  // Asked as a proxy.
  if (const size_t scheme = request.target.find("://"); scheme != std::string::npos) {
    request.of_bytes = request.target.starts_with(bytes_endpoint() + "/");
    request.target = request.target.substr(request.target.find('/', scheme + 3));
  }
  const std::string answer = answer_of(request, connection);
  if (!answer.empty()) send(connection, answer);
}

// Empty: it has been sent.
std::string HubServer::answer_of(const Seen& request, int connection) {
  const std::string& target = request.target;
  std::string content, etag;
  {
    const std::lock_guard lock(mutex_);
    if (request.of_bytes) {
      if (faults_.bytes_refuse_with) return refusal(faults_.bytes_refuse_with, "");
      for (const auto& [repo, files] : repos_)
        for (const auto& [path, file] : files)
          if (target == "/" + sha256_of(file.content)) content = file.content;
      etag = "\"of-" + target.substr(1, 8) + "\"";
    } else if (target.starts_with("/bytes/")) {
      for (const auto& [repo, files] : repos_)
        for (const auto& [path, file] : files)
          if (target.substr(6) == "/" + sha256_of(file.content)) content = file.content;
      etag = "\"here\"";
    } else if (target.starts_with("/plain/")) {
      const auto found = plain_.find(target.substr(7, target.find('?') - 7));
      if (found == plain_.end()) return refusal(404, "");
      content = found->second;
      if (faults_.changes_after && answers_ >= faults_.changes_after) content[0] ^= 1;
      etag = "\"" + sha256_of(content).substr(0, 12) + "\"";
    } else if (faults_.refuses_with) {
      return refusal(faults_.refuses_with, faults_.error_code);
    } else if (target.starts_with("/api/models/")) {
      return tree(target.substr(12));
    } else {
      return resolve(target);
    }
  }
  send_bytes(connection, request, content, etag);
  return {};
}

std::string HubServer::tree(const std::string& rest) const {
  const auto found = repos_.find(rest.substr(0, rest.find("/tree/")));
  if (faults_.no_list || found == repos_.end()) return refusal(401, "RepoNotFound");
  std::string json;
  for (const auto& [path, file] : found->second)
    json += (json.empty() ? "" : ",") +
            ("{\"type\":\"file\",\"oid\":\"0\",\"size\":" + std::to_string(file.content.size()) +
             ",\"path\":\"" + path + "\"}");
  return page(200, "Content-Type: application/json\r\n",
              "[{\"type\":\"directory\",\"path\":\"d\",\"size\":0}," + json + "]");
}

std::string HubServer::resolve(const std::string& target) const {
  if (faults_.redirects_to == "loop") return page(302, "Location: " + target + "\r\n");
  if (!faults_.redirects_to.empty()) return page(302, "Location: " + faults_.redirects_to + "\r\n");
  const std::string mark = "/resolve/";
  const size_t at = target.find(mark);
  if (at == std::string::npos) return refusal(404, "");
  if (const auto now = renamed_.find(target.substr(1, at - 1)); now != renamed_.end())
    return page(307, "Location: /" + now->second + target.substr(at) + "\r\n");
  const auto repo = repos_.find(target.substr(1, at - 1));
  if (repo == repos_.end()) return refusal(401, "RepoNotFound");
  const std::string rest = target.substr(at + mark.size());
  if (!rest.starts_with("main/")) return refusal(404, "RevisionNotFound");
  const auto found = repo->second.find(rest.substr(5));
  if (found == repo->second.end()) return refusal(404, "EntryNotFound");
  const File& file = found->second;
  if (!file.large)
    return page(200, "ETag: \"" + git_sha1_of(file.content) + "\"\r\n", file.content);
  std::string content = file.content;
  if (faults_.changes_after && answers_ >= faults_.changes_after) content[0] ^= 1;
  std::string headers = "Location: " + (faults_.one_host ? "/bytes" : bytes_endpoint()) + "/" +
                        sha256_of(file.content) +
                        "\r\nX-Repo-Commit: 0123456789012345678901234567890123456789\r\n";
  if (!faults_.no_checksum)
    headers += "X-Linked-ETag: \"" + sha256_of(content) +
               "\"\r\nX-Linked-Size: " + std::to_string(content.size()) + "\r\n";
  return page(302, headers);
}

void HubServer::send_bytes(int connection, const Seen& request, const std::string& content,
                           const std::string& etag) {
  std::unique_lock lock(mutex_);
  std::optional<Range> range = range_of(request);
  const auto condition = request.headers.find("if-range");
  if (faults_.ignores_ranges || (condition != request.headers.end() && condition->second != etag))
    range.reset();
  const bool counts = !range || !range->last;  // an answer that is more than a look at the size
  if (counts) ++answers_;
  const bool cuts = counts && (faults_.stalls || faults_.cuts > 0);
  if (counts && faults_.cuts > 0) --faults_.cuts;
  const Faults faults = faults_;
  lock.unlock();

  const size_t total = content.size();
  if (range && range->from >= total) {
    send(connection, page(416, "Content-Range: bytes */" + std::to_string(total) + "\r\n"));
    return;
  }
  std::string body = range
                         ? content.substr(range->from, range->last ? *range->last - range->from + 1
                                                                   : std::string::npos)
                         : content;
  if (counts && faults.wrong_byte) body.back() = static_cast<char>(body.back() ^ 1);
  std::string head = range ? "HTTP/1.1 206 Partial Content\r\n" : "HTTP/1.1 200 OK\r\n";
  head += "Connection: close\r\nETag: " + etag + "\r\n";
  if (range)
    head += "Content-Range: bytes " + std::to_string(range->from) + "-" +
            std::to_string(range->from + body.size() - 1) + "/" +
            std::to_string(!counts && faults.claims ? faults.claims : total) + "\r\n";
  if (faults.chunked)
    head += "Transfer-Encoding: chunked\r\n";
  else if (!faults.no_length)
    head += "Content-Length: " + std::to_string(body.size() + faults.says_more) + "\r\n";
  if (cuts) body = body.substr(0, faults.cut_after);
  if (faults.chunked) {
    char size[32];
    const auto end = std::to_chars(size, size + sizeof size, body.size(), 16).ptr;
    body = std::string(size, end) + "\r\n" + body + (cuts ? "\r\n" : "\r\n0\r\n\r\n");
  }
  if (send(connection, head + "\r\n" + body) && cuts && faults.stalls) wait_for_end(connection);
}

}  // namespace skein::test
