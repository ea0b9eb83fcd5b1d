#include "cli/adapter_option.h"

#include <charconv>
#include <cmath>
#include <string_view>
#include <utility>

namespace skein::cli {
namespace {

Result<double> number(std::string_view key, std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value))
    return fail(Code::argument, "--lora: {}=\"{}\" is not a number", key, escaped(text));
  return value;
}

Result<AdapterFile> parse_adapter(std::string_view text) {
  AdapterFile out;
  // From the right, so that a comma in the file's own name does no harm.
  while (true) {
    const size_t comma = text.rfind(',');
    if (comma == std::string_view::npos) break;
    const std::string_view part = text.substr(comma + 1);
    const size_t equals = part.find('=');
    const std::string_view key = part.substr(0, equals);
    const std::string_view value =
        equals == std::string_view::npos ? std::string_view() : part.substr(equals + 1);
    if (key == "alpha") {
      SK_TRY(out.options.alpha, number(key, value));
    } else if (key == "blend") {
      SK_TRY(out.options.blend, number(key, value));
    } else if (key == "only") {
      out.options.pattern = value;
    } else if (key == "initial") {
      out.initial = value;
    } else if (equals != std::string_view::npos) {
      return fail(Code::argument, "--lora: \"{}\" is not alpha, blend, only or initial",
                  escaped(key));
    } else {
      break;
    }
    text = text.substr(0, comma);
  }
  out.path = text;
  if (out.path.empty()) return fail(Code::argument, "--lora: names no file");
  return out;
}

}  // namespace

void AdapterOption::declare(Options& options) {
  options.value("--lora", texts_, "FILE[,...]",
                "merge a LoRA, PiSSA, Bone or Bat; may stand several times; "
                "FILE,alpha=32,blend=1,only=PATTERN,initial=FILE");
}

Result<std::vector<AdapterFile>> AdapterOption::given() const {
  std::vector<AdapterFile> out;
  for (const std::string& text : texts_) {
    SK_TRY(AdapterFile adapter, parse_adapter(text));
    out.push_back(std::move(adapter));
  }
  return out;
}

}  // namespace skein::cli
