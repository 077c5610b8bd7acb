/// \file Looks for tokens outside the vocabulary in whole files, with all cores.
#pragma once

#include "runtime/data/token_file.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/STLFunctionalExtras.h"

#include <optional>

namespace autotp {

/// The first token of each file that is negative, or is `limit` or more, and is not legal nevertheless. Several threads call
/// `isLegal` at once.
std::vector<std::optional<int64_t>> firstOutside(llvm::ArrayRef<const TokenFile *> files, uint64_t limit,
                                                 llvm::function_ref<bool(int64_t token)> isLegal);

} // namespace autotp
