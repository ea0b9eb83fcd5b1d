#include "base/energy.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <fstream>

namespace skein {
namespace {

// What the kernel shows under /sys/class/powercap, as far as it is read.
class Powercap {
 public:
  Powercap() {
    std::string name = (std::filesystem::temp_directory_path() / "skein-energy-XXXXXX").string();
    if (::mkdtemp(name.data())) path_ = name;
  }
  ~Powercap() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Powercap(const Powercap&) = delete;
  Powercap& operator=(const Powercap&) = delete;

  void set(const std::string& zone, const std::string& energy, const std::string& range) const {
    std::filesystem::create_directories(path_ / zone);
    std::ofstream(path_ / zone / "energy_uj") << energy << "\n";
    std::ofstream(path_ / zone / "max_energy_range_uj") << range << "\n";
  }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

TEST(Energy, packages_are_added_and_their_parts_are_not) {
  const Powercap powercap;
  powercap.set("intel-rapl:0", "1000000", "9000000");
  powercap.set("intel-rapl:1", "5", "9000000");
  powercap.set("intel-rapl:0:0", "0", "9000000");
  powercap.set("intel-rapl-mmio:0", "0", "9000000");
  EnergyMeter meter(powercap.path());
  ASSERT_TRUE(meter.readable());
  powercap.set("intel-rapl:0", "3500000", "9000000");
  powercap.set("intel-rapl:1", "1000005", "9000000");
  powercap.set("intel-rapl:0:0", "700000", "9000000");
  powercap.set("intel-rapl-mmio:0", "700000", "9000000");
  EXPECT_DOUBLE_EQ(meter.joules(), 3.5);
  EXPECT_DOUBLE_EQ(meter.joules(), 0);
}

TEST(Energy, a_counter_that_began_anew_goes_on) {
  const Powercap powercap;
  powercap.set("intel-rapl:0", "8000000", "9000000");
  EnergyMeter meter(powercap.path());
  powercap.set("intel-rapl:0", "500000", "9000000");
  EXPECT_DOUBLE_EQ(meter.joules(), 1.5);
}

TEST(Energy, what_cannot_be_read_is_absent) {
  const Powercap powercap;
  EXPECT_FALSE(EnergyMeter(powercap.path() / "none").readable());
  EXPECT_FALSE(EnergyMeter(powercap.path()).readable());
  powercap.set("intel-rapl:0", "many", "9000000");
  EXPECT_FALSE(EnergyMeter(powercap.path()).readable());
  powercap.set("intel-rapl:1", "12", "9000000");
  EnergyMeter meter(powercap.path());
  EXPECT_TRUE(meter.readable());
  std::filesystem::remove(powercap.path() / "intel-rapl:1/energy_uj");
  EXPECT_LT(meter.joules(), 0);
}

}  // namespace
}  // namespace skein
