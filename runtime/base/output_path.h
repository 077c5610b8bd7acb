/// \file What lies at the path of an output, and fresh names beside it. Links are not followed, and nothing is opened.
#pragma once

#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/Support/Error.h"

#include <string>

namespace autotp {

enum class PathKind { Absent, File, Folder, Link, Fifo, Device, Socket };

/// Errors: the path cannot be looked up, for example since it leads through a file.
llvm::Expected<PathKind> pathKind(llvm::StringRef path);
/// Text such as "a symbolic link".
llvm::StringRef nameOf(PathKind kind);

/// Whether there is a folder at `path`, or a link to one; false if nothing is. Errors: something else is there, or the path
/// cannot be looked up. `flag` names it in messages.
llvm::Expected<bool> isFolder(llvm::StringRef flag, llvm::StringRef path);

/// Errors: the folder of `path` does not exist, or nothing can be made in it.
llvm::Error checkParent(llvm::StringRef path);

/// Makes something beside `path`, under a name that no one can predict, such as "plan.autotp-5f0c3a91d7b2e846" for the
/// `word` "autotp". `make` gets such a name and returns whether it succeeded, or sets errno; with EEXIST it is called
/// with another name.
llvm::Expected<std::string> makeBeside(llvm::StringRef path, llvm::StringRef word,
                                       llvm::function_ref<bool(const char *name)> make);

/// Whether `inner`, or the folder in which it is named, is the folder `outer` or lies below it. Folders are compared by
/// identity, so links and mounts do not hide it.
bool encloses(llvm::StringRef outer, llvm::StringRef inner);

/// An error such as "it cannot be written: No space left on device".
llvm::Error cannotBeWritten(llvm::StringRef path, int errorNumber);

} // namespace autotp
