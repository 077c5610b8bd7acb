#include "models/decoder/parameter_contents.h"

#include "runtime/base/error.h"
#include "runtime/base/normal_numbers.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/Parallel.h"

#include <cmath>
#include <cstring>

namespace autotp {
namespace {

constexpr double kDeviation = 0.02; // initializer_range of the Hugging Face configuration

float fromHalf(uint16_t bits) {
  const int exponent = bits >> 10 & 31, fraction = bits & 1023;
  float size = exponent == 0 ? std::ldexp(float(fraction), -24) : std::ldexp(float(1024 + fraction), exponent - 25);
  if (exponent == 31) size = fraction ? NAN : INFINITY;
  return bits & 0x8000 ? -size : size;
}

float elementAt(const NamedTensor &tensor, size_t index) {
  uint32_t bits = 0;
  std::memcpy(&bits, tensor.bytes.data() + index * sizeOf(tensor.dtype), sizeOf(tensor.dtype));
  if (tensor.dtype == DType::F16) return fromHalf(uint16_t(bits));
  if (tensor.dtype == DType::BF16) bits <<= 16;
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

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

std::string textOf(llvm::ArrayRef<int64_t> shape) {
  return llvm::formatv("[{0:$[, ]}]", llvm::make_range(shape.begin(), shape.end()));
}

llvm::Error checkTensor(const DecoderParameter &parameter, const WeightFiles::Located &found) {
  const std::string where = found.file + ": tensor '" + parameter.name + "'";
  llvm::Error errors = llvm::Error::success();
  auto fail = [&](const std::string &what) { errors = llvm::joinErrors(std::move(errors), problem(where, what)); };
  const DType dtype = found.tensor->dtype;
  if (found.tensor->shape != parameter.shape)
    fail("its shape is " + textOf(found.tensor->shape) + ", but the config gives " + textOf(parameter.shape));
  if (dtype != DType::F32 && dtype != DType::BF16 && dtype != DType::F16)
    fail(("its type is " + nameOf(dtype) + ", not f32, bf16 or f16").str());
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
  llvm::Expected<WeightFiles> weights = WeightFiles::open(path);
  if (!weights) return weights.takeError();
  llvm::Error errors = llvm::Error::success();
  llvm::StringSet<> known;
  for (const DecoderParameter &parameter : model.parameters) {
    known.insert(parameter.name);
    auto found = weights->tensors().find(parameter.name);
    errors = llvm::joinErrors(std::move(errors),
                              found == weights->tensors().end()
                                  ? problem(weights->path() + ": tensor '" + parameter.name + "'", "is missing",
                                            "give the whole model: its folder, or the index of its files")
                                  : checkTensor(parameter, found->second));
  }
  for (const auto &[name, tensor] : weights->tensors())
    if (!known.count(name) && !isPassedOver(name, config))
      errors = llvm::joinErrors(std::move(errors), problem(tensor.file + ": tensor '" + escaped(name) + "'",
                                                           "the model of this config has no such parameter"));
  if (errors) return errors;
  ParameterContents contents;
  contents.weights_ = std::move(*weights);
  return contents;
}

std::vector<float> ParameterContents::read(const DecoderModel &model, size_t ordinal) const {
  const DecoderParameter &parameter = model.parameters[ordinal];
  if (!weights_) return draw(seed_, parameter, ordinal);
  const NamedTensor &tensor = *weights_->tensors().at(parameter.name).tensor; // fromFiles has seen it
  std::vector<float> values(size_t(parameter.elements()));
  forPieces(values.size(), [&](size_t first, size_t last) {
    for (size_t e = first; e < last; ++e)
      values[e] = elementAt(tensor, e);
  });
  return values;
}

std::vector<std::string> ParameterContents::files() const {
  return weights_ ? weights_->files() : std::vector<std::string>();
}

} // namespace autotp
