// A stream of events as servers send them (text/event-stream), put together from pieces.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/error.h"

namespace skein::cli {

class EventStream {
 public:
  // Gets the data of each event that is whole; false of it is enough of them.
  using Take = std::function<Result<bool>(std::string_view data)>;
  explicit EventStream(Take take) : take_(std::move(take)) {}

  // Errors: network (a line without an end); those of `take`.
  Result<bool> feed(std::string_view bytes);

 private:
  Result<bool> line(std::string_view text);

  Take take_;
  std::string begun_;  // a line
  std::string data_;   // of an event
  bool has_data_ = false, after_return_ = false;
};

}  // namespace skein::cli
