// Raw bytes that the gate has to refuse, and those it has to let in. After each of the former a
// second request follows, which must not be one.
#include "server/gate.h"

#include <gtest/gtest.h>

#include "base/limits.h"
#include "server/request_reader.h"

namespace skein::server {
namespace {

constexpr uint64_t kLimit = 1024;
const std::string kSecond = "GET /second HTTP/1.1\r\nHost: a\r\n\r\n";

struct Outcome {
  int refused = 0;  // status
  std::vector<std::string> paths;
  std::vector<std::string> bodies;
};

// Feeds `bytes` in pieces and reads requests until there are no more.
Outcome read(std::string_view bytes, size_t piece = SIZE_MAX) {
  Outcome out;
  RequestReader reader;
  bool body = false;
  while (true) {
    bool moved = false;
    if (!body) {
      auto head = reader.read_head();
      if (!head) return out.refused = head.error().status, out;
      if (*head) out.paths.push_back((*head)->path), body = moved = true;
    } else {
      auto read = reader.read_body(kLimit);
      if (!read) return out.refused = read.error().status, out;
      if (*read) out.bodies.push_back(**read), body = false, moved = true;
    }
    if (moved) continue;
    if (bytes.empty()) return out;
    reader.feed(bytes.substr(0, piece));
    bytes.remove_prefix(std::min(piece, bytes.size()));
  }
}

std::string post(std::string_view fields, std::string_view body = "abc",
                 std::string_view version = "HTTP/1.1") {
  return fmt::format("POST /first {}\r\nHost: a\r\n{}\r\n{}", version, fields, body);
}

TEST(Gate, requests_are_read_however_they_are_cut) {
  const std::string bytes =
      post("Content-Length: 3\r\n") + "\r\n" +
      post("Transfer-Encoding: chunked\r\n", "2\r\nab\r\n1;x=y\r\nc\r\n0\r\n\r\n") + kSecond;
  for (const size_t piece : {SIZE_MAX, size_t{1}, size_t{7}, size_t{64}}) {
    const Outcome out = read(bytes, piece);
    EXPECT_EQ(out.refused, 0);
    EXPECT_EQ(out.paths, (std::vector<std::string>{"/first", "/first", "/second"}));
    EXPECT_EQ(out.bodies, (std::vector<std::string>{"abc", "abc", ""}));
  }
}

struct Raw {
  const char* what;
  std::string bytes;
  int status;
};

std::vector<Raw> attacks() {
  const auto line = [](std::string_view rest) {
    return fmt::format("{}\r\nHost: a\r\n\r\n", rest);
  };
  const auto field = [](std::string_view text) {
    return fmt::format("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n\r\n", text);
  };
  const auto chunks = [](std::string_view body) {
    return post("Transfer-Encoding: chunked\r\n", body);
  };
  const std::string many(1 << 20, 'x');
  std::string fields;
  for (int i = 0; i < 65; ++i) fields += fmt::format("x{}: y\r\n", i);
  return {
      {"length and encoding", post("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n"), 400},
      {"encoding and length", post("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n"), 400},
      {"two lengths", post("Content-Length: 3\r\nContent-Length: 4\r\n"), 400},
      {"twice the same", post("Content-Length: 3\r\nContent-Length: 3\r\n"), 400},
      {"a list of lengths", post("Content-Length: 3, 3\r\n"), 400},
      {"plus", post("Content-Length: +3\r\n"), 400},
      {"minus", post("Content-Length: -1\r\n"), 400},
      {"letters", post("Content-Length: 3x\r\n"), 400},
      {"none", post("Content-Length: \r\n"), 400},
      {"2^64", post("Content-Length: 18446744073709551616\r\n"), 400},
      {"gzip, chunked", post("Transfer-Encoding: gzip, chunked\r\n"), 501},
      {"xchunked", post("Transfer-Encoding: xchunked\r\n"), 501},
      {"chunked, identity", post("Transfer-Encoding: chunked, identity\r\n"), 501},
      {"chunked twice", post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), 400},
      {"chunked in 1.0", post("Transfer-Encoding: chunked\r\n", "0\r\n\r\n", "HTTP/1.0"), 400},
      {"blank before the colon", post("Transfer-Encoding : chunked\r\n"), 400},
      {"chunk of -1", chunks("-1\r\nabc\r\n0\r\n\r\n"), 400},
      {"chunk of 0x1", chunks("0x1\r\na\r\n0\r\n\r\n"), 400},
      {"a huge chunk", chunks("11111111111111111\r\na\r\n0\r\n\r\n"), 400},
      {"no line end behind a chunk", chunks("1\r\nab0\r\n\r\n"), 400},
      {"bare line ends", chunks("1\na\n0\n\n"), 400},
      {"a long extension", chunks("1;" + many + "\r\na\r\n0\r\n\r\n"), 400},
      {"a trailer", chunks("1\r\na\r\n0\r\nAuthorization: Bearer x\r\n\r\n"), 400},
      {"no host", "GET / HTTP/1.1\r\n\r\n", 400},
      {"two hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400},
      {"a host that is none", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400},
      {"a host with a user", "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", 400},
      {"folded", field("x: y\r\n z"), 400},
      {"NUL", field(std::string("x: y") + '\0'), 400},
      {"bare CR", field("x: y\rz"), 400},
      {"bare LF", field("x: y\nz: a"), 400},
      {"a blank in a name", field("x y: z"), 400},
      {"no name", field(": z"), 400},
      {"no colon", field("xyz"), 400},
      {"a method that is none", line("G(T / HTTP/1.1"), 400},
      {"another host", line("GET http://b/ HTTP/1.1"), 400},
      {"no path", line("GET a HTTP/1.1"), 400},
      {"three words more", line("GET / x HTTP/1.1"), 400},
      {"two words", line("GET /"), 400},
      {"version 9.9", line("GET / HTTP/9.9"), 505},
      {"HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
      {"TLS", std::string("\x16\x03\x01\x02\x00\x01\x00", 7), 400},
      {"a long request line", "GET /" + many, 414},
      {"a long field", "GET / HTTP/1.1\r\nx: " + many, 431},
      {"many fields", "GET / HTTP/1.1\r\n" + fields + "\r\n", 431},
      {"a long body", post("Content-Length: 1025\r\n"), 413},
      {"long chunks", chunks("401\r\n" + std::string(1025, 'a') + "\r\n0\r\n\r\n"), 413},
      {"many chunks", chunks([] {
         std::string out;
         for (int i = 0; i < 1025; ++i) out += "1\r\na\r\n";
         return out + "0\r\n\r\n";
       }()),
       413},
      {"compressed", post("Content-Encoding: gzip\r\nContent-Length: 3\r\n"), 415},
      {"another expectation", post("Expect: miracles\r\nContent-Length: 3\r\n"), 417},
  };
}

TEST(Gate, what_two_readers_could_read_differently_is_refused_and_nothing_behind_it_is_read) {
  for (const Raw& raw : attacks()) {
    for (const size_t piece : {SIZE_MAX, size_t{1000}, size_t{1}}) {
      if (piece == 1 && raw.bytes.size() > 100'000) continue;
      const Outcome out = read(raw.bytes + kSecond, piece);
      EXPECT_EQ(out.refused, raw.status) << raw.what << " in pieces of " << piece;
      for (const std::string& path : out.paths) EXPECT_NE(path, "/second") << raw.what;
    }
  }
}

TEST(Gate, limits_hold_to_the_byte) {
  const auto with_line = [](size_t bytes) {
    const std::string begin = "GET /", end = " HTTP/1.1\r";
    return begin + std::string(bytes - begin.size() - end.size(), 'a') + end + "\nHost: a\r\n\r\n";
  };
  EXPECT_EQ(read(with_line(limits::kRequestLineBytes)).refused, 0);
  EXPECT_EQ(read(with_line(limits::kRequestLineBytes + 1)).refused, 414);
  const auto with_section = [](size_t bytes) {
    std::string out = "GET / HTTP/1.1\r\nHost: a\r\nx: ";
    out += std::string(bytes - out.size() - 3, 'a');
    return out + "\r\n\r\n";
  };
  EXPECT_EQ(read(with_section(limits::kHeaderSectionBytes)).refused, 0);
  EXPECT_EQ(read(with_section(limits::kHeaderSectionBytes + 2)).refused, 431);
  const auto with_fields = [](uint64_t count) {
    std::string out = "GET / HTTP/1.1\r\nHost: a\r\n";
    for (uint64_t i = 1; i < count; ++i) out += "x: y\r\n";
    return out + "\r\n";
  };
  EXPECT_EQ(read(with_fields(limits::kHeaderFields)).refused, 0);
  EXPECT_EQ(read(with_fields(limits::kHeaderFields + 1)).refused, 431);
  EXPECT_EQ(read(post("Content-Length: 1024\r\n", std::string(1024, 'a'))).refused, 0);
}

TEST(Gate, a_head_says_what_was_asked) {
  const auto head = examine(
      "POST http://LocalHost:80/v1/x?a=b HTTP/1.1\r\nHost: localhost:80\r\nX-A:  b \r\n"
      "Connection: Keep-Alive, Close\r\nExpect: 100-Continue\r\nContent-Length: 7\r\n\r\n");
  ASSERT_TRUE(head) << head.error().message;
  EXPECT_EQ(head->method, "POST");
  EXPECT_EQ(head->path, "/v1/x");
  EXPECT_EQ(head->query, "a=b");
  EXPECT_EQ(head->host, "localhost");
  EXPECT_EQ(*head->find("x-a"), "b");
  EXPECT_EQ(head->length, 7u);
  EXPECT_FALSE(head->keep_alive);
  EXPECT_TRUE(head->expects_continue);
  EXPECT_FALSE(examine("GET / HTTP/1.0\r\nHost: a\r\n\r\n")->keep_alive);
  EXPECT_TRUE(examine("GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n")->keep_alive);
  EXPECT_EQ(examine("GET / HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n")->host, "[::1]");
}

}  // namespace
}  // namespace skein::server
