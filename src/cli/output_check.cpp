#include "cli/output_check.h"

#include "base/inputs.h"
#include "base/output_place.h"

namespace skein::cli {

Status check_output(const std::string& output, const std::vector<std::string>& inputs) {
  if (output.empty()) return {};
  SK_TRY(const OutputPlace place, find_output(output));
  // A terminal may be both, and so may a pipe.
  if (place.info && !S_ISREG(place.info->st_mode)) return {};
  if (is_input(output))
    return fail(Code::argument, "{} is read here; name another place for what is written",
                escaped(output));
  for (const std::string& input : inputs)
    if (!input.empty() && is_same_file(input, output))
      return fail(Code::argument, "{} is read here as {}; name another place for what is written",
                  escaped(output), escaped(input));
  return {};
}

}  // namespace skein::cli
