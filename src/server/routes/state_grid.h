// Figures of each head of a state as numbers for drawing: [fields, layers, heads].
#pragma once

#include <string>

#include "server/question.h"

namespace skein::server {

// stats?fields=norm,change,rank, with since= for the second.
void answer_grid(Service& service, const ExchangePtr& exchange, const std::string& fields);
// diff?view=heads: how far apart the two are, and the cosine.
void answer_head_diff(Service& service, const ExchangePtr& exchange, const std::string& with);

}  // namespace skein::server
