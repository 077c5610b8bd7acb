#include "tests/equivalence/torch_weights.h"

#include "runtime/base/small_floats.h"
#include "runtime/base/transposed.h"
#include "tests/fixtures/run_fixture.h"

#include "llvm/Support/JSON.h"

#include <cstring>
#include <filesystem>
#include <fstream>

namespace autotp::test {
namespace {

std::string readFile(const std::filesystem::path &path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

TorchWeights::Weight weightOf(const NamedTensor &tensor, bool isTransposed) {
  TorchWeights::Weight weight{tensor.shape, std::vector<float>(tensor.bytes.size() / sizeof(float))};
  std::memcpy(weight.values.data(), tensor.bytes.data(), tensor.bytes.size());
  if (!isTransposed) return weight;
  weight.values = transposed(weight.values, weight.shape[0], weight.shape[1]);
  std::swap(weight.shape[0], weight.shape[1]);
  return weight;
}

} // namespace

void TorchWeights::write(const std::string &path, DType dtype) const {
  std::vector<std::vector<uint8_t>> contents;
  std::vector<NamedTensor> tensors;
  for (const auto &[name, weight] : byName) {
    std::vector<uint8_t> &bytes = contents.emplace_back(weight.values.size() * sizeOf(dtype));
    for (size_t i = 0; i < weight.values.size(); ++i) {
      const uint16_t small = floatToBf16(weight.values[i]);
      const void *from = dtype == DType::BF16 ? static_cast<const void *>(&small) : &weight.values[i];
      std::memcpy(bytes.data() + i * sizeOf(dtype), from, sizeOf(dtype));
    }
    tensors.push_back({name, dtype, weight.shape, {}});
  }
  for (size_t i = 0; i < tensors.size(); ++i)
    tensors[i].bytes = contents[i];
  llvm::cantFail(writeSafetensors(path, tensors));
}

TorchWeights torchWeights(const std::string &fixture, const std::string &plan) {
  const SafetensorsFile held = llvm::cantFail(readSafetensors(plan + "/weights/tp_0000.safetensors"));
  const llvm::json::Value expected = llvm::cantFail(llvm::json::parse(readFile(folderOf(fixture) + "/expected.json")));
  TorchWeights weights;
  for (const auto &entry : *expected.getAsObject()->getObject("initializers")) {
    const NamedTensor *tensor = held.find(entry.first);
    const llvm::StringRef transform = *entry.second.getAsObject()->getString("transform");
    llvm::StringRef name = *entry.second.getAsObject()->getString("torch");
    name.consume_front("model.");
    const bool isMatrix = transform == "identity" || transform == "transpose";
    weights.isWhole &= isMatrix;
    if (tensor && isMatrix) weights.byName[name.str()] = weightOf(*tensor, transform == "transpose");
  }
  return weights;
}

} // namespace autotp::test
