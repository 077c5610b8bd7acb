#include "runtime/execute/executor.h"

#include "runtime/base/digest.h"
#include "runtime/base/error.h"
#include "runtime/base/normal_numbers.h"
#include "runtime/base/small_floats.h"
#include "runtime/plan/held_elements.h"
#include "runtime/plan/safetensors.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

#include <cmath>
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

/// What this rank has of a parameter in one of the tensors of its bucket, counted in the bucket's elements.
BucketPart ownPart(const Executor &executor, const plan::Parameter &parameter, const plan::TensorRef &flat) {
  const auto begin = int64_t(parameter.bucket_begin());
  return bucketPart(executor.program().buckets(int(parameter.bucket())), flat, begin,
                    begin + elementsOf(parameter.tensor()), executor.place());
}

/// Writes that part of values that are all in memory already.
void uploadPart(Executor &executor, const plan::Parameter &parameter, const plan::TensorRef &flat,
                llvm::ArrayRef<float> values) {
  const BucketPart part = ownPart(executor, parameter, flat);
  if (part.begin == part.end) return;
  uploadFloats(executor, part.tensor,
               values.slice(size_t(part.begin) - parameter.bucket_begin(), size_t(part.end - part.begin)));
}

void setParameter(Executor &executor, const plan::Parameter &parameter, llvm::ArrayRef<float> values) {
  const plan::Bucket &bucket = executor.program().buckets(int(parameter.bucket()));
  uploadPart(executor, parameter, bucket.parameters(), values);
  if (bucket.has_master()) uploadPart(executor, parameter, bucket.master(), values);
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

/// Errors: the parameters with a number that is infinite or none, of those that are marked. Nothing can be trained with
/// one: every gradient would become so in the first step.
llvm::Error checkFinite(const plan::Program &program, llvm::StringRef path, llvm::ArrayRef<uint8_t> isWrong) {
  std::vector<std::string> names;
  for (size_t i = 0; i < isWrong.size(); ++i)
    if (isWrong[i]) names.push_back("'" + escaped(program.parameters(int(i)).name()) + "'");
  if (names.empty()) return llvm::Error::success();
  constexpr size_t kMost = 8;
  const size_t more = names.size() > kMost ? names.size() - kMost : 0;
  names.resize(names.size() - more);
  return problem(path,
                 "it has weights that are infinite or no numbers (NaN), in parameter " + llvm::join(names, ", ") +
                     (more ? " and " + std::to_string(more) + " more" : std::string()),
                 "compile the plan with weights that are numbers, or with --weights none");
}

} // namespace

void uploadFloats(Executor &executor, const plan::TensorRef &tensor, llvm::ArrayRef<float> values) {
  const DType dtype = DType(tensor.dtype());
  if (dtype == DType::F32) return executor.upload(tensor, values.data());
  executor.upload(tensor, narrowed(values, dtype).data());
}

llvm::Error fillPart(Executor &executor, const plan::Parameter &parameter, const plan::TensorRef &flat,
                     HeldReader read) {
  const BucketPart part = ownPart(executor, parameter, flat);
  if (part.begin == part.end) return llvm::Error::success();
  const int64_t begin = part.begin - int64_t(parameter.bucket_begin());
  const auto count = size_t(part.end - part.begin);
  if (executor.isOnHost() && DType(part.tensor.dtype()) == DType::F32) // to where it belongs, without a copy between
    return read(begin, {reinterpret_cast<float *>(executor.bytes(part.tensor).data()), count});
  std::vector<float> values(count);
  if (llvm::Error error = read(begin, values)) return error;
  uploadFloats(executor, part.tensor, values);
  return llvm::Error::success();
}

llvm::Error fillParameter(Executor &executor, const plan::Parameter &parameter, HeldReader read) {
  const plan::Bucket &bucket = executor.program().buckets(int(parameter.bucket()));
  if (llvm::Error error = fillPart(executor, parameter, bucket.parameters(), read)) return error;
  return bucket.has_master() ? fillPart(executor, parameter, bucket.master(), read) : llvm::Error::success();
}

llvm::Error loadWeights(Executor &executor, llvm::StringRef path, std::optional<llvm::StringRef> digest) {
  llvm::Expected<SafetensorsFile> file = readSafetensors(path);
  if (!file) return file.takeError();
  // Beside the copies: what they wrote is of no use to anybody if the digest is another.
  std::future<bool> isIt =
      std::async(std::launch::async, [&] { return !digest || digestOf(file->buffer->getBuffer()) == *digest; });
  llvm::Expected<std::vector<llvm::ArrayRef<float>>> values = valuesIn(*file, path, executor.program());
  if (!values) return values.takeError();
  const auto &parameters = executor.program().parameters();
  std::vector<uint8_t> isWrong(values->size());
#pragma omp parallel for schedule(dynamic) if (executor.isOnHost())
  for (int i = 0; i < parameters.size(); ++i) {
    const llvm::ArrayRef<float> own = (*values)[size_t(i)];
    isWrong[size_t(i)] = llvm::any_of(own, [](float value) { return !std::isfinite(value); });
    setParameter(executor, parameters[i], own);
  }
  if (isIt.get()) return checkFinite(executor.program(), path, isWrong);
  return problem(path, "it is not the file that the manifest describes: truncated or edited", "compile the plan again");
}

/// Draws on all threads of the rank. Which one draws an element makes no difference, since its number depends on its
/// place in the whole parameter alone.
void initialiseWeights(Executor &executor, int64_t seed) {
  constexpr int64_t kAtATime = int64_t(1) << 14;
  uint64_t stream = 0;
  for (const plan::Parameter &parameter : executor.program().parameters()) {
    const std::vector<HeldRun> runs = heldRuns(parameter, kAtATime);
    llvm::cantFail(fillParameter(executor, parameter, [&](int64_t begin, llvm::MutableArrayRef<float> to) {
      const int64_t end = begin + int64_t(to.size());
#pragma omp parallel for schedule(static)
      for (size_t i = 0; i < runs.size(); ++i) {
        const HeldRun &run = runs[i];
        const int64_t first = std::max(begin, run.local), last = std::min(end, run.local + run.count);
        if (first >= last) continue;
        drawNormals({to.data() + (first - begin), size_t(last - first)}, uint64_t(seed), stream,
                    uint64_t(run.global + first - run.local), parameter.init_value(), parameter.init_stddev());
      }
      return llvm::Error::success();
    }));
    ++stream;
  }
}

} // namespace autotp
