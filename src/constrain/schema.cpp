#include "constrain/schema.h"

#include <set>

#include "constrain/schema_write.h"

namespace skein::constrain {
namespace {

// As often as what is relaxed may bring up something else.
constexpr int kMostRounds = 32;

// Keywords among the problems that may be left out; false if some other problem is there.
bool relax(const SchemaText& text, const SchemaReport& report, const SchemaOptions& options,
           std::set<JsonNode>& dropped) {
  bool all = true;
  for (const SchemaReport::Entry& entry : report.problems()) {
    const std::string name(text.key(entry.at));
    const bool may =
        entry.code == "unsupported_keyword" &&
        std::find(options.relax.begin(), options.relax.end(), name) != options.relax.end();
    all = all && may && dropped.insert(entry.at).second;
  }
  return all;
}

}  // namespace

Checked<Term> add_schema(Grammar& grammar, std::string_view json, const SchemaOptions& options,
                         SchemaNotes* notes) {
  const auto text = SchemaText::parse(json);
  if (!text) return tl::unexpected(text.error());
  std::set<JsonNode> dropped;
  for (int round = 0;; ++round) {
    SchemaReport report;
    SchemaSet set(grammar, *text, options, report, dropped);
    SchemaWriter writer(set);
    const Term out = writer.write(set.node(SchemaText::kRoot));
    if (grammar.terms.full())
      report.problem("constraint_too_large", SchemaText::kRoot, "the schema gives too many terms");
    if (out == Term::none && report.problems().empty())
      report.problem("unsatisfiable", SchemaText::kRoot,
                     "no JSON value is valid for this schema" +
                         (report.cause().empty() ? "" : ": " + report.cause()));
    if (report.problems().empty()) {
      if (notes) {
        for (const auto& entry : report.warnings())
          notes->warnings.push_back({text->pointer(entry.at), entry.message});
        for (const JsonNode at : dropped) notes->relaxed.push_back(text->pointer(at));
      }
      return out;
    }
    if (round < kMostRounds && relax(*text, report, options, dropped)) continue;
    Problems problems;
    for (const auto& entry : report.problems())
      problems.push_back({entry.code, text->pointer(entry.at), entry.message});
    return tl::unexpected(std::move(problems));
  }
}

}  // namespace skein::constrain
