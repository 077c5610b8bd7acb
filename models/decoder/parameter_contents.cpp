#include "models/decoder/parameter_contents.h"

#include "runtime/base/error.h"
#include "runtime/base/normal_numbers.h"
#include "runtime/plan/shape_text.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/Parallel.h"

namespace autotp {
namespace {

constexpr double kDeviation = 0.02; // initializer_range of the Hugging Face configuration

/// Calls visit(first, last) for pieces of [0, elements), on all threads.
void forPieces(size_t elements, llvm::function_ref<void(size_t, size_t)> visit) {
  constexpr size_t kPiece = 1 << 16;
  llvm::parallelForEachN(0, (elements + kPiece - 1) / kPiece,
                         [&](size_t piece) { visit(piece * kPiece, std::min(elements, (piece + 1) * kPiece)); });
}

std::vector<float> draw(uint64_t seed, const DecoderParameter &parameter, size_t ordinal) {
  std::vector<float> values(size_t(parameter.elements()), parameter.initial == InitialValue::One ? 1.0f : 0.0f);
  if (parameter.initial != InitialValue::Drawn) return values;
  forPieces(values.size(), [&](size_t first, size_t last) {
    drawNormals(std::span(values).subspan(first, last - first), seed, ordinal, first, 0, kDeviation);
  });
  return values;
}

llvm::Error checkTensor(const DecoderParameter &parameter, const StoredWeights::Tensor &found) {
  const std::string where = escaped(found.file) + ": tensor '" + parameter.name + "'";
  llvm::Error errors = llvm::Error::success();
  auto fail = [&](const std::string &what) { errors = llvm::joinErrors(std::move(errors), problem(where, what)); };
  if (found.shape != parameter.shape)
    fail("its shape is " + shapeText(found.shape) + ", but the config gives " + shapeText(parameter.shape));
  if (!StoredWeights::isReadable(found.dtype)) fail(("its type is " + nameOf(found.dtype) + ", no float").str());
  return errors;
}

/// What a model may hold besides its parameters: numbers that are computed, and a second name of the embedding.
bool isPassedOver(llvm::StringRef name, const DecoderConfig &config) {
  return name.endswith("rotary_emb.inv_freq") || (config.isTied && name == "lm_head.weight");
}

} // namespace

ParameterContents ParameterContents::drawn(uint64_t seed) {
  ParameterContents contents;
  contents.seed_ = seed;
  return contents;
}

llvm::Expected<ParameterContents> ParameterContents::fromFiles(const std::string &path, const DecoderConfig &config,
                                                               const DecoderModel &model) {
  auto weights = StoredWeights::open("--weights", path);
  if (!weights) return weights.takeError();
  llvm::Error errors = llvm::Error::success();
  llvm::StringSet<> known;
  for (const DecoderParameter &parameter : model.parameters) {
    known.insert(parameter.name);
    const StoredWeights::Tensor *found = (*weights)->find(parameter.name);
    errors =
        llvm::joinErrors(std::move(errors),
                         found ? checkTensor(parameter, *found)
                               : problem(escaped((*weights)->path()) + ": tensor '" + parameter.name + "'",
                                         "is missing", "give the whole model: its folder, or the index of its files"));
  }
  for (const StoredWeights::Tensor &tensor : (*weights)->tensors())
    if (!known.count(tensor.name) && !isPassedOver(tensor.name, config))
      errors =
          llvm::joinErrors(std::move(errors), problem(escaped(tensor.file) + ": tensor '" + escaped(tensor.name) + "'",
                                                      "the model of this config has no such parameter"));
  if (errors) return errors;
  ParameterContents contents;
  contents.weights_ = std::move(*weights);
  return contents;
}

llvm::Expected<std::vector<float>> ParameterContents::read(const DecoderModel &model, size_t ordinal) const {
  const DecoderParameter &parameter = model.parameters[ordinal];
  if (!weights_) return draw(seed_, parameter, ordinal);
  std::vector<float> values(size_t(parameter.elements()));
  if (llvm::Error error = weights_->read(*weights_->find(parameter.name), 0, values))
    return error; // fromFiles found it
  return values;
}

std::vector<std::string> ParameterContents::files() const {
  return weights_ ? weights_->paths() : std::vector<std::string>();
}

} // namespace autotp
