// skein bench --compare.
#include "base/file.h"
#include "base/limits.h"
#include "cli/bench_report.h"

namespace skein::cli {
namespace {

std::optional<std::string_view> text_of(const Json& json, std::string_view key) {
  return json.find(key).string();
}

// The entries of an array that have a name and a number.
std::optional<std::vector<OldReport::Figure>> figures_of(const Json& json, std::string_view key,
                                                         std::string_view number) {
  const Json::Array entries = json.find(key).array();
  if (!entries) return std::nullopt;
  std::vector<OldReport::Figure> out;
  for (const Json& entry : entries) {
    const auto name = text_of(entry, "name");
    double value = 0;
    if (!name || !entry.find(number).number(value)) return std::nullopt;
    out.push_back({std::string(*name), value});
  }
  return out;
}

}  // namespace

std::optional<double> OldReport::find(const std::vector<Figure>& figures, std::string_view name) {
  for (const Figure& figure : figures)
    if (figure.name == name && figure.median > 0) return figure.median;
  return std::nullopt;
}

Result<OldReport> read_report(const std::string& file) {
  SK_TRY(const std::string text, read_text(file, limits::kFolderJsonBytes));
  auto json = parse_json(text, limits::kFolderJsonBytes);
  if (!json) return fail(json.error().code, "{}: {}", escaped(file), json.error().message);
  OldReport out;
  out.file = file;
  const auto model = text_of(*json, "model");
  const auto device = text_of(*json, "device");
  const auto fingerprint = text_of(*json, "fingerprint");
  auto limits = figures_of(*json, "limits", "value");
  auto samples = figures_of(*json, "samples", "median");
  if (!model || !device || !fingerprint || !limits || !samples)
    return fail(Code::corrupt, "{}: this is no report of skein bench --json", escaped(file));
  out.model = *model;
  out.device = *device;
  out.fingerprint = *fingerprint;
  out.limits = std::move(*limits);
  out.samples = std::move(*samples);
  return out;
}

std::vector<std::string> differences(const OldReport& old, const BenchSubject& subject,
                                     uint64_t fingerprint) {
  std::vector<std::string> out;
  if (old.model != subject.info.title)
    out.push_back(fmt::format("the model was {}", escaped(old.model, 80)));
  if (old.device != subject.info.device)
    out.push_back(fmt::format("the device was {}", escaped(old.device, 80)));
  if (const std::string now = fmt::format("{:016x}", fingerprint); old.fingerprint != now)
    out.push_back(fmt::format("the logits changed: fingerprint {}, now {}",
                              escaped(old.fingerprint, 32), now));
  return out;
}

}  // namespace skein::cli
