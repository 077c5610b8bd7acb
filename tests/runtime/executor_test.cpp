/// \file A small program by hand: what it computes on two ranks, that a step allocates nothing, and how errors read.
#include "runtime/base/error.h"
#include "runtime/device/cpu/device.h"
#include "runtime/execute/executor.h"
#include "runtime/plan/manifest.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <new>
#include <thread>

namespace {
std::atomic<bool> isCounting{false};
std::atomic<int> allocations{0};
} // namespace

void *operator new(std::size_t bytes) {
  if (isCounting) ++allocations;
  if (void *block = std::malloc(bytes ? bytes : 1)) return block;
  throw std::bad_alloc();
}
void operator delete(void *block) noexcept { std::free(block); }
void operator delete(void *block, std::size_t) noexcept { std::free(block); }

namespace autotp {
namespace {

enum : uint64_t {
  kX = 0,
  kW = 256,
  kY = 512,
  kLoss = 768,
  kIds = 1024,
  kRows = 1280,
  kSum = 1536,
  kWorkspace = 2048,
  kArena = kWorkspace + (4 << 20)
};

void setTensor(plan::TensorRef *t, uint64_t offset, std::vector<int64_t> shape, DType dtype = DType::F32) {
  t->set_offset(offset);
  t->set_dtype(uint32_t(dtype));
  for (int64_t d : shape)
    t->add_shape(d);
}

plan::KernelCall *addCall(plan::Section *section, KernelId kernel, const char *name) {
  plan::Instruction *step = section->add_instructions();
  step->set_name(name);
  step->set_origin("node");
  step->mutable_kernel()->set_kernel(uint32_t(kernel));
  return step->mutable_kernel();
}

/// y = x * w (no MatMul: inside a product oneDNN allocates); loss = all-reduce over tp of sum(y); rows = w[ids].
plan::Program sampleProgram() {
  plan::Program p;
  p.set_format_version(uint32_t(kPlanFormatVersion));
  p.set_arena_bytes(kArena);
  plan::Group *group = p.add_groups();
  group->set_axis(plan::TP);
  group->add_ranks(0);
  group->add_ranks(1);
  plan::Input *input = p.add_inputs();
  input->set_name("x");
  setTensor(input->mutable_tensor(), kX, {2, 2});
  plan::Output *output = p.add_outputs();
  output->set_name("loss_sum");
  setTensor(output->mutable_tensor(), kLoss, {});
  plan::Constant *constant = p.add_constants();
  setTensor(constant->mutable_tensor(), kW, {2, 2});
  const float w[] = {1, 2, 3, 4};
  constant->set_data(std::string(reinterpret_cast<const char *>(w), sizeof w));
  plan::Section *section = p.add_sections();
  section->set_name("micro_step");
  plan::KernelCall *product = addCall(section, KernelId::Mul, "y");
  setTensor(product->add_operands(), kX, {2, 2});
  setTensor(product->add_operands(), kW, {2, 2});
  setTensor(product->add_results(), kY, {2, 2});
  product->set_workspace_offset(kWorkspace);
  product->set_workspace_bytes(4 << 20);
  plan::KernelCall *sum = addCall(section, KernelId::ReduceSum, "sum");
  setTensor(sum->add_operands(), kY, {2, 2});
  setTensor(sum->add_results(), kLoss, {});
  plan::Attribute *axes = sum->add_attributes();
  axes->set_name("axes");
  axes->mutable_integers()->add_values(0);
  axes->mutable_integers()->add_values(1);
  section->mutable_instructions(1)->set_signals(1); // the collective waits for it
  p.set_events(1);
  plan::KernelCall *gather = addCall(section, KernelId::Gather, "rows");
  setTensor(gather->add_operands(), kW, {2, 2});
  setTensor(gather->add_operands(), kIds, {1}, DType::I64);
  setTensor(gather->add_results(), kRows, {1, 2});
  plan::Instruction *step = section->add_instructions();
  step->set_name("loss");
  step->add_waits(0);
  step->mutable_collective()->set_kind(plan::ALL_REDUCE_SUM);
  setTensor(step->mutable_collective()->mutable_operand(), kLoss, {});
  setTensor(step->mutable_collective()->mutable_result(), kLoss, {});
  setTensor(p.add_zeroed_each_step(), kLoss, {});
  return p;
}

TEST(CpuDevice, TakesAnyInstructionSetOfTheHost) {
  ASSERT_FALSE(cpuInstructionSets().empty());
  for (const std::string &set : cpuInstructionSets())
    EXPECT_TRUE(bool(makeCpuDevice(1, set))) << set;
  auto refused = makeCpuDevice(1, "mmx");
  ASSERT_FALSE(bool(refused));
  const std::string text = describe(refused.takeError());
  EXPECT_NE(text.find("the host or this build does not have 'mmx'"), std::string::npos) << text;
  EXPECT_NE(text.find(cpuInstructionSets()[0]), std::string::npos) << text;
}

TEST(Executor, RunsOnTwoRanksAndAllocatesNothing) {
  const plan::Program program = sampleProgram();
  llvm::Error sound = checkProgram(program, 2, 1);
  ASSERT_FALSE(bool(sound)) << describe(std::move(sound));
  auto comms = makeLocalCommunicators(2);
  std::vector<std::unique_ptr<Executor>> executors;
  for (auto &comm : comms) {
    auto made = Executor::create(program, 2, 1, *comm, llvm::cantFail(makeCpuDevice(1)));
    ASSERT_TRUE(bool(made)) << describe(made.takeError());
    executors.push_back(std::move(*made));
  }
  std::atomic<int> ready{0}, done{0}, failed{0};
  std::atomic<bool> mayEnd{false};
  auto rank = [&](Executor &executor) {
    auto *x = reinterpret_cast<float *>(executor.bytes(executor.input("x")->tensor()).data());
    for (int i = 0; i < 4; ++i)
      x[i] = float(executor.tpRank() + 1);
    auto step = [&] {
      executor.zeroAccumulators();
      if (llvm::Error error = executor.run("micro_step")) {
        ++failed;
        llvm::consumeError(std::move(error));
      }
    };
    step(); // libraries may allocate on first use
    ++ready;
    while (!isCounting)
      std::this_thread::yield();
    for (int i = 0; i < 10; ++i)
      step();
    ++done;
    while (!mayEnd)
      std::this_thread::yield();
  };
  std::thread one([&] { rank(*executors[0]); }), two([&] { rank(*executors[1]); });
  while (ready < 2)
    std::this_thread::yield();
  isCounting = true;
  while (done < 2)
    std::this_thread::yield();
  isCounting = false;
  const int counted = allocations;
  mayEnd = true;
  one.join();
  two.join();
  EXPECT_EQ(failed, 0);
  EXPECT_EQ(counted, 0);
  for (auto &executor : executors)
    EXPECT_EQ(executor->scalar("loss_sum"), 10 + 20); // tp rank + 1 times the sum of w
}

TEST(Executor, ErrorsNameTheStep) {
  plan::Program program = sampleProgram();
  program.mutable_groups(0)->mutable_ranks()->RemoveLast();
  plan::Input *fed = program.add_inputs();
  fed->set_name("tokens");
  setTensor(fed->mutable_tensor(), kIds, {1}, DType::I64);
  auto comms = makeLocalCommunicators(1);
  auto made = Executor::create(program, 1, 1, *comms[0], llvm::cantFail(makeCpuDevice(1)));
  ASSERT_TRUE(bool(made)) << describe(made.takeError());
  const auto &ids = program.sections(0).instructions(2).kernel().operands(1);
  const int64_t out = 2;
  std::memcpy((*made)->bytes(ids).data(), &out, sizeof out);
  std::string text = describe((*made)->run("micro_step"));
  EXPECT_NE(text.find("instruction 'rows' (from node): an index or label made of input 'tokens' is out of range"),
            std::string::npos)
      << text;
  program.mutable_sections(0)->mutable_instructions(0)->mutable_kernel()->mutable_operands(0)->set_shape(1, 3);
  auto refused = Executor::create(program, 1, 1, *comms[0], llvm::cantFail(makeCpuDevice(1)));
  ASSERT_FALSE(bool(refused));
  text = describe(refused.takeError());
  EXPECT_NE(text.find("instruction 'y' (from node)"), std::string::npos) << text;
}

} // namespace
} // namespace autotp
