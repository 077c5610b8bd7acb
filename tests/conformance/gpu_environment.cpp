/// \file On a host without a GPU the suites are skipped, and say why.
#include "runtime/base/error.h"
#include "runtime/device/cuda/device.h"

#include <gtest/gtest.h>

namespace autotp::test {
namespace {

class Gpu : public testing::Environment {
public:
  void SetUp() override {
    auto device = makeCudaDevice({});
    if (!device) GTEST_SKIP() << describe(device.takeError());
  }
};

[[maybe_unused]] testing::Environment *const gpu = testing::AddGlobalTestEnvironment(new Gpu);

} // namespace
} // namespace autotp::test
