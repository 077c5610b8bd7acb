#include "runtime/train/referenced_weights.h"

#include "runtime/base/digest.h"
#include "runtime/base/error.h"
#include "runtime/execute/executor.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/FileSystem.h"

#include <cmath>
#include <mutex>

namespace autotp {
namespace {

constexpr llvm::StringLiteral kCompileAgain = "compile the plan again";

Covers coversOf(const plan::Parameter &parameter) {
  Covers covers;
  for (const plan::Cover &held : parameter.covers()) {
    Cover &cover = covers.emplace_back();
    for (int i = 0; i < held.begins_size(); ++i)
      cover.push_back({held.begins(i), held.ends(i)});
  }
  return covers;
}

/// Whether a tensor has the shape of the whole parameter, turned as the plan says.
bool fits(const StoredWeights::Tensor &tensor, bool isTransposed, const plan::Parameter &parameter) {
  std::vector<int64_t> shape = tensor.shape;
  if (isTransposed && shape.size() != 2) return false;
  if (isTransposed) std::swap(shape[0], shape[1]);
  return llvm::equal(shape, parameter.global_shape());
}

llvm::Error fillOne(Executor &executor, const plan::Parameter &parameter, const ReferencedFiles &referenced,
                    const StoredWeights &stored) {
  const auto at = llvm::find_if(referenced.parameters,
                                [&](const ReferencedFiles::Parameter &p) { return p.name == parameter.name(); });
  const StoredWeights::Tensor *tensor = at == referenced.parameters.end() ? nullptr : stored.find(at->tensor.name);
  if (!tensor || !fits(*tensor, at->isTransposed, parameter))
    return problem("parameter '" + escaped(parameter.name()) + "'", "the manifest does not say where its weights lie",
                   kCompileAgain);
  const Covers covers = coversOf(parameter);
  return fillParameter(executor, parameter, [&](int64_t begin, llvm::MutableArrayRef<float> to) -> llvm::Error {
    if (llvm::Error error = stored.readHeld(*tensor, at->isTransposed, covers, begin, to)) return error;
    if (llvm::all_of(to, [](float value) { return std::isfinite(value); })) return llvm::Error::success();
    return problem(escaped(tensor->file),
                   "it has weights that are infinite or no numbers (NaN), in parameter '" + escaped(parameter.name()) +
                       "'",
                   "compile the plan with weights that are numbers, or with --weights none");
  });
}

} // namespace

llvm::Expected<std::unique_ptr<ReferencedWeights>> ReferencedWeights::open(const ReferencedFiles &referenced) {
  llvm::Error errors = llvm::Error::success();
  for (const ReferencedFiles::File &file : referenced.files)
    if (!llvm::sys::fs::is_regular_file(file.path))
      errors =
          llvm::joinErrors(std::move(errors),
                           problem(escaped(file.path), "the plan reads its weights from this file, which is not there",
                                   "put it back, or compile again with --weights reference:PATH of its new place"));
  if (errors) return errors;
  std::vector<LocatedTensor> tensors;
  for (const ReferencedFiles::Parameter &parameter : referenced.parameters)
    tensors.push_back(parameter.tensor);
  auto stored = referenced.checkpoint.empty() ? StoredWeights::openLocated(tensors)
                                              : StoredWeights::openUnchecked(referenced.checkpoint);
  if (!stored)
    return llvm::joinErrors(
        stored.takeError(),
        problem("plan", "the files that it reads its weights from are not as they were", kCompileAgain));
  std::unique_ptr<ReferencedWeights> weights(new ReferencedWeights(referenced));
  weights->stored_ = std::move(*stored);
  return weights;
}

llvm::Error ReferencedWeights::verify(size_t first, size_t of) const {
  std::vector<FileDigest> share;
  for (size_t i = first; i < referenced_.files.size(); i += of)
    share.push_back({referenced_.files[i].path, referenced_.files[i].digest});
  llvm::Error errors = llvm::Error::success();
  for (size_t i : changedFiles(share))
    errors = llvm::joinErrors(std::move(errors), problem(escaped(share[i].path),
                                                         "this file of weights has changed since the plan was compiled",
                                                         "put it back as it was, or compile the plan again"));
  return errors;
}

llvm::Error ReferencedWeights::fill(Executor &executor) const {
  const plan::Program &program = executor.program();
  std::mutex mutex;
  llvm::Error errors = llvm::Error::success();
#pragma omp parallel for schedule(dynamic) if (executor.isOnHost())
  for (int i = 0; i < program.parameters_size(); ++i)
    if (llvm::Error error = fillOne(executor, program.parameters(i), referenced_, *stored_)) {
      std::lock_guard lock(mutex);
      errors = llvm::joinErrors(std::move(errors), std::move(error));
    }
  return errors;
}

} // namespace autotp
