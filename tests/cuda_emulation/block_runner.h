/// \file Runs the blocks of one launch, one after another, on the calling thread.
#pragma once

#include "emulation/launch.h"
#include "tests/cuda_emulation/random.h"

#include <string>

namespace emulation {

/// One launch at a time in the process: the caller holds the scheduler's lock. Returns: what went wrong, empty for
/// nothing; a launch that goes wrong ends there.
std::string runGrid(const Kernel &kernel, dim3 grid, dim3 block, size_t sharedBytes, Random &random);

} // namespace emulation
