// What the table as a whole must be.
#include "op_case.h"

namespace autotp::optest {
namespace {

TEST(Rows, SortedAndNamedOnce) {
  for (size_t k = 1; k < allOps().size(); ++k)
    EXPECT_LT(llvm::StringRef(allOps()[k - 1]->name), allOps()[k]->name);
  for (const OpDef *row : allOps()) {
    EXPECT_TRUE(row->infer) << row->name;
    EXPECT_EQ(findOp(row->name), row);
  }
  EXPECT_EQ(findOp("no_such_operator"), nullptr);
}

/// A new row without a gradient is a decision, made here.
TEST(Rows, WithoutGradient) {
  std::vector<std::string> found;
  for (const OpDef *row : allOps())
    if (!row->gradient) found.push_back(row->name);
  EXPECT_EQ(found, (std::vector<std::string>{"accumulate",
                                             "adagrad",
                                             "adam",
                                             "all_gather",
                                             "all_gather_into",
                                             "all_reduce",
                                             "and",
                                             "attention_grad",
                                             "copy",
                                             "cross_entropy_finish",
                                             "cross_entropy_grad",
                                             "cross_entropy_local",
                                             "equal",
                                             "full",
                                             "gelu_grad",
                                             "grad_scale",
                                             "greater",
                                             "greater_equal",
                                             "is_nan",
                                             "layer_norm_grad",
                                             "less",
                                             "less_equal",
                                             "loss_scale",
                                             "matmul_bias",
                                             "matmul_bias_gelu",
                                             "matmul_gelu_grad",
                                             "momentum",
                                             "not",
                                             "or",
                                             "reduce_scatter",
                                             "relu_grad",
                                             "rms_norm_grad",
                                             "scatter_elements",
                                             "sgd",
                                             "silu_grad",
                                             "softmax_grad",
                                             "sum_squares",
                                             "swiglu_grad",
                                             "wrap_index"}));
}

/// Only collectives need more than one rank.
TEST(Rows, WithoutEvaluation) {
  std::vector<std::string> found;
  for (const OpDef *row : allOps())
    if (!row->evaluate) found.push_back(row->name);
  EXPECT_EQ(found, (std::vector<std::string>{"all_gather", "all_gather_into", "all_reduce", "reduce_scatter"}));
}

} // namespace
} // namespace autotp::optest
