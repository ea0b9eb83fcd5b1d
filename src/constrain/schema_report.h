// What is to be said of a schema while it is read.
#pragma once

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "constrain/schema.h"
#include "constrain/schema_text.h"

namespace skein::constrain {

class SchemaReport {
 public:
  struct Entry {
    std::string code;
    JsonNode at;
    std::string message;
  };

  // The first kMostProblems are kept, and one for each place.
  void problem(const char* code, JsonNode at, std::string message) {
    const bool known = std::any_of(problems_.begin(), problems_.end(),
                                   [&](const Entry& entry) { return entry.at == at; });
    if (!known && problems_.size() < kMostProblems)
      problems_.push_back({code, at, std::move(message)});
  }
  void warn(JsonNode at, std::string message) {
    const bool known = std::any_of(warnings_.begin(), warnings_.end(),
                                   [&](const Entry& entry) { return entry.at == at; });
    if (!known && warnings_.size() < kMostProblems)
      warnings_.push_back({"", at, std::move(message)});
  }

  // Why something allows nothing, which is no problem unless nothing is left. The first is kept.
  void cause(std::string message) {
    if (cause_.empty()) cause_ = std::move(message);
  }
  const std::string& cause() const { return cause_; }

  const std::vector<Entry>& problems() const { return problems_; }
  const std::vector<Entry>& warnings() const { return warnings_; }

 private:
  std::string cause_;
  std::vector<Entry> problems_;
  std::vector<Entry> warnings_;
};

}  // namespace skein::constrain
