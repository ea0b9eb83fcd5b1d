// What the two ways of making a state have in common: of a text, and of a file.
#pragma once

#include "server/question.h"

namespace skein::server {

void take_state_file(Service& service, const ExchangePtr& exchange);
// Of a commit that would have kept it: the field that it could not.
ApiError making_error(const store::StoreError& error, const store::NodeDraft& draft);

}  // namespace skein::server
