/// \file What --data says: sources with their weights.
#pragma once

#include "llvm/Support/Error.h"

#include <optional>
#include <string>
#include <vector>

namespace autotp {

struct DataKind;

/// One of the items between commas: [KIND:]PATTERN[:WEIGHT].
struct DataItem {
  const DataKind *kind = nullptr; ///< null: each file tells its own
  std::string pattern;
  std::optional<double> weight;
};

/// Reads "a.bin:0.7,text:b*.log:0.3". What stands before the first colon is a kind if it is the name of one, and what stands
/// behind the last one a weight if it is a number; a file of the whole name is meant first. Errors, all at once: an item
/// is empty, a weight is not above 0, or only some of the items have weights.
llvm::Expected<std::vector<DataItem>> parseDataSpec(llvm::StringRef spec);

} // namespace autotp
