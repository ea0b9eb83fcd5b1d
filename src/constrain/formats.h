// The formats of strings that are kept to.
#pragma once

#include <optional>
#include <string_view>

#include "constrain/schema_form.h"
#include "constrain/schema_strings.h"

namespace skein::constrain {

// Of a format that is known; `all` holds more than is written where readers differ.
std::optional<TextForm> format_texts(Grammar& grammar, std::string_view name,
                                     const StringTerms& strings);

// Whether it is a format of numbers ("int32", "double").
bool is_number_format(std::string_view name);

}  // namespace skein::constrain
