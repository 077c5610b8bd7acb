/// \file Equal constants of a graph, held once: exporters write a table or a mask anew for each layer, and the import
/// writes out a function's constants at each call.
#pragma once

#include "compiler/ir/tensor.h"

#include <map>

namespace autotp {

class ConstantPool {
public:
  /// Gives the tensor the memory of one with equal bytes that is still held, if there is one. Returns whether there is
  /// none. Those of a few bytes are not looked for.
  bool share(Tensor &tensor);

private:
  struct Held {
    llvm::ArrayRef<uint8_t> bytes;
    std::weak_ptr<const void> owner;
  };
  std::map<std::string, Held> held_; ///< by digest; only looked up
};

} // namespace autotp
