// What fits, what is announced, and what quantising costs: doctor, inspect, compare, --report.
#include <gtest/gtest.h>

#include "base/json.h"
#include "cli/program.h"
#include "cli/report.h"
#include "support/fixtures.h"
#include "support/make_model.h"
#include "support/sanitizers.h"

namespace skein::test {
namespace {

constexpr double kMiB = 1 << 20;

const std::string kBundled =
    (std::filesystem::path(SKEIN_SOURCE_DIR) / "models/bundled-0.pth").string();

// A model whose head, embedding and matrices are large enough to count: 40 MB in F32.
class Fit : public testing::Test {
 protected:
  static std::string large_model(const Folder& folder) {
    ModelSizes sizes;
    sizes.width = 256, sizes.heads = 4, sizes.inner = 1024, sizes.vocab = 16384;
    const auto bytes = as_safetensors(random_model(sizes));
    const std::string path = (folder / "large.safetensors").string();
    write_text(path, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    return path;
  }
};

// Whole chunks are read, so the peak is reached. What the program itself takes depends on the
// system's libraries, by a few megabytes.
void expect_the_peak(const std::string& model, const std::vector<std::string>& more) {
  std::vector<std::string> args = {"bench", model, "-b", "1", "-r", "1", "-n", "2", "--json"};
  args.insert(args.end(), more.begin(), more.end());
  const Json json = json_of(run(args));
  const double announced = number(json, "announced_peak_bytes");
  EXPECT_NEAR(number(json, "peak_resident_bytes"), announced, 0.05 * announced + 3 * kMiB)
      << model << " " << (more.empty() ? "" : more.back());
}

TEST_F(Fit, what_is_announced_is_the_peak) {
  if (kAddressSanitizer || kThreadSanitizer)
    GTEST_SKIP() << "SKIPPED: a sanitizer takes memory of its own";
  const Folder folder;
  const std::string model = large_model(folder);
  expect_the_peak(kBundled, {});
  for (const char* planes : {"on", "off"}) expect_the_peak(model, {"--two-plane", planes});
  for (const char* type : {"F16", "Q8_0", "Q4_0"}) {
    const std::string copy = (folder / (std::string(type) + ".gguf")).string();
    ASSERT_EQ(run({"quantize", model, copy, type, "-q"}).code, 0);
    expect_the_peak(copy, {});
  }
  const std::string packed = (folder / "packed.skein").string();
  ASSERT_EQ(run({"quantize", model, packed, "F16", "-q"}).code, 0);
  for (const char* planes : {"on", "off"}) expect_the_peak(packed, {"--two-plane", planes});
}

TEST_F(Fit, everybody_announces_the_same) {
  const double inspected =
      number(*json_of(run({"inspect", kBundled, "--json"})).find("memory"), "peak");
  EXPECT_EQ(
      number(
          json_of(run({"bench", kBundled, "-b", "1", "-r", "1", "-n", "1", "-p", "1", "--json"})),
          "announced_peak_bytes"),
      inspected);
  const Json doctor = json_of(run({"doctor", kBundled, "--json"}));
  EXPECT_EQ(number((*doctor.find("types")->array().begin()), "peak"), inspected);
  const Ran ran = run({"run", kBundled, "hi", "-n", "1", "-v"});
  EXPECT_TRUE(contains(ran.err, fmt::format("needs {:.1f} MiB", inspected / kMiB))) << ran.err;
}

TEST_F(Fit, what_does_not_fit_is_refused_with_what_would) {
  if (kAddressSanitizer || kThreadSanitizer)
    GTEST_SKIP() << "SKIPPED: a sanitizer takes address space of its own";
  const Folder folder;
  const std::string model = large_model(folder);
  const How small = {.space_limit = rlim_t{90} << 20};
  for (const std::vector<std::string>& args :
       {std::vector<std::string>{"run", model, "hi"}, {"bench", model}, {"doctor", model}}) {
    const Ran ran = run(args, small);
    EXPECT_EQ(ran.code, 4) << args[0] << ran.err;
    EXPECT_TRUE(contains(ran.err, "large.safetensors: does not fit: needs ")) << ran.err;
    EXPECT_TRUE(contains(ran.err, "90.0 MiB allowed (ulimit -v); quantise to ")) << ran.err;
  }
  const Ran looked = run({"inspect", model}, small);
  EXPECT_EQ(looked.code, 0);
  EXPECT_TRUE(contains(looked.err, "does not fit: needs ")) << looked.err;
  // Not even the file.
  const Ran tiny = run({"inspect", model}, {.space_limit = rlim_t{50} << 20});
  EXPECT_EQ(tiny.code, 4) << tiny.err;
  EXPECT_TRUE(contains(tiny.err, "the file alone is ")) << tiny.err;
}

TEST_F(Fit, doctor_tells_sizes_and_types_in_numbers) {
  const Json json = json_of(run({"doctor", "--json"}));
  EXPECT_GT(number(*json.find("machine"), "memory_free"), 0);
  EXPECT_GT(number(*json.find("machine"), "threads"), 0);
  double last = 0;
  int sizes = 0;
  for (const Json& size : json.find("models")->array()) {
    ++sizes;
    double before = 1e18;
    for (const Json& type : size.find("types")->array()) {
      const double peak = number(type, "peak");
      EXPECT_LT(peak, before);
      EXPECT_GT(peak, number(type, "bytes_per_token"));
      const bool fits = type.find("fits")->boolean().value_or(false);
      EXPECT_EQ(fits, peak <= number(*json.find("machine"), "memory_limit"));
      double speed = 0;
      EXPECT_EQ(type.find("tokens_per_second")->number(speed) && speed > 0, fits);
      if (before == 1e18) {
        EXPECT_GT(peak, last);
        last = peak;
      }
      before = peak;
    }
  }
  EXPECT_EQ(sizes, 6);
}

TEST_F(Fit, doctor_keeps_what_is_inside_for_verbose) {
  const Ran plain = run({"doctor"}), all = run({"doctor", "-v"});
  EXPECT_FALSE(contains(plain.out, "kept as codes")) << plain.out;
  EXPECT_TRUE(contains(all.out, "kept as codes")) << all.out;
  EXPECT_TRUE(contains(plain.out, "tok/s")) << plain.out;
}

TEST_F(Fit, compare_says_how_far_a_copy_is) {
  const Folder folder;
  const std::string copy = (folder / "a.skein").string();
  ASSERT_EQ(run({"quantize", kBundled, copy, "Q4_0", "-q"}).code, 0);
  const Json json = json_of(run({"compare", kBundled, copy, "--own", "256", "--json"}));
  EXPECT_GT(number(*json.find("kl_divergence"), "mean"), 0);
  EXPECT_GT(number(json, "same_first"), 0.8);
  EXPECT_LT(number(*json.find("b"), "tensor_bytes"), number(*json.find("a"), "tensor_bytes"));

  write_text(folder / "t", "User: What is 1+1?\n\nAssistant: 2\n\n");
  const Ran text = run({"compare", kBundled, copy, "--text", (folder / "t").string()});
  EXPECT_EQ(text.code, 0) << text.err;
  EXPECT_TRUE(contains(text.out, "34 predictions")) << text.out;
  const Ran piped = run({"compare", kBundled, "--text", "-", "--json"}, {.input = "hello"});
  EXPECT_EQ(number(json_of(piped), "predictions"), 5);
  EXPECT_FALSE(json_of(piped).find("b"));
}

TEST_F(Fit, compare_says_what_is_wrong) {
  const Ran widths = run({"compare", kBundled, fixture("models/v7.pth").string(), "--own", "256"});
  EXPECT_EQ(widths.code, 3);
  EXPECT_TRUE(contains(widths.err, "has 257 ids and ")) << widths.err;
  EXPECT_EQ(run({"compare", kBundled, "--text", "-"}, {.input = ""}).code, 2);
  EXPECT_EQ(run({"compare", kBundled, "--text", "-", "--own", "256"}).code, 2);
  EXPECT_EQ(run({"compare", kBundled, missing_file("x.gguf").string()}).code, 1);
  EXPECT_EQ(run({"compare", kBundled, "--own", "256", "--prompt", "300"}).code, 2);
}

TEST_F(Fit, a_report_says_what_quantising_did) {
  const Folder folder;
  const std::string copy = (folder / "a b.skein").string();
  const Ran text = run({"quantize", kBundled, copy, "Q4_0", "--report"});
  EXPECT_EQ(text.code, 0) << text.err;
  EXPECT_TRUE(contains(text.out, "skein compare " + kBundled + " '" + copy + "'")) << text.out;
  const Json json = json_of(run({"quantize", kBundled, copy, "Q8_0", "--report", "-f", "--json"}));
  int kinds = 0;
  for (const Json& loss : json.find("losses")->array()) {
    ++kinds;
    const bool vectors = loss.find("class")->string() == "vectors";
    EXPECT_EQ(number(loss, "rms") == 0, vectors || number(loss, "largest") == 0);
    EXPECT_LT(number(loss, "rms"), 0.02);
    EXPECT_GT(number(loss, "bytes_after"), 0);
  }
  EXPECT_EQ(kinds, 6);
  EXPECT_EQ(run({"quantize", kBundled, "/dev/stdout", "Q8_0", "--report", "--format", "gguf"}).code,
            2);
}

}  // namespace
}  // namespace skein::test
