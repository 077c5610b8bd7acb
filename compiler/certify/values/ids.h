/// \file Numbers by which the certificate names what it speaks of.
#pragma once

#include "llvm/ADT/SmallVector.h"

#include <cstdint>

namespace autotp {

using ListId = uint32_t;                    ///< an ordered list of indices, see IndexLists
using Lists = llvm::SmallVector<ListId, 6>; ///< one for each dimension
using Sizes = llvm::SmallVector<int64_t, 6>;

using RootId = uint32_t; ///< a value that is computed or given, not merely looked at; see GlobalValues
using ViewId = uint32_t; ///< a way in which the graph looks at a root

using PathId = uint32_t; ///< the operators through which a Partial sum has come, see Contributions

} // namespace autotp
