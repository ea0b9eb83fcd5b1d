// Filling in the middle of a text, for whichever API asks for it: what stands before and behind
// becomes the one form in which RWKV models have learned it.
#pragma once

#include <string>
#include <string_view>

#include "server/generation_request.h"

namespace skein::server {

// Whether a model has learned it: no file says so but by its name, or by the one that it is served
// under, with the word "fim" in it.
bool fills_in(const Served& served);

// Makes it the one prompt of `asked`, and the mark that ends what is filled in a stop. A model that
// has not learned it is a 501 that names `field`.
void fill_in(const Served& served, Fields& fields, std::string_view field, std::string_view prefix,
             std::string_view suffix, Completion& asked, GenerateOptions& options);

}  // namespace skein::server
