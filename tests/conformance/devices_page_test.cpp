/// \file docs/devices.md, asked of the devices themselves: of every kernel the dtypes that each device makes ready.
/// UPDATE_GOLDEN=1 rewrites the page.
#include "bench/kernel_calls.h"
#include "runtime/base/error.h"
#include "runtime/device/cpu/device.h"
#include "runtime/device/cuda/device.h"
#include "runtime/plan/kernels/kernel_def.h"
#include "tests/golden/expect_golden.h"

#include <gtest/gtest.h>
#include <regex>

namespace autotp::test {
namespace {

constexpr DType kAll[] = {DType::F32, DType::F64, DType::BF16, DType::F16,
                          DType::I64, DType::I32, DType::Bool, DType::U8};

/// The dtype in a call that others may take the place of: its data's, not that of ids, conditions or labels.
DType dataDType(const bench::KernelCall &call) {
  for (const auto *tensors : {&call.operands, &call.results})
    for (const TensorShape &tensor : *tensors)
      if (isFloat(tensor.dtype)) return tensor.dtype;
  return call.operands.at(0).dtype;
}

std::unique_ptr<Device> makeCpu() { return llvm::cantFail(makeCpuDevice(1)); }
std::unique_ptr<Device> makeCuda() { return llvm::cantFail(makeCudaDevice({})); }

struct DeviceColumn {
  const char *name;
  std::unique_ptr<Device> (*make)();
  llvm::StringRef (*whyMissing)(KernelId);
};
const DeviceColumn kDevices[] = {
    {"cpu", makeCpu, [](KernelId) { return llvm::StringRef(); }}, // it is the reference: it lacks nothing
    {"cuda", makeCuda, whyMissingOnCuda}};

/// Whether the device makes the call ready with `dtype` in the place of its data's.
bool accepts(const DeviceColumn &column, bench::KernelCall call, DType dtype) {
  std::unique_ptr<Device> device = column.make();
  const DType data = dataDType(call);
  const Signature &signature = signatureOf(call.kernel);
  bool hasData = false; // else its signature names all dtypes
  KernelArgs args;
  auto place = [&](std::vector<TensorShape> &from, const std::vector<Signature::Tensor> &stated,
                   std::vector<TensorArg> &to) {
    for (size_t k = 0; k < from.size(); ++k) {
      TensorShape &tensor = from[k];
      const bool isData = stated[std::min(k, stated.size() - 1)].type == Signature::Type::Data;
      hasData |= isData;
      if (isData && tensor.dtype == data) tensor.dtype = dtype;
      TensorArg arg{nullptr, tensor.dtype, {tensor.shape.begin(), tensor.shape.end()}};
      arg.data = llvm::cantFail(device->allocate(size_t(arg.elements()) * sizeOf(arg.dtype))).data();
      to.push_back(std::move(arg));
    }
  };
  place(call.operands, signature.operands, args.operands);
  place(call.results, signature.results, args.results);
  if (!hasData && dtype != data) return false;
  for (size_t r = 0; r < call.inPlace.size(); ++r)
    args.results[r].data = args.operands[size_t(call.inPlace[r])].data;
  args.attributes = call.attributes;
  args.workspace = llvm::cantFail(device->allocate(size_t(4) << 20));
  auto kernel = device->prepare(call.kernel, std::move(args));
  if (kernel) return true;
  llvm::consumeError(kernel.takeError());
  return false;
}

/// "f32 f64", or the reason why there is none.
std::string cell(const DeviceColumn &column, const KernelDef &row, const std::vector<bench::KernelCall> &calls) {
  std::string dtypes;
  bool isCalled = false;
  for (const bench::KernelCall &call : calls) {
    if (call.kernel != row.id || isCalled) continue;
    isCalled = true;
    for (DType dtype : kAll)
      if (accepts(column, call, dtype)) (dtypes += dtypes.empty() ? "" : " ") += nameOf(dtype).str();
  }
  EXPECT_TRUE(isCalled) << row.name << " has no call in bench/kernel_calls.cpp";
  std::string stated;
  for (DType dtype : row.dtypes)
    (stated += stated.empty() ? "" : " ") += nameOf(dtype).str();
  EXPECT_EQ(dtypes, stated) << row.name << " of " << column.name << ": runtime/plan/kernels/kernels.def";
  if (!dtypes.empty()) return dtypes == "f32 f64 bf16 f16 i64 i32 bool u8" ? "all" : dtypes;
  const std::string reason = column.whyMissing(row.id).str();
  EXPECT_FALSE(reason.empty()) << column.name << " lacks " << row.name << " and does not say why";
  return "missing: " + reason;
}

constexpr const char *kHead =
    "# Kernels and devices\n"
    "The signature of each kernel of `runtime/plan/kernels/kernels.def` (`signature.h` has its grammar), and which "
    "dtypes\n"
    "each device makes ready for it, asked of the devices by `tests/conformance/devices_page_test.cpp` "
    "(`UPDATE_GOLDEN=1`\n"
    "rewrites this page); the cuda device answers under emulation, by the same code. The dtype is that of the data: "
    "ids and labels are i64 or i32, conditions and results "
    "of\n"
    "comparisons bool, statistics f32. Of Cast it is the operand's. `all`: f32 f64 bf16 f16 i64 i32 bool u8.\n"
    "\n"
    "| number | kernel | signature |";

std::string page() {
  const std::vector<bench::KernelCall> calls = bench::kernelCalls(bench::kTiny);
  std::string text = kHead, line = "|---|---|---|";
  for (const DeviceColumn &column : kDevices) {
    text += std::string(" ") + column.name + " |";
    line += "---|";
  }
  text += "\n" + line + "\n";
  for (const KernelDef &row : allKernels()) {
    // A bar would end the cell.
    std::string signature = std::regex_replace(row.signature, std::regex("[|]"), "\\|");
    text += "| " + std::to_string(int(row.id)) + " | " + row.name + " | `" + signature + "` |";
    for (const DeviceColumn &column : kDevices)
      text += " " + cell(column, row, calls) + " |";
    text += "\n";
  }
  return text;
}

TEST(DevicesPage, SaysWhatTheDevicesDo) { expectGolden("docs/devices.md", page()); }

} // namespace
} // namespace autotp::test
