// What skein quantize --report says of a file that was written.
#pragma once

#include <string>
#include <vector>

#include "cli/console.h"
#include "run/convert.h"
#include "run/quant_report.h"

namespace skein::cli {

void print_losses(Console& console, const Conversion& conversion,
                  const std::vector<QuantLoss>& losses, const std::string& in,
                  const std::string& out);
// The member "losses" of an object.
void write_losses(JsonWriter& json, const std::vector<QuantLoss>& losses);

}  // namespace skein::cli
