// F8: the bytes of a connection. However they are cut, they are the same requests, and what is let
// in has one host, one way of telling how long its body is, and nothing that could end a line.
#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "base/limits.h"
#include "fuzz/oracle.h"
#include "server/request_reader.h"

namespace {

using skein::fuzz::require;
using namespace skein::server;

constexpr uint64_t kBodyBytes = 4096;

struct Outcome {
  std::vector<std::string> requests;
  int refused = 0;
  bool operator==(const Outcome&) const = default;
};

void check_head(const Head& head) {
  require(!head.host.empty() && !head.path.empty() && !head.method.empty());
  require(head.fields.size() <= skein::limits::kHeaderFields);
  require(!head.chunked || (head.length == 0 && head.minor == 1));
  int hosts = 0, framings = 0;
  for (const Field& field : head.fields) {
    hosts += field.name == "host";
    framings += field.name == "content-length" || field.name == "transfer-encoding";
    require(field.value.find_first_of(std::string_view("\r\n\0", 3)) == std::string::npos);
  }
  require(hosts == 1 && framings <= 1);
}

Outcome read(std::string_view bytes, size_t piece) {
  Outcome out;
  RequestReader reader;
  for (bool in_body = false;;) {
    if (!in_body) {
      const auto head = reader.read_head();
      if (!head) return out.refused = head.error().status, out;
      if (*head) {
        check_head(**head);
        out.requests.push_back((*head)->method + " " + (*head)->path);
        in_body = true;
        continue;
      }
    } else {
      const auto body = reader.read_body(kBodyBytes);
      if (!body) return out.refused = body.error().status, out;
      if (*body) {
        require((*body)->size() <= kBodyBytes);
        out.requests.back() += " " + **body;
        in_body = false;
        continue;
      }
    }
    if (bytes.empty()) return out;
    reader.feed(bytes.substr(0, piece));
    bytes.remove_prefix(std::min(piece, bytes.size()));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const Outcome whole = read(bytes, SIZE_MAX), cut = read(bytes, data[0] + size_t{1});
  require(whole.requests == cut.requests);
  // A line that is too long may be refused for that before it is refused for what it is.
  require((whole.refused != 0) == (cut.refused != 0));
  return 0;
}
