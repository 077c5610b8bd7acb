/// \file Which sample a row is: permutations, weights, several files, epochs.
#include "runtime/data/data_spec.h"
#include "runtime/data/sample_order.h"
#include "tests/runtime/data_files.h"

#include <map>
#include <set>

namespace autotp {
namespace {

using namespace test;

TEST(Permutations, EveryPlaceOnce) {
  for (uint64_t size : {1, 2, 3, 4, 5, 16, 17, 100, 1000, 4097}) {
    std::vector<bool> seen(size);
    for (uint64_t i = 0; i < size; ++i) {
      const uint64_t place = Permutation(7, 0, 3, size)(i);
      ASSERT_LT(place, size);
      EXPECT_FALSE(seen[place]) << size;
      seen[place] = true;
    }
  }
}

TEST(Permutations, DifferByAllThatTheyHangOn) {
  std::set<std::vector<uint64_t>> orders;
  for (auto [seed, dataSet, epoch] : {std::tuple(1, 0, 0), {2, 0, 0}, {1, 1, 0}, {1, 0, 1}, {1, 0, 2}}) {
    std::vector<uint64_t> order;
    for (uint64_t i = 0; i < 50; ++i)
      order.push_back(Permutation(uint64_t(seed), uint64_t(dataSet), uint64_t(epoch), 50)(i));
    orders.insert(order);
  }
  EXPECT_EQ(orders.size(), 5u);
}

/// Over many epochs, each place is taken by each sample about equally often: chi-squared of 99 degrees of freedom has
/// the mean 99 and the deviation 14.
TEST(Permutations, AreEven) {
  constexpr int kSize = 100, kEpochs = 10000;
  for (uint64_t place : {0, 1, 50, 99}) {
    std::vector<int> counts(kSize);
    for (uint64_t epoch = 0; epoch < kEpochs; ++epoch)
      ++counts[Permutation(5, 0, epoch, kSize)(place)];
    double chi = 0;
    for (int count : counts)
      chi += (count - kEpochs / kSize) * double(count - kEpochs / kSize) / (kEpochs / kSize);
    EXPECT_GT(chi, 99 - 5 * 14) << place;
    EXPECT_LT(chi, 99 + 5 * 14) << place;
  }
}

TEST(Interleavings, GiveSharesWithinARow) {
  auto dealt = Interleaving::create({0.5, 0.3, 0.2});
  ASSERT_TRUE(bool(dealt));
  std::vector<int64_t> given(3);
  std::string order;
  for (int64_t row = 0; row < 1000; ++row) {
    for (size_t set = 0; set < 3; ++set) {
      const double share = std::vector{0.5, 0.3, 0.2}[set];
      EXPECT_LT(std::abs(double(given[set]) - share * double(row)), 1) << row;
      EXPECT_EQ(dealt->rowsBefore(row, set), given[set]);
    }
    const auto [set, index] = dealt->placeOf(row);
    EXPECT_EQ(index, given[set]++); // one after another
    if (row < 10) order += char('a' + set);
  }
  EXPECT_EQ(order, "abcaabacba"); // by the largest deficit, the first of equal ones
  EXPECT_EQ(given, (std::vector<int64_t>{500, 300, 200}));
  auto thirds = Interleaving::create({1, 2});
  ASSERT_TRUE(bool(thirds));
  EXPECT_EQ(thirds->rowsBefore(3'000'000, 0), 999'999); // rounded to a millionth
  EXPECT_NE(saidOf(Interleaving::create({1, 1e-9})).find("less than a millionth"), std::string::npos);
}

TEST(DataSpecs, AreRead) {
  auto said = [](const std::string &spec) {
    auto items = parseDataSpec(spec);
    if (!items) return describe(items.takeError());
    std::string text;
    for (const DataItem &item : *items) {
      text += (item.kind ? "yes " : "no ") + item.pattern;
      if (item.weight) text += " " + std::to_string(*item.weight).substr(0, 4);
      text += "; ";
    }
    return text;
  };
  EXPECT_EQ(said("a.bin"), "no a.bin; ");
  EXPECT_EQ(said("a.bin:0.7,text:b:0.3"), "no a.bin 0.70; yes b 0.30; ");
  EXPECT_EQ(said("a.bin,text:b*.log"), "no a.bin; yes b*.log; ");
  EXPECT_EQ(said("tape:b:x"), "no tape:b:x; "); // neither a kind nor a weight
  TemporaryFolder folder;
  const std::string odd = folder.write("a:1", "x");
  EXPECT_EQ(said(odd), "no " + odd + "; ");
  EXPECT_EQ(said(odd + ":2"), "no " + odd + " 2.00; ");
  const std::string all = said("a:0,b,,c:-1");
  EXPECT_NE(all.find("the weight of 'a' is not above 0"), std::string::npos) << all;
  EXPECT_NE(all.find("the weight of 'c' is not above 0"), std::string::npos) << all;
  EXPECT_NE(all.find("a file without a name"), std::string::npos) << all;
  EXPECT_NE(all.find("only 2 of its 4 files have a weight"), std::string::npos) << all;
}

class Samples : public testing::Test {
protected:
  TemporaryFolder folder;

  /// `samples` samples of four tokens: 10 i is the first of the i-th, from `first` on.
  std::string write(const std::string &name, int samples, int first) {
    std::string words;
    for (int i = 0; i < samples; ++i)
      for (int j = 0; j < 4; ++j)
        words += little(uint64_t(10 * (first + i) + j), 2);
    return folder.write(name, words + little(9, 2) + little(9, 2)); // a label, and a token that is no sample
  }
  std::unique_ptr<Source> open(const std::string &spec, TokenOptions options = {}) {
    auto source = openTokens(spec, tokensManifest(60000), options);
    EXPECT_TRUE(bool(source)) << describe(source.takeError());
    return std::move(*source);
  }
  /// The numbers of the samples of some rows.
  static std::vector<int64_t> numbers(const Source &source, int64_t begin, int64_t end) {
    std::vector<int64_t> all;
    for (int64_t row = begin; row < end; ++row) {
      all.push_back(rowOf(source, row, 0)[0] / 10);
      EXPECT_EQ(rowOf(source, row, 0)[3], all.back() * 10 + 3);
    }
    return all;
  }
};

TEST_F(Samples, OnceAnEpoch) {
  const std::string spec = write("a.bin", 7, 0) + "," + write("b.bin", 13, 7);
  const auto source = open(spec), again = open(spec), other = open(spec, {.seed = 1}),
             inOrder = open(spec, {.order = DataOrder::Sequential});
  std::vector<int64_t> sorted(20);
  for (int64_t i = 0; i < 20; ++i)
    sorted[size_t(i)] = i;
  std::set<std::vector<int64_t>> orders;
  for (int64_t epoch = 0; epoch < 3; ++epoch) {
    std::vector<int64_t> order = numbers(*source, epoch * 20, epoch * 20 + 20);
    EXPECT_EQ(order, numbers(*again, epoch * 20, epoch * 20 + 20));
    EXPECT_NE(order, numbers(*other, epoch * 20, epoch * 20 + 20));
    EXPECT_EQ(numbers(*inOrder, epoch * 20, epoch * 20 + 20), sorted);
    orders.insert(order);
    std::sort(order.begin(), order.end());
    EXPECT_EQ(order, sorted);
  }
  EXPECT_EQ(orders.size(), 3u);
}

/// What dp ranks read together, each its part of each global batch, does not depend on how many there are.
TEST_F(Samples, DoNotDependOnTheMesh) {
  const std::string spec = write("a.bin", 7, 0) + ":2," + write("b.bin", 13, 7) + ":1";
  std::vector<std::vector<int64_t>> byMesh;
  for (int64_t dp : {1, 2, 4}) {
    Manifest m = tokensManifest(60000);
    m.dp = dp;
    m.gradAccum = 4 / dp; // the global batch is 8
    std::vector<int64_t> all;
    auto source = openTokens(spec, m);
    ASSERT_TRUE(bool(source));
    for (int64_t step = 0; step < 5; ++step)
      for (int64_t rank = 0; rank < dp; ++rank)
        for (int64_t i = 0; i < 8 / dp; ++i)
          all.push_back(rowOf(**source, step * 8 + rank * (8 / dp) + i, 0)[0]);
    byMesh.push_back(all);
  }
  EXPECT_EQ(byMesh[0], byMesh[1]);
  EXPECT_EQ(byMesh[0], byMesh[2]);
}

TEST_F(Samples, WeightsAreShares) {
  const auto source = open(write("a.bin", 7, 0) + ":0.7," + write("b.bin", 13, 100) + ":0.3");
  std::vector<int64_t> small, large;
  for (int64_t number : numbers(*source, 0, 100))
    (number < 100 ? small : large).push_back(number);
  EXPECT_EQ(small.size(), 70u);
  EXPECT_EQ(large.size(), 30u);
  std::map<int64_t, int> times;
  for (int64_t number : small) // ten epochs of its own
    ++times[number];
  EXPECT_EQ(times.size(), 7u);
  for (auto [number, count] : times)
    EXPECT_EQ(count, 10) << number;
  EXPECT_EQ(std::set(large.begin(), large.begin() + 13).size(), 13u);
}

TEST_F(Samples, Patterns) {
  write("a1.bin", 2, 0);
  write("a2.bin", 3, 2);
  write("b.bin", 4, 5);
  const auto some = open(folder.path() + "/a*.bin", {.order = DataOrder::Sequential}),
             all = open(folder.path() + "/[ab]*.bin", {.order = DataOrder::Sequential});
  EXPECT_EQ(numbers(*some, 0, 6), (std::vector<int64_t>{0, 1, 2, 3, 4, 0}));
  EXPECT_EQ(numbers(*all, 0, 9), (std::vector<int64_t>{0, 1, 2, 3, 4, 5, 6, 7, 8}));
  EXPECT_NE(saidOf(openTokens(folder.path() + "/c*.bin", tokensManifest(9))).find("no file matches"),
            std::string::npos);
  const auto weighted = open(folder.path() + "/a*.bin:0.5," + folder.path() + "/b.bin:0.5");
  EXPECT_EQ(weighted->files().size(), 3u);
}

TEST_F(Samples, AreCounted) {
  const std::string one = write("a.bin", 7, 0), two = write("b.bin", 13, 7);
  const auto both = open(one + "," + two), weighted = open(one + ":3," + two + ":1");
  EXPECT_EQ(
      both->notes(0, 50),
      (std::vector<std::string>{one + "," + two + ", 2 files: 84 tokens, 20 samples an epoch; 2.5 epochs are read"}));
  EXPECT_EQ(weighted->notes(28, 56),
            (std::vector<std::string>{
                one + " (75% of samples): 30 tokens, 7 samples an epoch; 3 epochs are read, from 3 on",
                two + " (25% of samples): 54 tokens, 13 samples an epoch; 0.538 epochs are read, from 0.538 on"}));
  EXPECT_EQ(both->endedEpochs(0, 19), std::vector<std::string>());
  EXPECT_EQ(both->endedEpochs(19, 40), (std::vector<std::string>{"data: epoch 1 of " + one + "," + two + " ends",
                                                                 "data: epoch 2 of " + one + "," + two + " ends"}));
}

} // namespace
} // namespace autotp
