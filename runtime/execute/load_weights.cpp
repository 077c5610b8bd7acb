#include "runtime/execute/executor.h"

#include "runtime/base/digest.h"
#include "runtime/base/error.h"
#include "runtime/base/philox.h"
#include "runtime/base/small_floats.h"
#include "runtime/plan/held_elements.h"
#include "runtime/plan/safetensors.h"

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

/// Writes this rank's part of a parameter to one of the tensors of its bucket.
template <typename T>
void uploadPart(Executor &executor, const plan::Parameter &parameter, const plan::TensorRef &flat,
                llvm::ArrayRef<T> values) {
  const int64_t begin = int64_t(parameter.bucket_begin());
  const BucketPart part = bucketPart(executor.program().buckets(int(parameter.bucket())), flat, begin,
                                     begin + int64_t(values.size()), executor.place());
  if (part.begin < part.end) executor.upload(part.tensor, values.data() + (part.begin - begin));
}

void setParameter(Executor &executor, const plan::Parameter &parameter, llvm::ArrayRef<float> values) {
  const plan::Bucket &bucket = executor.program().buckets(int(parameter.bucket()));
  const DType dtype = DType(bucket.parameters().dtype());
  if (dtype == DType::F32) return uploadPart(executor, parameter, bucket.parameters(), values);
  uploadPart<uint16_t>(executor, parameter, bucket.parameters(), narrowed(values, dtype));
  uploadPart(executor, parameter, bucket.master(), values);
}

} // namespace

llvm::Error loadWeights(Executor &executor, llvm::StringRef path, llvm::StringRef digest) {
  llvm::Expected<SafetensorsFile> file = readSafetensors(path);
  if (!file) return file.takeError();
  if (digestOf(file->buffer->getBuffer()) != digest)
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

namespace {

/// Draws a parameter's elements, many at a time, on all threads of the rank. Which thread draws an element makes no
/// difference, since its number depends on its place in the whole parameter alone.
class Drawing {
public:
  Drawing(const plan::Parameter &parameter, uint64_t seed, uint64_t stream)
      : parameter_(parameter), seed_(seed), stream_(stream), values_(size_t(elementsOf(parameter.tensor()))) {}

  std::vector<float> run() {
    constexpr size_t kAtATime = size_t(1) << 16;
    forEachHeld(parameter_, [&](int64_t local, int64_t global, std::span<const int64_t>) {
      places_.push_back({local, global});
      if (places_.size() == kAtATime) draw();
    });
    draw();
    return std::move(values_);
  }

private:
  struct Place {
    int64_t local, global; ///< index among the rank's elements, and among all
  };

  void draw() {
    const double mean = parameter_.init_value(), deviation = parameter_.init_stddev();
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < places_.size(); ++i)
      values_[size_t(places_[i].local)] =
          float(mean + deviation * philoxNormal(seed_, stream_, uint64_t(places_[i].global)));
    places_.clear();
  }

  const plan::Parameter &parameter_;
  uint64_t seed_, stream_;
  std::vector<float> values_;
  std::vector<Place> places_;
};

} // namespace

void initialiseWeights(Executor &executor, int64_t seed) {
  uint64_t stream = 0;
  for (const plan::Parameter &parameter : executor.program().parameters())
    setParameter(executor, parameter, Drawing(parameter, uint64_t(seed), stream++).run());
}

} // namespace autotp
