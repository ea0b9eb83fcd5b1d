#include "cli/constraint_options.h"

#include <algorithm>
#include <array>

namespace skein::cli {
namespace {

using constrain::JsonBlanks;
using constrain::Language;

// The largest that is read at all; what a language allows is told by its reader.
constexpr uint64_t kTextBytes = 1 << 20;

constexpr std::array<std::pair<std::string_view, JsonBlanks>, 3> kBlanks = {
    {{"bounded", JsonBlanks::bounded}, {"compact", JsonBlanks::compact}, {"any", JsonBlanks::any}}};

// A schema that stands on the command line itself. A file of such a name is ./{...
bool is_schema_itself(std::string_view text) {
  const size_t at = text.find_first_not_of(" \t\r\n");
  return at != text.npos && (text[at] == '{' || text == "true" || text == "false");
}

}  // namespace

void ConstraintOptions::declare(Options& options) {
  options_ = &options;
  options
      .value("--schema", schema_, "FILE",
             "the text is JSON of this JSON Schema, a file or the schema itself: {...}")
      .file();
  options.value("--grammar", grammar_, "FILE", "the text is one of this grammar, GBNF or Lark")
      .file();
  options.value("--regex", regex_, "R", "the whole text matches this expression, in RE2's syntax");
  options.value("--choice", choices_, "A", "the text is one of these; may stand several times");
  options.flag("--json-object", any_object_, "the text is a JSON object, whichever");
  std::vector<std::string> names;
  for (const auto& [name, blanks] : kBlanks) names.emplace_back(name);
  options
      .value("--whitespace", whitespace_, "HOW",
             "between the parts of JSON: a space or a line (bounded), nothing (compact), or any")
      .one_of(names);
}

std::string_view ConstraintOptions::source() const {
  if (!schema_.empty()) return "--schema";
  if (!grammar_.empty()) return "--grammar";
  if (!regex_.empty()) return "--regex";
  if (!choices_.empty()) return "--choice";
  return any_object_ ? "--json-object" : "";
}

std::string ConstraintOptions::where() const {
  if (!schema_.empty() && !is_schema_itself(schema_)) return escaped(schema_);
  return grammar_.empty() ? std::string(source()) : escaped(grammar_);
}

Status ConstraintOptions::check() const {
  if (std::none_of(kBlanks.begin(), kBlanks.end(),
                   [&](const auto& row) { return row.first == whitespace_; }))
    return fail(Code::argument, "whitespace has to be bounded, compact or any");
  if (typed_) return {};
  const int sources =
      !schema_.empty() + !grammar_.empty() + !regex_.empty() + !choices_.empty() + any_object_;
  if (sources > 1)
    return fail(Code::argument,
                "give one of --schema, --grammar, --regex, --choice and --json-object");
  if (sources == 0 && options_->given("regex"))
    return fail(Code::argument, "--regex is empty: leave it out for any text");
  if (options_->given("whitespace") && schema_.empty() && grammar_.empty() && !any_object_)
    return fail(Code::argument, "--whitespace is for --schema, --grammar and --json-object");
  return {};
}

Result<constrain::Wanted> ConstraintOptions::wanted() const {
  SK_TRY_STATUS(check());
  constrain::Wanted out;
  for (const auto& [name, blanks] : kBlanks)
    if (name == whitespace_) out.schema.blanks = blanks;
  out.choices = choices_;
  if (any_object_) out.language = Language::any_object;
  if (!choices_.empty()) out.language = Language::choices;
  if (!regex_.empty()) {
    out.language = Language::regex;
    out.text = regex_;
  }
  if (!grammar_.empty()) {
    out.language = Language::grammar;
    SK_TRY(out.text, read_text(grammar_, kTextBytes));
  }
  if (!schema_.empty()) {
    out.language = Language::schema;
    if (is_schema_itself(schema_)) {
      out.text = schema_;
    } else {
      SK_TRY(out.text, read_text(schema_, kTextBytes));
    }
    if (auto json = parse_json(out.text, kTextBytes); !json)
      return fail(Code::argument, "{}: a JSON Schema is JSON: {}", where(), json.error().message);
  }
  return out;
}

Result<constrain::ConstraintPtr> ConstraintOptions::compiled(
    Console& console, const std::shared_ptr<const constrain::Words>& words) const {
  SK_TRY(const constrain::Wanted wanted, this->wanted());
  if (!wanted.says_something()) return nullptr;
  constrain::SchemaNotes notes;
  auto made = constraint_of(wanted, words, &notes);
  if (!made) return fail(Code::argument, "{}: {}", where(), sentence(made.error()));
  for (const constrain::SchemaNote& note : notes.warnings)
    console.warn(fmt::format("{}: {}: {}", where(), escaped(note.where), note.message));
  return std::move(*made);
}

std::string ConstraintOptions::cut_text(int64_t limit) {
  return fmt::format(
      "the text reached its limit of {} tokens before what it has to be was complete; -n allows "
      "more",
      limit);
}

bool ConstraintOptions::set(std::string_view name, std::string_view value) {
  const auto known = shown();
  if (std::none_of(known.begin(), known.end(), [&](const auto& row) { return row.first == name; }))
    return false;
  typed_ = true;
  if (name == "whitespace") {
    whitespace_ = value;
    return true;
  }
  schema_.clear(), grammar_.clear(), regex_.clear(), choices_.clear();
  any_object_ = name == "json-object" && !value.empty() && value != "off";
  if (name == "schema") schema_ = value;
  if (name == "grammar") grammar_ = value;
  if (name == "regex") regex_ = value;
  while (name == "choice" && !value.empty()) {
    const size_t bar = std::min(value.find('|'), value.size());
    choices_.emplace_back(value.substr(0, bar));
    value.remove_prefix(std::min(bar + 1, value.size()));
  }
  return true;
}

std::vector<std::pair<std::string, std::string>> ConstraintOptions::shown() const {
  return {{"schema", schema_},
          {"grammar", grammar_},
          {"regex", regex_},
          {"choice", fmt::format("{}", fmt::join(choices_, "|"))},
          {"json-object", any_object_ ? "on" : "off"},
          {"whitespace", whitespace_}};
}

void write_wanted(JsonWriter& json, const constrain::Wanted& wanted) {
  if (!wanted.says_something()) return;
  json.key("structured_outputs").begin_object();
  switch (wanted.language) {
    case Language::schema:
      if (const auto schema = parse_json(wanted.text, kTextBytes)) json.member("json", *schema);
      break;
    case Language::choices:
      json.key("choice").begin_array();
      for (const std::string& one : wanted.choices) json.value(one);
      json.end_array();
      break;
    case Language::regex: json.member("regex", wanted.text); break;
    case Language::any_object: json.member("json_object", true); break;
    default: json.member("grammar", wanted.text); break;
  }
  json.end_object();
  if (wanted.schema.blanks == JsonBlanks::bounded) return;  // which is a server's own
  json.key("constraint").begin_object();
  for (const auto& [name, blanks] : kBlanks)
    if (blanks == wanted.schema.blanks) json.member("whitespace", name);
  json.end_object();
}

}  // namespace skein::cli
