/// \file Signatures of kernels: their grammar, and the calls that they let pass.
#include "runtime/base/error.h"
#include "runtime/plan/kernels/kernel_def.h"

#include "llvm/ADT/STLExtras.h"

#include <gtest/gtest.h>
#include <set>

namespace autotp {
namespace {

TensorArg tensor(ArgShape shape, DType dtype = DType::F32) { return {nullptr, dtype, std::move(shape)}; }

/// Empty if the call fits, else the message.
std::string mistakeIn(KernelId kernel, std::vector<TensorArg> operands, std::vector<TensorArg> results) {
  KernelCall call{kernel, {std::move(operands), std::move(results), {}, {}, 0}, "test"};
  llvm::Error error = checkCall(call);
  return error ? describe(std::move(error)) : "";
}

bool isMentioned(const std::string &text, llvm::StringRef part) { return llvm::StringRef(text).contains(part); }

TEST(Signature, Counts) {
  const Signature s = Signature::parse("~n, r... (2 d):f32, b|1:index?, x...* -> y...");
  ASSERT_EQ(s.operands.size(), 4u);
  EXPECT_EQ(s.fewestOperands(), 3);
  EXPECT_EQ(s.mostOperands(), INT_MAX);
  EXPECT_TRUE(s.operands[0].countsElements);
  EXPECT_EQ(s.operands[1].dims.size(), 2u);
  EXPECT_EQ(s.operands[1].dims[0].kind, Signature::Dim::Kind::Many);
  EXPECT_EQ(s.operands[1].dims[1].factor, 2);
  EXPECT_EQ(s.names.at(size_t(s.operands[1].dims[1].name)), "d");
  EXPECT_EQ(s.operands[1].type, Signature::Type::F32);
  EXPECT_EQ(s.operands[2].dims[0].kind, Signature::Dim::Kind::OneOr1);
  EXPECT_TRUE(s.operands[2].isOptional);
  EXPECT_TRUE(s.operands[3].isRepeated);
  EXPECT_EQ(Signature::parse("-> y...").fewestOperands(), 0);
}

TEST(Signature, RowsAreWellFormed) {
  std::set<int> ids;
  std::set<std::string> names;
  for (const KernelDef &row : allKernels()) {
    EXPECT_TRUE(ids.insert(int(row.id)).second) << row.name;
    EXPECT_TRUE(names.insert(row.name).second) << row.name;
    EXPECT_EQ(findKernel(row.id), &row);
    EXPECT_EQ(nameOf(row.id), row.name);
    EXPECT_FALSE(row.dtypes.empty()) << row.name;
    EXPECT_FALSE(signatureOf(row.id).results.empty()) << row.name;
    for (const std::string &name : signatureOf(row.id).names)
      EXPECT_TRUE(llvm::all_of(name, llvm::isAlpha)) << row.name << ": " << name;
  }
  EXPECT_EQ(findKernel(KernelId::None), nullptr);
  EXPECT_EQ(findKernel(KernelId(9999)), nullptr);
}

TEST(Signature, ANameIsOneSizeThroughoutTheCall) {
  EXPECT_EQ(mistakeIn(KernelId::Exp, {tensor({2, 3})}, {tensor({2, 3})}), "");
  EXPECT_TRUE(isMentioned(mistakeIn(KernelId::Exp, {tensor({2, 3})}, {tensor({3, 2})}),
                          "result 1 is f32 [3, 2], which is not 'x...' of its signature 'x... -> x...'"));
  EXPECT_EQ(mistakeIn(KernelId::LogSumExp, {tensor({4, 7})}, {tensor({4, 1})}), "");
  EXPECT_TRUE(isMentioned(mistakeIn(KernelId::LogSumExp, {tensor({4, 7})}, {tensor({4})}), "result 1"));
  EXPECT_TRUE(isMentioned(mistakeIn(KernelId::Softmax, {tensor({})}, {tensor({})}), "operand 1"));
}

TEST(Signature, ElementsCountIfTheTensorIsFlat) {
  const TensorArg x = tensor({2, 3, 4}), scale = tensor({4}), statistics = tensor({6, 1});
  EXPECT_EQ(mistakeIn(KernelId::RmsNorm, {x, scale}, {x, statistics}), "");
  EXPECT_EQ(mistakeIn(KernelId::RmsNorm, {x, tensor({1, 4})}, {tensor({6, 4}), tensor({6})}), "");
  EXPECT_TRUE(isMentioned(mistakeIn(KernelId::RmsNorm, {x, tensor({3})}, {x, statistics}), "operand 2"));
  // A size that only the number of elements tells.
  const TensorArg sums = tensor({2, 5}), rows = tensor({5}), labels = tensor({5}, DType::I64), scalar = tensor({});
  EXPECT_EQ(mistakeIn(KernelId::CrossEntropyFinish, {sums, rows, labels}, {scalar, scalar, rows}), "");
  EXPECT_TRUE(isMentioned(mistakeIn(KernelId::CrossEntropyFinish, {tensor({9}), rows, labels}, {scalar, scalar, rows}),
                          "operand 1"));
}

TEST(Signature, DimensionsInTheMiddle) {
  const TensorArg table = tensor({7, 2, 3}), ids = tensor({4, 5}, DType::I32);
  EXPECT_EQ(mistakeIn(KernelId::Gather, {table, ids}, {tensor({4, 5, 2, 3})}), "");
  EXPECT_EQ(mistakeIn(KernelId::ScatterAdd, {ids, tensor({4, 5, 2, 3})}, {table}), "");
  EXPECT_TRUE(isMentioned(mistakeIn(KernelId::Gather, {table, ids}, {tensor({4, 5, 6})}), "result 1"));
  EXPECT_TRUE(isMentioned(mistakeIn(KernelId::ScatterAdd, {ids, tensor({5, 4, 2, 3})}, {table}), "operand 2"));
  EXPECT_TRUE(isMentioned(mistakeIn(KernelId::Gather, {table, tensor({4})}, {tensor({4, 2, 3})}), "operand 2"));
}

TEST(Signature, ProductsAndOnes) {
  const TensorArg x = tensor({1, 6, 2, 8}), angles = tensor({6, 4});
  EXPECT_EQ(mistakeIn(KernelId::Rotary, {x, angles, angles}, {x}), "");
  const TensorArg odd = tensor({1, 6, 2, 7});
  EXPECT_TRUE(isMentioned(mistakeIn(KernelId::Rotary, {odd, angles, angles}, {odd}), "operand 1"));
  const TensorArg q = tensor({2, 3, 4, 8}), k = tensor({2, 5, 2, 8}), statistics = tensor({2, 4, 3, 2});
  EXPECT_EQ(mistakeIn(KernelId::Attention, {q, k, k}, {q, statistics}), "");
  EXPECT_EQ(mistakeIn(KernelId::Attention, {q, k, k, tensor({1, 4, 1, 5})}, {q, statistics}), "");
  EXPECT_TRUE(isMentioned(mistakeIn(KernelId::Attention, {q, k, k, tensor({1, 4, 1, 4})}, {q, statistics}),
                          "operand 4 is f32 [1, 4, 1, 4]"));
  EXPECT_TRUE(isMentioned(mistakeIn(KernelId::Attention, {q, k, k, k, k}, {q, statistics}), "5 operands"));
}

TEST(Signature, DTypes) {
  const TensorArg x = tensor({3}), ints = tensor({3}, DType::I64), flags = tensor({3}, DType::Bool);
  EXPECT_EQ(mistakeIn(KernelId::Where, {flags, ints, ints}, {ints}), "");
  EXPECT_TRUE(isMentioned(mistakeIn(KernelId::Where, {flags, ints, x}, {ints}), "operand 3"));
  EXPECT_TRUE(isMentioned(mistakeIn(KernelId::Exp, {ints}, {ints}), "not available for i64 on the test device"));
  EXPECT_EQ(mistakeIn(KernelId::Cast, {x}, {flags}), "");
}

} // namespace
} // namespace autotp
