// A constraint as a generation takes it.
#pragma once

#include "api/handles.h"
#include "constrain/matcher.h"

namespace skein::api {

// For an answer behind `beginning`. Errors: mismatch (another vocabulary's), those of
// sk_constraint_new.
Result<constrain::Matcher> matcher_of(const sk_constraint& constraint, const Vocabulary& vocabulary,
                                      const constrain::Beginning& beginning);

}  // namespace skein::api
