/// \file Files that are read.
#pragma once

#include "llvm/Support/Error.h"
#include "llvm/Support/MemoryBuffer.h"

#include <memory>

namespace autotp {

/// Maps a file; pages are read when they are used. Links are followed. `where` begins the messages. Errors: there is no
/// such file, or it is a folder, a FIFO or a device: a command would wait at these for ever, or never reach their end,
/// so they are not even opened.
llvm::Expected<std::unique_ptr<llvm::MemoryBuffer>> mapFile(llvm::StringRef where, llvm::StringRef path,
                                                            llvm::StringRef remedy = "");
/// The same, with the path as the place of the message.
llvm::Expected<std::unique_ptr<llvm::MemoryBuffer>> mapFile(llvm::StringRef path);

} // namespace autotp
