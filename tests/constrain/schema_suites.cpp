// Judges the schema front end by suites of others, which are not part of Skein:
//   schema_suites suite FOLDER      a draft's folder of the JSON-Schema-Test-Suite
//   schema_suites maskbench FOLDER  files of {schema, tests: [{valid, data}]}
// Each instance is spelled as the schema's term wants it, then read. Options: --engine (by the
// automaton that answers are held to, not by a plain reader), --closed (objects are closed unless
// they say otherwise, as is the default elsewhere), --cases (one line for each case that is not
// right), --optional (also the folders within), --masks VOCABULARY (with --engine: what masks cost
// over that vocabulary along the texts that are valid).
#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "base/file.h"
#include "constrain/matcher.h"
#include "constrain/random_grammar.h"
#include "constrain/recognizer.h"
#include "constrain/schema.h"
#include "constrain/schema_spelling.h"
#include "constrain/schema_text.h"
#include "constrain/times.h"

namespace skein::constrain {
namespace {

struct Counts {
  size_t schemas = 0;
  size_t refused = 0;
  size_t cases = 0;
  size_t right = 0;
  size_t in_refused = 0;
  size_t refused_invalid = 0;  // of those, where nothing was to be allowed
  size_t false_accepts = 0;
  size_t false_rejects = 0;
};

struct Runner {
  SchemaOptions options;
  bool tell_cases = false;
  bool engine = false;
  std::shared_ptr<const Words> words{};  // over which masks are measured, if at all
  test::Times first_mask{}, warm_mask{}, accept{};
  std::vector<uint64_t> work{};  // of the front end, where it accepted
  Counts counts;
  std::map<std::string, size_t> reasons;
  std::vector<double> compile_ms;
  std::vector<size_t> terms;

  void schema(const std::string& name, const std::string& text,
              const std::vector<std::pair<std::string, std::pair<bool, std::string>>>& cases) {
    ++counts.schemas;
    counts.cases += cases.size();
    Grammar grammar;
    const std::clock_t start = std::clock();  // the processor's time: others may be busy
    const auto term = add_schema(grammar, text, options);
    compile_ms.push_back(1000.0 * static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC);
    if (compile_ms.back() > 50)
      fmt::print("slow {} {:.0f} ms, {} units of work, {} of proofs{}\n", name, compile_ms.back(),
                 grammar.terms.work(), grammar.terms.search_work(), term ? "" : ", refused");
    if (term) work.push_back(grammar.terms.work());
    terms.push_back(grammar.terms.size());
    if (!term) {
      ++counts.refused;
      counts.in_refused += cases.size();
      const Problem& first = term.error().front();
      const std::string keyword = first.where.substr(first.where.rfind('/') + 1);
      ++reasons[first.code + " " + keyword];
      if (first.code == "unsatisfiable")
        for (const auto& each : cases) counts.refused_invalid += !each.second.first;
      if (tell_cases)
        fmt::print("refused {} {} {}: {}\n", name, first.code, first.where, first.message);
      return;
    }
    ConstraintPtr constraint;
    if (engine) {
      grammar.root = *term;
      const std::clock_t begin = std::clock();
      auto made = Constraint::make(std::move(grammar), words ? words : test::small_words());
      compile_ms.back() += 1000.0 * static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
      if (!made) {
        ++counts.refused;
        counts.in_refused += cases.size();
        ++reasons["engine " + made.error().front().code];
        fmt::print("refused {} by the engine: {} {}\n", name, made.error().front().code,
                   made.error().front().message);
        return;
      }
      constraint = *made;
    }
    const auto matches = [&](const std::string& each) {
      if (!engine) return Recognizer::matches(grammar, *term, each);
      Matcher matcher(constraint);
      const auto read = matcher.accept_bytes(each);
      const auto end = matcher.can_end();
      if (!read || !end) fmt::print("BUDGET {}\n", name);
      return read && *read && end && *end;
    };
    auto speller = SchemaSpeller::of(text, options);
    for (const auto& [title, judged] : cases) {
      const auto spelled = speller->spell(judged.second);
      const std::vector<std::string> texts =
          spelled ? *spelled : std::vector<std::string>{judged.second};
      const bool accepted = std::any_of(texts.begin(), texts.end(), matches);
      if (words && accepted) masks(name, constraint, texts);
      counts.right += accepted == judged.first;
      counts.false_accepts += accepted && !judged.first;
      counts.false_rejects += !accepted && judged.first;
      if (accepted != judged.first && (tell_cases || accepted))
        fmt::print("{} {}: {}\n   {:.300}\n", accepted ? "FALSE ACCEPT" : "false reject", name,
                   title, texts[0]);
    }
  }

  // Along the first of the texts that can be read.
  void masks(const std::string& name, const ConstraintPtr& constraint,
             const std::vector<std::string>& texts) {
    for (const std::string& text : texts) {
      const auto ids = words->tokenizer().encode(text);
      if (!ids || !Matcher(constraint).accept_bytes(text).value_or(false)) continue;
      for (test::Times* times : {&first_mask, &warm_mask}) {
        Matcher matcher(constraint);
        for (const int32_t id : *ids) {
          const auto mask = times->measure([&] { return matcher.mask(); });
          if (times->us.back() > 2'000)
            fmt::print("slow mask {} {:.0f} us behind {:.60}\n", name, times->us.back(),
                       matcher.text().substr(matcher.text().size() -
                                             std::min<size_t>(matcher.text().size(), 60)));
          if (!mask) fmt::print("BUDGET {}: {}\n", name, mask.error().message);
          const auto read = accept.measure([&] { return matcher.accept(id); });
          if (!mask || !read || !*read || !(*mask)->ids[id]) break;
        }
      }
      return;
    }
  }

  void tell() {
    fmt::print("schemas {}, refused {} ({:.1f} % accepted)\n", counts.schemas, counts.refused,
               100.0 * static_cast<double>(counts.schemas - counts.refused) /
                   static_cast<double>(std::max<size_t>(counts.schemas, 1)));
    fmt::print(
        "cases {}, right {}, of refused schemas {} ({} that had to be), false accepts {}, false "
        "rejects {}\n",
        counts.cases, counts.right, counts.in_refused, counts.refused_invalid, counts.false_accepts,
        counts.false_rejects);
    std::sort(compile_ms.begin(), compile_ms.end());
    std::sort(terms.begin(), terms.end());
    const auto at = [](const auto& list, double share) {
      return list[static_cast<size_t>(share * static_cast<double>(list.size() - 1))];
    };
    fmt::print(
        "compile ms p50 {:.3f} p90 {:.3f} p99 {:.2f} max {:.1f}; terms p50 {} p99 {} max {}\n",
        at(compile_ms, .5), at(compile_ms, .9), at(compile_ms, .99), compile_ms.back(),
        at(terms, .5), at(terms, .99), terms.back());
    std::sort(work.begin(), work.end());
    if (!work.empty())
      fmt::print("work of what was accepted p50 {} p99 {} max {}\n", at(work, .5), at(work, .99),
                 work.back());
    first_mask.print("mask, first visit");
    warm_mask.print("mask, warm");
    accept.print("accept");
    std::vector<std::pair<size_t, std::string>> list;
    for (const auto& [reason, count] : reasons) list.emplace_back(count, reason);
    std::sort(list.rbegin(), list.rend());
    for (const auto& [count, reason] : list) fmt::print("  refused {:5} {}\n", count, reason);
  }
};

std::string read_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream out;
  out << in.rdbuf();
  return out.str();
}

void file(Runner& runner, const std::filesystem::path& path, bool suite) {
  constexpr size_t kMostBytes = 64 * 1024 * 1024;
  const std::string content = read_file(path);
  const auto text = SchemaText::parse(content, kMostBytes);
  const std::string name = path.stem().string();
  if (!text) {
    fmt::print("unreadable {}: {} {}\n", name, text.error()[0].where, text.error()[0].message);
    return;
  }
  const auto group = [&](JsonNode at, const std::string& title) {
    std::vector<std::pair<std::string, std::pair<bool, std::string>>> cases;
    for (const JsonNode test : text->children(*text->find(at, "tests"))) {
      const auto description = text->find(test, "description");
      cases.push_back(
          {description ? std::string(text->text(*description)) : "",
           {text->truth(*text->find(test, "valid")), text->json(*text->find(test, "data"))}});
    }
    const JsonNode schema = *text->find(at, "schema");
    std::string json = text->json(schema);
    // The suite's folder says the draft that its schemas leave unsaid.
    if (path.string().find("draft7") != std::string::npos && json.size() > 2 && json[0] == '{' &&
        !text->find(schema, "$schema"))
      json = R"({"$schema":"http://json-schema.org/draft-07/schema#",)" + json.substr(1);
    runner.schema(title, json, cases);
  };
  if (!suite) return group(SchemaText::kRoot, name);
  for (const JsonNode each : text->children(SchemaText::kRoot))
    group(each, name + " / " + std::string(text->text(*text->find(each, "description"))));
}

int run(const std::vector<std::string>& arguments) {
  if (arguments.size() < 2) {
    fmt::print(
        "usage: schema_suites suite|maskbench FOLDER [--engine] [--closed] [--cases] "
        "[--optional] [--masks VOCABULARY]\n");
    return 2;
  }
  Runner runner;
  runner.options.open_objects = true;
  bool optional = false;
  for (size_t i = 2; i < arguments.size(); ++i) {
    if (arguments[i] == "--closed") runner.options.open_objects = false;
    if (arguments[i] == "--cases") runner.tell_cases = true;
    if (arguments[i] == "--optional") optional = true;
    if (arguments[i] == "--engine") runner.engine = true;
    if (arguments[i] == "--masks" && i + 1 < arguments.size()) {
      const auto file = File::map(arguments[++i]);
      auto tokenizer =
          file ? text::open_tokenizer(file->bytes(), file->name()) : tl::unexpected(file.error());
      if (!tokenizer) {
        fmt::print(stderr, "schema_suites: {}\n", tokenizer.error().message);
        return 1;
      }
      runner.words = std::make_shared<const Words>(std::move(*tokenizer));
    }
  }
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(arguments[1]))
    if (entry.path().extension() == ".json" &&
        (optional || entry.path().parent_path() == std::filesystem::path(arguments[1])))
      paths.push_back(entry.path());
  std::sort(paths.begin(), paths.end());
  for (const auto& path : paths) file(runner, path, arguments[0] == "suite");
  runner.tell();
  return runner.counts.false_accepts > 0;
}

}  // namespace
}  // namespace skein::constrain

int main(int count, char** arguments) {
  setvbuf(stdout, nullptr, _IOLBF, 0);
  return skein::constrain::run({arguments + 1, arguments + count});
}
