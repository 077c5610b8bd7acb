/// \file Minimum cut of a directed network, by Dinic's maximum flow (Dinic 1970).
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace autotp {

class MinimumCut {
public:
  static constexpr int64_t kUnbounded = int64_t(1) << 60;

  explicit MinimumCut(size_t vertices) : edgesOf_(vertices) {}
  void addEdge(size_t from, size_t to, int64_t capacity);
  /// Which vertices lie on the source's side of the minimum cut nearest to the source.
  std::vector<bool> solve(size_t source, size_t sink);

private:
  struct Edge {
    size_t to;
    int64_t residual;
  };
  bool findLevels(size_t source, size_t sink);
  int64_t augment(size_t source, size_t sink);

  std::vector<Edge> edges_; ///< an edge and its reverse side by side
  std::vector<std::vector<size_t>> edgesOf_;
  std::vector<int> level_;
  std::vector<size_t> next_;
};

} // namespace autotp
