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
  /// Adds a directed edge. kUnbounded is far above any sum of other capacities, so such an edge is cut only if there is
  /// no other cut.
  void addEdge(size_t from, size_t to, int64_t capacity);
  /// Returns for each vertex whether it lies on the source's side. Of several minimum cuts, the one nearest to the
  /// source is taken.
  /// May be called once: it uses up the capacities.
  std::vector<bool> solve(size_t source, size_t sink);

private:
  struct Edge {
    size_t to;
    int64_t residual;
  };
  bool findLevels(size_t source, size_t sink);
  int64_t augment(size_t source, size_t sink);

  std::vector<Edge> edges_; ///< each edge is followed by its reverse, so that the reverse of edge e is e ^ 1
  std::vector<std::vector<size_t>> edgesOf_;
  std::vector<int> level_;
  std::vector<size_t> next_;
};

} // namespace autotp
