// A static batch made smaller: the loss of two halves is the loss of the whole.
#include "passes/partition/bind_batch.h"

#include "compiler/ops/evaluate.h"
#include "runtime/base/error.h"
#include "tests/compiler/ir/parsed_graph.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace autotp {
namespace {

constexpr int64_t kBatch = 4;

/// The mean of the losses of all micro-batches, bound to `microBatch` rows; or the refusal.
llvm::Expected<double> lossOf(const std::string &lines, int64_t microBatch) {
  Graph graph = parsed("graph {\n  input %x : f64[4,6]\n" + lines + "}\n");
  if (llvm::Expected<LossTerms> terms = bindBatch(graph, microBatch, 1, {}); !terms) return terms.takeError();
  std::mt19937 random(1);
  Array x(Type{DType::F64, {kBatch, 6}});
  for (double &v : x.data)
    v = double(random() % 1000) / 1000;
  double sum = 0;
  for (int64_t row = 0; row < kBatch; row += microBatch) {
    const ValueId input = graph.sources(ValueKind::Input)[0];
    Array part(graph.type(input));
    std::copy_n(x.data.begin() + row * 6, part.data.size(), part.data.begin());
    Sources sources;
    sources[input] = part;
    auto values = evaluateGraph(graph, sources);
    if (!values) return values.takeError();
    sum += (*values)[graph.outputs[0].value].data[0];
  }
  return sum / double(kBatch / microBatch);
}

const std::string kSquares = "  %q = mul(%x, %x) : f64[4,6]\n";

TEST(BindBatch, MeansStayMeans) {
  const std::string all = kSquares + "  %s = reduce_sum(%q) {axes=[0,1], keepdims=0} : f64[]\n",
                    end = "  return loss=%l\n";
  for (const std::string &mean :
       {all + "  constant %c : f64[] = {0.041666666666666664}\n  %l = mul(%s, %c) : f64[]\n",
        all + "  constant %c : f64[] = {24}\n  %l = div(%s, %c) : f64[]\n",
        kSquares + "  constant %c : f64[] = {0.25}\n  %s = reduce_sum(%q) {axes=[0], keepdims=1} : f64[1,6]\n"
                   "  %t = reshape(%s) : f64[6]\n  %m = mul(%c, %t) : f64[6]\n"
                   "  %l = reduce_sum(%m) {axes=[0], keepdims=0} : f64[]\n",
        all + "  constant %c : f64[] = {0.25}\n  %l = mul(%s, %c) : f64[]\n", // of each row the sum
        std::string( // segments, of which every second element is taken: the rows stay rows
            "  %a = slice(%x) {axis=1, length=5, start=0, step=1} : f64[4,5]\n"
            "  constant %z : f64[4,1] = {0, 0, 0, 0}\n  %b = concat(%z, %a) {axis=1} : f64[4,6]\n"
            "  %e = slice(%b) {axis=1, length=3, start=1, step=2} : f64[4,3]\n"
            "  %s = reduce_sum(%e) {axes=[0,1], keepdims=0} : f64[]\n"
            "  constant %c : f64[] = {12}\n  %l = div(%s, %c) : f64[]\n"),
        std::string(
            "  constant %at : i64[4,1] = {2, 2, 2, 2}\n  %s = log_softmax(%x) : f64[4,6]\n"
            "  %g = gather_elements(%s, %at) : f64[4,1]\n  %t = reduce_sum(%g) {axes=[0,1], keepdims=0} : f64[]\n"
            "  constant %c : f64[] = {0.25}\n  %l = mul(%t, %c) : f64[]\n"),
        kSquares + "  %s = reduce_sum(%q) {axes=[0,1], keepdims=0} : f64[]\n"
                   "  %n = reduce_sum(%x) {axes=[0,1], keepdims=0} : f64[]\n"
                   "  constant %c : f64[] = {3}\n  %k = mul(%s, %c) : f64[]\n  constant %z : f64[] = {24}\n"
                   "  %u = div(%n, %z) : f64[]\n  %v = div(%s, %z) : f64[]\n  %l = add(%u, %v) : f64[]\n"}) {
    llvm::Expected<double> whole = lossOf(mean + end, 4);
    ASSERT_TRUE(bool(whole)) << describe(whole.takeError());
    for (int64_t microBatch : {1, 2}) {
      llvm::Expected<double> bound = lossOf(mean + end, microBatch);
      ASSERT_TRUE(bool(bound)) << describe(bound.takeError());
      EXPECT_NEAR(*bound, *whole, 1e-12 * std::fabs(*whole)) << mean;
    }
  }
}

TEST(BindBatch, SumsStaySums) {
  const std::string sum = kSquares + "  %l = reduce_sum(%q) {axes=[0,1], keepdims=0} : f64[]\n  return loss=%l\n";
  llvm::Expected<double> whole = lossOf(sum, 4), halves = lossOf(sum, 2);
  ASSERT_TRUE(whole && halves);
  EXPECT_NEAR(*halves, *whole / 2, 1e-12 * *whole) << "each half has its own sum";
}

TEST(BindBatch, RefusesFunctionsOfSumsAndWhatIsLookedUp) {
  auto refusal = [](const std::string &lines) {
    llvm::Expected<double> loss = lossOf(lines + "  return loss=%l\n", 2);
    return loss ? std::string("none") : describe(loss.takeError());
  };
  EXPECT_NE(refusal("  parameter %w : f64[6]\n  %q = mul(%x, %w) : f64[4,6]\n"
                    "  %s = reduce_sum(%q) {axes=[0,1], keepdims=0} : f64[]\n  %e = exp(%s) : f64[]\n"
                    "  constant %c : f64[] = {24}\n  %l = div(%e, %c) : f64[]\n")
                .find("a function of a sum over the batch that is no mean"),
            std::string::npos);
  EXPECT_NE(refusal("  constant %at : i64[3] = {0, 2, 3}\n  %g = gather(%x, %at) : f64[3,6]\n"
                    "  %l = reduce_sum(%g) {axes=[0,1], keepdims=0} : f64[]\n")
                .find("looks up by its index"),
            std::string::npos);
}

} // namespace
} // namespace autotp
