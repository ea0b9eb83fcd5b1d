#include "server/prompts.h"

#include <utility>

#include "base/limits.h"

namespace skein::server {
namespace {

bool is_number(const Json& json) {
  double number = 0;
  return json.number(number);
}

class Prompts {
 public:
  Prompts(const Served& served, Fields& fields, const PromptField& field)
      : served_(served), fields_(fields), field_(field) {
    for (const std::string_view name : {"add_bos", "prepend_eod"})
      if (const auto given = fields.boolean(name)) leading_ = *given;
  }

  std::vector<std::vector<int32_t>> read() {
    const Json given = fields_.find(field_.name);
    const auto list = given.array();
    if (given.string())
      add_text(*given.string());
    else if (!list)
      refuse("has to be a string, a list of strings, of ids, or of lists of ids");
    else if (list->empty() || is_number(list->front()))
      add_ids(*list);
    else if (list->size() > field_.most)
      refuse(fmt::format("has more than {} texts", field_.most));
    else
      for (const Json& each : *list) add(each);
    return std::move(out_);
  }

 private:
  void refuse(std::string_view why) {
    fields_.refuse(field_.name, fmt::format("{} {}", field_.name, why));
  }

  void add(const Json& json) {
    if (const auto text = json.string()) return add_text(*text);
    if (const auto ids = json.array()) return add_ids(*ids);
    refuse("has an entry that is neither a string nor a list of ids");
  }

  void add_text(std::string_view text) {
    auto ids = served_.host->tokenizer().encode(text);
    if (!ids) return fields_.refuse(field_.name, ids.error().message);
    push(std::move(*ids));
  }

  // As they are.
  void add_ids(const Json::Array& list) {
    std::vector<int32_t> ids;
    ids.reserve(list.size());
    for (const Json& each : list) {
      int64_t id = 0;
      if (!each.integer(id) || id < 0 || id >= served_.host->model().vocab())
        return refuse(fmt::format("holds what is no token id of this model, 0 to {}",
                                  served_.host->model().vocab() - 1));
      ids.push_back(static_cast<int32_t>(id));
    }
    push(std::move(ids));
  }

  void push(std::vector<int32_t> ids) {
    const int32_t end = served_.host->tokenizer().end_of_text();
    if ((leading_ || (ids.empty() && field_.may_be_empty)) && end >= 0)
      ids.insert(ids.begin(), end);
    if (ids.empty()) return refuse("is empty");
    if (ids.size() > limits::kPromptTokens)
      return fields_.refuse(
          {.message = fmt::format("{} tokens are more than {}", ids.size(), limits::kPromptTokens),
           .param = std::string(field_.name),
           .code = "context_length_exceeded"});
    out_.push_back(std::move(ids));
  }

  const Served& served_;
  Fields& fields_;
  const PromptField field_;
  bool leading_ = false;
  std::vector<std::vector<int32_t>> out_;
};

}  // namespace

std::vector<std::vector<int32_t>> read_prompts(const Served& served, Fields& fields,
                                               const PromptField& field) {
  return Prompts(served, fields, field).read();
}

}  // namespace skein::server
