// skein bench --json. --compare reads it again, and so does tools/plot_performance.cpp.
#include "base/platform.h"
#include "cli/bench_report.h"

namespace skein::cli {
namespace {

void add_subject(JsonWriter& json, const BenchSubject& subject, uint64_t fingerprint) {
  const ModelInfo& info = subject.info;
  json.member("model", info.title)
      .member("file", info.file)
      .member("format", info.format)
      .member("device", info.device)
      .member("processor", processor_name())
      .member("parameters", info.parameters)
      .member("weight_bytes", info.weight_bytes)
      .member("two_plane", info.two_plane != TwoPlane::off)
      .member("state_bytes", info.state_bytes)
      .member("bytes_per_token", info.bytes_per_token)
      .member("flops_per_token", info.flops_per_token)
      .member("load_seconds", info.load_seconds)
      .member("announced_peak_bytes", subject.memory.peak())
      .member("peak_resident_bytes", subject.peak_resident)
      .member("fingerprint", fmt::format("{:016x}", fingerprint));
}

void add_limits(JsonWriter& json, const MachineLimits& limits) {
  json.key("limits").begin_array();
  for (const Limit& limit : limits.all())
    json.begin_object()
        .member("name", limit.key)
        .member("unit", limit.unit)
        .member("value", limit.value)
        .end_object();
  json.end_array();
  const ops::DeviceLimits& device = limits.device();
  json.member("read_bytes", device.read_bytes)
      .member("read_weights", device.read_weights)
      .member("huge_pages", device.huge_pages);
}

void add_work(JsonWriter& json, double seconds, const ops::Work& work,
              const MachineLimits& limits) {
  const auto bound = limits.bound(work);
  json.member("seconds", seconds)
      .member("bytes", work.bytes())
      .member("weight_bytes", work.weight_bytes)
      .member("state_bytes", work.state_bytes)
      .member("flops", work.flops);
  if (bound.limit.value > 0 && seconds > 0)
    json.member("limit", bound.limit.key).member("limit_share", bound.seconds / seconds);
}

void add_comparison(JsonWriter& json, const BenchSubject& subject, const BenchmarkReport& report,
                    const OldReport& old) {
  json.key("compared").begin_object().member("with", old.file);
  json.member("fingerprint_changed", old.fingerprint != fmt::format("{:016x}", report.fingerprint));
  json.key("differences").begin_array();
  for (const std::string& text : differences(old, subject, report.fingerprint)) json.value(text);
  json.end_array();
  json.key("ratios").begin_object();
  for (const Sample& s : report.samples)
    if (const auto before = OldReport::find(old.samples, s.name))
      json.member(s.name, s.median / *before);
  json.end_object().end_object();
}

}  // namespace

JsonWriter benchmark_json(const BenchSubject& subject, const BenchmarkReport& report,
                          const OldReport* old) {
  JsonWriter json;
  json.begin_object();
  add_subject(json, subject, report.fingerprint);
  add_limits(json, report.limits);
  json.key("samples").begin_array();
  for (const Sample& s : report.samples) {
    json.begin_object()
        .member("name", s.name)
        .member("kind", s.kind)
        .member("size", s.size)
        .member("unit", s.unit)
        .member("median", s.median)
        .member("low", s.low)
        .member("high", s.high);
    if (s.share > 0) json.member("rate", s.rate).member("limit", s.limit).member("share", s.share);
    if (s.in_cache) json.member("in_cache", true);
    if (s.joules > 0) json.member("joules_per_token", s.joules);
    json.end_object();
  }
  json.end_array();
  json.key("notes").begin_array();
  for (const std::string& note : report.notes) json.value(note);
  json.end_array();
  if (old) add_comparison(json, subject, report, *old);
  json.end_object();
  return json;
}

JsonWriter profile_json(const BenchSubject& subject, const ProfileReport& report) {
  JsonWriter json;
  json.begin_object();
  add_subject(json, subject, report.fingerprint);
  add_limits(json, report.limits);
  json.key("profiles").begin_array();
  for (const StepProfile& step : report.steps) {
    json.begin_object().member("name", step.name).member("tokens", step.tokens);
    add_work(json, step.seconds, step.work, report.limits);
    json.member("waiting", step.waiting);
    json.key("operations").begin_array();
    for (const ProfileRow& row : step.rows) {
      json.begin_object()
          .member("operation", row.operation)
          .member("weight", row.weight)
          .member("count", row.count);
      add_work(json, row.seconds, row.work, report.limits);
      json.member("share", row.seconds / step.seconds).end_object();
    }
    json.end_array().end_object();
  }
  json.end_array().end_object();
  return json;
}

JsonWriter endurance_json(const BenchSubject& subject, const Endurance& result) {
  JsonWriter json;
  json.begin_object();
  add_subject(json, subject, result.fingerprint);
  json.member("tokens", result.tokens)
      .member("second_tenth_us", result.second_tenth_us)
      .member("last_tenth_us", result.last_tenth_us)
      .member("ratio", result.last_tenth_us / result.second_tenth_us)
      .member("resident_slope", result.resident_slope)
      .member("resident_begin", result.resident_begin)
      .member("resident_end", result.resident_end);
  json.key("course").begin_array();
  for (const EndurancePoint& point : result.course)
    json.begin_object()
        .member("median_us", point.median_us)
        .member("resident", point.resident)
        .end_object();
  json.end_array().end_object();
  return json;
}

}  // namespace skein::cli
