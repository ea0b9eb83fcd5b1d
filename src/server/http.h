// A request and an answer as values. No socket is known here.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace skein::server {

struct Field {
  std::string name;  // of a request in small letters
  std::string value;
};

// What the gate let in: a request line and fields without a second meaning.
struct Head {
  std::string method;
  std::string path;   // "/v1/models", percent signs and all
  std::string query;  // behind the "?"
  int minor = 1;      // HTTP/1.minor
  std::string host;   // without a port
  std::vector<Field> fields;
  bool chunked = false;
  uint64_t length = 0;  // of the body, where it is not chunked
  bool keep_alive = true;
  bool expects_continue = false;

  bool has_body() const { return chunked || length > 0; }
  // Of the first field of that name; null: there is none.
  const std::string* find(std::string_view name) const {
    for (const Field& field : fields)
      if (field.name == name) return &field.value;
    return nullptr;
  }
};

// Why a request is not served. What it says goes into an answer's body and never into a header.
struct Refusal {
  int status = 400;
  std::string message;
};

struct Response {
  int status = 200;
  std::string type = "application/json";
  std::vector<Field> fields{};  // ours: nothing that a client wrote stands in a header, but its id
  std::string body{};
  // Of a stream: how often something that says nothing says that it lives, 0: never; and what.
  int64_t ping_seconds = 0;
  std::string_view ping_text = ": ping\n\n";
  bool last = false;  // the connection ends with it
};

// "Not Found".
std::string_view reason_of(int status);

}  // namespace skein::server
