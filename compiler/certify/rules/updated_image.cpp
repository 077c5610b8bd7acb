#include "compiler/certify/rules/updated_image.h"

#include "compiler/certify/refusal.h"
#include "compiler/certify/rules/segments.h"
#include "compiler/certify/state/proof.h"

namespace autotp {
namespace {

/// Elements of a parameter and of a gradient that an update takes together.
struct Pair {
  Piece parameter, gradient;
  uint64_t dpRank, onRank; ///< the byte of that dp rank's slice at which they begin
};

/// Puts parameters and gradients side by side, as far as neither changes and no dp rank's slice ends.
llvm::Expected<std::vector<Pair>> pairsOf(const Pieces &parameters, const Pieces &gradients, uint64_t bytesOnRank) {
  std::vector<Pair> pairs;
  uint64_t at = 0, gradientAt = 0;
  size_t g = 0;
  for (const Piece &whole : parameters)
    for (uint64_t done = 0; done < whole.bytes;) {
      if (g == gradients.size()) return refuse("it has fewer gradients than parameters");
      const Piece &gradient = gradients[g];
      const uint64_t onRank = at % bytesOnRank;
      const uint64_t bytes = std::min({whole.bytes - done, gradient.bytes - gradientAt, bytesOnRank - onRank});
      pairs.push_back({{whole.content, whole.offset + done, bytes},
                       {gradient.content, gradient.offset + gradientAt, bytes},
                       at / bytesOnRank,
                       onRank});
      at += bytes;
      done += bytes;
      gradientAt += bytes;
      if (gradientAt < gradient.bytes) continue;
      gradientAt = 0;
      ++g;
    }
  return pairs;
}

llvm::Expected<Piece> updatedPiece(Proof &proof, const Piece &parameter, const Piece &gradient) {
  const Content &own = *parameter.content;
  if (own.is(Stored::State) && gradient.content->isZero()) return parameter; // padding: 0 stays 0
  const Proof::Parameter *row = proof.masterIn(own);
  if (!row || own.isUpdated()) return refuse("it updates " + proof.symbols.text(own) + ", no parameter of this step");
  const Piece updated{proof.after(&own, Change::Update), parameter.offset, parameter.bytes};
  if (parameter.offset == gradient.offset && own.bytes == gradient.content->bytes) { // the same part of both, mostly
    llvm::Error error = proof.checkGradient(*gradient.content, *row, own.as<Elements>()->lists);
    if (!error) return updated;
    llvm::consumeError(std::move(error));
  }
  if (llvm::Error error = proof.checkGradient(gradient, *row, parameter))
    return refuse("it updates " + proof.symbols.text(own) + " with what is not all of its own gradient: ",
                  std::move(error));
  return updated;
}

/// All elements of a parameter decay, or none, as was asked for.
llvm::Error checkDecay(const Proof &proof, const Segments &decaying, const Pair &pair) {
  const Proof::Parameter *row = proof.masterIn(*pair.parameter.content);
  if (!row) return llvm::Error::success(); // padding
  const auto first = int64_t(pair.onRank / sizeof(float)), elements = int64_t(pair.parameter.bytes / sizeof(float));
  const int64_t decay = elementsOf(decaying.within({first, first + elements}, int64_t(pair.dpRank)));
  const int64_t wanted = row->update.decays ? elements : 0;
  if (decay == wanted) return llvm::Error::success();
  return refuse(llvm::Twine(decay) + " of " + llvm::Twine(elements) + " elements of " +
                proof.symbols.text(*pair.parameter.content) + " decay, not " + llvm::Twine(wanted));
}

/// All parameters that one call updates have one rule.
llvm::Error takeRule(const Proof &proof, const Content &parameter, const UpdateRule *&rule) {
  const Proof::Parameter *row = proof.masterIn(parameter);
  if (!row) return llvm::Error::success();
  const UpdateRule *wanted = &proof.options.updates->rules[row->update.rule];
  if (rule && rule != wanted) return refuse("it updates parameters of different rules alike");
  rule = wanted;
  return llvm::Error::success();
}

} // namespace

llvm::Expected<UpdatedImage> updatedImage(TpRank &rank, const plan::KernelCall &call, const Flat &parameters,
                                          const Flat &gradients) {
  llvm::Expected<Segments> decaying = segmentsOf(call, parameters.isSliced, rank.proof.options.dp);
  if (!decaying) return refuse("of what decays: ", decaying.takeError());
  const ByteRange range = *rank.rangeOf(call.operands(0));
  auto pairs = pairsOf(parameters.image, gradients.image, range.bytes);
  if (!pairs) return pairs.takeError();
  UpdatedImage updated;
  for (const Pair &pair : *pairs) {
    llvm::Expected<Piece> next = updatedPiece(rank.proof, pair.parameter, pair.gradient);
    if (!next) return next.takeError();
    if (llvm::Error error = checkDecay(rank.proof, *decaying, pair)) return error;
    if (llvm::Error error = takeRule(rank.proof, *pair.parameter.content, updated.rule)) return error;
    if (next->content->is(Stored::State) && parameters.isSliced == range.isSliced()) // padding stays
      rank.keep({range.offsetOn(int64_t(pair.dpRank)) + pair.onRank, next->bytes, 1, 0}, next->content);
    append(updated.image, *next);
  }
  return updated;
}

} // namespace autotp
