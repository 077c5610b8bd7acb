// Command lines that cannot be read end with 2; what they name but cannot be used, with 1.
#include "tests/faults/command.h"

#include <sys/stat.h>

namespace autotp::test {
namespace {

TEST_F(Commands, UnreadableCommandLines) {
  const std::string compile = "autotp-compile @/mlp/model.onnx -o {}/plan ";
  for (auto [flag, culprit] : {std::pair("--tp 0", "--tp"),
                               {"--dp -1", "--dp"},
                               {"--tp x", "--tp"},
                               {"--tp 99999999999", "--tp"},
                               {"--micro-batch -1", "--micro-batch"},
                               {"--zero 4", "--zero"},
                               {"--shard some", "--shard"},
                               {"--decay none", "--decay"},
                               {"--shape seq", "--shape"},
                               {"--shape seq=0", "--shape"},
                               {"--shape seq=9999999999999999999999", "--shape"},
                               {"--input x", "--input"},
                               {"--lr fast", "--lr"},
                               {"--lr -1", "--lr"},
                               {"--lr nan", "--lr"},
                               {"--lr inf", "--lr"},
                               {"--lr-schedule step", "--lr-schedule"},
                               {"--warmup-steps -1", "--warmup-steps"},
                               {"--min-lr nan", "--min-lr"},
                               {"--decay-steps 1e3", "--decay-steps"},
                               {"--min-lr 1e-4", "--min-lr: a constant learning rate does not fall"},
                               {"--lr-schedule cosine --min-lr 1", "--min-lr: 1 is above the learning rate, 0.001"},
                               {"--lr-schedule wsd", "--decay-steps: the schedule wsd does not say"},
                               {"--eps inf", "--eps"},
                               {"--weight-decay nan", "--weight-decay"},
                               {"--clip-grad-norm inf", "--clip-grad-norm"},
                               {"--optimizer momentum --momentum -inf", "--momentum"},
                               {"--optimizer momentum --dampening nan", "--dampening"},
                               {"--bucket-mb 9000000000000", "--bucket-mb"},
                               {"--weights none:-1", "--weights"},
                               {"--beta2 1", "--beta2"},
                               {"--optimizer lion", "'lion' is none"},
                               {"--optimizer sgd --beta1 0.5", "--beta1: sgd has no such option"},
                               {"--optimizer adam --momentum 0.5", "--momentum: adam has no such option"},
                               {"--momentum 0.5", "--momentum: adamw has no such option"},
                               {"--optimizer momentum --nesterov --dampening 0.5", "--nesterov"},
                               {"--weights w --weights-layout some", "--weights-layout"},
                               {"--print-after nothing", "--print-after: there is no pass 'nothing'"},
                               {"--stop-after nothing", "--stop-after: there is no pass 'nothing'"},
                               {"--skip-pass differentiate", "no pass that may be left out, 'differentiate'"},
                               {"--loss some", "--loss"},
                               {"--logits y", "--logits"},
                               {"--loss next-token --loss-output y", "--loss-output"},
                               {"--dtype int8", "--dtype"},
                               {"--only a --train b", "--only: it says all of what is trained"},
                               {"--assume names", "'names' is not roles"},
                               {"--explain axes", "'axes' is not parameters"},
                               {"--unknown", "--unknown"}})
    fails(2, compile + flag, culprit);
  fails(1, compile + "--weights some", "--weights some: there is no such file or folder");
  fails(1, compile + "--weights @/mlp/model.onnx", "mlp/model.onnx: it is truncated, or no safetensors file");
  fails(1, compile + "--weights @/mlp", "mlp: it holds several .safetensors");
  fails(2, compile + "--weights-ignore pooler", "--weights-ignore: there are no files of weights");
  fails(2, compile + "--weights-layout torch", "--weights-layout: there are no files of weights");
  fails(2, compile + "--weights @/mlp --weights-ignore (", "--weights-ignore");
  fails(2, "autotp-compile -o {}/plan", "positional");
  fails(2, "autotp-compile @/mlp/model.onnx", "-o");
  fails(2, "autotp-opt", "positional");
  fails(2, "autotp-opt @/golden.ir --pass nothing --shard some", "--shard");
  fails(1, "autotp-opt @/golden.ir --pass nothing", "golden.ir");
  fails(1, "autotp-opt @/mlp/expected.json --pass canonicalise", "mlp/expected.json: line 1: expected 'graph'");
  fails(2, "autotp-run", "positional");
  fails(2, "autotp-run plan --steps x", "--steps");
  fails(2, "autotp-run plan --steps 0", "--steps");
  fails(2, "autotp-run plan --unknown", "--unknown");
  for (const char *lr : {"nan", "inf", "-inf", "-1", "-1e-9"})
    fails(2, std::string("autotp-run plan --lr ") + lr, "--lr");
  fails(2, "autotp-run plan --seed -1", "--seed");
  fails(2, "autotp-model llama --config c --seed -1 -o m", "--seed");
  fails(2, "autotp-model gpt2 --config c -o m", "gemma2, llama, mistral, phi3, qwen2 or qwen3");
  fails(2, "autotp-plan", "positional");
  fails(2, "autotp-plan look plan", "show|memory");
  fails(2, "autotp-plan diff plan", "diff PLAN OTHER");
}

TEST_F(Commands, AllThatIsWrongIsSaidAtOnce) {
  const Ended ended = run("autotp-compile @/mlp/model.onnx --tp 0 --dtype int8 --lr fast --only a --freeze b");
  EXPECT_EQ(ended.code, 2);
  EXPECT_EQ(ended.err, "error: --dtype: 'int8' is none of fp32, bf16, fp16\n"
                       "error: --tp: '0' is not from 1 to 4096\n"
                       "error: --lr: 'fast' is no number\n"
                       "error: -o: the plan needs a folder\n"
                       "  do:  give one with -o DIR\n"
                       "error: --only: it says all of what is trained, so --train and --freeze have nothing to add\n"
                       "  do:  leave them out, or use them without --only\n");
}

TEST_F(Commands, AFlagOverrulesDeepSpeedsConfiguration) {
  folder.write("ds.json", R"({"train_batch_size": 8, "data_parallel_size": 2, "zero_optimization": {"stage": 3},
                              "optimizer": {"type": "SGD", "params": {"lr": 0.5}}})");
  const Ended ended = run("autotp-compile @/mlp/model.onnx -o {}/plan --ds-config {}/ds.json --zero 1 --lr 0.25");
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_NE(ended.out.find("tp 1 x dp 2, ZeRO 1, grad-accum 1\n"
                           "optimizer   sgd; gradients clipped to a norm of 1\nlr          0.25, constant\n"),
            std::string::npos)
      << ended.out;
  EXPECT_NE(contentsOf(folder.path() + "/plan/manifest.json").find("\"learning_rate\": 0.25,"), std::string::npos);
  EXPECT_EQ(ended.out.find("ds-config   absent, so DeepSpeed's default: optimizer.params.weight_decay 0, "
                           "gradient_clipping 1.0\n"),
            0u)
      << ended.out; // ahead of the summary
}

TEST_F(Commands, AModelsOwnTrainingGraphIsSaidOnce) {
  const std::string compile = "autotp-compile @/training-info-mlp/model.onnx -o {}/plan ";
  for (const char *flag :
       {"--optimizer adam", "--lr 0.1", "--lr-schedule linear", "--warmup-steps 3", "--decay all", "--clip-grad-norm 1",
        "--loss-output logits", "--loss cross-entropy", "--train W1", "--freeze W1", "--only W1"})
    fails(1, compile + flag,
          std::string(flag).substr(0, std::string(flag).find(' ')) +
              ": the model brings its own training graph, which says this already");
  folder.write("ds.json", R"({"optimizer": {"type": "SGD"}})");
  fails(1, compile + "--ds-config {}/ds.json", "'optimizer' of --ds-config: the model brings its own training graph");
  folder.write("scheduler.json", R"({"scheduler": {"type": "WarmupLR"}})");
  fails(1, compile + "--ds-config {}/scheduler.json",
        "'scheduler' of --ds-config: the model brings its own training graph");
  fails(2, "autotp-compile @/mlp/model.onnx -o {}/plan --ds-config {}/ds.json --optimizer adam",
        "--optimizer: the configuration's optimizer is sgd");
  ASSERT_EQ(run(compile).code, 0);
  for (const char *flag : {"--lr 0.1", "--lr-schedule linear", "--warmup-steps 3", "--min-lr 0", "--decay-steps 3"})
    fails(1, std::string("autotp-run {}/plan ") + flag,
          std::string(flag).substr(0, std::string(flag).find(' ')) +
              ": the plan's learning rate is that of the model's own training graph");
}

TEST_F(Commands, ModelsThatCannotBeUsed) {
  fails(1, "autotp-compile {}/none.onnx -o {}/plan", "/none.onnx: it cannot be read");
  folder.write("bad.onnx", "no model");
  fails(1, "autotp-compile {}/bad.onnx -o {}/plan", "/bad.onnx: it is no ONNX model");
  fails(1, "autotp-compile @/llama/model.onnx -o {}/plan --input nothing=tokens", "nothing");
  fails(1, "autotp-compile @/mlp/model.onnx -o {}/plan --input x=nothing", "'nothing' is no role");
  fails(1, "autotp-compile @/mlp/model.onnx -o {}/plan --loss-output nothing", "'nothing'");
  fails(1, "autotp-compile @/mlp/model.onnx -o {}/plan --train (", "--train");
  fails(1, "autotp-compile @/mlp/model.onnx -o {}/plan --loss cross-entropy", "none of its outputs is the logits");
  fails(1, "autotp-compile @/llama-tied-logits/model.onnx -o {}/plan --shape seq=8",
        "--loss next-token or cross-entropy");
  fails(1, "autotp-compile @/llama-tied-logits/model.onnx -o {}/plan --shape seq=8 --loss next-token --logits y",
        "the model has no output 'y'");
  fails(1, "autotp-compile @/mlp/model.onnx -o {}/plan --tp 2 --sequence-parallel", "no input of tokens");
  fails(1, "autotp-compile @/mlp/model.onnx -o {}/plan --patterns {}/none.json", "/none.json: it cannot be read");
  // Every dimension that lacks a size is named, one line each.
  Ended unbound = run("autotp-compile @/llama-ts/model.onnx -o {}/plan");
  EXPECT_EQ(unbound.code, 1);
  for (const char *input : {"error: input 'input_ids'", "error: input 'labels'"})
    EXPECT_NE(unbound.err.find(input), std::string::npos) << unbound.err;
  EXPECT_NE(unbound.err.find("do:  give it one with --shape seq=N"), std::string::npos) << unbound.err;
}

/// Nobody writes to the FIFO, and /dev/zero has no end: neither is opened, whatever it is named for.
TEST_F(Commands, OnlyRegularFilesAreRead) {
  ASSERT_EQ(mkfifo((folder.path() + "/fifo").c_str(), 0600), 0);
  const std::string compile = "autotp-compile @/mlp/model.onnx -o {}/plan ";
  succeeds("autotp-compile @/llama/model.onnx --micro-batch 2 -o {}/whole");
  for (const std::string &file : {std::string("{}/fifo"), std::string("/dev/zero")}) {
    const std::string name = file == "/dev/zero" ? file : "/fifo";
    for (const std::string &arguments :
         {"autotp-compile " + file + " -o {}/plan", compile + "--weights " + file, compile + "--ds-config " + file,
          compile + "--patterns " + file, compile + "--parameters " + file, "autotp-run {}/whole --feed " + file,
          "autotp-run {}/whole --data text:" + file, "autotp-model llama --seq 8 -o {}/m.onnx --config " + file})
      fails(1, arguments, name + ": it is no regular file");
  }
}

TEST_F(Commands, ListsOfParameters) {
  const std::string compile = "autotp-compile @/mlp/model.onnx -o {}/plan --micro-batch 2 --explain parameters ";
  fails(1, compile + "--parameters {}/none.txt", "/none.txt: it cannot be read");
  folder.write("index.json", R"({"metadata": {}})");
  fails(1, compile + "--parameters {}/index.json", "/index.json: it has no 'weight_map'");
  folder.write("empty.txt", "# nothing\n");
  fails(1, compile + "--parameters {}/empty.txt", "/empty.txt: it lists no parameters");
  folder.write("tie.txt", "fc1.weight\nfc1.bias = nowhere\n");
  fails(1, compile + "--parameters {}/tie.txt", "no parameter of the graph is called 'nowhere'");
  folder.write("index.json", R"({"weight_map": {"fc2.weight": "a", "fc2.bias": "b", "pooler.weight": "b"}})");
  const Ended ended = run(compile + "--parameters {}/index.json");
  EXPECT_EQ(ended.code, 0) << ended.err;
  for (const char *line : {"trained     fc2.weight f32[", ": list, in the list of --parameters",
                           "note        pooler.weight: listed by --parameters, and no parameter of the graph"})
    EXPECT_NE(ended.out.find(line), std::string::npos) << ended.out;
}

/// A tp that divides nothing is no mistake: the axes stay whole, and the summary says why.
TEST_F(Commands, ATpThatCannotBeUsed) {
  Ended ended = run("autotp-compile @/mlp/model.onnx --tp 61 -o {}/plan --micro-batch 2");
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_NE(ended.out.find("whole"), std::string::npos) << ended.out;
}

} // namespace
} // namespace autotp::test
