/// \file The static __shared__ variables of the program, found by their symbols.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace emulation {

struct SharedVariable {
  std::string name; // as the compiler writes it
  std::byte *address;
  size_t bytes;
};
/// Read once from the program's own symbol table; empty where it was stripped.
const std::vector<SharedVariable> &sharedVariables();
/// Fills all of them with 0xFF.
void poisonSharedVariables();

} // namespace emulation
