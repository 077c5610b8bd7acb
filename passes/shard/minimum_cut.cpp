#include "passes/shard/minimum_cut.h"

#include <algorithm>

namespace autotp {

void MinimumCut::addEdge(size_t from, size_t to, int64_t capacity) {
  edgesOf_[from].push_back(edges_.size());
  edges_.push_back({to, capacity});
  edgesOf_[to].push_back(edges_.size());
  edges_.push_back({from, 0});
}

bool MinimumCut::findLevels(size_t source, size_t sink) {
  level_.assign(edgesOf_.size(), -1);
  std::vector<size_t> queue = {source};
  level_[source] = 0;
  for (size_t head = 0; head < queue.size(); ++head)
    for (size_t e : edgesOf_[queue[head]])
      if (edges_[e].residual > 0 && level_[edges_[e].to] < 0) {
        level_[edges_[e].to] = level_[queue[head]] + 1;
        queue.push_back(edges_[e].to);
      }
  return level_[sink] >= 0;
}

/// Sends flow along one augmenting path of rising levels and returns the amount. It does not recurse, since graphs are
/// deep.
int64_t MinimumCut::augment(size_t source, size_t sink) {
  std::vector<size_t> path;
  size_t at = source;
  while (at != sink) {
    bool advanced = false;
    for (size_t &i = next_[at]; i < edgesOf_[at].size(); ++i) {
      size_t e = edgesOf_[at][i];
      if (edges_[e].residual > 0 && level_[edges_[e].to] == level_[at] + 1) {
        path.push_back(e);
        at = edges_[e].to;
        advanced = true;
        break;
      }
    }
    if (advanced) continue;
    if (path.empty()) return 0;
    at = edges_[path.back() ^ 1].to; // a dead end, which is not entered again
    ++next_[at];
    path.pop_back();
  }
  int64_t flow = kUnbounded;
  for (size_t e : path)
    flow = std::min(flow, edges_[e].residual);
  for (size_t e : path) {
    edges_[e].residual -= flow;
    edges_[e ^ 1].residual += flow;
  }
  return flow;
}

std::vector<bool> MinimumCut::solve(size_t source, size_t sink) {
  while (findLevels(source, sink)) {
    next_.assign(edgesOf_.size(), 0);
    while (augment(source, sink) > 0) {
    }
  }
  std::vector<bool> onSourceSide(edgesOf_.size());
  for (size_t v = 0; v < onSourceSide.size(); ++v)
    onSourceSide[v] = level_[v] >= 0;
  return onSourceSide;
}

} // namespace autotp
