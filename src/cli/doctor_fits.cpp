#include "cli/doctor_fits.h"

#include "cli/fits.h"

#include "arch/official_sizes.h"
#include "backends/backends.h"
#include "base/bytes_text.h"
#include "base/platform.h"
#include "cli/model_options.h"
#include "ops/expand.h"
#include "run/prospect.h"

namespace skein::cli {
namespace {

// A step is more than its products: norms, recurrences, waiting for each other, the choice of a
// token. `skein bench --profile` shows the share of each.
constexpr double kShareOfProducts = 0.85;

Fit fit_of(const Prospect& prospect, double product_seconds) {
  Fit out = {.type = prospect.type,
             .tensor_bytes = prospect.tensor_bytes,
             .peak = prospect.memory.peak(),
             .bytes_per_token = prospect.bytes_per_token,
             .tokens_per_second = 0,
             .fits = room_for(static_cast<uint64_t>(prospect.memory.peak())) != Room::too_little};
  if (out.fits && product_seconds > 0) out.tokens_per_second = kShareOfProducts / product_seconds;
  return out;
}

std::string speed_text(double tokens_per_second) {
  return fmt::format("{:.{}f} tok/s", tokens_per_second, tokens_per_second < 10 ? 1 : 0);
}

std::string size_text(int64_t bytes) { return bytes_text(static_cast<double>(bytes)); }

std::string cell(const Fit& fit) {
  return fit.fits ? fmt::format("{:>9} {:>11}", size_text(fit.peak),
                                fit.tokens_per_second > 0 ? speed_text(fit.tokens_per_second) : "")
                  : fmt::format("{:>9} {:>11}", size_text(fit.peak), "too large");
}

}  // namespace

Result<std::vector<SizeFits>> official_fits() {
  SK_TRY(const skein::ModelOptions options, ModelOptions().given());
  SK_TRY(const auto backend, backends::open_device(options.device, {.threads = options.threads}));
  std::vector<SizeFits> out;
  for (const arch::OfficialSize& size : arch::official_sizes()) {
    SK_TRY(const arch::ShapedModel model, arch::shaped(size));
    const ops::Program program = ops::expand(
        model.architecture->forward(), [&](const ops::Op& op) { return backend->computes(op); });
    SizeFits& row = out.emplace_back(SizeFits{std::string(size.name), {}});
    for (const std::string_view type : kShownTypes) {
      SK_TRY(const auto weights, weights_as(*model.architecture, model.weights, type));
      const int64_t vocab = model.architecture->dimensions().vocab;
      Prospect prospect = prospect_of(*backend, program, weights, options, text_bytes({}, vocab));
      prospect.type = type;
      row.types.push_back(fit_of(prospect, backend->product_seconds(weights)));
    }
  }
  return out;
}

std::vector<Fit> fits_of(const Opening& opening) {
  const auto seconds = opening.token_seconds();
  std::vector<Fit> out = {fit_of(opening.prospect(), seconds.value_or(0))};
  // One sentence and one answer: fits() looks at address space too.
  out[0].fits = opening.fits().has_value();
  for (const std::string_view type : usual_types()) {
    const auto other = opening.prospect_as(type);
    if (!other || other->memory.peak() >= opening.memory().peak()) continue;
    out.push_back(fit_of(*other, opening.token_seconds(type).value_or(0)));
  }
  return out;
}

void print_fits(Console& console, const std::vector<SizeFits>& sizes) {
  console.line("");
  std::string head = fmt::format("{:<10}", "RWKV-7");
  for (const std::string_view type : kShownTypes) head += fmt::format("{:>22}", type);
  console.line(console.styled(Style::bold, head));
  for (const SizeFits& row : sizes) {
    std::string line = fmt::format("{:<10}", row.size);
    for (const Fit& fit : row.types) {
      const std::string text = "  " + cell(fit);
      line += fit.fits ? text : console.styled(Style::dim, text);
    }
    console.line(line);
  }
  console.line(console.styled(
      Style::dim,
      "Memory that a chat takes, and the speed of an answer to expect: by the time that products\n"
      "of each type take here, measured just now. skein doctor MODEL tells of a file."));
}

void print_fits(Console& console, const Opening& opening, const std::vector<Fit>& fits) {
  console.line(console.styled(Style::bold, opening.info().title) + "  " +
               escaped(opening.info().file));
  for (const Fit& fit : fits)
    console.line(fmt::format("{:<14}{:>10} file  {}  {} a token",
                             fit.type.empty() ? "as it is" : fit.type, size_text(fit.tensor_bytes),
                             cell(fit), size_text(fit.bytes_per_token)));
}

void write_fit(JsonWriter& json, const Fit& fit) {
  json.begin_object().key("type");
  if (fit.type.empty())
    json.null();
  else
    json.value(fit.type);
  json.member("tensor_bytes", fit.tensor_bytes).member("peak", fit.peak);
  json.member("bytes_per_token", fit.bytes_per_token).member("fits", fit.fits);
  json.key("tokens_per_second");
  if (fit.tokens_per_second > 0)
    json.value(fit.tokens_per_second);
  else
    json.null();
  json.end_object();
}

}  // namespace skein::cli
