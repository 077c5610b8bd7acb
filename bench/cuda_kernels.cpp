/// \file Every kernel of the cuda device at the sizes of Llama-3.2-1B, batch 4 x 1024, f32: its time, and its GB/s or
/// TFLOP/s as a share of what a copy and a large product reach in the same run.
///
/// usage: cuda_kernels [--tiny] [--repeats N] [--torch FILE] [--json FILE]
/// --tiny: sizes for a test. --torch: what bench/cuda_torch.py wrote: {"name": ms}, shown beside.
#include "bench/cuda_timing.h"
#include "runtime/base/error.h"

#include "llvm/Support/CommandLine.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/raw_ostream.h"

#include <cstdio>

namespace autotp::bench {
namespace {

llvm::cl::opt<bool> isTiny("tiny", llvm::cl::desc("sizes for a test"));
llvm::cl::opt<int> repeats("repeats", llvm::cl::init(11), llvm::cl::desc("of each call; the median counts"));
llvm::cl::opt<std::string> torchFile("torch", llvm::cl::desc("times of PyTorch to show beside"));
llvm::cl::opt<std::string> jsonFile("json", llvm::cl::desc("where to write the table as JSON"));

/// What nothing is expected to surpass in this run.
struct References {
  double copyGBs = 0, f32TFlops = 0, tf32TFlops = 0;
};

llvm::Expected<References> measureReferences(TimingOptions options) {
  References best;
  const size_t bytes = isTiny ? size_t(1) << 16 : size_t(1) << 30;
  llvm::Expected<double> copy = timeCopy(bytes, options);
  if (!copy) return copy.takeError();
  best.copyGBs = 2 * double(bytes) / *copy * 1e-6;
  const int64_t n = isTiny ? 48 : 8192;
  const TensorShape square{DType::F32, {n, n}};
  const KernelCall product{"MatMul", KernelId::MatMul, {square, square}, {square}};
  for (auto [allows, to] : {std::pair(false, &best.f32TFlops), {true, &best.tf32TFlops}}) {
    options.allowsTf32 = allows;
    llvm::Expected<double> ms = timeCall(product, options);
    if (!ms) return ms.takeError();
    *to = 2 * double(n) * double(n) * double(n) / *ms * 1e-9;
  }
  std::printf("copy of %zu MiB within the GPU: %.0f GB/s (read and written)\n", bytes >> 20, best.copyGBs);
  std::printf("product of %lld^3 by cuBLASLt: f32 %.1f TFLOP/s, tf32 %.1f TFLOP/s\n\n", static_cast<long long>(n),
              best.f32TFlops, best.tf32TFlops);
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

/// One row on the terminal, and the same as JSON.
llvm::json::Object report(const KernelCall &call, const std::string &name, double ms, double peakTFlops,
                          const References &best, const llvm::json::Object &torch) {
  llvm::json::Object row{{"name", name}, {"ms", ms}};
  if (call.flops > 0) {
    const double rate = call.flops / ms * 1e-9;
    row["tflops"] = rate;
    row["share"] = rate / peakTFlops;
    std::printf("%-28s %10.4f %10s %9.1f %7.0f%%", name.c_str(), ms, "", rate, 100 * rate / peakTFlops);
  } else {
    const double rate = call.bytesMoved() / ms * 1e-6;
    row["gbs"] = rate;
    row["share"] = rate / best.copyGBs;
    std::printf("%-28s %10.4f %10.0f %9s %7.0f%%", name.c_str(), ms, rate, "", 100 * rate / best.copyGBs);
  }
  if (llvm::Optional<double> peer = torch.getNumber(name)) {
    row["torch_ms"] = *peer;
    row["ratio"] = ms / *peer;
    std::printf(" %10.4f %7.2f", *peer, ms / *peer);
  }
  std::printf("\n");
  std::fflush(stdout);
  return row;
}

llvm::Error measureAll(TimingOptions options, const References &best, const llvm::json::Object &torch,
                       llvm::json::Array &rows) {
  std::printf("%-28s %10s %10s %9s %8s %10s %7s\n", "kernel", "ms", "GB/s", "TFLOP/s", "share", "torch ms", "ratio");
  for (const KernelCall &call : kernelCalls(isTiny ? kTiny : kLlama1B))
    for (bool allowsTf32 : {false, true}) {
      if (allowsTf32 && call.kernel != KernelId::MatMul) continue;
      options.allowsTf32 = allowsTf32;
      llvm::Expected<double> ms = timeCall(call, options);
      if (!ms) return llvm::joinErrors(problem(call.name, "cannot be measured"), ms.takeError());
      rows.push_back(report(call, call.name + (allowsTf32 ? ", tf32" : ""), *ms,
                            allowsTf32 ? best.tf32TFlops : best.f32TFlops, best, torch));
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
  llvm::json::Array rows;
  if (llvm::Error error = measureAll(options, *best, *torch, rows)) return error;
  if (jsonFile.empty()) return llvm::Error::success();
  cudaDeviceProp gpu{};
  if (cudaGetDeviceProperties(&gpu, 0) != cudaSuccess) return problem("benchmark", "the GPU does not say its name");
  llvm::json::Object all{{"gpu", gpu.name},
                         {"copy_gbs", best->copyGBs},
                         {"f32_tflops", best->f32TFlops},
                         {"tf32_tflops", best->tf32TFlops},
                         {"kernels", std::move(rows)}};
  std::error_code code;
  llvm::raw_fd_ostream(jsonFile, code) << llvm::json::Value(std::move(all)) << "\n";
  return code ? problem(jsonFile, code.message()) : llvm::Error::success();
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
