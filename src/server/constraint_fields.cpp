#include "server/constraint_fields.h"

#include <algorithm>
#include <initializer_list>
#include <utility>

namespace skein::server {
namespace {

using constrain::Language;

std::string text_of(const Json& value) {
  const auto text = value.string();
  return text ? std::string(*text) : json_text(value);
}

// Of one request.
class FormReader {
 public:
  explicit FormReader(Fields& fields) : fields_(fields) {}

  void read_response_format() {
    const Json format = fields_.find("response_format");
    if (!format) return;
    const auto type = format.find("type").string();
    if (!type) return refuse("response_format", "response_format has to be an object with a type");
    if (*type == "text") return;
    if (*type == "json_object") {
      if (const Json schema = format.find("schema"); schema && !schema.is_null())
        return take_schema(schema, "response_format.schema");
      return take(Language::any_object, {}, "response_format");
    }
    if (*type != "json_schema")
      return refuse("response_format.type", "type has to be text, json_object or json_schema");
    const Json inner = format.find("json_schema");
    // Without the object around it, as some clients send it.
    if (!inner) return read_named_schema(format, "response_format");
    read_named_schema(inner, "response_format.json_schema");
  }

  void read_format(const Json& format, const std::string& where) {
    const auto type = format.find("type").string();
    if (!type) return refuse(where, where + " has to be an object with a type");
    if (*type == "text") return;
    if (*type == "json_object") return take(Language::any_object, {}, where);
    if (*type == "json_schema") return read_named_schema(format, where);
    refuse(where + ".type", "type has to be text, json_object or json_schema");
  }

  void read_guided() {
    if (const Json schema = fields_.find("guided_json")) take_schema(schema, "guided_json");
    if (const Json schema = fields_.find("json_schema")) take_schema(schema, "json_schema");
    take_string(Language::regex, fields_, "guided_regex", "guided_regex");
    take_string(Language::grammar, fields_, "guided_grammar", "guided_grammar");
    // Clients of the servers that these fields come from send them empty for none.
    if (fields_.string("grammar") != "")
      take_string(Language::grammar, fields_, "grammar", "grammar");
    if (fields_.string("bnf_schema") != "")
      take_string(Language::kbnf, fields_, "bnf_schema", "bnf_schema");
    if (const Json list = fields_.find("guided_choice")) take_choices(list, "guided_choice");
    if (fields_.find("guided_whitespace_pattern"))
      fields_.decline("guided_whitespace_pattern",
                      "a pattern for whitespace is not offered; constraint.whitespace is");
  }

  void read_structured_outputs() {
    const Json all = fields_.find("structured_outputs");
    if (!all) return;
    if (!all.object())
      return refuse("structured_outputs", "structured_outputs has to be an object");
    Fields inside(all);
    const std::string in = "structured_outputs.";
    know_all(all, in,
             {"json", "regex", "choice", "grammar", "json_object", "structural_tag",
              "whitespace_pattern", "disable_any_whitespace", "disable_fallback",
              "disable_additional_properties"});
    const Language before = out_.wanted.language;
    if (const Json schema = inside.find("json")) take_schema(schema, in + "json");
    take_string(Language::regex, inside, "regex", in + "regex");
    take_string(Language::grammar, inside, "grammar", in + "grammar");
    if (const Json list = inside.find("choice")) take_choices(list, in + "choice");
    if (inside.flag("json_object", false)) take(Language::any_object, {}, in + "json_object");
    if (inside.flag("disable_any_whitespace", false))
      out_.wanted.schema.blanks = constrain::JsonBlanks::compact;
    if (inside.error()) refuse(in + inside.error()->param, inside.error()->message);
    if (out_.wanted.language == before && !fields_.error())
      refuse("structured_outputs",
             "structured_outputs says nothing: json, regex, choice, grammar or json_object");
    for (const char* name : {"structural_tag", "whitespace_pattern"})
      if (inside.find(name)) fields_.decline(in + name, fmt::format("{} is not offered", name));
  }

  void read_spelling() {
    const Json given = fields_.find("constraint");
    if (!given) return;
    if (!given.object()) return refuse("constraint", "constraint has to be an object");
    Fields inside(given);
    know_all(given, "constraint.", {"whitespace", "open_objects", "unicode_escapes", "relax"});
    constrain::SchemaOptions& schema = out_.wanted.schema;
    if (const auto blanks = inside.string("whitespace")) {
      if (*blanks == "bounded")
        schema.blanks = constrain::JsonBlanks::bounded;
      else if (*blanks == "compact")
        schema.blanks = constrain::JsonBlanks::compact;
      else if (*blanks == "any")
        schema.blanks = constrain::JsonBlanks::any;
      else
        inside.refuse("whitespace", "whitespace has to be bounded, compact or any");
    }
    schema.open_objects = inside.flag("open_objects", false);
    schema.unicode_escapes = inside.flag("unicode_escapes", false);
    if (const Json relax = inside.find("relax")) {
      const auto list = relax.array();
      if (!list) inside.refuse("relax", "relax has to be a list of keywords");
      for (const Json& each : list)
        each.string() ? static_cast<void>(schema.relax.emplace_back(*each.string()))
                      : inside.refuse("relax", "relax has to be a list of keywords");
    }
    if (inside.error()) refuse("constraint." + inside.error()->param, inside.error()->message);
  }

  AskedForm take() { return std::move(out_); }

 private:
  void refuse(std::string_view param, std::string why) { fields_.refuse(param, std::move(why)); }

  // A misspelt one would leave the answer free.
  void know_all(const Json& object, const std::string& in,
                std::initializer_list<std::string_view> names) {
    for (const auto& [name, value] : object.object())
      if (std::find(names.begin(), names.end(), name) == names.end())
        return refuse(in + escaped(name, 40),
                      fmt::format("{} is not known here", escaped(name, 40)));
  }

  void take(Language language, std::string text, std::string param) {
    if (out_.wanted.language != Language::any_text)
      return fields_.refuse(
          {.message = fmt::format("{} and {} both say what the answer has to be; send one of them",
                                  out_.param, param),
           .param = std::move(param),
           .code = "constraint_conflict"});
    out_.wanted.language = language;
    out_.wanted.text = std::move(text);
    out_.param = std::move(param);
  }

  // As an object, true or false, or as the text of one.
  void take_schema(const Json& schema, std::string param) {
    if (!schema.object() && !schema.string() && !schema.boolean())
      return refuse(param, fmt::format("{} has to be a JSON Schema", param));
    take(Language::schema, text_of(schema), std::move(param));
  }

  void read_named_schema(const Json& named, const std::string& where) {
    const Json schema = named.find("schema");
    if (!schema || schema.is_null())
      return refuse(where + ".schema", "a schema is missing: the form of the answer");
    if (named.find("strict").boolean().value_or(false)) out_.wanted.schema.strict = true;
    take_schema(schema, where + ".schema");
  }

  void take_string(Language language, Fields& from, std::string_view name, std::string param) {
    const auto text = from.string(name);
    if (text && text->empty()) return refuse(param, fmt::format("{} is empty", param));
    if (text) take(language, *text, std::move(param));
  }

  void take_choices(const Json& list, const std::string& param) {
    if (const auto array = list.array(); array && array->empty())
      return refuse(param, fmt::format("{} names no text", param));
    take(Language::choices, {}, param);
    bool right = static_cast<bool>(list.array());
    for (const Json& each : list.array()) {
      right = right && each.string();
      if (right) out_.wanted.choices.emplace_back(*each.string());
    }
    if (!right) refuse(param, fmt::format("{} has to be a list of strings", param));
  }

  Fields& fields_;
  AskedForm out_;
};

// Where the problem is, as a field and a place in it.
std::string place_of(const AskedForm& form, const std::string& where) {
  constexpr std::string_view kSchema = "].parameters";
  if (const size_t end = where.find(kSchema); where.starts_with("tools[") && end != where.npos)
    return where.substr(0, end + 2) + form.parameters + where.substr(end + kSchema.size());
  return where.starts_with('#') ? form.param + where : form.param;
}

ApiError error_of(const AskedForm& form, const constrain::Problems& problems) {
  ApiError out{.message = constrain::sentence(problems)};
  if (problems.empty()) return out;
  out.param = place_of(form, problems.front().where);
  out.code = problems.front().code;
  return out;
}

}  // namespace

AskedForm read_form(Fields& fields, const Json& format, const std::string& where) {
  FormReader reader(fields);
  if (format && !format.is_null()) reader.read_format(format, where);
  reader.read_response_format();
  reader.read_structured_outputs();
  reader.read_guided();
  reader.read_spelling();
  return reader.take();
}

Asked<Relaxed> hold(const Served& served, const AskedForm& form, GenerateOptions& options) {
  if (!form.wanted.says_something()) return Relaxed();
  const WantedFormPtr wanted = served.host->forms().form(form.wanted, served.host->words());
  const constrain::Checked<constrain::Made>* const made = wanted->made();
  if (!made)
    return tl::unexpected(ApiError{.status = 503,
                                   .message = "the form of the answer is being made ready",
                                   .retry_seconds = 1,
                                   .waits_for_form = wanted});
  if (!*made) return tl::unexpected(error_of(form, made->error()));
  options.constraint.emplace((*made)->constraint);
  return (*made)->notes.relaxed;
}

}  // namespace skein::server
