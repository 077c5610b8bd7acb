// One case at least of every differentiable row.
#include "op_case.h"

namespace autotp::optest {

std::vector<OpCase> gradientCases() {
  std::vector<OpCase> cases;
  for (const char *op : {"neg", "exp", "tanh", "sigmoid", "erf", "relu", "abs", "sin", "cos", "silu", "floor", "sign"})
    cases.push_back({op, {f64({3, 4}, -2, 2)}});
  for (const char *op : {"log", "sqrt", "rsqrt", "reciprocal"})
    cases.push_back({op, {f64({3, 4}, 0.5, 2)}});
  for (int64_t form : {0, 1})
    cases.push_back({"gelu", {f64({3, 4}, -2, 2)}, {{"tanh", form}}});
  for (const char *op : {"add", "sub", "mul", "div", "max", "min", "pow"}) // broadcast on either side, and on both
    for (auto [a, b] : {std::pair(Shape{3, 4}, Shape{3, 4}), std::pair(Shape{2, 3, 4}, Shape{4}),
                        std::pair(Shape{}, Shape{2, 3}), std::pair(Shape{2, 1, 4}, Shape{3, 1})})
      cases.push_back({op, {f64(a, 0.5, 2), f64(b, 0.5, 2)}});
  cases.push_back({"swiglu", {f64({3, 4}), f64({3, 4})}});
  for (const char *op : {"max", "min"})
    cases.push_back({op, {f64({3, 4}), f64({4})}, {{"shares", int64_t(1)}}});
  cases.push_back({"where", {given({3, 1}, {1, 0, 1}, DType::Bool), f64({3, 4}), f64({4})}});
  cases.push_back({"cast", {f64({3})}, {}, Type{DType::F64, {3}}});
  cases.push_back({"reduce_sum", {f64({2, 3, 4})}, {{"axes", list({0, 2})}, {"keepdims", int64_t(0)}}});
  cases.push_back({"reduce_sum", {f64({2, 3, 4})}, {{"axes", list({2})}, {"keepdims", int64_t(1)}}});
  cases.push_back({"reduce_max", {f64({2, 3, 4})}, {{"axes", list({1})}, {"keepdims", int64_t(0)}}});
  cases.push_back({"reduce_max", {f64({2, 3})}, {{"axes", list({1})}, {"keepdims", int64_t(1)}}});
  for (int64_t a : {0, 1})
    for (int64_t b : {0, 1}) {
      Attributes flags = {{"trans_a", a}, {"trans_b", b}};
      auto left = [&](Shape batch) { return batch.append(a ? Shape{3, 2} : Shape{2, 3}), f64(batch); };
      auto right = [&](Shape batch) { return batch.append(b ? Shape{4, 3} : Shape{3, 4}), f64(batch); };
      for (auto [x, y] : {std::pair(Shape{}, Shape{}), std::pair(Shape{2}, Shape{}), std::pair(Shape{}, Shape{2}),
                          std::pair(Shape{2, 1}, Shape{3}), std::pair(Shape{2, 3}, Shape{2, 3})})
        cases.push_back({"matmul", {left(x), right(y)}, flags});
    }
  cases.push_back({"reshape", {f64({2, 6})}, {}, Type{DType::F64, {3, 4}}});
  cases.push_back({"expand", {f64({3, 1})}, {}, Type{DType::F64, {2, 3, 4}}});
  cases.push_back({"transpose", {f64({2, 3, 4})}, {{"perm", list({2, 0, 1})}}});
  for (auto [start, length, step] : {std::tuple(0, 7, 1), std::tuple(2, 3, 1), std::tuple(0, 4, 2), std::tuple(1, 3, 2),
                                     std::tuple(0, 2, 3), std::tuple(1, 2, 4)})
    cases.push_back(
        {"slice",
         {f64({2, 7, 2})},
         {{"axis", int64_t(1)}, {"length", int64_t(length)}, {"start", int64_t(start)}, {"step", int64_t(step)}}});
  cases.push_back({"concat", {f64({2, 3}), f64({2, 1}), f64({2, 2})}, {{"axis", int64_t(1)}}});
  cases.push_back({"gather", {f64({5, 3}), given({2, 2}, {4, 0, 4, 2}, DType::I64)}});
  cases.push_back({"scatter_add", {given({3}, {4, 0, 4}, DType::I64), f64({3, 2})}, {}, Type{DType::F64, {5, 2}}});
  cases.push_back({"gather_elements", {f64({2, 5}), given({2, 3}, {4, -1, 0, 2, -5, 2}, DType::I64)}});
  cases.push_back({"dropout",
                   {f64({3, 5}), given({3}, {7, 1, 0}, DType::I64), given({3, 2}, {0, 0, 1, 0, 2, 0}, DType::I64),
                    given({5, 2}, {0, 0, 0, 1, 0, 2, 0, 3, 0, 4}, DType::I64)},
                   {{"ordinal", int64_t(2)}, {"per_sample", int64_t(1)}, {"ratio", 0.25}}});
  cases.push_back({"softmax", {f64({2, 3, 4})}});
  cases.push_back({"log_softmax", {f64({2, 3, 4})}});
  cases.push_back({"log_sum_exp", {f64({2, 3, 4})}});
  for (int64_t reverse : {0, 1})
    cases.push_back({"cumsum", {f64({2, 5})}, {{"reverse", reverse}}});
  cases.push_back({"top_k", {f64({3, 5})}, {{"k", int64_t(2)}}});
  cases.push_back({"layer_norm", {f64({2, 3, 4}), f64({4}), f64({4})}, {{"epsilon", 1e-2}}});
  cases.push_back({"rms_norm", {f64({2, 3, 4}), f64({4})}, {{"epsilon", 1e-2}}});
  for (int64_t causal : {0, 1})
    for (int64_t heads : {2, 4}) {
      cases.push_back({"attention",
                       {f64({2, 3, 4, 2}), f64({2, 5, heads, 2}), f64({2, 5, heads, 3})},
                       {{"causal", causal}, {"scale", 0.7}}});
      Operand mask = given({2, 1, 3, 5}, std::vector<double>(30, 0.25));
      mask.values[3] = mask.values[7] = -HUGE_VAL;
      for (int k = 5; k < 10; ++k)
        mask.values[15 + k] = -HUGE_VAL; // a row without keys
      cases.push_back({"attention",
                       {f64({2, 3, 4, 2}), f64({2, 5, heads, 2}), f64({2, 5, heads, 3}), mask},
                       {{"causal", causal}, {"scale", 0.7}}});
    }
  for (int64_t inverse : {0, 1})
    cases.push_back({"rotary", {f64({2, 3, 2, 4}), f64({3, 2}), f64({3, 2})}, {{"inverse", inverse}}});
  cases.push_back(
      {"cross_entropy", {f64({4, 5}), given({4}, {1, -100, 4, 0}, DType::I64)}, {{"ignore_index", int64_t(-100)}}});
  return cases;
}

} // namespace autotp::optest
