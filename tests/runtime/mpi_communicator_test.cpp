/// \file Ranks as processes: started by mpirun, every process runs every test.
#include "runtime/device/cpu/device.h"
#include "tests/runtime/collective_checks.h"

#include <numeric>

namespace autotp {
namespace {

std::unique_ptr<Communicator> world; ///< of this process

TEST(MpiCommunicator, EveryCollectiveOnTheWorld) {
  ASSERT_EQ(world->size(), 4);
  EXPECT_EQ(world->ranksOnHost(), 4);
  for (int64_t base : {0, 1, 5, 5000}) // above 4096 elements a collective is done in parts
    checkGroup(*world, {0, 1, 2, 3}, base);
  EXPECT_TRUE(world->barrier());
}

TEST(MpiCommunicator, Subgroups) {
  const int tp = world->rank() % 2, dp = world->rank() / 2;
  checkGroup(*world, {dp * 2, dp * 2 + 1}, 33);
  checkGroup(*world, {tp, 2 + tp}, 1001);
  if (world->rank() != 1) checkGroup(*world, {0, 2, 3}, 7);
}

TEST(MpiCommunicator, SmallFloats) { checkSmallFloats(*world); }

TEST(MpiCommunicator, Bytes) { checkBytes(*world); }

TEST(MpiCommunicator, IntegersAndDoubles) {
  auto device = llvm::cantFail(makeCpuDevice(1));
  auto group = world->group({0, 1, 2, 3}, *device);
  std::vector<int64_t> n = {world->rank(), -world->rank(), int64_t(1) << 40};
  std::vector<double> d = {world->rank() + 0.5};
  ASSERT_TRUE((*group)->allReduce(n.data(), n.data(), 3, DType::I64, Reduce::Sum));
  ASSERT_TRUE((*group)->allReduce(d.data(), d.data(), 1, DType::F64, Reduce::Max));
  EXPECT_EQ(n, (std::vector<int64_t>{6, -6, int64_t(4) << 40}));
  EXPECT_EQ(d[0], 3.5);
}

} // namespace
} // namespace autotp

int main(int argc, char **argv) {
  testing::InitGoogleTest(&argc, argv);
  autotp::world = llvm::cantFail(autotp::makeMpiCommunicator(4096));
  int code = RUN_ALL_TESTS();
  if (code) autotp::world->abort();
  autotp::world.reset();
  return code;
}
