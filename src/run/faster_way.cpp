#include "run/faster_way.h"

#include <algorithm>

namespace skein {

FasterWay::Way FasterWay::choose() {
  constexpr int kPieces = 3;  // of each way before they are compared
  constexpr int kMostPatience = 1024;
  for (const Way way : {kSecond, kFirst})
    if (known_[way] < kPieces) return way;
  const Way faster = seconds_[kSecond] < seconds_[kFirst] ? kSecond : kFirst;
  if (++since_ < patience_) return faster;
  since_ = 0;
  patience_ = std::min(2 * patience_, kMostPatience);
  return faster == kFirst ? kSecond : kFirst;
}

void FasterWay::learn(Way way, double seconds) {
  constexpr double kRemembered = 8;
  double& mean = seconds_[way];
  // One slow piece tells of the machine's other work, and the first of what it had to prepare.
  const int known = known_[way]++;
  if (known < 2)
    mean = seconds;
  else
    mean += (std::min(seconds, 2 * mean) - mean) / kRemembered;
}

}  // namespace skein
