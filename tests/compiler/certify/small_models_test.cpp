// Plans of small models whose values can be mistaken for each other, or lie in several pieces, are proven too.
#include "passes/compile_options.h"
#include "passes/compiled_model.h"
#include "passes/pipeline.h"
#include "runtime/base/error.h"
#include "tests/compiler/onnx/model_file.h"

namespace autotp::test {
namespace {

constexpr int64_t kBatch = 2, kLength = 6, kWidth = 8, kVocabulary = 20;

onnx::TensorProto weights(const std::string &name, std::vector<int64_t> shape) {
  std::vector<float> values(size_t(elementsOf(shape)));
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = float((i * 7919 + name.size()) % 1000) / 1000 - 0.5f;
  return floats(name, shape, values);
}

/// Token ids to %e, whose lookup is added to by a test; from %x on, a head and the loss.
class SmallModel {
public:
  SmallModel() {
    file_.input("ids", {kBatch, kLength}, onnx::TensorProto::INT64);
    file_.input("labels", {kBatch, kLength}, onnx::TensorProto::INT64);
    file_.output("loss");
    file_.initializer(weights("table", {kVocabulary, kWidth}));
    file_.node("Gather", {"table", "ids"}, {"e"});
  }

  ModelFile &file() { return file_; }

  void expectProof(bool sequenceParallel = false) {
    file_.initializer(weights("head", {kWidth, kVocabulary}));
    file_.initializer(integers("rows", {-1, kVocabulary}));
    file_.initializer(integers("row", {-1}));
    file_.node("MatMul", {"x", "head"}, {"logits"});
    file_.node("Reshape", {"logits", "rows"}, {"flat"});
    file_.node("Reshape", {"labels", "row"}, {"label"});
    file_.node("SoftmaxCrossEntropyLoss", {"flat", "label"}, {"loss"});
    CompileOptions options;
    options.model = file_.folder.write("model.onnx", file_.proto.SerializeAsString());
    options.shard = ShardMode::All;
    options.memory.threads = 1;
    options.sequenceParallel = sequenceParallel;
    for (int tp : {1, 2, 3})
      for (int dp : {1, 2})
        for (int zero : {0, 2, 3})
          for (DType dtype : {DType::F32, DType::BF16}) {
            options.step.tp = tp;
            options.step.dp = dp;
            options.step.zero = zero;
            options.step.gradAccum = dp;
            options.dtype = dtype;
            llvm::Expected<CompiledModel> compiled = compile(options);
            ASSERT_TRUE(bool(compiled)) << "tp " << tp << " dp " << dp << " zero " << zero << ": "
                                        << describe(compiled.takeError());
            EXPECT_TRUE(compiled->certificate);
          }
  }

private:
  ModelFile file_;
};

/// The gradient of a table of positions of which only the first are used: a sum, and zeros below it.
TEST(SmallModels, ATableOfWhichAPartIsUsed) {
  SmallModel model;
  model.file().initializer(weights("places", {1, 10, kWidth}));
  model.file().initializer(integers("from", {0}));
  model.file().initializer(integers("to", {kLength}));
  model.file().initializer(integers("along", {1}));
  model.file().node("Slice", {"places", "from", "to", "along"}, {"used"});
  model.file().node("Add", {"e", "used"}, {"x"});
  model.expectProof();
}

/// Two biases whose parts are put into another order and then added, as an LSTM's gates are: each gradient is parts of one
/// value that is expanded, in that order.
TEST(SmallModels, BiasesWhosePartsTakeAnotherOrder) {
  SmallModel model;
  ModelFile &file = model.file();
  file.initializer(integers("along", {0}));
  for (int64_t at = 0; at <= kWidth; at += 2)
    file.initializer(integers("at" + std::to_string(at), {at}));
  for (const std::string bias : {"b", "c"}) {
    file.initializer(weights(bias, {kWidth}));
    std::vector<std::string> parts;
    for (int64_t begin : {0, 6, 2, 4}) {
      parts.push_back(bias + std::to_string(begin));
      file.node("Slice", {bias, "at" + std::to_string(begin), "at" + std::to_string(begin + 2), "along"},
                {parts.back()});
    }
    file.node("Concat", parts, {bias + "_gates"}, {intAttribute("axis", 0)});
  }
  file.node("Concat", {"b_gates", "c_gates"}, {"both"}, {intAttribute("axis", 0)});
  file.initializer(integers("apart", {2, 4, kWidth / 4}));
  file.node("Reshape", {"both", "apart"}, {"gates"});
  file.node("ReduceSum", {"gates", "along"}, {"sum"}, {intAttribute("keepdims", 0)});
  file.initializer(integers("flat_bias", {kWidth}));
  file.node("Reshape", {"sum", "flat_bias"}, {"bias"});
  file.node("Add", {"e", "bias"}, {"x"});
  model.expectProof();
}

/// A weight that is cut in three, as for attention over another sequence.
TEST(SmallModels, AWeightThatIsCut) {
  SmallModel model;
  model.file().initializer(weights("both", {kWidth, 2 * kWidth}));
  model.file().node("Split", {"both"}, {"first", "second"}, {intAttribute("axis", 1), intAttribute("num_outputs", 2)});
  model.file().node("MatMul", {"e", "first"}, {"h"});
  model.file().node("Tanh", {"h"}, {"g"});
  model.file().node("MatMul", {"g", "second"}, {"x"});
  model.expectProof();
}

/// Two masks over one input: what is a part of the larger is all of the smaller.
TEST(SmallModels, MasksOfSeveralSizes) {
  SmallModel model;
  ModelFile &file = model.file();
  file.initializer(integers("pad", {1}, {0}));
  file.initializer(integers("axes", {1}));
  file.node("Equal", {"ids", "pad"}, {"is_pad"});
  file.node("Unsqueeze", {"is_pad", "axes"}, {"keys"}); // [batch, 1, length]
  file.initializer(floats("low", {}, {-1e4f}));
  file.initializer(floats("zero", {}, {0}));
  file.initializer(integers("start", {0}));
  file.initializer(integers("half", {kLength / 2}));
  for (const auto &[name, rows] : {std::pair("large", kLength), std::pair("small", kLength / 2)}) {
    const std::string n = name;
    file.initializer(bools("allowed_" + n, {1, rows, kLength}, std::vector<int32_t>(size_t(rows * kLength), 1)));
    file.node("And", {"keys", "allowed_" + n}, {"masked_" + n});
    file.node("Where", {"masked_" + n, "low", "zero"}, {"bias_" + n});
  }
  file.node("Slice", {"e", "start", "half", "axes"}, {"q"});
  for (const auto &[name, query, value] : {std::tuple("large", "e", "all"), std::tuple("small", "q", "some")}) {
    const std::string n = name;
    file.node("Transpose", {"e"}, {"k_" + n}, {intsAttribute("perm", {0, 2, 1})});
    file.node("MatMul", {query, "k_" + n}, {"s_" + n});
    file.node("Add", {"s_" + n, "bias_" + n}, {"t_" + n});
    file.node("Softmax", {"t_" + n}, {"p_" + n}, {intAttribute("axis", -1)});
    file.node("MatMul", {"p_" + n, "e"}, {value});
  }
  file.node("Concat", {"some", "some"}, {"twice"}, {intAttribute("axis", 1)});
  file.node("Add", {"all", "twice"}, {"x"});
  model.expectProof();
}

/// Tokens that are shifted by one are not divided: all ranks but one look up nothing, and add nothing to the table.
TEST(SmallModels, AShiftOfTheSequence) {
  SmallModel model;
  ModelFile &file = model.file();
  file.initializer(floats("nothing", {kBatch, 1, kWidth}, std::vector<float>(kBatch * kWidth, 0)));
  file.initializer(integers("from", {0}));
  file.initializer(integers("to", {kLength - 1}));
  file.initializer(integers("along", {1}));
  file.node("Slice", {"e", "from", "to", "along"}, {"before"});
  file.node("Concat", {"nothing", "before"}, {"shifted"}, {intAttribute("axis", 1)});
  file.node("Sub", {"e", "shifted"}, {"x"});
  model.expectProof(/*sequenceParallel=*/true);
}

} // namespace
} // namespace autotp::test
