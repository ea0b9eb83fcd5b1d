// Which instruction set the kernels use.
#pragma once

#include <span>
#include <string_view>

#include "base/error.h"
#include "cpu/kernels.h"

namespace skein::cpu {

struct Isa {
  const Kernels* kernels = nullptr;
  bool supported = false;  // by this processor
};

// Every instruction set compiled in, narrowest first.
std::span<const Isa> instruction_sets();

// The one called `name` or, for an empty name, SKEIN_ISA's or else the widest that the processor
// supports; SKEIN_ISA is read once, at first use. Error: argument (a name that is not known, or an
// instruction set this processor lacks).
Result<const Kernels*> kernels(std::string_view name = {});

}  // namespace skein::cpu
