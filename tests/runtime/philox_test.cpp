/// \file Known answers of Random123 (kat_vectors) and the moments of the normal numbers made from them.
#include "runtime/base/normal_numbers.h"
#include "runtime/base/philox.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>
#include <vector>

namespace autotp {
namespace {

using Words = PhiloxWords;

TEST(Philox, KnownAnswers) {
  EXPECT_EQ(philox(0, 0, 0), (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox(~0ull, ~0ull, ~0ull), (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox(0x299f31d0a4093822, 0x85a308d3243f6a88, 0x0370734413198a2e),
            (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Philox, NormalNumbers) {
  double sum = 0, squares = 0, fourths = 0;
  double products[4] = {}; // with the numbers that follow: of one pair, of one block, of the next block
  constexpr int kCount = 100000;
  for (int i = 0; i < kCount; ++i) {
    double x = philoxNormal(7, 3, uint64_t(i));
    sum += x;
    squares += x * x;
    fourths += x * x * x * x;
    for (int after = 0; after < 4; ++after)
      products[after] += x * philoxNormal(7, 3, uint64_t(i + after + 1));
  }
  EXPECT_NEAR(sum / kCount, 0, 0.02);
  EXPECT_NEAR(squares / kCount, 1, 0.02);
  EXPECT_NEAR(fourths / kCount, 3, 0.1);
  for (double product : products)
    EXPECT_NEAR(product / kCount, 0, 0.02);
}

/// By the formula of Box and Muller, with the library's functions.
TEST(Philox, NormalNumbersAreThoseOfTheFormula) {
  for (uint64_t block = 0; block < 50000; ++block) {
    const PhiloxWords bits = philox(7, block, 3);
    auto uniform = [&](int i) { return (double(bits[i]) + 0.5) / 4294967296.0; };
    for (int pair : {0, 2}) {
      const double radius = std::sqrt(-2 * std::log(uniform(pair))), angle = 2 * std::numbers::pi * uniform(pair + 1);
      ASSERT_NEAR(philoxNormal(7, 3, 4 * block + uint64_t(pair)), radius * std::cos(angle), 1e-14);
      ASSERT_NEAR(philoxNormal(7, 3, 4 * block + uint64_t(pair) + 1), radius * std::sin(angle), 1e-14);
    }
  }
}

/// Wherever a run begins and ends among the blocks, and however many are made at a time.
TEST(Philox, RunsHoldTheNumbersOfTheirElements) {
  for (uint64_t first = 0; first < 5; ++first)
    for (size_t count : {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 255, 256, 257, 600}) {
      std::vector<float> values(count);
      drawNormals(values, 7, 3, first, 2, 0.5);
      for (size_t i = 0; i < count; ++i)
        EXPECT_EQ(values[i], float(2 + 0.5 * philoxNormal(7, 3, first + i)));
    }
}

} // namespace
} // namespace autotp
