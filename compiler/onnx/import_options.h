/// \file What a model's file leaves open, for import.h.
#pragma once

#include "compiler/ir/budget.h"

#include "llvm/ADT/StringMap.h"

#include <cstdint>
#include <memory>

namespace autotp {

struct ImportOptions {
  llvm::StringMap<int64_t> shapes; ///< --shape: sizes of dynamic dimensions, by their name or place ("ids:1")
  int64_t microBatch = 0;          ///< the size of a dynamic batch dimension; 0 means 1
  int64_t budgetMegabytes = 0;     ///< --import-mb, what the import may take; 0: see importModel()
  std::shared_ptr<Budget> budget;  ///< made by importModel() of it, for all graphs of the model
};

} // namespace autotp
