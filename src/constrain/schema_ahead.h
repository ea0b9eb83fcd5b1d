// Looking ahead of what is being read.
#pragma once

#include "constrain/schema_set.h"

namespace skein::constrain {

// While one of these lives, a schema that is being read is taken for unknown. Forms that rest on
// that are not remembered. Afterwards what was unknown within is forgotten.
class SchemaSet::Ahead {
 public:
  explicit Ahead(SchemaSet& set) : set_(set), outer_(set.unknown_) {
    set_.unknown_ = false;
    ++set_.ahead_;
  }
  ~Ahead() {
    set_.unknown_ = outer_;
    if (--set_.ahead_ == 0) set_.passing_.clear();
  }
  Ahead(const Ahead&) = delete;
  Ahead& operator=(const Ahead&) = delete;

 private:
  SchemaSet& set_;
  bool outer_;
};

}  // namespace skein::constrain
