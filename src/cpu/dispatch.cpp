#include "cpu/dispatch.h"

#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#ifdef SKEIN_X86_KERNELS
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cpu/kernels_amx.h"
#endif

#if defined(SKEIN_ARM_KERNELS) && defined(__linux__)
#include <sys/auxv.h>
#endif

namespace skein::cpu {
namespace {

#ifdef SKEIN_X86_KERNELS
// clang 16 does not know "f16c" as a name for __builtin_cpu_supports.
bool has_f16c() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_F16C);
}
#endif

#ifdef SKEIN_X86_KERNELS
// The system saves tiles only for processes that have asked (Linux 5.16 and later).
bool tiles_permitted() {
#ifdef __linux__
  constexpr long kRequestPermission = 0x1023, kTileData = 18;  // ARCH_REQ_XCOMP_PERM, XTILEDATA
  return ::syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
#else
  return false;
#endif
}

bool has_amx() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return false;
  constexpr unsigned kBf16 = 1u << 22, kTile = 1u << 24, kInt8 = 1u << 25;
  if ((d & kBf16) == 0 || (d & kTile) == 0 || (d & kInt8) == 0) return false;
  return __builtin_cpu_supports("avx512bf16") && tiles_permitted() && amx::tiles_work();
}
#endif

#ifdef SKEIN_ARM_KERNELS
struct ArmFeatures {
  bool dotprod = false;
  bool i8mm = false;
};
ArmFeatures arm_features() {
#ifdef __linux__
  return {(::getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0,
          (::getauxval(AT_HWCAP2) & HWCAP2_I8MM) != 0};
#else
  return {};
#endif
}
#endif

std::vector<Isa> find_instruction_sets() {
  std::vector<Isa> all = {{&kScalarKernels, true}};
#ifdef SKEIN_X86_KERNELS
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && has_f16c();
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") &&
                      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
                      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vnni");
  all.push_back({&kAvx2Kernels, avx2});
  all.push_back({&kAvx512Kernels, avx512});
  static const Kernels amx_kernels = [] {
    Kernels table = kAvx512Kernels;
    table.name = "amx";
    table.title = "AMX";
    table.linear = amx::kTileKernels.linear;
    table.fast_form = FastForm::bf16;
    table.round_rows = amx::kTileKernels.round_rows;
    table.linear_fast = amx::kTileKernels.linear_fast;
    return table;
  }();
  all.push_back({&amx_kernels, avx512 && has_amx()});
#endif
#ifdef SKEIN_ARM_KERNELS
  const ArmFeatures features = arm_features();
  all.push_back({&kNeonKernels, true});
  all.push_back({&kDotProdKernels, features.dotprod});
  all.push_back({&kI8mmKernels, features.dotprod && features.i8mm});
#endif
  return all;
}

// `source` says in messages where the name came from.
Result<const Kernels*> choose(std::string_view name, const char* source) {
  std::string known;
  for (const Isa& isa : instruction_sets()) {
    known += (known.empty() ? "" : ", ") + std::string(isa.kernels->name);
    if (name != isa.kernels->name) continue;
    if (isa.supported) return isa.kernels;
    return fail(Code::argument, "{} is \"{}\", which this processor does not support", source,
                name);
  }
  return fail(Code::argument, "{} is \"{}\"; known are {}", source, escaped(name), known);
}

Result<const Kernels*> choose_default() {
  const char* setting = std::getenv("SKEIN_ISA");
  if (setting && *setting) return choose(setting, "SKEIN_ISA");
  const Kernels* widest = nullptr;
  for (const Isa& isa : instruction_sets())
    if (isa.supported) widest = isa.kernels;
  return widest;
}

}  // namespace

std::span<const Isa> instruction_sets() {
  static const std::vector<Isa> all = find_instruction_sets();
  return all;
}

Result<const Kernels*> kernels(std::string_view name) {
  if (!name.empty()) return choose(name, "the instruction set");
  static const Result<const Kernels*> chosen = choose_default();
  return chosen;
}

}  // namespace skein::cpu
