#include "server/gate.h"

#include <algorithm>
#include <charconv>

#include "base/limits.h"

namespace skein::server {
namespace {

using Refused = tl::unexpected<Refusal>;

Refused refuse(int status, std::string message) {
  return Refused(Refusal{status, std::move(message)});
}

// RFC 9110's token.
bool is_token_char(char c) {
  constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         kMarks.find(c) != std::string_view::npos;
}
bool is_token(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), is_token_char);
}
bool is_digits(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}
bool is_visible(char c) { return c > ' ' && c < '\x7f'; }
bool may_stand_in_value(char c) {
  return c == '\t' || (static_cast<unsigned char>(c) >= ' ' && c != '\x7f');
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

std::string_view trim(std::string_view text) {
  const auto blank = [](char c) { return c == ' ' || c == '\t'; };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  return text;
}

// "localhost:8080" or "[::1]:8080"; nothing where it is neither a name nor an address.
std::optional<std::string> host_of(std::string_view authority) {
  std::string_view host = authority, port;
  if (host.starts_with('[')) {
    const size_t end = host.find(']');
    if (end == std::string_view::npos) return std::nullopt;
    port = host.substr(end + 1);
    host = host.substr(0, end + 1);
    const auto allowed = [](char c) {
      return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') ||
             c == ':' || c == '.';
    };
    const std::string_view inside = host.substr(1, host.size() - 2);
    if (inside.empty() || !std::all_of(inside.begin(), inside.end(), allowed)) return std::nullopt;
  } else {
    const size_t colon = host.find(':');
    if (colon != std::string_view::npos) port = host.substr(colon), host = host.substr(0, colon);
    const auto allowed = [](char c) {
      return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
             c == '-' || c == '.' || c == '_';
    };
    if (host.empty() || !std::all_of(host.begin(), host.end(), allowed)) return std::nullopt;
  }
  if (!port.empty() && (port.front() != ':' || !(port.size() == 1 || is_digits(port.substr(1)))))
    return std::nullopt;
  return lower(host);
}

// METHOD SP target SP HTTP/1.x
tl::expected<void, Refusal> read_first_line(std::string_view line, Head& head,
                                            std::string& authority) {
  const size_t first = line.find(' '), last = line.rfind(' ');
  if (first == std::string_view::npos || first == last)
    return refuse(400, "the first line is no request line");
  const std::string_view method = line.substr(0, first), version = line.substr(last + 1);
  std::string_view target = line.substr(first + 1, last - first - 1);
  if (!is_token(method)) return refuse(400, "the method is no token");
  if (version != "HTTP/1.1" && version != "HTTP/1.0")
    return version.starts_with("HTTP/") ? refuse(505, "the version is not HTTP/1.0 or HTTP/1.1")
                                        : refuse(400, "the first line is no request line");
  if (target.empty() || !std::all_of(target.begin(), target.end(), is_visible) ||
      target.find('#') != std::string_view::npos)
    return refuse(400, "the target is no path");
  head.method = method;
  head.minor = version.back() - '0';
  const std::string start = lower(target.substr(0, 8));
  if (start.starts_with("http://") || start.starts_with("https://")) {
    target.remove_prefix(start.starts_with("https://") ? 8 : 7);
    const size_t slash = std::min(target.find_first_of("/?"), target.size());
    authority = target.substr(0, slash);
    target.remove_prefix(slash);
    if (authority.empty()) return refuse(400, "the target names no host");
    if (target.empty() || target.front() != '/') {
      head.path = "/";
      head.query = target.empty() ? "" : target.substr(1);
      return {};
    }
  } else if (target.front() != '/' && !(target == "*" && method == "OPTIONS")) {
    return refuse(400, "the target is no path");
  }
  const size_t mark = std::min(target.find('?'), target.size());
  head.path = target.substr(0, mark);
  head.query = mark < target.size() ? target.substr(mark + 1) : std::string_view();
  return {};
}

tl::expected<void, Refusal> read_field(std::string_view line, Head& head) {
  if (line.front() == ' ' || line.front() == '\t')
    return refuse(400, "a header field is folded over two lines");
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos || !is_token(line.substr(0, colon)))
    return refuse(400, "a header field has no name that is one");
  const std::string_view value = trim(line.substr(colon + 1));
  if (!std::all_of(value.begin(), value.end(), may_stand_in_value))
    return refuse(400, "a header field holds a control character");
  if (head.fields.size() == limits::kHeaderFields)
    return refuse(431, fmt::format("more than {} header fields", limits::kHeaderFields));
  head.fields.push_back({lower(line.substr(0, colon)), std::string(value)});
  return {};
}

size_t count_of(const Head& head, std::string_view name) {
  return static_cast<size_t>(std::count_if(head.fields.begin(), head.fields.end(),
                                           [&](const Field& field) { return field.name == name; }));
}

tl::expected<void, Refusal> read_framing(Head& head) {
  const size_t lengths = count_of(head, "content-length");
  const size_t encodings = count_of(head, "transfer-encoding");
  if (lengths > 1) return refuse(400, "more than one Content-Length");
  if (lengths + encodings > 1 && encodings <= 1)
    return refuse(400, "both Content-Length and Transfer-Encoding");
  if (encodings > 1) return refuse(400, "more than one Transfer-Encoding");
  if (encodings == 1) {
    if (head.minor == 0) return refuse(400, "Transfer-Encoding in HTTP/1.0");
    if (lower(*head.find("transfer-encoding")) != "chunked")
      return refuse(501, "a Transfer-Encoding that is not chunked alone");
    head.chunked = true;
  }
  if (lengths == 1) {
    const std::string& text = *head.find("content-length");
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), head.length);
    if (!is_digits(text) || error != std::errc() || end != text.data() + text.size())
      return refuse(400, "a Content-Length that is no length");
  }
  return {};
}

tl::expected<void, Refusal> read_meaning(Head& head, const std::string& authority) {
  if (count_of(head, "host") != 1) return refuse(400, "there has to be one Host");
  const auto host = host_of(*head.find("host"));
  if (!host) return refuse(400, "the Host is no host");
  if (!authority.empty() && host_of(authority) != host)
    return refuse(400, "the target names another host");
  head.host = *host;
  head.keep_alive = head.minor == 1;
  for (const Field& field : head.fields) {
    if (field.name == "connection") {
      std::string_view rest = field.value;
      while (!rest.empty()) {
        const size_t comma = std::min(rest.find(','), rest.size());
        const std::string word = lower(trim(rest.substr(0, comma)));
        if (word == "close") head.keep_alive = false;
        if (word == "keep-alive" && head.minor == 0) head.keep_alive = true;
        rest.remove_prefix(std::min(comma + 1, rest.size()));
      }
    } else if (field.name == "expect") {
      if (lower(field.value) != "100-continue") return refuse(417, "an Expect that is not known");
      head.expects_continue = head.minor == 1;
    } else if (field.name == "content-encoding" && lower(field.value) != "identity") {
      return refuse(415, "the body is compressed");
    }
  }
  return {};
}

}  // namespace

tl::expected<std::optional<size_t>, Refusal> end_of_head(std::string_view bytes) {
  if (!bytes.empty() && !is_token_char(bytes.front()))
    return refuse(400, "this is no HTTP request");
  size_t lines = 0;
  for (size_t at = 0;;) {
    const size_t end = bytes.find('\n', at);
    const size_t length = std::min(end, bytes.size()) - at;
    if (lines == 0 && length > limits::kRequestLineBytes)
      return refuse(414,
                    fmt::format("a request line of more than {} bytes", limits::kRequestLineBytes));
    if (std::min(end, bytes.size()) > limits::kHeaderSectionBytes)
      return refuse(
          431, fmt::format("a header section of more than {} bytes", limits::kHeaderSectionBytes));
    if (end == std::string_view::npos) return std::optional<size_t>();
    if (end == at || bytes[end - 1] != '\r') return refuse(400, "a line ends without CR LF");
    if (end == at + 1) return std::optional<size_t>(end + 1);
    // The request line and the fields.
    if (++lines > limits::kHeaderFields + 1)
      return refuse(431, fmt::format("more than {} header fields", limits::kHeaderFields));
    at = end + 1;
  }
}

tl::expected<Head, Refusal> examine(std::string_view section) {
  Head head;
  std::string authority;
  for (size_t at = 0, lines = 0;; ++lines) {
    const size_t end = section.find("\r\n", at);
    if (end == std::string_view::npos) return refuse(400, "the header section has no end");
    const std::string_view line = section.substr(at, end - at);
    at = end + 2;
    if (line.empty() && lines > 0) break;
    if (auto read = lines == 0 ? read_first_line(line, head, authority) : read_field(line, head);
        !read)
      return Refused(std::move(read).error());
  }
  if (auto read = read_framing(head); !read) return Refused(std::move(read).error());
  if (auto read = read_meaning(head, authority); !read) return Refused(std::move(read).error());
  return head;
}

}  // namespace skein::server
