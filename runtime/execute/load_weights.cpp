#include "runtime/execute/executor.h"

#include "runtime/base/digest.h"
#include "runtime/base/error.h"
#include "runtime/base/philox.h"
#include "runtime/base/small_floats.h"
#include "runtime/plan/held_elements.h"
#include "runtime/plan/safetensors.h"

#include <future>
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
void uploadPart(Executor &executor, const plan::Parameter &parameter, const plan::TensorRef &flat,
                llvm::ArrayRef<float> values) {
  const int64_t begin = int64_t(parameter.bucket_begin());
  const BucketPart part = bucketPart(executor.program().buckets(int(parameter.bucket())), flat, begin,
                                     begin + int64_t(values.size()), executor.place());
  if (part.begin == part.end) return;
  const llvm::ArrayRef<float> own = values.slice(size_t(part.begin - begin), size_t(part.end - part.begin));
  const DType dtype = DType(flat.dtype());
  if (dtype == DType::F32) return executor.upload(part.tensor, own.data());
  executor.upload(part.tensor, narrowed(own, dtype).data());
}

void setParameter(Executor &executor, const plan::Parameter &parameter, llvm::ArrayRef<float> values) {
  const plan::Bucket &bucket = executor.program().buckets(int(parameter.bucket()));
  uploadPart(executor, parameter, bucket.parameters(), values);
  if (DType(bucket.parameters().dtype()) != DType::F32) uploadPart(executor, parameter, bucket.master(), values);
}

/// The values of every parameter of the program, in the mapped file.
llvm::Expected<std::vector<llvm::ArrayRef<float>>> valuesIn(const SafetensorsFile &file, llvm::StringRef path,
                                                            const plan::Program &program) {
  std::vector<llvm::ArrayRef<float>> values;
  for (const plan::Parameter &parameter : program.parameters()) {
    const NamedTensor *tensor = file.find(parameter.name());
    const size_t elements = size_t(elementsOf(parameter.tensor()));
    if (!tensor || tensor->dtype != DType::F32 || tensor->bytes.size() != elements * sizeof(float) ||
        uintptr_t(tensor->bytes.data()) % alignof(float) != 0)
      return problem((path + ": parameter '" + escaped(parameter.name()) + "'").str(),
                     "it is missing, or of another type, size or alignment", "compile the plan again");
    values.push_back({reinterpret_cast<const float *>(tensor->bytes.data()), elements});
  }
  return values;
}

} // namespace

llvm::Error loadWeights(Executor &executor, llvm::StringRef path, std::optional<llvm::StringRef> digest) {
  llvm::Expected<SafetensorsFile> file = readSafetensors(path);
  if (!file) return file.takeError();
  // Beside the copies: what they wrote is of no use to anybody if the digest is another.
  std::future<bool> isIt =
      std::async(std::launch::async, [&] { return !digest || digestOf(file->buffer->getBuffer()) == *digest; });
  llvm::Expected<std::vector<llvm::ArrayRef<float>>> values = valuesIn(*file, path, executor.program());
  if (!values) return values.takeError();
  const auto &parameters = executor.program().parameters();
#pragma omp parallel for schedule(dynamic) if (executor.isOnHost())
  for (int i = 0; i < parameters.size(); ++i)
    setParameter(executor, parameters[i], (*values)[size_t(i)]);
  if (isIt.get()) return llvm::Error::success();
  return problem(path, "it is not the file that the manifest describes: truncated or edited", "compile the plan again");
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
