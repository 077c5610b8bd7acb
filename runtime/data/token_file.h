/// \file A file of tokens, whatever it looks like: an array of whole numbers in memory.
#pragma once

#include "runtime/data/element_type.h"

#include <memory>
#include <string>
#include <vector>

namespace autotp {

struct TokenFile {
  std::string path;
  ElementType type; ///< of whole numbers
  const char *tokens = nullptr;
  int64_t count = 0;
  std::shared_ptr<const void> owner; ///< of the memory in which they lie: the mapped file, mostly
  std::vector<std::string> beside;   ///< other files that belong to it and are read too

  int64_t at(int64_t index) const {
    return visitElement(type, [&](auto zero) { return int64_t(loadElement<decltype(zero)>(tokens, size_t(index))); });
  }
};

} // namespace autotp
