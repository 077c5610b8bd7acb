/// \file What the cuda device does besides kernels, on an emulated GPU: its errors, queues, graphs, and marks of
/// failure.
#include "emulation/control.h"
#include "runtime/base/error.h"
#include "runtime/device/cuda/device.h"
#include "runtime/plan/kernels/kernel_def.h"
#include "tests/conformance/device_under_test.h"

#include <gtest/gtest.h>

namespace autotp::test {
namespace {

/// The machine is the next test's again when this ends.
struct OtherMachine {
  explicit OtherMachine(const emulation::Machine &machine) { emulation::setMachine(machine); }
  ~OtherMachine() { emulation::setMachine(before); }
  emulation::Machine before = emulation::machine();
};

std::string refusalOf(const CudaOptions &options) {
  auto device = makeCudaDevice(options);
  return device ? "made" : describe(device.takeError());
}

TEST(CudaDevice, SaysWhyItCannotBeMade) {
  emulation::Machine machine = emulation::machine();
  machine.hasDriver = false;
  {
    OtherMachine other(machine);
    EXPECT_NE(refusalOf({}).find("driver is missing"), std::string::npos) << refusalOf({});
  }
  machine = emulation::machine();
  machine.devices = 0;
  {
    OtherMachine other(machine);
    EXPECT_NE(refusalOf({}).find("sees 0 GPUs"), std::string::npos) << refusalOf({});
  }
  EXPECT_NE(refusalOf({7}).find("cuda device 7: this process sees 1 GPUs"), std::string::npos) << refusalOf({7});
  machine = emulation::machine();
  machine.major = 7;
  machine.minor = 5;
  OtherMachine other(machine);
  EXPECT_NE(refusalOf({}).find("compute capability 7.5"), std::string::npos) << refusalOf({});
}

TEST(CudaDevice, ComparesWhatIsPlannedWithWhatIsFree) {
  emulation::Machine machine = emulation::machine();
  machine.freeBytes = size_t(100) << 20;
  OtherMachine other(machine);
  auto device = llvm::cantFail(makeCudaDevice({}));
  auto arena = device->allocate(size_t(4096) << 20);
  ASSERT_FALSE(bool(arena));
  const std::string text = describe(arena.takeError());
  EXPECT_NE(text.find("the plan needs 4096 MiB"), std::string::npos) << text;
}

/// x and its double, in device memory.
struct Doubling {
  explicit Doubling(Device &device) : device(device), memory(llvm::cantFail(device.allocate(512))) {
    const TensorArg x{memory.data(), DType::F32, {2}}, y{memory.data() + 256, DType::F32, {2}};
    KernelArgs args;
    args.operands = {x, x};
    args.results = {y};
    kernel = llvm::cantFail(device.prepare(KernelId::Add, std::move(args)));
  }
  float resultFor(float x, PreparedKernel &run) {
    const float both[2] = {x, x};
    float y[2] = {};
    device.upload(memory.data(), both, sizeof both);
    EXPECT_EQ(int(run.run()), int(Status::Ok));
    device.download(y, memory.data() + 256, sizeof y);
    return y[1];
  }
  Device &device;
  std::span<std::byte> memory;
  std::unique_ptr<PreparedKernel> kernel;
};

TEST(CudaDevice, ReplaysACapturedSection) {
  auto device = llvm::cantFail(makeCudaDevice({}));
  Doubling doubling(*device);
  EXPECT_EQ(doubling.resultFor(3, *doubling.kernel), 6);
  const EventId there = llvm::cantFail(device->makeEvent()), back = llvm::cantFail(device->makeEvent());
  auto graph = llvm::cantFail(device->capture([&] {
    device->record(Stream::Compute, there); // both queues, as with a collective
    device->wait(Stream::Communication, there);
    device->record(Stream::Communication, back);
    device->wait(Stream::Compute, back);
    return doubling.kernel->run();
  }));
  for (float x : {4.0f, 5.0f})
    EXPECT_EQ(doubling.resultFor(x, *graph), 2 * x);
  EXPECT_NE(device->nativeStream(Stream::Compute), device->nativeStream(Stream::Communication));
  EXPECT_EQ(int(llvm::cantFail(device->synchronise()).status), int(Status::Ok));
}

TEST(CudaDevice, NamesTheFirstKernelThatFailed) {
  auto device = llvm::cantFail(makeCudaDevice({}));
  std::span<std::byte> memory = llvm::cantFail(device->allocate(1024));
  const int64_t ids[] = {0, 9};
  device->zero(memory);
  device->upload(memory.data() + 256, ids, sizeof ids);
  KernelArgs args;
  args.operands = {{memory.data(), DType::F32, {4, 2}}, {memory.data() + 256, DType::I64, {2}}};
  args.results = {{memory.data() + 512, DType::F32, {2, 2}}};
  Doubling doubling(*device);
  auto gather = llvm::cantFail(device->prepare(KernelId::Gather, args)),
       again = llvm::cantFail(device->prepare(KernelId::Gather, args));
  for (int round = 0; round < 2; ++round) { // the mark is taken away when it is read
    EXPECT_EQ(int(llvm::cantFail(device->synchronise()).status), int(Status::Ok));
    EXPECT_EQ(int(gather->run()), int(Status::Ok));
    EXPECT_EQ(int(again->run()), int(Status::Ok));
    const Failure failure = llvm::cantFail(device->synchronise());
    EXPECT_EQ(int(failure.status), int(Status::IndexOutOfRange));
    EXPECT_EQ(failure.kernel, 1u);
  }
}

TEST(CudaDevice, HasEveryKernelOrSaysWhyNot) {
  for (const KernelDef &row : allKernels())
    EXPECT_TRUE(whyMissingOnCuda(row.id).empty()) << row.name << ": " << whyMissingOnCuda(row.id).str();
}

} // namespace
} // namespace autotp::test
