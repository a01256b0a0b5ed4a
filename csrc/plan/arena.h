// Where each buffer of a run lies in one block of memory: buffers that live at different times may share bytes.
#pragma once

#include <cstddef>
#include <vector>

namespace speedwell {

struct Buffer {
  size_t bytes;
  int first, last;    // steps of its life, both inside it
  size_t offset = 0;  // the answer
};

// Sets the offsets, largest buffer first into the lowest gap that is free during its life (greedy by size, Pisarchyk
// and Lee, "Efficient memory management for deep neural net inference", 2020). Returns the bytes of the whole.
size_t lay_out(std::vector<Buffer>& buffers);

}  // namespace speedwell
