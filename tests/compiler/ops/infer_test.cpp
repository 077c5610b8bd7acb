// Result types of every row by value, and operands that a row refuses.
#include "op_case.h"

#include "llvm/ADT/StringSet.h"

namespace autotp::optest {
namespace {

Type f32(Shape shape) { return {DType::F32, std::move(shape)}; }
Type bf16(Shape shape) { return {DType::BF16, std::move(shape)}; }
Type i64(Shape shape) { return {DType::I64, std::move(shape)}; }
Type boolean(Shape shape) { return {DType::Bool, std::move(shape)}; }

struct InferCase {
  const char *op;
  std::vector<Type> operands;
  const char *results; ///< types, or a part of the refusal
  Attributes attributes = {};
  std::optional<Type> stated = {};
};

std::string inferred(const InferCase &c) {
  const OpDef *row = findOp(c.op);
  if (!row) return "no row";
  llvm::ArrayRef<Type> stated;
  if (c.stated) stated = *c.stated;
  llvm::Expected<Types> types = row->infer(OpCall{c.operands, c.attributes, stated});
  if (!types) return describe(types.takeError());
  std::string text;
  for (const Type &type : *types)
    text += (text.empty() ? "" : " ") + type.text();
  return text;
}

std::vector<InferCase> elementwiseCases() {
  std::vector<InferCase> cases;
  for (const char *op : {"neg", "exp", "log", "sqrt", "rsqrt", "reciprocal", "tanh", "sigmoid", "erf", "relu", "abs",
                         "sin", "cos", "floor", "sign", "silu", "gelu"})
    cases.push_back({op, {bf16({2, 3})}, "bf16[2,3]"});
  for (const char *op : {"add", "sub", "mul", "div", "pow", "max", "min"}) {
    cases.push_back({op, {f32({2, 1, 4}), f32({3, 1})}, "f32[2,3,4]"});
    cases.push_back({op, {i64({}), i64({2})}, "i64[2]"});
  }
  for (const char *op : {"relu_grad", "silu_grad", "gelu_grad", "swiglu"})
    cases.push_back({op, {f32({2, 3}), f32({2, 3})}, "f32[2,3]"});
  for (const char *op : {"equal", "less", "less_equal", "greater", "greater_equal"})
    cases.push_back({op, {i64({2, 1}), i64({3})}, "bool[2,3]"});
  for (const char *op : {"and", "or"})
    cases.push_back({op, {boolean({2, 1}), boolean({3})}, "bool[2,3]"});
  cases.push_back({"not", {boolean({2})}, "bool[2]"});
  cases.push_back({"is_nan", {f32({2})}, "bool[2]"});
  cases.push_back({"where", {boolean({2, 1}), f32({3}), f32({})}, "f32[2,3]"});
  cases.push_back({"cast", {f32({2})}, "i64[2]", {}, i64({2})});
  cases.push_back({"swiglu_grad", {f32({2}), f32({2}), f32({2})}, "f32[2] f32[2]"});
  return cases;
}

std::vector<InferCase> structuredCases() {
  Type x = bf16({2, 3, 8}), w = bf16({8});
  Type q = bf16({2, 3, 4, 8}), k = bf16({2, 5, 2, 8}), v = bf16({2, 5, 2, 6}), o = bf16({2, 3, 4, 6});
  return {
      {"matmul", {f32({2, 1, 3, 4}), f32({5, 4, 6})}, "f32[2,5,3,6]"},
      {"matmul", {f32({4, 3}), f32({6, 4})}, "f32[3,6]", {{"trans_a", int64_t(1)}, {"trans_b", int64_t(1)}}},
      {"reduce_sum", {f32({2, 3, 4})}, "f32[3]", {{"axes", list({0, 2})}, {"keepdims", int64_t(0)}}},
      {"reduce_max", {f32({2, 3, 4})}, "f32[1,3,1]", {{"axes", list({0, 2})}, {"keepdims", int64_t(1)}}},
      {"reshape", {f32({2, 6})}, "f32[3,4]", {}, f32({3, 4})},
      {"expand", {f32({3, 1})}, "f32[2,3,4]", {}, f32({2, 3, 4})},
      {"transpose", {f32({2, 3, 4})}, "f32[4,2,3]", {{"perm", list({2, 0, 1})}}},
      {"slice",
       {f32({2, 7})},
       "f32[2,3]",
       {{"axis", int64_t(1)}, {"length", int64_t(3)}, {"start", int64_t(2)}, {"step", int64_t(2)}}},
      {"concat", {i64({2, 1}), i64({2, 3})}, "i64[2,4]", {{"axis", int64_t(1)}}},
      {"full", {}, "f32[2]", {{"value", 1.0}}, f32({2})},
      {"gather", {bf16({9, 4}), i64({2, 3})}, "bf16[2,3,4]"},
      {"scatter_add", {i64({2, 3}), f32({2, 3, 4})}, "f32[9,4]", {}, f32({9, 4})},
      {"gather_elements", {bf16({2, 9}), i64({2, 3})}, "bf16[2,3]"},
      {"scatter_elements", {i64({2, 3}), f32({2, 3})}, "f32[2,9]", {}, f32({2, 9})},
      {"dropout", {x}, "bf16[2,3,8]", {{"ratio", 0.5}}},
      {"dropout", {x, i64({3}), i64({2, 2}), i64({3, 2}), i64({8, 2})}, "bf16[2,3,8]", {{"ratio", 0.5}}},
      {"softmax", {x}, "bf16[2,3,8]"},
      {"log_softmax", {x}, "bf16[2,3,8]"},
      {"log_sum_exp", {x}, "bf16[2,3,1]"},
      {"matmul_bias", {x, bf16({8, 5}), bf16({1, 5})}, "bf16[2,3,5]"},
      {"matmul_bias_gelu", {x, bf16({8, 5}), bf16({5})}, "bf16[2,3,5] bf16[2,3,5]"},
      {"matmul_gelu_grad", {x, bf16({8, 5}), bf16({2, 3, 5})}, "bf16[2,3,5]"},
      {"matmul_bias", {bf16({6, 8}), bf16({8, 5}), bf16({5})}, "bf16[2,3,5]", {}, bf16({2, 3, 5})},
      {"cumsum", {x}, "bf16[2,3,8]", {{"reverse", int64_t(1)}}},
      {"top_k", {x}, "bf16[2,3,2] i64[2,3,2]", {{"k", int64_t(2)}}},
      {"softmax_grad", {x, x}, "bf16[2,3,8]"},
      {"layer_norm", {x, w, w}, "bf16[2,3,8] f32[2,3] f32[2,3]"},
      {"layer_norm_grad", {x, w, f32({2, 3}), f32({2, 3}), x}, "bf16[2,3,8] bf16[8] bf16[8]"},
      {"rms_norm", {x, w}, "bf16[2,3,8] f32[2,3]"},
      {"rms_norm_grad", {x, w, f32({2, 3}), x}, "bf16[2,3,8] bf16[8]"},
      {"attention", {q, k, v}, "bf16[2,3,4,6] f32[2,4,3,2]"},
      {"attention", {q, k, v, f32({1, 4, 3, 5})}, "bf16[2,3,4,6] f32[2,4,3,2]"},
      {"attention_grad", {q, k, v, o, f32({2, 4, 3, 2}), o}, "bf16[2,3,4,8] bf16[2,5,2,8] bf16[2,5,2,6]"},
      {"rotary", {q, f32({3, 4}), f32({3, 4})}, "bf16[2,3,4,8]"},
      {"wrap_index", {i64({6})}, "i64[6]", {{"size", int64_t(4)}}},
      {"cross_entropy", {bf16({6, 9}), i64({6})}, "f32[] f32[] f32[6]"},
      {"cross_entropy_local", {bf16({6, 9}), i64({6}), f32({6})}, "f32[2,6]"},
      {"cross_entropy_finish", {f32({2, 6}), f32({6}), i64({6})}, "f32[] f32[] f32[6]"},
      {"cross_entropy_grad", {bf16({6, 9}), i64({6}), f32({6}), f32({})}, "bf16[6,9]"},
      {"accumulate", {f32({4}), f32({4})}, "f32[4]"},
      {"sum_squares", {f32({4})}, "f32[]"},
      {"grad_scale", {f32({}), f32({})}, "f32[] f32[]"},
      {"loss_scale", {f32({4}), f32({}), f32({}), f32({})}, "f32[4] f32[] f32[]"},
      {"adam", {f32({4}), f32({4}), f32({4}), f32({4}), f32({}), f32({}), f32({})}, "f32[4] f32[4] f32[4]"},
      {"adagrad", {f32({4}), f32({4}), f32({4}), f32({}), f32({}), f32({})}, "f32[4] f32[4]"},
      {"momentum", {f32({4}), f32({4}), f32({4}), f32({}), f32({}), f32({})}, "f32[4] f32[4]"},
      {"sgd", {f32({4}), f32({4}), f32({}), f32({}), f32({})}, "f32[4]"},
      {"copy", {f32({4})}, "f32[4]"},
      {"all_reduce", {f32({4})}, "f32[4]", {{"axis", std::string("tp")}, {"reduce", std::string("max")}}},
      {"all_gather", {f32({4})}, "f32[8]", {{"axis", std::string("dp")}}, f32({8})},
      {"all_gather_into", {f32({4}), f32({8})}, "f32[8]", {{"axis", std::string("world")}}, f32({8})},
      {"reduce_scatter", {f32({8})}, "f32[4]", {{"axis", std::string("dp")}}, f32({4})},
  };
}

TEST(Infer, EveryRow) {
  llvm::StringSet<> covered;
  for (const auto &cases : {elementwiseCases(), structuredCases()})
    for (const InferCase &c : cases) {
      EXPECT_EQ(inferred(c), c.results) << c.op;
      covered.insert(c.op);
    }
  for (const OpDef *row : allOps())
    EXPECT_TRUE(covered.contains(row->name)) << row->name;
}

TEST(Infer, StatisticsOfF64AreF64) {
  Type x{DType::F64, {2, 4}}, w{DType::F64, {4}};
  EXPECT_EQ(inferred({"rms_norm", {x, w}, ""}), "f64[2,4] f64[2]");
  EXPECT_EQ(inferred({"cross_entropy", {x, i64({2})}, ""}), "f64[] f64[] f64[2]");
}

TEST(Infer, Refusals) {
  Type q = f32({2, 3, 4, 8}), k = f32({2, 5, 2, 8});
  auto slice = [](int64_t axis, int64_t start, int64_t length, int64_t step) {
    return Attributes{{"axis", axis}, {"length", length}, {"start", start}, {"step", step}};
  };
  const InferCase kCases[] = {
      {"add", {f32({2}), f32({3})}, "do not broadcast"},
      {"add", {f32({2}), bf16({2})}, "its operands are f32[2] and bf16[2]"},
      {"swiglu", {f32({2, 3}), f32({3})}, "its operands are f32[2,3] and f32[3], which must be alike"},
      {"gelu_grad", {f32({2, 3}), f32({3})}, "which must be alike"},
      {"swiglu_grad", {f32({2}), f32({2}), f32({3})}, "which must be alike"},
      {"softmax_grad", {f32({2, 3}), f32({3})}, "which must be alike"},
      {"accumulate", {f32({4}), f32({5})}, "which must be alike"},
      {"cast", {f32({4})}, "its operand is f32[4], not f32[5]", {}, bf16({5})},
      {"layer_norm_grad", {f32({2, 8}), f32({8}), f32({2}), f32({3}), f32({2, 8})}, "its rstd is f32[3], not f32[2]"},
      {"rms_norm_grad", {f32({2, 8}), f32({8}), f32({2}), f32({2, 7})}, "its arriving gradient is f32[2,7]"},
      {"attention_grad", {q, k, k, q, f32({2, 4, 3}), q}, "its row statistics is f32[2,4,3], not f32[2,4,3,2]"},
      {"attention_grad", {q, k, k, q, f32({2, 4, 3, 2}), k}, "its arriving gradient is f32[2,5,2,8]"},
      {"cross_entropy_grad", {f32({6, 9}), i64({6}), f32({5}), f32({})}, "its log-sum-exp is f32[5]"},
      {"cross_entropy_grad", {f32({6, 9}), i64({6}), f32({6}), f32({6})}, "its arriving gradient is f32[6], not f32[]"},
      {"scatter_add", {i64({2, 3}), f32({2, 4})}, "its arriving gradient is f32[2,4]", {}, f32({9, 4})},
      {"where", {boolean({2}), f32({3}), f32({})}, "do not broadcast"},
      {"cast", {f32({2})}, "must be stated"},
      {"matmul", {f32({4}), f32({4, 2})}, "two dimensions"},
      {"matmul", {f32({2, 3}), f32({4, 2})}, "sums over 3 on the left and 4 on the right"},
      {"matmul", {f32({2, 3}), bf16({3, 2})}, "f32[2,3] and bf16[3,2]"},
      {"matmul_bias", {f32({2, 3}), f32({4, 2}), f32({2})}, "sums over 3 on the left and 4 on the right"},
      {"matmul_bias", {f32({2, 3}), f32({3, 2}), f32({2, 2})}, "its bias is f32[2,2]"},
      {"matmul_bias_gelu", {f32({2, 3}), f32({3, 2}), f32({1})}, "its bias is f32[1]"},
      {"matmul_gelu_grad", {f32({2, 3}), f32({3, 2}), f32({2})}, "its operands are f32[2] and f32[2,2]"},
      {"matmul_bias", {f32({4, 3}), f32({3, 2}), f32({2})}, "has not the elements of f32[4,2]", {}, f32({3, 2})},
      {"reduce_sum", {f32({2})}, "no dimension 1", {{"axes", list({1})}}},
      {"reshape", {f32({2})}, "must be stated"},
      {"reshape", {f32({2})}, "cannot give", {}, f32({3})},
      {"reshape", {f32({2})}, "cannot give", {}, i64({2})},
      {"expand", {f32({2})}, "do not broadcast", {}, f32({3})},
      {"expand", {f32({2})}, "cannot broadcast", {}, f32({1})},
      {"expand", {f32({2})}, "cannot broadcast", {}, bf16({2})},
      {"transpose", {f32({2, 3})}, "another rank", {{"perm", list({0})}}},
      {"transpose", {f32({2, 3})}, "no dimension twice", {{"perm", list({1, 1})}}},
      {"slice", {f32({2})}, "no dimension 1", slice(1, 0, 1, 1)},
      {"slice", {f32({2})}, "outside dimension 0", slice(0, 1, 2, 1)},
      {"slice", {f32({2})}, "outside dimension 0", slice(0, 0, 1, 0)},
      {"concat", {}, "no operand", {{"axis", int64_t(0)}}},
      {"concat", {f32({2}), f32({2, 1})}, "differ in rank", {{"axis", int64_t(0)}}},
      {"concat", {f32({2, 3}), f32({3, 3})}, "its operands are", {{"axis", int64_t(1)}}},
      {"gather", {f32({}), i64({2})}, "no dimension"},
      {"cumsum", {f32({})}, "a scalar"},
      {"top_k", {f32({3})}, "cannot choose 4", {{"k", int64_t(4)}}},
      {"gather", {f32({3}), f32({2})}, "its indices are f32[2]"},
      {"gather_elements", {f32({2, 3}), i64({3, 1})}, "its indices are i64[3,1] for rows of f32[2,3]"},
      {"gather_elements", {f32({2, 3}), f32({2, 1})}, "its indices are f32[2,1]"},
      {"scatter_elements", {i64({2, 1}), f32({2})}, "its arriving gradient is f32[2]", {}, f32({2, 3})},
      {"log_sum_exp", {f32({})}, "its operand has no dimension"},
      {"dropout", {i64({3})}, "drops elements of i64[3]"},
      {"dropout", {f32({3}), i64({3})}, "no positions"},
      {"dropout", {f32({3}), i64({2}), i64({3, 2})}, "counter"},
      {"dropout", {f32({3}), i64({3}), i64({4, 2})}, "positions 0"},
      {"rms_norm", {f32({2, 4}), f32({2})}, "f32[2] for rows of 4"},
      {"attention", {q, k, f32({2, 5, 8})}, "it needs [batch"},
      {"attention", {q, f32({2, 5, 3, 8}), f32({2, 5, 3, 8})}, "its q, k and v are"},
      {"attention", {q, k, bf16({2, 5, 2, 8})}, "several element types"},
      {"attention", {q, k, k, f32({3, 5})}, "its mask is f32[3,5]"},
      {"attention", {q, k, k, bf16({1, 4, 3, 5})}, "its mask is bf16[1,4,3,5]"},
      {"attention", {q, k, k, f32({1, 1, 1, 5})}, "its mask is f32[1,1,1,5]"},
      {"rotary", {f32({2, 3, 8}), f32({3, 4}), f32({3, 4})}, "even head dimension"},
      {"rotary", {q, f32({3, 8}), f32({3, 4})}, "its table is f32[3,8]"},
      {"cross_entropy", {f32({2, 3, 4}), i64({2})}, "logits [rows, classes]"},
      {"cross_entropy", {f32({2, 3}), i64({3})}, "logits [rows, classes]"},
  };
  for (const InferCase &c : kCases) {
    std::string found = inferred(c);
    EXPECT_NE(found.find(c.results), std::string::npos) << c.op << ": " << found;
  }
}

} // namespace
} // namespace autotp::optest
