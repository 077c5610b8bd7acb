/// \file What stands under a name where output is to go, and fresh names beside it. No link is followed, nothing opened.
#pragma once

#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/Support/Error.h"

#include <string>

namespace autotp {

enum class PathKind { Absent, File, Folder, Link, Fifo, Device, Socket };

/// Errors: a path that cannot be looked up (one that leads through a file, say).
llvm::Expected<PathKind> pathKind(llvm::StringRef path);
/// "a symbolic link"
llvm::StringRef nameOf(PathKind kind);

/// Errors: the folder that `path` would lie in does not exist, or nothing can be made there.
llvm::Error checkParent(llvm::StringRef path);

/// Makes something beside `path`, under a name that nobody can foretell: "plan.autotp-5f0c3a91d7b2e846", where `word` is
/// "autotp". `make` gets such a name and says whether that went well, or sets errno: EEXIST gets it another name.
llvm::Expected<std::string> makeBeside(llvm::StringRef path, llvm::StringRef word,
                                       llvm::function_ref<bool(const char *name)> make);

/// Whether `inner`, or the folder that it is named in, is the folder `outer` or lies below it. By identity, so links and
/// mounts do not hide it.
bool encloses(llvm::StringRef outer, llvm::StringRef inner);

/// "it cannot be written: No space left on device"
llvm::Error cannotBeWritten(llvm::StringRef path, int errorNumber);

} // namespace autotp
