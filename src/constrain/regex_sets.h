// What in a regular expression stands for one character: classes and escapes.
#pragma once

#include <optional>

#include "constrain/regex.h"
#include "constrain/text_reader.h"

namespace skein::constrain::regex {

template <typename T>
using Read = tl::expected<T, Problem>;

tl::unexpected<Problem> refuse(const TextReader& reader, size_t at, std::string message);

// `.`
CharSet dot(RegexDialect dialect, bool dot_all);

// Behind a backslash: \d, \p{L} and their like; nullopt if it is none of them, and nothing is read.
Read<std::optional<CharSet>> class_escape(TextReader& reader, RegexDialect dialect,
                                          bool ignore_case);

// Behind a backslash: an escape that is one character.
Read<uint32_t> character_escape(TextReader& reader, RegexDialect dialect, bool in_class);

// Behind the bracket that opens it, up to and with the one that closes it.
Read<CharSet> bracketed(TextReader& reader, RegexDialect dialect, bool ignore_case);

}  // namespace skein::constrain::regex
