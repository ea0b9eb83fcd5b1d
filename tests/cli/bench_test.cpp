// skein bench: what its reports have, compare and draw.
#include <gtest/gtest.h>

#include <charconv>
#include <map>

#include "base/json.h"
#include "cli/program.h"
#include "cli/report.h"
#include "cli/svg.h"
#include "support/fixtures.h"

namespace skein::test {
namespace {

const std::string kModel = fixture("models/tiny_v7.gguf").string();

// With the smallest of samples.
Ran bench(std::vector<std::string> more) {
  std::vector<std::string> args = {"bench", kModel, "-p", "4", "-n", "2", "-r", "1"};
  args.insert(args.end(), more.begin(), more.end());
  return run(args);
}

std::string text(const Json& json, std::string_view key) {
  const Json member = json.find(key);
  EXPECT_TRUE(member && member->string()) << key;
  return std::string(member.string().value_or(""));
}

Json::Array array(const Json& json, std::string_view key) {
  const Json member = json.find(key);
  EXPECT_TRUE(member && member->array()) << key;
  return member.array();
}

std::map<std::string, double> medians(const Json& json) {
  std::map<std::string, double> out;
  for (const Json& sample : array(json, "samples"))
    out[text(sample, "name")] = number(sample, "median");
  return out;
}

// Every element that is opened is closed, and nothing is left of what XML forbids.
void expect_svg(const std::string& svg) {
  EXPECT_TRUE(svg.starts_with("<svg ")) << svg.substr(0, 80);
  EXPECT_TRUE(svg.ends_with("</svg>\n"));
  EXPECT_FALSE(contains(svg, "nan")) << svg;
  EXPECT_FALSE(contains(svg, "inf")) << svg;
  std::vector<std::string> open;
  for (size_t at = svg.find('<'); at != std::string::npos; at = svg.find('<', at + 1)) {
    const size_t end = svg.find('>', at);
    ASSERT_NE(end, std::string::npos);
    const std::string tag = svg.substr(at + 1, end - at - 1);
    ASSERT_FALSE(contains(tag, "<")) << tag;
    if (tag.starts_with("/")) {
      ASSERT_FALSE(open.empty());
      EXPECT_EQ(open.back(), tag.substr(1));
      open.pop_back();
    } else if (!tag.ends_with("/")) {
      open.push_back(tag.substr(0, tag.find(' ')));
    }
  }
  EXPECT_TRUE(open.empty());
}

TEST(Bench, every_figure_stands_beside_its_limit) {
  const Json json = json_of(bench({"-b", "2", "-b", "2", "--chunks", "--json"}));
  std::map<std::string, double> limits;
  for (const Json& limit : array(json, "limits"))
    limits[text(limit, "name")] = number(limit, "value");
  EXPECT_GT(limits["read_bandwidth"], 0);
  EXPECT_GT(limits["multiply_adds"], 0);
  std::map<std::string, int> kinds;
  for (const Json& sample : array(json, "samples")) {
    ++kinds[text(sample, "kind")];
    const std::string name = text(sample, "name");
    EXPECT_LE(number(sample, "low"), number(sample, "median")) << name;
    EXPECT_LE(number(sample, "median"), number(sample, "high")) << name;
    EXPECT_GT(number(sample, "low"), 0) << name;
    if (sample.find("in_cache")) {
      EXPECT_EQ(text(sample, "kind"), "state") << name;
      EXPECT_FALSE(sample.find("share") || sample.find("limit")) << name;
      continue;
    }
    const double limit = limits[text(sample, "limit")];
    EXPECT_NEAR(number(sample, "share"), number(sample, "rate") / limit,
                1e-6 * number(sample, "share"))
        << name;
  }
  EXPECT_EQ(kinds, (std::map<std::string, int>{{"prefill", 1},
                                               {"chunk", 10},
                                               {"decode", 2},
                                               {"generate", 1},
                                               {"greedy", 1},
                                               {"state", 3},
                                               {"load", 1}}));
  EXPECT_GT(number(json, "announced_peak_bytes"), 0);
  EXPECT_GT(number(json, "peak_resident_bytes"), 0);
}

TEST(Bench, the_fingerprint_is_the_logits_and_nothing_elses) {
  const std::string once = text(json_of(bench({"-b", "1", "--json"})), "fingerprint");
  EXPECT_EQ(once,
            text(json_of(bench({"-b", "1", "-t", "1", "--profile", "--json"})), "fingerprint"));
  EXPECT_NE(once, text(json_of(bench({"-b", "1", "-p", "5", "--json"})), "fingerprint"));
}

TEST(Bench, an_earlier_report_gives_ratios_and_tells_what_changed) {
  const Folder folder;
  const std::string old = (folder / "old.json").string();
  write_text(old, R"({"model": "RWKV-7", "device": "an abacus", "fingerprint": "0",
    "limits": [{"name": "read_bandwidth", "value": 1e9}],
    "samples": [{"name": "decode", "median": 0.5}, {"name": "prefill 4", "median": 4},
                {"name": "prefill 5", "median": 1}, {"name": "state copy", "median": 0}]})");
  const Json json = json_of(bench({"-b", "1", "--json", "--compare", old}));
  const auto now = medians(json);
  const Json compared = json.find("compared");
  ASSERT_TRUE(compared && compared->find("ratios") && compared->find("ratios")->object());
  EXPECT_EQ(compared->find("ratios")->object()->size(), 2u);
  EXPECT_NEAR(number(*compared->find("ratios"), "decode"), now.at("decode") / 0.5,
              1e-6 * now.at("decode"));
  EXPECT_NEAR(number(*compared->find("ratios"), "prefill 4"), now.at("prefill 4") / 4,
              1e-6 * now.at("prefill 4"));
  EXPECT_EQ(array(*compared, "differences").size(), 3u);

  const Ran table = bench({"-b", "1", "--compare", old});
  EXPECT_EQ(table.code, 0) << table.err;
  EXPECT_TRUE(contains(table.out, "the device was an abacus")) << table.out;
  EXPECT_TRUE(contains(table.out, "the logits changed: fingerprint 0, now ")) << table.out;
}

TEST(Bench, a_comparison_says_which_way_is_better) {
  const Folder folder;
  const std::string old = (folder / "old.json").string();
  write_text(old, R"({"model": "RWKV-7", "device": "an abacus", "fingerprint": "0", "limits": [],
    "samples": [{"name": "decode", "median": 1e-6}, {"name": "prefill 4", "median": 1e12},
                {"name": "state save", "median": 1e12}, {"name": "state restore", "median": 1e-9}]})");
  const Ran table = bench({"-b", "1", "--compare", old});
  EXPECT_EQ(table.code, 0) << table.err;
  const auto line_of = [&](const std::string& name) {
    const size_t at = table.out.find("\n" + name + " ");
    return at == std::string::npos
               ? ""
               : table.out.substr(at + 1, table.out.find('\n', at + 1) - at - 1);
  };
  EXPECT_TRUE(line_of("decode").ends_with(" of before, better")) << table.out;
  EXPECT_TRUE(line_of("prefill 4").ends_with(" 0.00 of before, worse")) << table.out;
  EXPECT_TRUE(line_of("state save").ends_with(" 0.00 of before, better")) << table.out;
  EXPECT_TRUE(line_of("state restore").ends_with(" of before, worse")) << table.out;
  EXPECT_FALSE(contains(line_of("state copy"), "before")) << table.out;
}

TEST(Bench, a_report_can_be_compared_with_the_next) {
  const Folder folder;
  const std::string old = (folder / "old.json").string();
  write_text(old, bench({"-b", "1", "--json"}).out);
  const Json json = json_of(bench({"-b", "1", "--json", "--compare", old}));
  const Json compared = json.find("compared");
  ASSERT_TRUE(compared && compared->find("ratios") && compared->find("ratios")->object());
  EXPECT_EQ(compared->find("ratios")->object()->size(), array(json, "samples").size());
  EXPECT_TRUE(array(*compared, "differences").empty());
  ASSERT_TRUE(compared->find("fingerprint_changed")->boolean());
  EXPECT_FALSE(*compared->find("fingerprint_changed")->boolean());
}

TEST(Bench, a_profile_adds_up) {
  const Json json = json_of(bench({"--profile", "--json"}));
  ASSERT_EQ(array(json, "profiles").size(), 2u);
  for (const Json& step : array(json, "profiles")) {
    double flops = 0, bytes = 0, seconds = number(step, "waiting");
    for (const Json& row : array(step, "operations")) {
      flops += number(row, "flops");
      bytes += number(row, "bytes");
      seconds += number(row, "seconds");
    }
    EXPECT_EQ(flops, number(step, "flops"));
    EXPECT_EQ(bytes, number(step, "bytes"));
    EXPECT_GE(seconds, 0.999 * number(step, "seconds"));
  }
  const Json decode = array(json, "profiles")[0];
  EXPECT_EQ(number(decode, "flops"), number(json, "flops_per_token"));
  EXPECT_EQ(number(decode, "weight_bytes") + number(decode, "state_bytes"),
            number(json, "bytes_per_token"));
  const Ran table = bench({"--profile"});
  for (const char* row : {"linear att.key", "linear low-rank", "wkv7", "waiting"})
    EXPECT_TRUE(contains(table.out, row)) << table.out;
}

TEST(Bench, a_stream_has_a_course_of_a_hundred_points) {
  const Json json = json_of(bench({"--stream", "1050", "--json"}));
  ASSERT_EQ(array(json, "course").size(), 100u);
  for (const Json& point : array(json, "course")) {
    EXPECT_GT(number(point, "median_us"), 0);
    EXPECT_GT(number(point, "resident"), 0);
  }
}

TEST(Bench, every_report_is_drawn) {
  const Folder folder;
  const std::string file = (folder / "plot.svg").string();
  const struct {
    std::vector<std::string> args;
    std::vector<std::string> shows;
  } cases[] = {
      {{"-b", "2", "--chunks"}, {">decode, 2 sequences<", ">sequences<", ">tokens of a chunk<"}},
      {{"--profile"}, {">linear att.key<", ">waiting<"}},
      {{"--stream", "1000"}, {">tokens read<", ">MiB<"}},
  };
  for (const auto& one : cases) {
    std::vector<std::string> args = one.args;
    args.insert(args.end(), {"--plot", file});
    const Ran ran = bench(args);
    EXPECT_EQ(ran.code, 0) << ran.err;
    const std::string svg = text_of_file(file);
    expect_svg(svg);
    for (const std::string& shown : one.shows) EXPECT_TRUE(contains(svg, shown)) << shown;
  }
}

TEST(Bench, what_does_not_go_together_is_told_before_loading) {
  const Folder folder;
  write_text(folder / "list.json", "[1]");
  write_text(folder / "broken.json", "{");
  const std::string list = (folder / "list.json").string();
  const struct {
    std::vector<std::string> args;
    int code;
    std::string says;
  } cases[] = {
      {{"--profile", "--stream", "1000"}, 2, "--profile and --stream exclude each other"},
      {{"--profile", "--chunks"}, 2, "--chunks does not go with --profile"},
      {{"--stream", "1000", "--compare", list}, 2, "--compare does not go with --stream"},
      {{"--compare", list}, 3, "this is no report of skein bench --json"},
      {{"--compare", (folder / "broken.json").string()}, 3, "broken.json: "},
      {{"--compare", (folder / "none.json").string()}, 1, "No such file"},
      {{"--plot", (folder / "none/plot.svg").string()}, 1, "there is no folder"},
      {{"-b", "0"}, 2, "has to be between 1 and 1024"},
  };
  for (const auto& one : cases) {
    const Ran ran = bench(one.args);
    EXPECT_EQ(ran.code, one.code) << ran.err;
    EXPECT_TRUE(contains(ran.err, one.says)) << ran.err;
    EXPECT_EQ(ran.out, "");
  }
}

TEST(Svg, whatever_is_drawn_is_well_formed) {
  cli::Drawing drawing("a < b & \"c\"");
  drawing.add(cli::BarChart{.title = "<&>", .axis = "%", .mark = 100, .bars = {}});
  drawing.add(cli::BarChart{.title = "x",
                            .axis = "%",
                            .bars = {{.label = "none", .value = 0},
                                     {.label = "nan", .value = 0.0 / 0.0, .note = "no number"},
                                     {.label = "\x01", .value = 1e300}}});
  drawing.add(cli::LineChart{.title = "empty", .x_axis = "x", .y_axis = "y", .lines = {}});
  drawing.add(cli::LineChart{.title = "one point",
                             .x_axis = "x",
                             .y_axis = "y",
                             .doubling = true,
                             .lines = {{"a", {{8, 3}}}}});
  const std::string svg = drawing.text();
  EXPECT_TRUE(contains(svg, "<title>a &lt; b &amp; &quot;c&quot;</title>"));
  EXPECT_FALSE(contains(svg, "\x01"));
  EXPECT_FALSE(contains(svg, ">empty<"));  // axes without a line say nothing
  std::string without_label = svg;
  without_label.replace(without_label.find(">nan<"), 5, "><");
  expect_svg(without_label);
}

TEST(Svg, a_longer_bar_is_a_larger_value) {
  cli::Drawing drawing("bars");
  drawing.add(cli::BarChart{.title = "",
                            .axis = "",
                            .bars = {{.label = "a", .value = 50}, {.label = "b", .value = 100}}});
  const std::string svg = drawing.text();
  const size_t first = svg.find("<rect"), second = svg.find("<rect", first + 1);
  const auto width = [&](size_t at) {
    double value = 0;
    const char* const begin = svg.data() + svg.find("width=\"", at) + 7;
    std::from_chars(begin, svg.data() + svg.size(), value);
    return value;
  };
  EXPECT_NEAR(width(second), 2 * width(first), 0.2);
}

}  // namespace
}  // namespace skein::test
