/// \file Every kernel of the cuda device at the sizes of Llama-3.2-1B, batch 4 x 1024: its time, and its GB/s or TFLOP/s
/// as a share of what a copy and a large product reach in the same run; and the training steps that autotp-run logged.
///
/// usage: cuda_kernels [--tiny] [--repeats N] [--step PRECISION=FILE]... [--torch FILE] [--json FILE]
/// --tiny: sizes for a test. --step: what `autotp-run --log` wrote of that model in fp32, tf32 or bf16. --torch: what
/// bench/cuda_torch.py wrote: {"name": ms}, shown beside; of torch.compile where the name ends so.
#include "bench/cuda_timing.h"
#include "runtime/base/error.h"
#include "runtime/base/output_file.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/raw_ostream.h"

#include <algorithm>
#include <cstdio>

namespace autotp::bench {
namespace {

llvm::cl::opt<bool> isTiny("tiny", llvm::cl::desc("sizes for a test"));
llvm::cl::opt<int> repeats("repeats", llvm::cl::init(11), llvm::cl::desc("of each call; the median counts"));
llvm::cl::list<std::string> steps("step", llvm::cl::desc("PRECISION=FILE: a log of training steps"));
llvm::cl::opt<std::string> torchFile("torch", llvm::cl::desc("times of PyTorch to show beside"));
llvm::cl::opt<std::string> jsonFile("json", llvm::cl::desc("where to write the table as JSON"));

/// How products are computed, and the rate of a large one.
struct Precision {
  const char *name;
  DType dtype;
  bool allowsTf32;
  double tflops = 0;
};

/// What nothing is expected to surpass in this run.
struct References {
  double copyGBs = 0;
  Precision precisions[3] = {{"fp32", DType::F32, false}, {"tf32", DType::F32, true}, {"bf16", DType::BF16, false}};
};

llvm::Expected<References> measureReferences(TimingOptions options) {
  References best;
  const size_t bytes = isTiny ? size_t(1) << 16 : size_t(1) << 30;
  llvm::Expected<double> copy = timeCopy(bytes, options);
  if (!copy) return copy.takeError();
  best.copyGBs = 2 * double(bytes) / *copy * 1e-6;
  std::printf("copy of %zu MiB within the GPU: %.0f GB/s (read and written)\n", bytes >> 20, best.copyGBs);
  const int64_t n = isTiny ? 48 : 8192;
  for (Precision &precision : best.precisions) {
    const TensorShape square{precision.dtype, {n, n}};
    options.allowsTf32 = precision.allowsTf32;
    llvm::Expected<double> ms = timeCall({"MatMul", KernelId::MatMul, {square, square}, {square}}, options);
    if (!ms) return ms.takeError();
    precision.tflops = 2 * double(n) * double(n) * double(n) / *ms * 1e-9;
    std::printf("product of %lld^3 by cuBLASLt, %s: %.1f TFLOP/s\n", static_cast<long long>(n), precision.name,
                precision.tflops);
  }
  std::printf("\n");
  return best;
}

/// PyTorch's times; empty where none were measured.
llvm::Expected<llvm::json::Object> torchTimes() {
  if (torchFile.empty()) return llvm::json::Object();
  auto text = llvm::MemoryBuffer::getFile(torchFile);
  if (!text) return problem(torchFile, text.getError().message());
  llvm::Expected<llvm::json::Value> value = llvm::json::parse((*text)->getBuffer());
  if (!value) return value.takeError();
  if (llvm::json::Object *times = value->getAsObject()) return std::move(*times);
  return problem(torchFile, "holds no times by name");
}

/// What is measured: bound by arithmetic where it has any, else by memory.
struct Row {
  std::string name;
  double ms, flops, bytes;
};

/// On the terminal, and the same as JSON.
llvm::json::Object report(const Row &r, double peakTFlops, double copyGBs, const llvm::json::Object &torch) {
  llvm::json::Object row{{"name", r.name}, {"ms", r.ms}};
  std::printf("%-28s %10.4f", r.name.c_str(), r.ms);
  if (r.flops > 0) {
    const double rate = r.flops / r.ms * 1e-9;
    row["tflops"] = rate;
    row["share"] = rate / peakTFlops;
    std::printf(" %10s %9.1f %7.0f%%", "", rate, 100 * rate / peakTFlops);
  } else {
    const double rate = r.bytes / r.ms * 1e-6;
    row["gbs"] = rate;
    row["share"] = rate / copyGBs;
    std::printf(" %10.0f %9s %7.0f%%", rate, "", 100 * rate / copyGBs);
  }
  for (const std::string end : {"", " compiled"})
    if (llvm::Optional<double> peer = torch.getNumber(r.name + end)) {
      row[end.empty() ? "torch_ms" : "torch_compiled_ms"] = *peer;
      row[end.empty() ? "ratio" : "compiled_ratio"] = r.ms / *peer;
      std::printf(" %10.4f %7.2f", *peer, r.ms / *peer);
    }
  std::printf("\n");
  std::fflush(stdout);
  return row;
}

/// `call` with its f32 operands and results in another dtype.
KernelCall inDType(KernelCall call, DType dtype) {
  for (auto *tensors : {&call.operands, &call.results})
    for (TensorShape &tensor : *tensors)
      if (tensor.dtype == DType::F32) tensor.dtype = dtype;
  return call;
}

bool isProduct(KernelId kernel) {
  return kernel == KernelId::MatMul || kernel == KernelId::MatMulBias || kernel == KernelId::MatMulBiasGelu ||
         kernel == KernelId::MatMulGeluGrad;
}

llvm::Error reportKernels(TimingOptions options, const References &best, const llvm::json::Object &torch,
                          llvm::json::Array &rows) {
  for (const KernelCall &call : kernelCalls(isTiny ? kTiny : kLlama1B))
    for (const Precision &precision : best.precisions) {
      const bool isFirst = &precision == best.precisions;
      if (!isFirst && !isProduct(call.kernel)) continue;
      options.allowsTf32 = precision.allowsTf32;
      llvm::Expected<double> ms = timeCall(inDType(call, precision.dtype), options);
      if (!ms) return llvm::joinErrors(problem(call.name, "cannot be measured"), ms.takeError());
      const std::string end = isFirst ? "" : std::string(", ") + precision.name;
      rows.push_back(
          report({call.name + end, *ms, call.flops, call.bytesMoved()}, precision.tflops, best.copyGBs, torch));
    }
  return llvm::Error::success();
}

/// The median of the steps but the first 3, which load code and capture graphs.
llvm::Expected<double> medianStep(llvm::StringRef file) {
  auto text = llvm::MemoryBuffer::getFile(file);
  if (!text) return problem(file, text.getError().message());
  std::vector<double> times;
  for (llvm::StringRef line : llvm::split((*text)->getBuffer(), '\n')) {
    if (line.empty()) continue;
    llvm::Expected<llvm::json::Value> value = llvm::json::parse(line);
    if (!value) return value.takeError();
    const llvm::json::Object *step = value->getAsObject();
    llvm::Optional<double> ms = step ? step->getNumber("ms") : llvm::None;
    if (!ms) return problem(file, "a line has no ms");
    times.push_back(*ms);
  }
  if (times.size() < 4) return problem(file, "it has fewer than 4 steps");
  times.erase(times.begin(), times.begin() + 3);
  std::nth_element(times.begin(), times.begin() + long(times.size() / 2), times.end());
  return times[times.size() / 2];
}

llvm::Error reportSteps(const References &best, const llvm::json::Object &torch, llvm::json::Array &rows) {
  for (llvm::StringRef step : steps) {
    auto [name, file] = step.split('=');
    const auto *precision =
        llvm::find_if(best.precisions, [&, name = name](const Precision &p) { return name == p.name; });
    if (precision == std::end(best.precisions)) return problem("--step " + step.str(), "is not of fp32, tf32 or bf16");
    llvm::Expected<double> ms = medianStep(file);
    if (!ms) return ms.takeError();
    rows.push_back(report({("training step, " + name).str(), *ms, kLlama1B.stepFlops(), 0}, precision->tflops,
                          best.copyGBs, torch));
  }
  return llvm::Error::success();
}

llvm::Error run() {
  TimingOptions options;
  options.repeats = std::max<int>(1, repeats);
  options.flushBytes = isTiny ? 4096 : size_t(256) << 20;
  llvm::Expected<llvm::json::Object> torch = torchTimes();
  if (!torch) return torch.takeError();
  llvm::Expected<References> best = measureReferences(options);
  if (!best) return best.takeError();
  std::printf("%-28s %10s %10s %9s %8s %10s %7s %10s %7s\n", "", "ms", "GB/s", "TFLOP/s", "share", "torch ms", "ratio",
              "compiled", "ratio");
  llvm::json::Array rows;
  if (llvm::Error error = reportSteps(*best, *torch, rows)) return error;
  if (llvm::Error error = reportKernels(options, *best, *torch, rows)) return error;
  if (jsonFile.empty()) return llvm::Error::success();
  cudaDeviceProp gpu{};
  if (cudaGetDeviceProperties(&gpu, 0) != cudaSuccess) return problem("benchmark", "the GPU does not say its name");
  llvm::json::Object all{{"gpu", gpu.name}, {"copy_gbs", best->copyGBs}, {"rows", std::move(rows)}};
  for (const Precision &precision : best->precisions)
    all[std::string(precision.name) + "_tflops"] = precision.tflops;
  llvm::Expected<std::unique_ptr<OutputFile>> file = OutputFile::create(jsonFile);
  if (!file) return file.takeError();
  (*file)->stream() << llvm::json::Value(std::move(all)) << "\n";
  return (*file)->commit();
}

} // namespace
} // namespace autotp::bench

int main(int argc, char **argv) {
  llvm::cl::ParseCommandLineOptions(argc, argv, "times the kernels of the cuda device\n");
  llvm::Error error = autotp::bench::run();
  if (!error) return 0;
  std::fprintf(stderr, "%s\n", autotp::describe(std::move(error)).c_str());
  return 1;
}
