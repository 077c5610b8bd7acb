/// \file What training on GPUs, emulated or real, must give.
#pragma once

#include "tests/equivalence/fixture.h"

namespace autotp::test {

/// All bounds of the contract, on each mesh.
void expectPyTorchsNumbers(const std::string &fixture, const std::vector<Mesh> &meshes);

/// The llama fixture's losses in bf16 or f16, near those of f32: a product's sums have another order than the host's.
void expectSmallFloatsFollow(DType dtype);

/// tp 1, 2, 4 x dp 1, 2 x ZeRO 0, 1, 2 of five fixtures.
void expectPyTorchsNumbersOnAllMeshes();

} // namespace autotp::test
