/// \file Sizes of dynamic dimensions, and which inputs have a batch.
#include "compiler/onnx/import_options.h"
#include "tests/compiler/onnx/model_file.h"

namespace autotp::test {
namespace {

/// Two inputs whose dimensions are sizes, or where 0 is given, dynamic: of `names`, one each, or without a name.
ModelFile modelOf(std::vector<int64_t> x, std::vector<int64_t> y, const std::string &names = "") {
  ModelFile file;
  size_t next = 0;
  for (auto [name, shape] : {std::pair("x", x), {"y", y}}) {
    onnx::ValueInfoProto &input = file.input(name, shape);
    for (auto &dim : *input.mutable_type()->mutable_tensor_type()->mutable_shape()->mutable_dim()) {
      if (dim.dim_value() != 0) continue;
      dim.clear_value();
      if (next < names.size() && names[next] != '-') dim.set_dim_param(names.substr(next, 1));
      ++next;
    }
  }
  file.node("Add", {"x", "y"}, {"z"});
  file.output("z");
  return file;
}

std::string shapesOf(const ModelFile &file, const ImportOptions &options) {
  llvm::Expected<ImportedModel> model = file.import(options);
  if (!model) return describe(model.takeError());
  std::string text;
  for (ValueId input : model->graph.sources(ValueKind::Input)) {
    const Value &value = model->graph.value(input);
    text += value.type.text() + (model->withoutBatch.contains(value.name) ? " shared, " : ", ");
  }
  return text;
}

ImportOptions with(int64_t microBatch, llvm::StringMap<int64_t> shapes = {}) {
  ImportOptions options;
  options.microBatch = microBatch;
  options.shapes = std::move(shapes);
  return options;
}

TEST(Inputs, ADynamicDimensionThatLeadsIsTheBatch) {
  EXPECT_EQ(shapesOf(modelOf({0, 6}, {0, 6}), with(4)), "f32[4,6], f32[4,6], ");
  EXPECT_EQ(shapesOf(modelOf({0, 6}, {0, 6}, "bb"), with(4)), "f32[4,6], f32[4,6], ");
  EXPECT_EQ(shapesOf(modelOf({0, 6}, {0, 6}, "-b"), with(4)), "f32[4,6], f32[4,6], ");
  EXPECT_EQ(shapesOf(modelOf({0, 6}, {0, 6}), with(0)), "f32[1,6], f32[1,6], ");
}

TEST(Inputs, AnInputOfAFixedSizeBesideADynamicBatchHasNone) {
  EXPECT_EQ(shapesOf(modelOf({1, 6}, {0, 6}), with(4)), "f32[1,6] shared, f32[4,6], ");
  EXPECT_EQ(shapesOf(modelOf({1, 6}, {0, 6}, "b"), with(1)), "f32[1,6] shared, f32[1,6], ");
  EXPECT_EQ(shapesOf(modelOf({1, 6}, {1, 6}), with(1)), "f32[1,6], f32[1,6], ");
  EXPECT_EQ(shapesOf(modelOf({1, 6}, {1, 0}, "s"), with(1, {{"s", 6}})), "f32[1,6], f32[1,6], ");
}

TEST(Inputs, OtherDynamicDimensionsAreGivenByNameOrPlace) {
  EXPECT_EQ(shapesOf(modelOf({0, 0}, {0, 0}, "bsbs"), with(2, {{"s", 6}})), "f32[2,6], f32[2,6], ");
  EXPECT_EQ(shapesOf(modelOf({0, 0}, {0, 0}), with(2, {{"x:1", 6}, {"y:1", 6}})), "f32[2,6], f32[2,6], ");
  EXPECT_EQ(shapesOf(modelOf({0, 0}, {0, 0}, "bsbs"), with(2, {{"s", 6}, {"y:1", 1}})), "f32[2,6], f32[2,1], ");
  EXPECT_EQ(shapesOf(modelOf({0, 6}, {0, 6}), with(2, {{"y:0", 1}})), "f32[2,6], f32[1,6], ");
  const std::string said = shapesOf(modelOf({0, 0}, {0, 6}), with(2));
  EXPECT_NE(said.find("dimension 1, which has no name, has no size\n  do:  give it one with --shape x:1=N"),
            std::string::npos)
      << said;
}

} // namespace
} // namespace autotp::test
