#include "hub/official.h"

#include <algorithm>

namespace skein::hub {
namespace {

// clang-format off
constexpr OfficialModel kModels[] = {
    {"g1-0.1b", "BlinkDL/rwkv7-g1", "rwkv7-g1d-0.1b-20260129-ctx8192.pth", 382231495, ""},
    {"g1-0.4b", "BlinkDL/rwkv7-g1", "rwkv7-g1d-0.4b-20260210-ctx8192.pth", 901779157, ""},
    {"g1-1.5b", "BlinkDL/rwkv7-g1", "rwkv7-g1k-1.5b-20260930-ctx25600.pth", 3055444605, ""},
    {"g1-2.9b", "BlinkDL/rwkv7-g1", "rwkv7-g1k-2.9b-20260930-ctx25600.pth", 5896274949, ""},
    {"g1-7.2b", "BlinkDL/rwkv7-g1", "rwkv7-g1k-7.2b-20260930-ctx25600.pth", 14400009333, ""},
    {"g1-13.3b", "BlinkDL/rwkv7-g1", "rwkv7-g1k-13.3b-20260930-ctx25600.pth", 26540868485, ""},
    {"world7-0.1b", "BlinkDL/rwkv-7-world", "RWKV-x070-World-0.1B-v2.8-20241210-ctx4096.pth", 382195690, "60c98129b9529963bff2c164b8ab4bd17c19332ae06dc2dcae32aa3a3739295a"},
    {"world7-0.4b", "BlinkDL/rwkv-7-world", "RWKV-x070-World-0.4B-v2.9-20250107-ctx4096.pth", 901794466, "c08cf602b33e59a5717b8f0cafaf7f04c50c1c67166e477aa2f47c5ca180da4a"},
    {"world7-1.5b", "BlinkDL/rwkv-7-world", "RWKV-x070-World-1.5B-v3-20250127-ctx4096.pth", 3055062345, "23e13ff62ac6f80b28910ffc230324939e80ddb00b98f892a5951c0da071e700"},
    {"world7-2.9b", "BlinkDL/rwkv-7-world", "RWKV-x070-World-2.9B-v3-20250211-ctx4096.pth", 5895796446, "5d7901b91ef1646115db03d03d171370bca454061ad426a1256fda9e1c428cf8"},
    {"world6-1.6b", "BlinkDL/rwkv-6-world", "RWKV-x060-World-1B6-v2.1-20240328-ctx4096.pth", 3199845663, "cda1f0ebe802e2859bfa129546372fd1eac60319111f215f65ced67dd334db36"},
    {"world6-3b", "BlinkDL/rwkv-6-world", "RWKV-x060-World-3B-v2.1-20240417-ctx4096.pth", 6199859158, "c7c4e68ea6d561661de0562c8f229e62668f9c2d804346a87ae28d6209cc4738"},
    {"world6-7b", "BlinkDL/rwkv-6-world", "RWKV-x060-World-7B-v3-20241112-ctx4096.pth", 15271627549, "ad2809d8f49d14711dee58541226d9a2c9a46e9cbc0b19279f031721ecf87906"},
    {"world6-14b", "BlinkDL/rwkv-6-world", "RWKV-x060-World-14B-v2.1-20240719-ctx4096.pth", 28138429796, "b65ad980b70833dbfab88c6894784cb0772ae15bd8850f23e7bc10334e785c06"},
    {"world5-0.1b", "BlinkDL/rwkv-5-world", "RWKV-5-World-0.1B-v1-20230803-ctx4096.pth", 385598386, "c844a3ee05bcb9065848cb05b10c48a3f381f5ac1953aad89e156ecdf31d7703"},
    {"world5-0.4b", "BlinkDL/rwkv-5-world", "RWKV-5-World-0.4B-v2-20231113-ctx4096.pth", 923523954, "5a288c54c7f30b0e2d4af23991133fad2af2d5e59ec7ad850ffe78054a5e4f92"},
    {"world5-1.5b", "BlinkDL/rwkv-5-world", "RWKV-5-World-1B5-v2-20231025-ctx4096.pth", 3155590194, "5a89f56be7f82ab9dd0835af9a6838f788477471616c02f7b041e3aea0c57435"},
    {"world5-3b", "BlinkDL/rwkv-5-world", "RWKV-5-World-3B-v2-20231113-ctx4096.pth", 6126106674, "a4bd430343c6fd138b85bbc68bb20262d3a2f053ea57dc4b41078269af68ff9c"},
    {"world5-7b", "BlinkDL/rwkv-5-world", "RWKV-5-World-7B-v2-20240128-ctx4096.pth", 15036197526, "a88c7274184b211e5545c8f992f0b80d03c40a447980bbfcd0f6d5858982615a"},
    {"world4-0.1b", "BlinkDL/rwkv-4-world", "RWKV-4-World-0.1B-v1-20230520-ctx4096.pth", 385594610, "a10ef99df2a8f8a6801edf4fc92a9c49bedd63dcb900d3e5667a2136b3d671e7"},
    {"world4-0.4b", "BlinkDL/rwkv-4-world", "RWKV-4-World-0.4B-v1-20230529-ctx4096.pth", 923362866, "4b4a2733cf5e5dc97dd62106f391d99895d16b11c5ccd10c89f28c52067a4919"},
    {"world4-1.5b", "BlinkDL/rwkv-4-world", "RWKV-4-World-1.5B-v1-fixed-20230612-ctx4096.pth", 3155281586, "71f0c3229f9227cbcb8ae5fee6461197129a57e26366c4d23a49058417b046c9"},
    {"world4-3b", "BlinkDL/rwkv-4-world", "RWKV-4-World-3B-v1-20230619-ctx4096.pth", 6125597618, "1b227af317fa25b6939ab3c7cd321226ca48b8fe4bbbd2df3db669f1482c54ba"},
    {"world4-7b", "BlinkDL/rwkv-4-world", "RWKV-4-World-7B-v1-20230626-ctx4096.pth", 15035393586, "db7b011247a0fe4389e1d76e3d6a904185f85d509c8a44ad18bf401094efc293"},
};
// clang-format on

constexpr std::string_view kLine = "rwkv7-g";  // g0, g1, g1a, ... g1k

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// The first eight digits between dashes: "20260129"; empty if there are none.
std::string_view date_in(std::string_view file_name) {
  constexpr size_t kDigits = 8;
  while (!file_name.empty()) {
    const size_t dash = std::min(file_name.find('-'), file_name.size());
    const std::string_view word = file_name.substr(0, dash);
    if (word.size() == kDigits && std::all_of(word.begin(), word.end(), is_digit)) return word;
    file_name.remove_prefix(std::min(dash + 1, file_name.size()));
  }
  return {};
}

}  // namespace

std::span<const OfficialModel> official_models() { return kModels; }

const OfficialModel* find_official(std::string_view name) {
  const auto found =
      std::find_if(std::begin(kModels), std::end(kModels), [&](const OfficialModel& model) {
        return std::equal(name.begin(), name.end(), model.name.begin(), model.name.end(),
                          [](char a, char b) { return lower(a) == b; });
      });
  return found == std::end(kModels) ? nullptr : found;
}

bool is_file_of(const OfficialModel& model, std::string_view file_name) {
  if (!model.is_line()) return file_name == model.file;
  // "rwkv7-g1d-0.4b-20260210-ctx8192.pth" of "g1-0.4b": what stands between is the data's version,
  // and a trial has a longer one.
  constexpr size_t kVersion = 3;
  if (!file_name.starts_with(kLine) || !file_name.ends_with(".pth")) return false;
  const std::string_view rest = file_name.substr(kLine.size());
  const std::string_view version = rest.substr(0, rest.find('-'));
  const std::string_view size = model.name.substr(model.name.find('-'));  // "-0.4b"
  const std::string_view behind = rest.substr(version.size());
  return !version.empty() && version.size() <= kVersion && is_digit(version[0]) &&
         behind.starts_with(size) && behind.substr(size.size()).starts_with('-') &&
         !date_in(behind).empty();
}

const OfficialModel* official_of(std::string_view file_name) {
  const auto found =
      std::find_if(std::begin(kModels), std::end(kModels),
                   [&](const OfficialModel& model) { return is_file_of(model, file_name); });
  return found == std::end(kModels) ? nullptr : found;
}

std::string newest_of(const OfficialModel& model, std::span<const std::string> file_names) {
  std::string_view newest;
  for (const std::string& name : file_names)
    if (is_file_of(model, name) && (newest.empty() || date_in(name) > date_in(newest)))
      newest = name;
  return std::string(newest);
}

}  // namespace skein::hub
