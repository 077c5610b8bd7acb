#include "tools/look_into.h"

#include "passes/compile_options.h"
#include "passes/compiled_model.h"
#include "runtime/base/error.h"

#include <numeric>

namespace autotp {

llvm::Expected<std::unique_ptr<OutputFolder>> openDump(CompileOptions &options) {
  if (options.files.dump.empty()) return nullptr;
  OutputFolder::Options folder;
  folder.force = options.files.movesAside;
  folder.inputs = {options.model};
  auto opened = OutputFolder::open(options.files.dump, std::move(folder));
  if (opened) options.look.dumpTo = opened->get();
  return opened;
}

llvm::Error commitDump(OutputFolder *dump, llvm::StringRef path, llvm::raw_ostream &os) {
  if (!dump) return llvm::Error::success();
  llvm::Expected<std::string> movedTo = dump->commit();
  if (!movedTo) return movedTo.takeError();
  os << "dumped      " << path << "\n";
  if (!movedTo->empty()) os << "moved       what stood there is now " << *movedTo << "\n";
  return llvm::Error::success();
}

void printTimes(llvm::ArrayRef<StageTime> times, llvm::raw_ostream &os) {
  const double all = std::accumulate(times.begin(), times.end(), 0.0,
                                     [](double sum, const StageTime &time) { return sum + time.seconds; });
  os << llvm::formatv("{0,-24} {1,10} {2,7}\n", "pass", "ms", "share");
  for (const StageTime &time : times)
    os << llvm::formatv("{0,-24} {1,10:f2} {2,6:f1}%\n", time.stage, time.seconds * 1e3,
                        all > 0 ? 100 * time.seconds / all : 0);
  os << llvm::formatv("{0,-24} {1,10:f2} {2,6:f1}%\n", "all", all * 1e3, 100.0);
}

} // namespace autotp
