/// \file The generator that every choice of the emulation is drawn from: the same seed gives the same choices.
#pragma once

#include <cstdint>
#include <numeric>

namespace emulation {

class Random {
public:
  explicit Random(uint64_t seed = 0) : state_(seed) {}
  /// Uniform enough in [0, bound); bound > 0. SplitMix64 (Steele, Lea, Flood 2014).
  uint64_t below(uint64_t bound) {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (z ^ (z >> 31)) % bound;
  }

private:
  uint64_t state_;
};

/// Visits 0 .. n-1 in an order of its own without a table: steps of a width that has no factor in common with n.
class Shuffle {
public:
  Shuffle(uint64_t n, Random &random) : n_(n), at_(random.below(n)), step_(1 + random.below(n)) {
    while (std::gcd(step_, n_) != 1)
      step_ = step_ % n_ + 1;
  }
  uint64_t next() {
    uint64_t now = at_;
    at_ = (at_ + step_) % n_;
    return now;
  }

private:
  uint64_t n_, at_, step_;
};

} // namespace emulation
