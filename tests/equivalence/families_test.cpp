// Every model family's export trains to PyTorch's numbers, on one rank and sharded.
#include "tests/equivalence/fixture.h"

#include "runtime/base/error.h"

#include "llvm/Support/FormatVariadic.h"

#include <cstdio>
#include <gtest/gtest.h>

namespace autotp::test {
namespace {

struct Family {
  const char *name;
  std::vector<int64_t> axes; ///< sizes of those that must be sharded at tp 2, ascending
};

void PrintTo(const Family &family, std::ostream *out) { *out << family.name; }

/// Whether the inputs of a model, "mlp" or "models/mlp", are sequences of tokens.
bool hasSequence(llvm::StringRef model) {
  model.consume_front("models/");
  return model != "mlp" && model != "two_tower" && model != "vit";
}

class Families : public testing::TestWithParam<Family> {};

TEST_P(Families, EqualPyTorch) {
  std::string folder = std::string("models/") + GetParam().name;
  Expected expected = readExpected(folder);
  for (const Mesh &mesh :
       {Mesh{1, 1, 0, 1}, Mesh{2, 2, 2, 1}, Mesh{2, 2, 3, 1}, Mesh{4, 1, 1, 1}, Mesh{4, 2, 2, 2}, Mesh{3, 1, 0, 1}}) {
    llvm::Expected<Trained> run = train(folder, expected, mesh);
    ASSERT_TRUE(bool(run)) << mesh.text() << ": " << describe(run.takeError());
    if (mesh.tp <= 2)
      EXPECT_EQ(run->shardedSizes, mesh.tp > 1 ? GetParam().axes : std::vector<int64_t>()) << mesh.text();
    for (const std::string &broken : compare(expected, *run))
      ADD_FAILURE() << mesh.text() << ": " << broken;
  }
}

TEST_P(Families, FollowPyTorchInBf16) {
  const std::string folder = std::string("models/") + GetParam().name;
  const Expected expected = readExpected(folder);
  llvm::Expected<Trained> run = train(folder, expected, {2, 2, 2, 1}, {.dtype = DType::BF16});
  ASSERT_TRUE(bool(run)) << describe(run.takeError());
  for (const std::string &broken : compare(expected, *run, nullptr, kBoundsOfBf16))
    ADD_FAILURE() << broken;
}

/// A model as constructed, of which an exporter wrote less than there is: equal vectors once, and no biases of zeros.
class FreshFamilies : public Families {};

TEST_P(FreshFamilies, EqualPyTorch) {
  const std::string folder = std::string("models/") + GetParam().name;
  const Expected expected = readExpected(folder, "fresh.json");
  for (const Mesh &mesh : {Mesh{1, 1, 0, 1}, Mesh{2, 2, 2, 1}, Mesh{4, 1, 1, 1}})
    for (bool sequenceParallel : {false, true}) {
      if (sequenceParallel && (mesh.tp == 1 || !hasSequence(folder))) continue;
      const std::string model = std::string(AUTOTP_SOURCE_DIR) + "/" + folder + "/fresh.onnx";
      llvm::Expected<Trained> run =
          train(folder, expected, mesh, {.sequenceParallel = sequenceParallel, .model = model});
      const std::string where = mesh.text() + (sequenceParallel ? ", sequence parallel" : "");
      ASSERT_TRUE(bool(run)) << where << ": " << describe(run.takeError());
      if (GetParam().name != llvm::StringRef("gpt_bigcode")) // of whose positions the file holds those that it looks up
        EXPECT_EQ(run->parameterElements, expected.parameterElements) << where;
      for (const std::string &broken : compare(expected, *run))
        ADD_FAILURE() << where << ": " << broken;
    }
}

class FamiliesInParts : public Families {};

TEST_P(FamiliesInParts, EqualPyTorch) {
  std::string folder = std::string("models/") + GetParam().name;
  Expected expected = readExpected(folder);
  for (const Mesh &mesh : {Mesh{2, 2, 2, 1}, Mesh{3, 1, 0, 1}, Mesh{3, 2, 3, 1}, Mesh{4, 2, 1, 2}}) {
    llvm::Expected<Trained> run = train(folder, expected, mesh, {.sequenceParallel = true});
    ASSERT_TRUE(bool(run)) << mesh.text() << ": " << describe(run.takeError());
    for (const std::string &broken : compare(expected, *run))
      ADD_FAILURE() << mesh.text() << ": " << broken;
  }
}

/// Two layers of heads (by KV group, where keys and values have heads of their own to divide) and ffn; the vocabulary
/// of the embedding and of the head, which are one where they are tied; rows of a position table; classes and the
/// pooler of a classifier; input channels of patches. T5's layers share their bias table, and so the axis of their
/// heads. The towers have their tables' widths, which are the rows of the next weight, and the width of the dot
/// product.
const Family kFamilies[] = {
    {"bert", {2, 4, 4, 32, 40, 96, 96, 128}}, {"bloom", {4, 4, 128, 128, 128}},
    {"falcon", {4, 4, 128, 128, 128}},        {"gemma", {4, 4, 96, 96, 144}},
    {"gemma2", {2, 2, 64, 64, 128}},          {"gpt2", {4, 4, 40, 128, 128, 128}},
    {"gpt_bigcode", {4, 4, 96, 96, 160}},     {"gpt_neox", {4, 4, 96, 96, 128, 128}},
    {"llama", {2, 2, 96, 96, 128, 128}},      {"mistral", {2, 2, 88, 88, 128, 128}},
    {"mixtral", {2, 2, 48, 48, 96, 96}},      {"mlp", {10, 96}},
    {"modernbert", {4, 4, 48, 48, 128}},      {"olmo2", {2, 2, 88, 88, 128, 128}},
    {"opt", {4, 4, 42, 96, 96, 128}},         {"phi", {4, 4, 96, 96, 128, 128}},
    {"phi3", {2, 2, 72, 72, 128, 128}},       {"qwen2", {2, 2, 112, 112, 256}},
    {"qwen3", {2, 2, 80, 80, 128, 128}},      {"t5", {4, 4, 4, 4, 64, 64, 64, 64, 128}},
    {"two_tower", {16, 16, 16, 16, 24}},      {"vit", {3, 4, 4, 10, 96, 96}},
};

struct MatrixRow {
  int runs = 0;
  Deviations f32, bf16; ///< from PyTorch
  Deviations mesh;      ///< of bf16 from one rank's
};

/// Every mesh, with and without sequence parallelism, in f32 and in bf16.
void runMatrix(const std::string &model, MatrixRow &row) {
  Expected expected = readExpected(model);
  std::optional<Trained> one; // in bf16
  for (int tp : {1, 2, 4})
    for (int dp : {1, 2})
      for (int zero : {0, 1, 2, 3})
        for (bool sequenceParallel : {false, true})
          for (DType dtype : {DType::F32, DType::BF16}) {
            if (sequenceParallel && (tp == 1 || !hasSequence(model))) continue;
            const Mesh mesh{tp, dp, zero, 1};
            const bool isF32 = dtype == DType::F32;
            llvm::Expected<Trained> run =
                train(model, expected, mesh, {.sequenceParallel = sequenceParallel, .dtype = dtype});
            ASSERT_TRUE(bool(run)) << model << ", " << mesh.text() << ": " << describe(run.takeError());
            std::vector<std::string> broken =
                compare(expected, *run, isF32 ? &row.f32 : &row.bf16, isF32 ? Bounds() : kBoundsOfBf16);
            if (!isF32 && !one) one = *run;
            if (!isF32) llvm::append_range(broken, compare(*one, *run, row.mesh, kBoundsOfBf16));
            for (const std::string &line : broken)
              ADD_FAILURE() << model << ", " << mesh.text() << " " << nameOf(dtype).str() << ": " << line;
            ++row.runs;
          }
}

/// Every model; the table of docs/correctness.md.
TEST(FullMatrix, EqualsPyTorch) {
  std::string table;
  std::vector<std::string> models = {"llama-op23", "llama-hf23", "llama-tied-logits",
                                     "llama-ts",   "nanogpt",    "bert-mlm"};
  for (const Family &family : kFamilies)
    models.push_back(std::string("models/") + family.name);
  for (const std::string &model : models) {
    MatrixRow row;
    runMatrix(model, row);
    table += llvm::formatv("| {0} | {1} | {2:e} | {3:f2} | {4:f2} | {5:e} | {6:f2} | {7:e} | {8:f2} |\n", model,
                           row.runs, row.f32.loss, row.f32.gradient, row.f32.weight, row.bf16.loss, row.bf16.gradient,
                           row.mesh.loss, row.mesh.gradient)
                 .str();
  }
  std::puts(table.c_str());
}

std::vector<Family> familiesWithSequence() {
  std::vector<Family> all;
  llvm::copy_if(kFamilies, std::back_inserter(all), [](const Family &family) { return hasSequence(family.name); });
  return all;
}

std::vector<Family> freshFamilies() {
  std::vector<Family> all;
  llvm::copy_if(kFamilies, std::back_inserter(all), [](const Family &family) {
    return llvm::StringRef(family.name) != "mlp" && llvm::StringRef(family.name) != "two_tower";
  });
  return all;
}

INSTANTIATE_TEST_SUITE_P(Equivalence, FreshFamilies, testing::ValuesIn(freshFamilies()),
                         [](const auto &info) { return info.param.name; });
INSTANTIATE_TEST_SUITE_P(Equivalence, FamiliesInParts, testing::ValuesIn(familiesWithSequence()),
                         [](const auto &info) { return info.param.name; });
INSTANTIATE_TEST_SUITE_P(Equivalence, Families, testing::ValuesIn(kFamilies),
                         [](const auto &info) { return info.param.name; });

} // namespace
} // namespace autotp::test
