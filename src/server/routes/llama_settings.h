// llama-server's names for how a text is generated: its chain of samplers in a request, and the
// settings that its answers tell.
#pragma once

#include "server/fields.h"
#include "server/generation_request.h"

namespace skein::server {

// `samplers`: a list of names, or a string of their letters. What is not in it is off. There is one
// choice of order, whether the temperature stands before or behind what cuts the distribution.
void read_samplers(Fields& fields, Sampling& sampling);

// As members of an object.
void write_settings(JsonWriter& json, const Sampling& sampling, const GenerateOptions& options);

}  // namespace skein::server
