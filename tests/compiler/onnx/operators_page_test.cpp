/// \file docs/operators.md: every operator of ONNX, and whether it is taken or why not (UPDATE_GOLDEN=1 rewrites it).
#include "compiler/onnx/functions.h"
#include "compiler/onnx/import_table.h"
#include "compiler/onnx/importer.h"
#include "compiler/onnx/training_info.h"
#include "tests/golden/expect_golden.h"

#include "llvm/ADT/StringExtras.h"

#include <gtest/gtest.h>
#include <onnx/defs/schema.h>

#include <map>

namespace autotp {
namespace {

using namespace test;

constexpr int kOldestOpset = 13;
const char *const kIntroduction =
    R"(# Operators
Every operator of ONNX 1.23, as `tests/compiler/onnx/operators_page_test.cpp` finds it in the import's tables
(`UPDATE_GOLDEN=1` rewrites this page). Opsets: versions of the operator that a model of opset 13 or newer may have. Types:
of its first operand, as far as they are element types here (`docs/devices.md` says which kernels compute them; models in
f16, bf16 and f64 are computed as docs/decisions.md says). How: `row`, built from our operators by
`compiler/onnx`; `function`, as the standard itself defines it through others; `flow`, decided and unrolled while importing;
`training`, read with a training graph. A model with anything else is refused with all such operators named.
)";

/// By domain and name, in their order: all versions, the last one last.
std::map<std::pair<std::string, std::string>, std::vector<onnx::OpSchema>> allOperators() {
  std::map<std::pair<std::string, std::string>, std::vector<onnx::OpSchema>> all;
  for (const onnx::OpSchema &schema : onnx::OpSchemaRegistry::get_all_schemas_with_history())
    all[{schema.domain(), schema.Name()}].push_back(schema);
  for (auto &[name, versions] : all)
    llvm::sort(versions, [](const auto &a, const auto &b) { return a.since_version() < b.since_version(); });
  return all;
}

/// Those of versions that hold from opset 13 on.
std::string opsetsOf(const std::vector<onnx::OpSchema> &versions) {
  std::string text;
  for (size_t i = 0; i < versions.size(); ++i) {
    const bool isReplaced = i + 1 < versions.size() && versions[i + 1].since_version() <= kOldestOpset;
    if (versions[0].domain().empty() && isReplaced) continue;
    text += (text.empty() ? "" : " ") + std::to_string(versions[i].since_version());
  }
  return text;
}

std::string typesOf(const onnx::OpSchema &schema) {
  if (schema.inputs().empty()) return "";
  constexpr std::pair<const char *, DType> kTypes[] = {
      {"tensor(float)", DType::F32},   {"tensor(double)", DType::F64}, {"tensor(bfloat16)", DType::BF16},
      {"tensor(float16)", DType::F16}, {"tensor(int64)", DType::I64},  {"tensor(int32)", DType::I32},
      {"tensor(bool)", DType::Bool},   {"tensor(uint8)", DType::U8}};
  std::string text;
  for (const auto &[name, dtype] : kTypes)
    if (llvm::any_of(schema.inputs()[0].GetTypes(),
                     [&, wanted = name](const std::string *type) { return *type == wanted; }))
      text += (text.empty() ? "" : " ") + nameOf(dtype).str();
  return text;
}

/// How it is taken; "" where it is refused.
std::string howOf(const onnx::OpSchema &schema) {
  onnx::NodeProto node;
  node.set_domain(schema.domain());
  node.set_op_type(schema.Name());
  if (isControlFlow(node)) return "flow";
  if (const ImportDef *row = findImport(schema.domain(), schema.Name()))
    return llvm::StringRef(row->limits).empty() ? "row" : std::string("row: ") + row->limits;
  if (isTrainingOperator(node)) return "training";
  return schema.HasFunction() || schema.HasContextDependentFunction() ? "function" : "";
}

TEST(OperatorsPage, IsCurrent) {
  std::string taken = "\n## Taken\n| operator | opsets | types | how |\n|---|---|---|---|\n",
              refused = "\n## Refused\n| operator | why |\n|---|---|\n";
  for (const auto &[id, versions] : allOperators()) {
    const onnx::OpSchema &schema = versions.back();
    const std::string name = (id.first.empty() ? "" : id.first + ".") + id.second, how = howOf(schema);
    const std::string why = whyRefused(id.first, id.second).str();
    if (schema.deprecated() && how.empty() && why.empty()) continue;
    EXPECT_NE(how.empty(), why.empty()) << name << " is neither taken nor refused with a reason, or both";
    if (how.empty())
      refused += "| " + name + " | " + why + " |\n";
    else
      taken += "| " + name + " | " + opsetsOf(versions) + " | " + typesOf(schema) + " | " + how + " |\n";
  }
  std::string others = "\n## Of onnxruntime (`com.microsoft`)\n";
  llvm::SmallVector<std::string, 32> names;
  for (const ImportDef *row : allImports())
    if (llvm::StringRef(row->domain) == "com.microsoft") names.push_back(row->name);
  llvm::sort(names);
  expectGolden("docs/operators.md", kIntroduction + taken + refused + others + llvm::join(names, ", ") + "\n");
}

/// A reason for what does not exist would never be read.
TEST(OperatorsPage, RefusesOnlyWhatExists) {
  const auto all = allOperators();
  for (const RefusalDef &row : allRefusals())
    EXPECT_TRUE(all.count({row.domain, row.name})) << row.name;
}

} // namespace
} // namespace autotp
