// Plans of models that once were refused though right: each kind is proven on every mesh.
#include "passes/compile_options.h"
#include "passes/compiled_model.h"
#include "passes/pipeline.h"
#include "runtime/base/error.h"
#include "tests/compiler/onnx/model_file.h"

namespace autotp::test {
namespace {

/// A model whose loss a test computes, and its proofs.
class Kind {
public:
  ModelFile file;
  std::string trained; ///< as --train

  void weight(const std::string &name, std::vector<int64_t> shape) {
    std::vector<float> values(size_t(elementsOf(shape)));
    for (size_t i = 0; i < values.size(); ++i)
      values[i] = float((i * 7919 + name.size() * 31) % 1000) / 1000 - 0.5f;
    file.initializer(floats(name, shape, values));
  }
  void node(const std::string &op, std::vector<std::string> operands, const std::string &result,
            std::vector<onnx::AttributeProto> attributes = {}) {
    file.node(op, std::move(operands), {result}, std::move(attributes));
  }
  void total(const std::string &op, const std::string &x, const std::string &result) {
    node(op, {x}, result, {intAttribute("keepdims", 0)});
  }

  void expectProof(const std::string &frozen = "", int64_t microBatch = 0) {
    file.output("loss");
    CompileOptions options;
    options.model = file.folder.write("model.onnx", file.proto.SerializeAsString());
    options.shard = ShardMode::All;
    options.memory.threads = 1;
    options.import.microBatch = microBatch;
    options.parameters.freeze = frozen;
    options.parameters.train = trained;
    for (int tp : {1, 2, 3, 4})
      for (int dp : {1, 2}) {
        options.step.tp = tp;
        options.step.dp = dp;
        llvm::Expected<CompiledModel> compiled = compile(options);
        ASSERT_TRUE(bool(compiled)) << "tp " << tp << " dp " << dp << ": " << describe(compiled.takeError());
        EXPECT_TRUE(compiled->certificate);
      }
  }
};

/// A term that every rank has whole beside one of which each has a part: both are scalars.
TEST(Kinds, ALossOfSeveralTerms) {
  Kind m;
  m.file.input("x", {4, 6});
  m.weight("in", {6, 12});
  m.weight("out", {12, 6});
  m.node("MatMul", {"x", "in"}, "h");
  m.node("Tanh", {"h"}, "a");
  m.node("MatMul", {"a", "out"}, "y");
  m.node("Mul", {"y", "y"}, "q");
  m.total("ReduceMean", "q", "data_term");
  for (const char *w : {"in", "out"}) {
    const std::string name = w;
    m.node("Abs", {name}, name + "_abs");
    m.total("ReduceSum", name + "_abs", name + "_term");
  }
  m.node("Add", {"in_term", "data_term"}, "two");
  m.node("Sub", {"two", "out_term"}, "loss");
  m.expectProof();
}

/// A constant beside a Partial sum counts on one rank.
TEST(Kinds, AConstantBesideAPartialSum) {
  Kind m;
  m.file.input("x", {4, 6});
  m.weight("in", {6, 12});
  m.file.initializer(floats("one", {}, {1}));
  m.file.initializer(floats("of_row", {4}, {1, 2, 3, 4}));
  m.file.initializer(integers("last", {-1}));
  m.node("MatMul", {"x", "in"}, "h");
  m.node("Relu", {"h"}, "a");
  m.node("ReduceSum", {"a", "last"}, "row", {intAttribute("keepdims", 0)});
  m.node("Sub", {"row", "one"}, "less");
  m.node("Add", {"of_row", "less"}, "more");
  m.total("ReduceMean", "more", "loss");
  m.expectProof();
}

/// Constants of sharded dimensions that nothing but their own bytes tells apart, some of them equal.
TEST(Kinds, AWeightOfEachOutput) {
  Kind m;
  m.file.input("x", {4, 6});
  m.weight("w", {6, 12});
  m.file.initializer(floats("of_output", {12}, {1, 1, 2, 1, 1, 1, 3, 2, 1, 1, 1, 1}));
  m.node("MatMul", {"x", "w"}, "y");
  m.node("Mul", {"y", "y"}, "q");
  m.node("Mul", {"q", "of_output"}, "weighed");
  m.total("ReduceMean", "weighed", "loss");
  m.expectProof("of_output");
}

/// The gradients of logits that were cut twice lie side by side, with zeros behind them.
TEST(Kinds, ChunksOfLogitsOfOneSequence) {
  Kind m;
  m.file.input("ids", {4, 13}, onnx::TensorProto::INT64);
  m.file.input("labels", {4, 13}, onnx::TensorProto::INT64);
  m.weight("table", {20, 8});
  m.weight("head", {8, 20});
  m.node("Gather", {"table", "ids"}, "e");
  m.node("Tanh", {"e"}, "h");
  m.node("MatMul", {"h", "head"}, "logits");
  m.file.initializer(integers("rows", {-1, 20}));
  m.file.initializer(integers("row", {-1}));
  m.file.initializer(integers("first", {0}));
  m.file.initializer(integers("second", {1}));
  m.file.initializer(integers("end", {12}));
  m.file.initializer(integers("last", {13}));
  m.file.initializer(integers("along", {1}));
  m.file.initializer(integers("sizes", {5, 4, 3}));
  m.node("Slice", {"logits", "first", "end", "along"}, "kept");
  m.node("Slice", {"labels", "second", "last", "along"}, "shifted");
  m.file.node("Split", {"kept", "sizes"}, {"z0", "z1", "z2"}, {intAttribute("axis", 1)});
  m.file.node("Split", {"shifted", "sizes"}, {"t0", "t1", "t2"}, {intAttribute("axis", 1)});
  for (const char *number : {"0", "1", "2"}) {
    const std::string n = number;
    m.node("Reshape", {"z" + n, "rows"}, "zr" + n);
    m.node("Reshape", {"t" + n, "row"}, "tr" + n);
    m.node("SoftmaxCrossEntropyLoss", {"zr" + n, "tr" + n}, "l" + n, {textAttribute("reduction", "mean")});
  }
  m.node("Sum", {"l0", "l1", "l2"}, "loss");
  m.expectProof("", 1);
}

/// A convolution over sharded channels beside some that every rank has: its padding, too, counts once.
TEST(Kinds, PaddedChannelsOfWhichSomeAreWhole) {
  Kind m;
  m.file.input("x", {2, 5, 6});
  m.weight("wide", {6, 8});
  m.weight("one", {6, 1});
  m.weight("filter", {9, 1, 3});
  m.weight("last", {9, 6});
  m.node("MatMul", {"x", "wide"}, "a");
  m.node("MatMul", {"x", "one"}, "b");
  m.node("Concat", {"a", "b"}, "c", {intAttribute("axis", -1)});
  m.node("Transpose", {"c"}, "t", {intsAttribute("perm", {0, 2, 1})});
  m.node("Conv", {"t", "filter"}, "f", {intsAttribute("pads", {2, 0}), intAttribute("group", 9)});
  m.node("Transpose", {"f"}, "u", {intsAttribute("perm", {0, 2, 1})});
  m.node("Sigmoid", {"u"}, "s");
  m.node("MatMul", {"s", "last"}, "y");
  m.node("Mul", {"y", "y"}, "q");
  m.total("ReduceMean", "q", "loss");
  m.expectProof();
}

/// What a stride left out becomes zeros between rows, of which some are cut off again.
TEST(Kinds, StridedConvolutions) {
  Kind m;
  m.file.input("x", {1, 2, 9, 5});
  m.weight("first", {4, 2, 3, 3});
  m.weight("second", {6, 4, 3, 3});
  m.node("Conv", {"x", "first"}, "a", {intsAttribute("pads", {1, 1, 1, 1})});
  m.node("Relu", {"a"}, "b");
  m.node("Conv", {"b", "second"}, "c", {intsAttribute("pads", {1, 1, 1, 1}), intsAttribute("strides", {2, 3})});
  m.node("Mul", {"c", "c"}, "q");
  m.total("ReduceMean", "q", "loss");
  m.expectProof();
}

/// A loss of rows of a parameter, which are sharded, times a number of the batch.
class RowLoss : public Kind {
public:
  RowLoss() {
    trained = "^(rows|written|bias|map)$";
    file.input("x", {4, 6});
    weight("rows", {6, 5});
    total("ReduceMean", "x", "scale");
    file.initializer(integers("labels", {1, 4, 1, 4, 1, 1}));
  }
  void expectProofOf(const std::string &sum, const std::string &frozen = "") {
    node("Mul", {sum, "scale"}, "loss");
    expectProof(frozen);
  }
};

/// Which rows a part of equal labels and weights belongs to, nothing but the plan says.
TEST(Kinds, RowsWithEqualLabels) {
  for (const char *reduction : {"sum", "mean"})
    for (int64_t ignored : {int64_t(-100), int64_t(4)}) {
      RowLoss m;
      m.file.initializer(floats("of_class", {5}, {1, 1, 2, 1, 0.5f}));
      m.node("SoftmaxCrossEntropyLoss", {"rows", "labels", "of_class"}, "sum",
             {textAttribute("reduction", reduction), intAttribute("ignore_index", ignored)});
      m.expectProofOf("sum", "of_class");
    }
}

/// Parts that the ranks have of the second operand of a concat are no sum, those of the first are.
TEST(Kinds, AWholeSegmentBesideAPartialOne) {
  RowLoss m;
  m.file.initializer(integers("flat", {-1}));
  m.file.node("SoftmaxCrossEntropyLoss", {"rows", "labels"}, {"mean", "logs"}, {textAttribute("reduction", "mean")});
  m.node("Reshape", {"mean", "flat"}, "one");
  m.node("Reshape", {"logs", "flat"}, "others");
  m.node("Concat", {"one", "others"}, "all", {intAttribute("axis", 0)});
  m.total("ReduceSum", "all", "sum");
  m.expectProofOf("sum");
}

/// Factors are halved again and again: what is cut from a concat is one of its operands.
TEST(Kinds, AProductOfManyElements) {
  RowLoss m;
  m.total("ReduceProd", "rows", "product");
  m.expectProofOf("product");
}

/// Rows that constants name: those of two writes are equal on some rank.
TEST(Kinds, RowsWrittenTwice) {
  for (const char *reduction : {"max", "mul"}) {
    RowLoss m;
    m.weight("written", {2, 5});
    m.file.initializer(integers("places", {2, 1}, {0, 0}));
    m.node("ScatterND", {"rows", "places", "written"}, "y", {textAttribute("reduction", reduction)});
    m.total("ReduceSum", "y", "sum");
    m.expectProofOf("sum");
  }
}

/// The gradient of each half is the same, and so has no index of its own.
TEST(Kinds, HalvesOfABiasThatAreAdded) {
  RowLoss m;
  m.weight("bias", {1, 10});
  m.file.initializer(integers("halves", {2, 5}));
  m.file.initializer(integers("first", {0}));
  m.node("Reshape", {"bias", "halves"}, "two");
  m.node("ReduceSum", {"two", "first"}, "one", {intAttribute("keepdims", 0)});
  m.node("Add", {"rows", "one"}, "y");
  m.node("Tanh", {"y"}, "z");
  m.total("ReduceSum", "z", "sum");
  m.expectProofOf("sum");
}

/// Zeros between and beside the rows of one channel, all in place.
TEST(Kinds, TransposedConvolutionsOfOneChannel) {
  Kind m;
  m.file.input("x", {1, 4, 3, 3});
  m.weight("mix", {1, 4, 1, 1});
  m.weight("filter", {1, 2, 3, 3});
  m.node("Conv", {"x", "mix"}, "c");
  m.node("ConvTranspose", {"c", "filter"}, "y",
         {intsAttribute("strides", {3, 2}), intsAttribute("pads", {1, 2, 1, 2})});
  m.node("Mul", {"y", "y"}, "q");
  m.total("ReduceMean", "q", "loss");
  m.expectProof();
}

/// A constant that is 0 in all that one rank has of it, and not on another: it is the graph's, no stand-in for it.
TEST(Kinds, AMaskThatHidesNothingOfOneRank) {
  RowLoss m;
  m.file.initializer(floats("mask", {6, 1}, {0, 0, 0, 0, -100, -1}));
  m.node("Add", {"rows", "mask"}, "y");
  m.node("Softmax", {"y"}, "p");
  m.node("Mul", {"p", "rows"}, "q");
  m.total("ReduceSum", "q", "sum");
  m.expectProofOf("sum", "mask");
}

/// A Partial segment beside numbers that count on one rank.
TEST(Kinds, ConstantSegmentsBesideAPartialOne) {
  RowLoss m;
  m.file.initializer(floats("numbers", {2}, {2, 3}));
  m.file.initializer(integers("flat", {-1}));
  m.node("SoftmaxCrossEntropyLoss", {"rows", "labels"}, "mean", {textAttribute("reduction", "mean")});
  m.node("Reshape", {"mean", "flat"}, "one");
  m.node("Concat", {"one", "numbers"}, "all", {intAttribute("axis", 0)});
  m.total("ReduceSum", "all", "sum");
  m.expectProofOf("sum", "numbers");
}

/// Rows of a parameter between constants, each a concat within a concat.
TEST(Kinds, AGridOfAnAffineMap) {
  RowLoss m;
  m.weight("map", {2, 2, 3});
  m.file.initializer(integers("size", {2, 1, 5, 6}));
  m.node("AffineGrid", {"map", "size"}, "grid");
  m.node("Mul", {"grid", "grid"}, "q");
  m.total("ReduceMean", "q", "mean");
  m.expectProofOf("mean");
}

} // namespace
} // namespace autotp::test
