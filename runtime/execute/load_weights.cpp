#include "runtime/execute/executor.h"

#include "runtime/base/digest.h"
#include "runtime/base/error.h"
#include "runtime/base/philox.h"
#include "runtime/base/small_floats.h"
#include "runtime/plan/held_elements.h"
#include "runtime/plan/safetensors.h"

#include <algorithm>
#include <cstring>
#include <vector>

namespace autotp {
namespace {

std::vector<uint16_t> narrowed(llvm::ArrayRef<float> values, DType dtype) {
  std::vector<uint16_t> small;
  for (float value : values)
    small.push_back(dtype == DType::BF16 ? floatToBf16(value) : doubleToHalf(value));
  return small;
}

/// This rank's part of the master weights of a parameter.
void uploadMaster(Executor &executor, const plan::Parameter &parameter, const plan::Bucket &bucket,
                  llvm::ArrayRef<float> values) {
  const int64_t slice = bucket.dp_slice(), first = slice * executor.dpRank(), begin = int64_t(parameter.bucket_begin());
  const int64_t last = first + elementsOf(bucket.master());
  const int64_t from = std::max(begin, first), to = std::min(begin + int64_t(values.size()), last);
  if (from >= to) return;
  plan::TensorRef part = bucket.master();
  part.set_offset(part.offset() + uint64_t(from - first) * sizeof(float));
  part.clear_shape();
  part.add_shape(to - from);
  executor.upload(part, values.data() + (from - begin));
}

void setParameter(Executor &executor, const plan::Parameter &parameter, llvm::ArrayRef<float> values) {
  const plan::Bucket &bucket = executor.program().buckets(int(parameter.bucket()));
  if (!bucket.has_master()) return executor.upload(parameter.tensor(), values.data());
  executor.upload(parameter.tensor(), narrowed(values, DType(parameter.tensor().dtype())).data());
  uploadMaster(executor, parameter, bucket, values);
}

} // namespace

llvm::Error loadWeights(Executor &executor, llvm::StringRef path, llvm::StringRef sha256) {
  llvm::Expected<SafetensorsFile> file = readSafetensors(path);
  if (!file) return file.takeError();
  if (sha256Of(file->buffer->getBuffer()) != sha256)
    return problem(path, "it is not the file that the manifest describes: truncated or edited",
                   "compile the plan again");
  for (const plan::Parameter &parameter : executor.program().parameters()) {
    const NamedTensor *tensor = file->find(parameter.name());
    size_t elements = size_t(elementsOf(parameter.tensor()));
    if (!tensor || tensor->dtype != DType::F32 || tensor->bytes.size() != elements * sizeof(float))
      return problem((path + ": parameter '" + escaped(parameter.name()) + "'").str(),
                     "it is missing, or of another type or size", "compile the plan again");
    std::vector<float> values(elements);
    if (elements) std::memcpy(values.data(), tensor->bytes.data(), tensor->bytes.size());
    setParameter(executor, parameter, values);
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
    setParameter(executor, parameter, to);
    ++stream;
  }
}

} // namespace autotp
