#include "run/profile.h"

#include <algorithm>

#include "run/generate.h"
#include "run/measuring.h"

namespace skein {
namespace {

// "blocks.3.att.key.weight" is "att.key"; both matrices of every low-rank pair are one.
std::string weight_group(const Model::WeightName& weight) {
  if (weight.kind == arch::WeightClass::low_rank) return "low-rank";
  std::string_view name = weight.name;
  if (name.starts_with("blocks.")) name.remove_prefix(name.find('.', 7) + 1);
  return std::string(name.substr(0, name.find(".weight")));
}

// One mean of profiles of equal steps: of the middle half, so that neither a time slice lost nor
// one won counts.
ops::Profile middle(std::vector<ops::Profile> all) {
  std::sort(all.begin(), all.end(),
            [](const auto& a, const auto& b) { return a.seconds < b.seconds; });
  const size_t begin = all.size() / 4, end = all.size() - begin;
  ops::Profile mean = all[begin];
  for (size_t i = begin + 1; i < end; ++i) {
    mean.seconds += all[i].seconds;
    for (size_t j = 0; j < mean.entries.size(); ++j)
      mean.entries[j].seconds += all[i].entries[j].seconds;
  }
  const auto count = static_cast<double>(end - begin);
  mean.seconds /= count;
  for (auto& entry : mean.entries) entry.seconds /= count;
  return mean;
}

StepProfile grouped(const ops::Profile& profile, const Model& model) {
  StepProfile out;
  out.seconds = profile.seconds;
  double busy = 0;
  for (const ops::Profile::Entry& entry : profile.entries) {
    const std::string operation = ops::op_name(entry.kind);
    const std::string weight =
        entry.kind == ops::OpKind::linear
            ? weight_group(model.weight_names()[static_cast<size_t>(entry.weight)])
            : "";
    auto row = std::find_if(out.rows.begin(), out.rows.end(), [&](const ProfileRow& r) {
      return r.operation == operation && r.weight == weight;
    });
    if (row == out.rows.end())
      row = out.rows.insert(row, {.operation = operation, .weight = weight, .work = {}});
    ++row->count;
    row->seconds += entry.seconds;
    row->work += entry.work;
    out.work += entry.work;
    busy += entry.seconds;
  }
  out.waiting = std::max(0.0, out.seconds - busy);
  std::stable_sort(out.rows.begin(), out.rows.end(),
                   [](const auto& a, const auto& b) { return a.seconds > b.seconds; });
  return out;
}

}  // namespace

Result<ProfileReport> run_profile(Model& model, const ProfileOptions& options,
                                  const std::function<bool(const std::string&)>& step) {
  if (options.prompt < 1 || options.repeats < 1)
    return fail(Code::argument, "a profile needs at least one token and one repeat");
  const auto say = [&](const std::string& what) -> Status {
    if (step && !step(what)) return fail(Code::io, "interrupted");
    return {};
  };
  ProfileReport report;
  SK_TRY_STATUS(say("the machine's limits"));
  report.limits.measure(model);
  std::vector<float> logits(static_cast<size_t>(model.vocab()));
  // Steps of a fresh state each, or one after the other; the first warms up.
  const auto profile_of = [&](std::string name, int64_t tokens, int64_t steps) -> Status {
    State state = model.new_state();
    const auto prompt = some_tokens(tokens, model.vocab());
    std::vector<ops::Profile> profiles;
    for (int64_t i = 0; i <= steps; ++i) {
      SK_TRY_STATUS(say(name));
      if (tokens > 1) state = model.new_state();
      ops::Profile profile;
      SK_TRY_STATUS(model.profile(state, prompt, Want::last, logits.data(), profile));
      if (profile.entries.empty())
        return fail(Code::unsupported, "this device cannot tell where its time goes");
      if (i > 0) profiles.push_back(std::move(profile));
    }
    StepProfile& out = report.steps.emplace_back(grouped(middle(std::move(profiles)), model));
    out.name = std::move(name);
    out.tokens = tokens;
    return {};
  };
  SK_TRY_STATUS(profile_of("decode", 1, 8 * options.repeats));
  SK_TRY_STATUS(
      profile_of(fmt::format("prefill {}", options.prompt), options.prompt, options.repeats));
  LogitsFingerprint fingerprint;
  fingerprint.add(logits);
  report.fingerprint = fingerprint.value();
  SK_TRY_STATUS(say("the machine's limits"));
  report.limits.measure(model);
  return report;
}

}  // namespace skein
