#include "tests/equivalence/on_gpus.h"

#include "runtime/base/error.h"

#include <gtest/gtest.h>

namespace autotp::test {

void expectPyTorchsNumbers(const std::string &fixture, const std::vector<Mesh> &meshes) {
  Expected expected = readExpected(fixture);
  for (const Mesh &mesh : meshes) {
    llvm::Expected<Trained> run = train(fixture, expected, mesh, {.device = DeviceKind::Cuda});
    ASSERT_TRUE(bool(run)) << fixture << " " << mesh.text() << ": " << describe(run.takeError());
    for (const std::string &broken : compare(expected, *run))
      ADD_FAILURE() << fixture << " " << mesh.text() << ": " << broken;
  }
}

void expectSmallFloatsFollow(DType dtype) {
  Expected expected = readExpected("llama");
  for (const Mesh &mesh : {Mesh{1, 1, 0, 1}, Mesh{2, 2, 2, 1}}) {
    llvm::Expected<Trained> run = train("llama", expected, mesh, {.device = DeviceKind::Cuda, .dtype = dtype});
    ASSERT_TRUE(bool(run)) << nameOf(dtype).str() << " " << mesh.text() << ": " << describe(run.takeError());
    ASSERT_EQ(run->losses.size(), expected.losses.size());
    for (size_t i = 0; i < expected.losses.size(); ++i)
      EXPECT_NEAR(run->losses[i] / expected.losses[i], 1, 2e-3) << nameOf(dtype).str() << " " << mesh.text();
    EXPECT_EQ(run->lossScales.size(), dtype == DType::F16 ? expected.losses.size() : 0);
  }
}

void expectPyTorchsNumbersOnAllMeshes() {
  std::vector<Mesh> meshes;
  for (int tp : {1, 2, 4})
    for (int dp : {1, 2})
      for (int zero : {0, 1, 2, 3})
        meshes.push_back({tp, dp, zero, 1});
  for (const char *fixture : {"mlp", "llama", "llama-ts", "gpt2", "nanogpt"})
    expectPyTorchsNumbers(fixture, meshes);
}

} // namespace autotp::test
