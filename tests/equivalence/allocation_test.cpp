// A step allocates nothing: counted on real models, over four ranks, from the second step on.
#include "passes/compile_options.h"
#include "passes/compiled_model.h"
#include "runtime/base/error.h"
#include "runtime/device/cpu/device.h"
#include "tests/fixtures/run_fixture.h"

#include <gtest/gtest.h>

#include <dlfcn.h>

#include <atomic>
#include <barrier>
#include <cstdlib>
#include <new>
#include <thread>

namespace {
std::atomic<bool> isCounting{false};
std::atomic<int> allocations{0};
thread_local bool isInLibrary = false;
} // namespace

void *operator new(std::size_t bytes) {
  if (isCounting && !isInLibrary) ++allocations;
  if (void *block = std::malloc(bytes ? bytes : 1)) return block;
  throw std::bad_alloc();
}
void operator delete(void *block) noexcept { std::free(block); }
void operator delete(void *block, std::size_t) noexcept { std::free(block); }

/// oneDNN makes a small map of its arguments inside each call, which no interface of it avoids; all else is ours.
extern "C" int dnnl_primitive_execute(const void *primitive, void *stream, int count, const void *arguments) {
  static const auto real =
      reinterpret_cast<int (*)(const void *, void *, int, const void *)>(dlsym(RTLD_NEXT, "dnnl_primitive_execute"));
  isInLibrary = true;
  int status = real(primitive, stream, count, arguments);
  isInLibrary = false;
  return status;
}

namespace autotp::test {
namespace {

/// One rank's steps; the barrier keeps what the others do at load out of the count.
llvm::Error runRank(const CompiledModel &compiled, Communicator &comm, std::barrier<> &together) {
  auto executor =
      Executor::create(compiled.ranks.emitted[size_t(comm.rank() % 2)], 2, 2, comm, llvm::cantFail(makeCpuDevice(1)));
  if (!executor) return executor.takeError();
  initialiseWeights(**executor, 1);
  if (llvm::Error error = runStep(**executor, 1)) return error; // libraries may allocate on first use
  together.arrive_and_wait();
  isCounting = true;
  for (int step = 2; step <= 4; ++step)
    if (llvm::Error error = runStep(**executor, step)) return error;
  together.arrive_and_wait();
  isCounting = false;
  together.arrive_and_wait();
  return llvm::Error::success();
}

TEST(Allocations, NoneInAStep) {
  for (const char *fixture : {"llama", "gpt2", "mlp"}) {
    CompileOptions options = fixtureOptions(fixture);
    options.step.tp = options.step.dp = options.step.zero = 2;
    CompiledModel compiled = llvm::cantFail(compile(options));
    allocations = 0;
    auto comms = makeLocalCommunicators(4);
    std::barrier<> together(4);
    std::vector<std::thread> ranks;
    for (auto &comm : comms)
      ranks.emplace_back([&] {
        llvm::Error error = runRank(compiled, *comm, together);
        if (!error) return;
        ADD_FAILURE() << describe(std::move(error));
        std::_Exit(1); // the others wait for us
      });
    for (std::thread &rank : ranks)
      rank.join();
    EXPECT_EQ(allocations, 0) << fixture;
  }
}

} // namespace
} // namespace autotp::test
