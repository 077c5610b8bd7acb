// Which evidence decides what is trained, and what is refused as doubt.
#include "passes/import/classify_parameters.h"
#include "passes/import/parameter_names.h"
#include "passes/import/retie_weights.h"
#include "runtime/base/error.h"
#include "tests/compiler/ir/parsed_graph.h"

#include <gtest/gtest.h>

namespace autotp {
namespace {

const char *const kModel =
    "graph {\n  input %x : f32[2,6]\n  parameter %q.base : f32[6,4]\n  parameter %q.lora_A : f32[6,2]\n"
    "  parameter %q.lora_B : f32[2,4]\n  parameter %val_9 : f32[6,4]\n"
    "  %p = matmul(%x, %q.base) {trans_a=0, trans_b=0} : f32[2,4]\n"
    "  %a = matmul(%x, %q.lora_A) {trans_a=0, trans_b=0} : f32[2,2]\n"
    "  %b = matmul(%a, %q.lora_B) {trans_a=0, trans_b=0} : f32[2,4]\n"
    "  %v = matmul(%x, %val_9) {trans_a=0, trans_b=0} : f32[2,4]\n"
    "  %s = add(%p, %b) : f32[2,4]\n  %y = add(%s, %v) : f32[2,4]\n  return loss=%y\n}\n";

struct Trial {
  Graph graph = graphOf(kModel);
  llvm::StringMap<std::string> moduleNames;
  std::map<std::string, ExporterVerdict> verdicts = {};
  Exporter exporter = Exporter::Unknown;
  std::vector<ClassifiedInitializer> classified = {};
  std::vector<std::string> untrained = {};
  bool decaysVectors = false;

  Trial() {
    moduleNames["val_9"] = "v.weight";
    double next = 0;
    for (ValueId id : graph.sources(ValueKind::Parameter)) {
      Array array(graph.type(id));
      for (double &element : array.data)
        element = 0.1 + (next += 0.3);
      graph.value(id).contents = toTensor(array);
    }
  }

  /// The names of what is trained, or the error.
  std::string trained(const ParameterOverrides &overrides) {
    const std::vector<ValueId> initializers = graph.sources(ValueKind::Parameter);
    if (llvm::Error error =
            classifyParameters(graph, initializers,
                               {overrides, moduleNames, verdicts, exporter, untrained, {}, decaysVectors}, classified))
      return describe(std::move(error));
    std::string names;
    for (const ParameterInfo &parameter : graph.parameters)
      names += (names.empty() ? "" : " ") + graph.value(parameter.value).name;
    return names;
  }
};

ParameterOverrides flags(const std::string &train, const std::string &freeze, const std::string &only = "") {
  ParameterOverrides overrides;
  overrides.train = train;
  overrides.freeze = freeze;
  overrides.only = only;
  return overrides;
}

TEST(Evidence, ThePatternWithMoreLettersWins) {
  EXPECT_EQ(Trial().trained(flags("lora", ".*")), "q.lora_A q.lora_B");
  EXPECT_EQ(Trial().trained(flags(".*", "lora")), "q.base val_9");
  EXPECT_EQ(Trial().trained(flags("lora", "base")), "q.lora_A q.lora_B val_9");
  EXPECT_EQ(Trial().trained(flags("q.base", "base")), "q.base q.lora_A q.lora_B val_9");
  EXPECT_EQ(Trial().trained(flags("base", "base")), "q.lora_A q.lora_B val_9") << "of equals, --freeze";
}

TEST(Evidence, OnlyTrainsJustThese) {
  EXPECT_EQ(Trial().trained(flags("", "", "lora_A|v\\.weight")), "q.lora_A val_9");
  EXPECT_NE(Trial().trained(flags("", "", "nowhere")).find("'nowhere' matches no initializer"), std::string::npos);
}

TEST(Evidence, AListHoldsAllOfTheParameters) {
  ParameterOverrides list;
  for (llvm::StringRef line : {"# the adapter", "wrapped.q.lora_A", "q.lora_B = v.weight", ""})
    addListed(line, list);
  EXPECT_EQ(list.listed, (std::vector<std::string>{"wrapped.q.lora_A", "q.lora_B", "v.weight"}));
  Trial trial;
  EXPECT_EQ(trial.trained(list), "q.lora_A q.lora_B val_9");
  EXPECT_EQ(trial.classified[0].why, "not in the list of --parameters");
  const std::vector<Tie> ties = llvm::cantFail(tiesOfList(trial.graph, list.ties, trial.moduleNames));
  ASSERT_EQ(ties.size(), 1u);
  EXPECT_EQ(ties[0].copy + " = " + ties[0].of, "q.lora_B = val_9");
  EXPECT_EQ(namesOfNone(trial.graph, {"q.lora_A", "pooler.weight"}, trial.moduleNames),
            std::vector<std::string>{"pooler.weight"});
}

/// Running statistics of a batch norm, unless the user says so.
TEST(Evidence, WhatItsOperatorDoesNotTrainIsConstant) {
  for (const char *train : {"", "val_9"}) {
    Trial trial;
    trial.untrained = {"val_9"};
    EXPECT_EQ(trial.trained(flags(train, "")), *train ? "q.base q.lora_A q.lora_B val_9" : "q.base q.lora_A q.lora_B");
  }
}

TEST(Evidence, TheExporterStandsAboveTheRole) {
  Trial trial;
  trial.verdicts["q.base"] = {ExporterVerdict::Kind::Constant, "BUFFER"};
  EXPECT_EQ(trial.trained({}), "q.lora_A q.lora_B val_9");
  EXPECT_EQ(trial.classified[0].evidence, EvidenceKind::Exporter);
  EXPECT_EQ(trial.classified[1].evidence, EvidenceKind::Role);
}

TEST(Evidence, DoubtListsAllThatIsInDoubtAndTheFlagsThatSettleIt) {
  Trial trial;
  trial.verdicts["q.base"] = {ExporterVerdict::Kind::Lost, "folded from q.w by a formula", true};
  trial.verdicts["q.lora_A"] = {ExporterVerdict::Kind::Contradicted, "PARAMETER here, and BUFFER there"};
  trial.verdicts["val_9"] = {ExporterVerdict::Kind::Unnamed, "no parameter of any call"};
  EXPECT_EQ(trial.trained({}),
            "error: initializers: whether these are parameters is in doubt:\n"
            "    q.base f32[6,4]: folded from q.w by a formula: its parameters are not in the file\n"
            "    q.lora_A f32[6,2]: PARAMETER here, and BUFFER there\n"
            "    val_9 (v.weight) f32[6,4]: no parameter of any call, but a parameter by its role in the graph\n"
            "  do:  export the model with dynamo=True and optimize=False, or say it: --train NAME trains one, --freeze "
            "NAME does not, "
            "--parameters FILE lists all; --assume roles takes the guess");
  ParameterOverrides assume;
  assume.assumesRoles = true;
  Trial again;
  again.verdicts = trial.verdicts;
  EXPECT_EQ(again.trained(assume), "q.base q.lora_A q.lora_B");
  again = Trial();
  again.verdicts = trial.verdicts;
  EXPECT_EQ(again.trained(flags("q.lora_A", "q.base|v.weight")), "q.lora_A q.lora_B");
}

TEST(Evidence, AVectorOfOnesThatSeveralOperatorsUseMayHaveBeenMerged) {
  for (const auto &[exporter, isInDoubt] : {std::pair(Exporter::Unknown, true), {Exporter::TorchScript, false}}) {
    Trial trial;
    trial.exporter = exporter;
    trial.graph =
        graphOf("graph {\n  input %x : f32[2,4]\n  parameter %w : f32[4]\n  constant %z : f32[4] = {0, 0, 0, 1}\n"
                "  %a, %b, %c = layer_norm(%x, %w, %z) {epsilon=1e-5} : f32[2,4], f32[2], f32[2]\n"
                "  %d, %e, %f = layer_norm(%a, %z, %w) {epsilon=1e-5} : f32[2,4], f32[2], f32[2]\n"
                "  return loss=%d\n}\n");
    const ValueId w = trial.graph.sources(ValueKind::Parameter)[0];
    trial.graph.value(w).contents = filledTensor(trial.graph.type(w), 1);
    const std::string trained = trial.trained({});
    EXPECT_EQ(trained == "w", !isInDoubt) << trained;
    EXPECT_EQ(trained.find("it is shared, or an exporter merged several") != std::string::npos, isInDoubt) << trained;
  }
}

TEST(Evidence, NamesDoNotTellOfWhatLostItsOwn) {
  Trial trial;
  trial.exporter = Exporter::TorchScript;
  EXPECT_EQ(trial.trained(flags("", "base")), "q.lora_A q.lora_B val_9");
  for (const ParameterOverrides &given : {flags("", "base"), flags("", "", "lora")}) {
    Trial renamed;
    renamed.exporter = Exporter::TorchScript;
    renamed.moduleNames.clear();
    EXPECT_NE(renamed.trained(given).find("val_9 f32[6,4]: the exporter renamed it"), std::string::npos);
  }
  Trial said;
  said.exporter = Exporter::TorchScript;
  said.moduleNames.clear();
  EXPECT_EQ(said.trained(flags("", "base|val_9")), "q.lora_A q.lora_B");
}

/// What scales activations is a parameter or a buffer, and TorchScript says neither; a new parameter holds one number, and
/// the weight of one path beside others is a parameter.
TEST(Evidence, WhatScalesIsInDoubtWhereNothingSaysWhatItIs) {
  struct Case {
    Exporter exporter;
    double last;
    const char *becomes;
    bool isInDoubt;
  };
  for (const Case &c :
       {Case{Exporter::TorchScript, 2, "exp(%s)", true}, Case{Exporter::TorchScript, 1, "exp(%s)", false},
        Case{Exporter::TorchScript, 2, "add(%s, %m)", false}, Case{Exporter::Unknown, 2, "exp(%s)", false}}) {
    Trial trial;
    trial.exporter = c.exporter;
    trial.graph = graphOf("graph {\n  input %x : f32[2,4]\n  parameter %w : f32[4,4]\n  parameter %scale : f32[4]\n"
                          "  %m = matmul(%x, %w) {trans_a=0, trans_b=0} : f32[2,4]\n  %a = tanh(%m) : f32[2,4]\n"
                          "  %s = mul(%a, %scale) : f32[2,4]\n  %y = " +
                          std::string(c.becomes) + " : f32[2,4]\n  %z = exp(%y) : f32[2,4]\n  return loss=%z\n}\n");
    for (ValueId id : trial.graph.sources(ValueKind::Parameter)) {
      Array array(trial.graph.type(id));
      std::fill(array.data.begin(), array.data.end(), 1);
      array.data.back() = c.last;
      trial.graph.value(id).contents = toTensor(array);
    }
    Trial frozen = trial;
    const std::string trained = trial.trained({}),
                      doubt = "scale f32[4]: it scales what is computed, a parameter or a buffer";
    EXPECT_EQ(trained == "w scale", !c.isInDoubt) << trained;
    EXPECT_EQ(trained.find(doubt) != std::string::npos, c.isInDoubt) << trained;
    if (c.isInDoubt) EXPECT_EQ(frozen.trained(flags("", "scale")), "w");
  }
}

/// Decay of 1 + w, which the exporter computed, is not decay of w.
TEST(Evidence, AParameterAndANumberDoNotDecayAsTheirSum) {
  for (bool decaysVectors : {false, true}) {
    Trial trial;
    trial.decaysVectors = decaysVectors;
    trial.verdicts["val_9"] = {ExporterVerdict::Kind::Trained, "v.weight and a number", true, /*isShifted=*/true};
    const std::string trained = trial.trained({});
    EXPECT_EQ(trained == "q.base q.lora_A q.lora_B val_9", !decaysVectors) << trained;
    EXPECT_EQ(trained.find("val_9 (v.weight) f32[6,4]: v.weight and a number but for --decay all") != std::string::npos,
              decaysVectors)
        << trained;
  }
}

TEST(RetieWeights, WhatIsSaidToBeOneMustBe) {
  Trial trial;
  EXPECT_EQ(trial.trained({}), "q.base q.lora_A q.lora_B val_9");
  std::vector<std::string> joined, equal;
  llvm::Error error = retieWeights(trial.graph, {{{"val_9", "q.base"}}}, joined, equal);
  EXPECT_NE(
      describe(std::move(error)).find("'q.base' and 'val_9': they are one parameter, but the file holds different"),
      std::string::npos);
}

TEST(RetieWeights, EqualBytesAloneAreDoubt) {
  Trial trial;
  EXPECT_EQ(trial.trained({}), "q.base q.lora_A q.lora_B val_9");
  trial.graph.value(trial.graph.parameters[3].value).contents =
      trial.graph.value(trial.graph.parameters[0].value).contents;
  std::vector<std::string> joined, equal;
  llvm::cantFail(retieWeights(trial.graph, {}, joined, equal));
  EXPECT_EQ(equal, std::vector<std::string>{"val_9 = q.base"});
  RetieOptions options;
  options.doubtsEqual = true;
  EXPECT_NE(describe(retieWeights(trial.graph, options, joined, equal)).find("\n    val_9 = q.base\n"),
            std::string::npos);
}

} // namespace
} // namespace autotp
