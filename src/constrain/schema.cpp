#include "constrain/schema.h"

#include <limits>
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
  Terms& terms = grammar.terms;
  terms.allow(kMostSchemaWork);
  terms.allow_searches(kMostProofWork);
  for (int round = 0;; ++round) {
    SchemaReport report;
    SchemaSet set(grammar, *text, options, report, dropped);
    SchemaWriter writer(set);
    const Term out = writer.write(set.node(SchemaText::kRoot));
    // What was found out behind that counts for nothing.
    if (terms.full()) {
      const bool work = terms.overworked();
      return tl::unexpected(
          Problems{{"constraint_too_large", "#",
                    work ? "it takes too much work to find out what this schema allows; its "
                           "patterns and combined keywords multiply"
                         : "the schema gives too many terms"}});
    }
    if (out == Term::none && report.problems().empty())
      report.problem("unsatisfiable", SchemaText::kRoot,
                     "no JSON value is valid for this schema" +
                         (report.cause().empty() ? "" : ": " + report.cause()));
    if (report.problems().empty()) {
      terms.allow_all();
      terms.allow_searches(std::numeric_limits<uint64_t>::max() - terms.search_work());
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
