// Which of two ways to do the same takes less time, here and now.
#pragma once

namespace skein {

// Both are tried at first, and then the slower one again from time to time.
class FasterWay {
 public:
  enum Way { kFirst, kSecond };

  // For the next piece of work, which learn() is told of.
  Way choose();
  void learn(Way way, double seconds);

 private:
  double seconds_[2] = {};
  int known_[2] = {};
  int since_ = 0;  // pieces since a look at the slower way
  int patience_ = 16;
};

}  // namespace skein
