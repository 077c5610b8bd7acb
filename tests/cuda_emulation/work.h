/// \file What waits in a stream: pieces of work, the graphs they form, and the collectives that several ranks' items
/// make together.
#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

struct CUstream_st;

namespace emulation {

/// Whether an item has run; shared by the item and all that wait for it.
struct Completion {
  bool done = false;
  std::chrono::steady_clock::time_point at;
};
using CompletionPtr = std::shared_ptr<Completion>;

/// An item at the head of its stream, or a node of the graph that is there.
struct Place {
  CUstream_st *stream = nullptr;
  int node = -1;
};

/// One rank's part of a collective. Runs when the parts of all members can.
class Collective {
public:
  virtual ~Collective() = default;
  /// A copy for one execution, lined up behind those that its rank issued before.
  virtual std::shared_ptr<Collective> issue() const = 0;
  /// All parts that run together with this one, in an order that is the same for each of them; empty while one of them
  /// is not at its head. A difference between the parts is reported to `failure`.
  virtual std::vector<Collective *> together(std::string &failure) = 0;
  virtual void run(const std::vector<Collective *> &parts) = 0;
  /// The host threads that have still to issue their part.
  virtual std::vector<std::thread::id> awaited() const = 0;
  virtual std::string describe() const = 0;

  bool atHead = false;
  Place place;
};

struct Graph;

/// One thing to do. Exactly one of the three is set.
struct Work {
  const char *name = "";
  std::function<std::string()> run = nullptr; // gives what went wrong, empty for nothing
  std::shared_ptr<Collective> collective = nullptr;
  std::shared_ptr<const Graph> graph = nullptr;
  bool outsideLock = false; // code of the project's host side, which may take locks of its own
};

struct GraphNode {
  Work work;
  std::vector<int> dependencies; // earlier nodes
};

struct Graph {
  std::vector<GraphNode> nodes;
};

/// A launched graph, partly run.
struct GraphRun {
  std::vector<int> missing; // dependencies of each node that have not run
  std::vector<int> ready;
  std::vector<std::shared_ptr<Collective>> collectives;
  size_t left = 0;
};

struct Item {
  Work work;
  std::vector<CompletionPtr> waits;
  CompletionPtr done;
  std::unique_ptr<GraphRun> graphRun;
};

} // namespace emulation
