/// \file What --dump-dir and --timings show of a compile.
#pragma once

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/raw_ostream.h"

#include <memory>

namespace autotp {

struct CompileOptions;
class OutputFolder;
struct StageTime;

/// Opens the folder of --dump-dir and lets the compile write into it; null: none is asked for.
llvm::Expected<std::unique_ptr<OutputFolder>> openDump(CompileOptions &options);

/// Puts what was dumped under its name, also after an error of the compile. Says where what stood there lies now.
llvm::Error commitDump(OutputFolder *dump, llvm::StringRef path, llvm::raw_ostream &os);

/// The time of each pass, as a table.
void printTimes(llvm::ArrayRef<StageTime> times, llvm::raw_ostream &os);

} // namespace autotp
