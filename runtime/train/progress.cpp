#include "runtime/train/progress.h"

#include "runtime/base/error.h"
#include "runtime/base/output_file.h"

#include "llvm/Support/Format.h"
#include "llvm/Support/FormatVariadic.h"
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
  if (!options.tensorboard.empty()) {
    auto board = TensorBoard::open(options.tensorboard);
    if (!board) return board.takeError();
    progress->tensorboard_ = std::move(*board);
  }
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

llvm::Error Progress::write(int64_t step, llvm::ArrayRef<Written> numbers) {
  if (log_) {
    {
      llvm::json::OStream json(*log_);
      json.object([&] {
        json.attribute("step", step);
        for (const Written &number : numbers)
          if (!number.key.empty()) json.attribute(number.key, number.value);
      });
    }
    *log_ << "\n";
    if (llvm::Error error = flushed(*log_, logName_)) return error;
  }
  if (!tensorboard_) return llvm::Error::success();
  std::vector<TensorBoard::Scalar> scalars;
  for (const Written &number : numbers)
    if (!number.tag.empty()) scalars.push_back({number.tag, number.value.getAsNumber().getValueOr(NAN)});
  return tensorboard_->write(step, scalars);
}

llvm::Error Progress::say(llvm::StringRef line) {
  if (isQuiet_) return llvm::Error::success();
  if (hasBar_) llvm::outs() << "\r\x1b[K"; // over the bar
  llvm::outs() << line << "\n";
  return flushed(llvm::outs(), "standard output");
}

llvm::Error Progress::report(const StepReport &s) {
  llvm::SmallVector<Written, 10> numbers = {
      {"loss", "train/loss", number(s.loss)},
      {"grad_norm", "train/grad_norm", number(s.gradNorm)},
      {"lr", "train/lr", s.lr},
      {"tokens_per_s", "train/tokens_per_s", s.tokensPerSecond},
      {"memory_bytes", "train/memory_bytes", int64_t(s.memoryBytes)},
      {"ms", "train/ms", s.milliseconds},
      {"tflops", "train/tflops", s.tflops},
  };
  if (s.mfu != 0) numbers.push_back({"mfu", "train/mfu", s.mfu});
  if (s.lossScale != 0) numbers.push_back({"loss_scale", "train/loss_scale", s.lossScale});
  if (llvm::Error error = write(s.step, numbers)) return error;
  if (isQuiet_) return llvm::Error::success();
  llvm::raw_fd_ostream &os = llvm::outs();
  if (hasBar_) os << "\r\x1b[K";
  os << "step " << s.step << "/" << s.steps
     << llvm::format(" loss %.4f grad_norm %.2f lr %.1e tokens/s %.0f mem %.0f MiB", s.loss, s.gradNorm, s.lr,
                     s.tokensPerSecond, double(s.memoryBytes) / 1048576.0);
  if (s.mfu != 0) os << llvm::format(" mfu %.1f%%", 100 * s.mfu);
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

llvm::Error Progress::report(const EvaluationReport &e) {
  if (llvm::Error error = write(e.step, {{"eval_loss", "eval/loss", number(e.loss)},
                                         {"eval_samples", "", e.samples},
                                         {"eval_ms", "", e.milliseconds}}))
    return error;
  return say(llvm::formatv("step {0} evaluation: loss {1:f4} ({2} samples, {3:f1} s)", e.step, e.loss, e.samples,
                           e.milliseconds / 1e3)
                 .str());
}

} // namespace autotp
