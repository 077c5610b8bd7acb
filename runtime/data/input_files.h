/// \file Files that are read: found by a name or a pattern, and mapped into memory.
#pragma once

#include "llvm/Support/Error.h"
#include "llvm/Support/MemoryBuffer.h"

#include <memory>
#include <string>
#include <vector>

namespace autotp {

/// The files that a name or a pattern of the shell (`*`, `?`, `[...]`) stands for, by name. What exists under the name
/// itself is meant, and so is a name without a pattern's signs, though nothing may be there. Errors: nothing matches.
llvm::Expected<std::vector<std::string>> filesOf(llvm::StringRef where, const std::string &pattern);

/// Maps a file; pages are read when they are used. Errors: there is none, or it is a folder, a FIFO or a device.
llvm::Expected<std::shared_ptr<llvm::MemoryBuffer>> mapFile(llvm::StringRef where, const std::string &path,
                                                            llvm::StringRef remedy = "");

} // namespace autotp
