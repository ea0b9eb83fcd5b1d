// What a model will need of memory, known before anything is allocated. One figure is announced
// everywhere: the peak of the process's resident memory while a prompt is read and an answer
// written, in whole chunks. Pages of the model file that every step reads are of it; those of the
// embedding and of matrices that are packed come and go, a few at a time.
#pragma once

#include <cstdint>

#include "ops/backend.h"
#include "tensor/stored.h"

namespace skein {

struct MemoryEstimate {
  ops::MemoryNeed host;    // weights with a second plane, where there will be one
  ops::MemoryNeed device;  // where the device has a memory of its own, else zeros
  int64_t logits = 0;      // of each sequence, on the host: a row, and what a choice from it takes
  int64_t text = 0;        // the file's metadata, and a tokenizer for its ids

  // The most that the host's, or the device's, has to give while a model is loaded and that many
  // sequences are generated: each has its state and one to go back to, and a prompt one more.
  int64_t peak(int64_t sequences = 1) const;
  int64_t device_peak(int64_t sequences = 1) const;
  // Of the peak, what is allocated once the file has been looked at: what is neither the program's
  // nor the file's.
  int64_t allocated(int64_t sequences = 1) const;
};

// What metadata and a tokenizer of so many ids take.
int64_t text_bytes(const Metadata& metadata, int64_t vocab);

}  // namespace skein
