/// \file What a run that is saved and goes on elsewhere must give.
#pragma once

#include "tests/equivalence/fixture.h"

#include <memory>

namespace autotp::test {

/// A plan of a fixture in a folder of its own, which is deleted with it, and runs of it on synthetic tokens or the
/// fixture's batches.
class SavedPlan {
public:
  SavedPlan(const std::string &fixture, const Mesh &mesh, const RunAs &runAs = {});
  ~SavedPlan();

  /// What runs have in common; a test changes it as it likes. The log is `folder()/log.jsonl`.
  TrainOptions options() const;
  const std::string &folder() const { return folder_; }
  /// Runs, and returns the losses that its log gained; a failure fails the test.
  std::vector<double> run(const TrainOptions &options) const;

  /// Runs so many steps, and returns the checkpoint that the last of them leaves.
  std::string saved(int64_t steps) const;

private:
  std::string fixture_, folder_;
};

/// Loads the checkpoint into the ranks of a plan and fails the test unless each element of each parameter, master weight and
/// optimizer state is that of the checkpoint, bit by bit.
void expectLoadsExactly(const std::string &plan, const std::string &checkpoint);

/// Saves after 3 steps on one mesh, and expects the others to load it exactly and to go on with the losses of a run that was
/// not interrupted: the same bits on the same mesh, the contract's bounds elsewhere.
void expectGoesOnAnywhere(const std::string &fixture, const Mesh &from, const std::vector<Mesh> &to,
                          const RunAs &runAs = {});

} // namespace autotp::test
