#include "cli/event_stream.h"

#include <algorithm>

#include "base/limits.h"

namespace skein::cli {
namespace {
constexpr size_t kEventBytes = 16 * limits::kMiB;
}

Result<bool> EventStream::feed(std::string_view bytes) {
  // A line ends with either of the two characters, or with both.
  while (!bytes.empty()) {
    if (std::exchange(after_return_, false) && bytes.front() == '\n') {
      bytes.remove_prefix(1);
      continue;
    }
    const size_t end = std::min(bytes.find_first_of("\r\n"), bytes.size());
    if (begun_.size() + data_.size() + end > kEventBytes)
      return fail(Code::network, "an event of the answer is longer than {} MiB",
                  kEventBytes / limits::kMiB);
    begun_ += bytes.substr(0, end);
    if (end == bytes.size()) break;
    after_return_ = bytes[end] == '\r';
    bytes.remove_prefix(end + 1);
    const std::string whole = std::exchange(begun_, {});
    SK_TRY(const bool more, line(whole));
    if (!more) return false;
  }
  return true;
}

Result<bool> EventStream::line(std::string_view text) {
  if (text.empty()) {
    const std::string data = std::exchange(data_, {});
    return std::exchange(has_data_, false) ? take_(data) : Result<bool>(true);
  }
  constexpr std::string_view kField = "data:";  // names, ids and comments tell us nothing
  if (!text.starts_with(kField)) return true;
  text.remove_prefix(kField.size());
  if (text.starts_with(' ')) text.remove_prefix(1);
  if (has_data_) data_ += '\n';
  data_ += text;
  has_data_ = true;
  return true;
}

}  // namespace skein::cli
