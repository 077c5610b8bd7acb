#include "runtime/execute/executor.h"

#include "runtime/base/digest.h"
#include "runtime/base/error.h"
#include "runtime/base/philox.h"
#include "runtime/plan/held_elements.h"
#include "runtime/plan/safetensors.h"

#include <cstring>

namespace autotp {

llvm::Error loadWeights(Executor &executor, llvm::StringRef path, llvm::StringRef sha256) {
  llvm::Expected<SafetensorsFile> file = readSafetensors(path);
  if (!file) return file.takeError();
  if (sha256Of(file->buffer->getBuffer()) != sha256)
    return problem(path, "it is not the file that the manifest describes: truncated or edited",
                   "compile the plan again");
  for (const plan::Parameter &parameter : executor.program().parameters()) {
    const NamedTensor *tensor = file->find(parameter.name());
    std::span<std::byte> to = executor.bytes(parameter.tensor());
    if (!tensor || tensor->dtype != DType(parameter.tensor().dtype()) || tensor->bytes.size() != to.size())
      return problem((path + ": parameter '" + escaped(parameter.name()) + "'").str(),
                     "it is missing, or of another type or size", "compile the plan again");
    if (!to.empty()) std::memcpy(to.data(), tensor->bytes.data(), to.size());
  }
  return llvm::Error::success();
}

void initialiseWeights(Executor &executor, int64_t seed) {
  uint64_t stream = 0;
  for (const plan::Parameter &parameter : executor.program().parameters()) {
    float *to = reinterpret_cast<float *>(executor.bytes(parameter.tensor()).data());
    forEachHeld(parameter, [&](int64_t local, int64_t global, std::span<const int64_t>) {
      to[local] = float(parameter.init_value() +
                        parameter.init_stddev() * philoxNormal(uint64_t(seed), stream, uint64_t(global)));
    });
    ++stream;
  }
}

} // namespace autotp
