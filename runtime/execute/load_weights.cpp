#include "runtime/execute/executor.h"

#include "runtime/base/digest.h"
#include "runtime/base/error.h"
#include "runtime/base/philox.h"
#include "runtime/plan/held_elements.h"
#include "runtime/plan/safetensors.h"

#include <vector>

namespace autotp {

llvm::Error loadWeights(Executor &executor, llvm::StringRef path, llvm::StringRef sha256) {
  llvm::Expected<SafetensorsFile> file = readSafetensors(path);
  if (!file) return file.takeError();
  if (sha256Of(file->buffer->getBuffer()) != sha256)
    return problem(path, "it is not the file that the manifest describes: truncated or edited",
                   "compile the plan again");
  for (const plan::Parameter &parameter : executor.program().parameters()) {
    const NamedTensor *tensor = file->find(parameter.name());
    size_t bytes = executor.bytes(parameter.tensor()).size();
    if (!tensor || tensor->dtype != DType(parameter.tensor().dtype()) || tensor->bytes.size() != bytes)
      return problem((path + ": parameter '" + escaped(parameter.name()) + "'").str(),
                     "it is missing, or of another type or size", "compile the plan again");
    executor.upload(parameter.tensor(), tensor->bytes.data());
  }
  return llvm::Error::success();
}

void initialiseWeights(Executor &executor, int64_t seed) {
  uint64_t stream = 0;
  for (const plan::Parameter &parameter : executor.program().parameters()) {
    std::vector<float> to(size_t(elementsOf(parameter.tensor())));
    forEachHeld(parameter, [&](int64_t local, int64_t global, std::span<const int64_t>) {
      to[size_t(local)] = float(parameter.init_value() +
                                parameter.init_stddev() * philoxNormal(uint64_t(seed), stream, uint64_t(global)));
    });
    executor.upload(parameter.tensor(), to.data());
    ++stream;
  }
}

} // namespace autotp
