#include "runtime/execute/executor.h"

#include "runtime/base/error.h"
#include "runtime/base/philox.h"
#include "runtime/plan/safetensors.h"

#include <cstring>

namespace autotp {

llvm::Error loadWeights(Executor &executor, llvm::StringRef path) {
  llvm::Expected<SafetensorsFile> file = readSafetensors(path);
  if (!file) return file.takeError();
  for (const plan::Parameter &parameter : executor.program().parameters()) {
    const NamedTensor *tensor = file->find(parameter.name());
    std::span<std::byte> to = executor.bytes(parameter.tensor());
    if (!tensor || tensor->bytes.size() != to.size())
      return problem((path + ": parameter '" + escaped(parameter.name()) + "'").str(),
                     "it is missing, or of another size", "compile the plan again");
    if (!to.empty()) std::memcpy(to.data(), tensor->bytes.data(), to.size());
  }
  return llvm::Error::success();
}

void initialiseWeights(Executor &executor, int64_t seed) {
  uint64_t stream = 0;
  for (const plan::Parameter &parameter : executor.program().parameters()) {
    float *to = reinterpret_cast<float *>(executor.bytes(parameter.tensor()).data());
    int rank = parameter.global_shape_size();
    int64_t elements = elementsOf(parameter.tensor());
    std::vector<std::vector<int64_t>> held(static_cast<size_t>(rank)); // global indices of each dimension
    for (int d = 0; d < rank; ++d)
      for (int i = 0; i < parameter.covers(d).begins_size(); ++i)
        for (int64_t at = parameter.covers(d).begins(i); at < parameter.covers(d).ends(i); ++at)
          held[size_t(d)].push_back(at);
    for (int64_t e = 0; e < elements; ++e) {
      int64_t rest = e, global = 0, stride = 1;
      for (int d = rank; d-- > 0;) {
        int64_t size = int64_t(held[size_t(d)].size());
        global += held[size_t(d)][size_t(rest % size)] * stride;
        rest /= size;
        stride *= parameter.global_shape(d);
      }
      to[e] = float(parameter.init_value() +
                    parameter.init_stddev() * philoxNormal(uint64_t(seed), stream, uint64_t(global)));
    }
    ++stream;
  }
}

} // namespace autotp
