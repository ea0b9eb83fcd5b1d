// Fields that ask for an answer of a form: OpenAI's response_format and text.format, vLLM's
// structured_outputs and guided_*, llama-server's grammar and json_schema, Ai00's bnf_schema.
#pragma once

#include <string>
#include <vector>

#include "constrain/wanted.h"
#include "server/fields.h"
#include "server/served.h"

namespace skein::server {

struct AskedForm {
  constrain::Wanted wanted{};
  std::string param{};                    // the field that it stands in
  std::string parameters = "parameters";  // what a tool's schema is called: AskedTools
};

// One form, or none; several are refused. And `constraint`, which says how it is to be spelled.
// `format`: one that has the schema beside its type, at `where`, as in `text` of /v1/responses.
AskedForm read_form(Fields& fields, const Json& format = {},
                    const std::string& where = "text.format");

// Holds the answers to the form, if there is one. Gives the places of keywords that do not hold, as
// was asked for. Errors: 400 with the code, the field and the place in it; that it is not made yet,
// which answer_error() understands.
using Relaxed = std::vector<std::string>;
Asked<Relaxed> hold(const Served& served, const AskedForm& form, GenerateOptions& options);

}  // namespace skein::server
