/// \file The file of a program. A protobuf message ends at 2 GiB, but frozen weights are constants of a program, so the
/// constants' bytes lie behind the message:
///   "autotp-p", the length of the message (u64, little-endian), the message with empty `data` of constants, then the data
///   of one constant after the other
#pragma once

#include "runtime/plan/plan.pb.h"

#include "llvm/Support/Error.h"
#include "llvm/Support/raw_ostream.h"

namespace autotp {

/// The message of a program without the constants' data: the same bytes for the same program. It needs a copy of the
/// program for a moment.
std::string messageOf(const plan::Program &program);

/// Writes a program, whose message has been made by messageOf().
void writeProgram(llvm::raw_ostream &os, const plan::Program &program, llvm::StringRef message);

/// Reads and checks `path`. Errors: another digest than the manifest's, a file that is no program, and all of
/// checkProgram().
llvm::Expected<plan::Program> readProgram(llvm::StringRef path, llvm::StringRef digest, int64_t tp, int64_t dp);

} // namespace autotp
