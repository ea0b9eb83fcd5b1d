// A hub on this machine: it answers as the Hugging Face hub does, with redirects to where the bytes
// lie, and with the faults that networks and servers have. On loopback, and gone with the test.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/descriptor.h"

namespace skein::test {

struct Faults {
  int cuts = 0;          // so many answers with bytes end early,
  size_t cut_after = 0;  // after so many of them
  bool stalls = false;   // or do not end: after `cut_after` nothing comes any more
  bool ignores_ranges = false;
  bool no_length = false;  // the end of the connection is the end of the file
  bool chunked = false;
  size_t says_more = 0;     // than there is, in Content-Length
  size_t claims = 0;        // the size, when only that is asked for
  bool wrong_byte = false;  // one of them is another
  bool no_checksum = false;
  bool one_host = false;       // the bytes lie where the hub is
  bool no_list = false;        // of the files of a repository
  int refuses_with = 0;        // a status, with
  std::string error_code{};    // X-Error-Code
  int bytes_refuse_with = 0;   // likewise where the bytes lie
  std::string redirects_to{};  // in place of where the bytes lie; "loop": to itself
  size_t changes_after = 0;    // the file is another after so many answers with bytes
};

struct Seen {
  std::string target;  // "/BlinkDL/x/resolve/main/f"; of a proxy with the address in front
  std::map<std::string, std::string> headers;  // names in lower case
  bool of_bytes = false;                       // asked where the bytes lie
};

class HubServer {
 public:
  HubServer();
  ~HubServer();
  HubServer(const HubServer&) = delete;
  HubServer& operator=(const HubServer&) = delete;

  // "http://127.0.0.1:PORT"; where the bytes lie is another port.
  std::string endpoint() const;
  std::string bytes_endpoint() const;

  // `large`: kept by Git LFS, as models are.
  void put(const std::string& repo, const std::string& path, std::string content,
           bool large = true);
  // Not of any repository: {endpoint}/plain/NAME.
  void put_plain(const std::string& name, std::string content);
  // A repository has another name now, and the old one leads there.
  void rename(const std::string& from, const std::string& to);
  void set(const Faults& faults);
  std::vector<Seen> seen() const;

 private:
  struct File {
    std::string content;
    bool large = true;
  };
  struct Listener {
    Descriptor socket;
    int port = 0;
  };
  static Listener listen();
  void accept_all();
  void serve(int connection, bool of_bytes);
  std::string answer_of(const Seen& request, int connection);
  std::string resolve(const std::string& rest) const;
  std::string tree(const std::string& repo) const;
  void send_bytes(int connection, const Seen& request, const std::string& content,
                  const std::string& etag);
  bool send(int connection, std::string_view text) const;
  void wait_for_end(int connection) const;

  mutable std::mutex mutex_;
  std::map<std::string, std::map<std::string, File>> repos_;
  std::map<std::string, std::string> plain_;
  std::map<std::string, std::string> renamed_;
  Faults faults_;
  size_t answers_ = 0;  // with bytes
  std::vector<Seen> seen_;

  Listener hub_, bytes_;
  Descriptor stop_read_, stop_write_;
  std::vector<std::thread> connections_;
  std::thread acceptor_;
};

}  // namespace skein::test
