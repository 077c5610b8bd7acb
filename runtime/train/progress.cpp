#include "runtime/train/progress.h"

#include "runtime/base/error.h"
#include "runtime/base/output_file.h"

#include "llvm/Support/Format.h"
#include "llvm/Support/JSON.h"

#include <unistd.h>

#include <cmath>

namespace autotp {
namespace {

/// Gives null for infinity and NaN, which JSON does not have.
llvm::json::Value number(double x) { return std::isfinite(x) ? llvm::json::Value(x) : llvm::json::Value(nullptr); }

} // namespace

llvm::Expected<std::unique_ptr<Progress>> Progress::open(const ProgressOptions &options) {
  auto progress = std::make_unique<Progress>();
  progress->isQuiet_ = options.isQuiet;
  progress->hasBar_ = options.hasBar && isatty(STDOUT_FILENO);
  if (options.log.empty()) return progress;
  progress->logName_ = "--log " + escaped(options.log);
  llvm::Expected<std::unique_ptr<llvm::raw_fd_ostream>> stream = openStreamed(options.log, options.isAppended);
  if (!stream) return stream.takeError();
  progress->log_ = std::move(*stream);
  return progress;
}

/// report() has flushed the log and returned its errors.
Progress::~Progress() {
  if (!log_) return;
  log_->close();
  log_->clear_error();
}

llvm::Error Progress::writeLog(const StepReport &s) {
  {
    llvm::json::OStream json(*log_);
    json.object([&] {
      json.attribute("step", s.step);
      json.attribute("loss", number(s.loss));
      json.attribute("grad_norm", number(s.gradNorm));
      json.attribute("lr", s.lr);
      json.attribute("tokens_per_s", s.tokensPerSecond);
      json.attribute("memory_bytes", int64_t(s.memoryBytes));
      json.attribute("ms", s.milliseconds);
      if (s.lossScale != 0) json.attribute("loss_scale", s.lossScale);
    });
  }
  *log_ << "\n";
  return flushed(*log_, logName_);
}

llvm::Error Progress::say(llvm::StringRef line) {
  if (isQuiet_) return llvm::Error::success();
  if (hasBar_) llvm::outs() << "\r\x1b[K"; // over the bar
  llvm::outs() << line << "\n";
  return flushed(llvm::outs(), "standard output");
}

llvm::Error Progress::report(const StepReport &s) {
  if (log_)
    if (llvm::Error error = writeLog(s)) return error;
  if (isQuiet_) return llvm::Error::success();
  llvm::raw_fd_ostream &os = llvm::outs();
  if (hasBar_) os << "\r\x1b[K";
  os << "step " << s.step << "/" << s.steps
     << llvm::format(" loss %.4f grad_norm %.2f lr %.1e tokens/s %.0f mem %.0f MiB", s.loss, s.gradNorm, s.lr,
                     s.tokensPerSecond, double(s.memoryBytes) / 1048576.0);
  if (s.lossScale != 0 && !std::isfinite(s.gradNorm))
    os << llvm::format(" skipped: gradients overflow, loss scale is now %.0f", s.lossScale);
  os << "\n";
  if (hasBar_ && s.step < s.steps) {
    constexpr int kWidth = 40;
    int done = int(kWidth * s.step / s.steps);
    double secondsLeft = double(s.steps - s.step) * s.milliseconds / 1000;
    os << "[" << std::string(size_t(done), '#') << std::string(size_t(kWidth - done), '.')
       << llvm::format("] %3.0f%%  %.0f s left", 100.0 * double(s.step) / double(s.steps), secondsLeft);
  }
  return flushed(os, "standard output");
}

} // namespace autotp
