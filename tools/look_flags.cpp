#include "tools/look_flags.h"

#include "runtime/base/error.h"

#include "llvm/Support/FormatVariadic.h"

#include <numeric>

namespace autotp {

namespace cl = llvm::cl;

static llvm::Error checkName(llvm::StringRef flag, const std::string &name, const std::vector<std::string> &known,
                             llvm::StringRef what) {
  if (llvm::is_contained(known, name)) return llvm::Error::success();
  return problem(flag, "there is no " + what.str() + " '" + escaped(name) + "'",
                 "there are: " + llvm::join(known, ", "));
}

LookFlags::LookFlags(cl::OptionCategory &category)
    : printAfter_("print-after", cl::desc("print what a pass left, or what each did"), cl::value_desc("PASS|all"),
                  cl::cat(category)),
      stopAfter_("stop-after", cl::desc("end after a pass and write no plan"), cl::value_desc("PASS"),
                 cl::cat(category)),
      dumpDir_("dump-dir", cl::desc("write what each pass left into a folder: NN-pass.txt, one for each tp rank"),
               cl::value_desc("DIR"), cl::cat(category)),
      skip_("skip-pass", cl::desc("leave out a pass that a right plan can do without; a wrong name lists those"),
            cl::value_desc("PASS"), cl::cat(category)),
      timings_("timings", cl::desc("print the time of each pass"), cl::cat(category)),
      noRecognise_("no-recognise",
                   cl::desc("keep the exporter's operators instead of fused ones: slower, the same numbers"),
                   cl::cat(category)),
      noVerify_("no-verify", cl::desc("do not prove the plan against the model's graph: --skip-pass certify"),
                cl::cat(category)) {}

llvm::Error LookFlags::read(CompileOptions &options) const {
  llvm::Error errors = llvm::Error::success();
  auto check = [&](llvm::StringRef flag, const std::string &name, const std::vector<std::string> &known,
                   llvm::StringRef what) {
    errors = llvm::joinErrors(std::move(errors), checkName(flag, name, known, what));
  };
  if (!printAfter_.empty() && printAfter_ != "all") check("--print-after", printAfter_, passNames(), "pass");
  if (!stopAfter_.empty()) check("--stop-after", stopAfter_, passNames(), "pass");
  for (const std::string &name : skip_)
    check("--skip-pass", name, optionalPassNames(), "pass that may be left out,");
  options.recognise = !noRecognise_;
  options.skipped.insert(skip_.begin(), skip_.end());
  if (noVerify_) options.skipped.insert("certify");
  options.look.printAfter = printAfter_;
  options.look.stopAfter = stopAfter_;
  options.look.printTo = &llvm::outs();
  return errors;
}

llvm::Error LookFlags::openDump(CompileOptions &options, bool force) {
  if (dumpDir_.empty()) return llvm::Error::success();
  OutputFolder::Options folder;
  folder.force = force;
  folder.inputs = {options.model};
  auto opened = OutputFolder::open(dumpDir_, std::move(folder));
  if (!opened) return opened.takeError();
  dump_ = std::move(*opened);
  options.look.dumpTo = dump_.get();
  return llvm::Error::success();
}

llvm::Error LookFlags::commitDump(llvm::raw_ostream &os) {
  if (!dump_) return llvm::Error::success();
  llvm::Expected<std::string> movedTo = dump_->commit();
  if (!movedTo) return movedTo.takeError();
  os << "dumped      " << dumpDir_ << "\n";
  if (!movedTo->empty()) os << "moved       what stood there is now " << *movedTo << "\n";
  return llvm::Error::success();
}

void LookFlags::printTimes(llvm::ArrayRef<StageTime> times, llvm::raw_ostream &os) const {
  if (!timings_) return;
  const double all = std::accumulate(times.begin(), times.end(), 0.0,
                                     [](double sum, const StageTime &time) { return sum + time.seconds; });
  os << llvm::formatv("{0,-24} {1,10} {2,7}\n", "pass", "ms", "share");
  for (const StageTime &time : times)
    os << llvm::formatv("{0,-24} {1,10:f2} {2,6:f1}%\n", time.stage, time.seconds * 1e3,
                        all > 0 ? 100 * time.seconds / all : 0);
  os << llvm::formatv("{0,-24} {1,10:f2} {2,6:f1}%\n", "all", all * 1e3, 100.0);
}

} // namespace autotp
