#include "cli/convert_report.h"

#include "base/bytes_text.h"

namespace skein::cli {
namespace {

std::string size_text(int64_t bytes) { return bytes_text(static_cast<double>(bytes)); }

std::string percent(double share) { return fmt::format("{:.3f} %", 100 * share); }

std::string types_text(const QuantLoss& loss) {
  std::string out;
  for (const auto& [type, count] : loss.types) out += (out.empty() ? "" : ", ") + type;
  return out;
}

// For a shell.
std::string quoted(const std::string& path) {
  if (path.find_first_of(" \t\n'\"$&;|<>()*?[]#~`\\\\") == std::string::npos) return escaped(path);
  std::string out = "'";
  for (const char c : path) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

}  // namespace

void print_losses(Console& console, const Conversion& conversion,
                  const std::vector<QuantLoss>& losses, const std::string& in,
                  const std::string& out) {
  console.line("");
  console.line(console.styled(
      Style::dim, fmt::format("{:<13}{:>8}  {:<18}{:>10} ->{:>9}{:>11}{:>12}  {}", "kind",
                              "tensors", "type", "size", "", "rms error", "largest", "worst")));
  for (const QuantLoss& loss : losses)
    console.line(fmt::format(
        "{:<13}{:>8}  {:<18}{:>10} ->{:>9}{:>11}{:>12}  {}", arch::weight_class_name(loss.kind),
        loss.tensors, types_text(loss), size_text(loss.bytes_before), size_text(loss.bytes_after),
        percent(loss.rms), percent(loss.largest),
        loss.worst.empty() ? "-" : fmt::format("{} {}", loss.worst, percent(loss.worst_rms))));
  console.line("");
  console.line(fmt::format("{} from {}: {:.1f} % of the size",
                           size_text(static_cast<int64_t>(conversion.size())),
                           size_text(static_cast<int64_t>(conversion.source_size())),
                           100 * static_cast<double>(conversion.size()) /
                               static_cast<double>(conversion.source_size())));
  console.line(
      fmt::format("what it does to the answers: skein compare {} {}", quoted(in), quoted(out)));
}

void write_losses(JsonWriter& json, const std::vector<QuantLoss>& losses) {
  json.key("losses").begin_array();
  for (const QuantLoss& loss : losses) {
    json.begin_object().member("class", arch::weight_class_name(loss.kind));
    json.member("tensors", loss.tensors).member("parameters", loss.parameters);
    json.member("bytes_before", loss.bytes_before).member("bytes_after", loss.bytes_after);
    json.key("parameters_by_type").begin_object();
    for (const auto& [type, count] : loss.types) json.member(type, count);
    json.end_object();
    json.member("rms", loss.rms).member("largest", loss.largest);
    json.member("worst", loss.worst).member("worst_rms", loss.worst_rms).end_object();
  }
  json.end_array();
}

}  // namespace skein::cli
