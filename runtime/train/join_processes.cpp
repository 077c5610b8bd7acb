#include "runtime/train/join_processes.h"

#include "runtime/base/digest.h"
#include "runtime/train/communicators.h"

namespace autotp {
namespace {

/// What all ranks must have in common. The digest of the manifest stands for the plan and its weights, since it holds
/// theirs.
RankFacts factsOf(llvm::StringRef plan, llvm::ArrayRef<GivenFlag> given) {
  RankFacts facts{{"plan", digestOfFile((plan + "/manifest.json").str())},
                  {"build of autotp-run", digestOfFile("/proc/self/exe")}};
  for (const GivenFlag &flag : given)
    if (!flag.option->mayDiffer && !flag.option->isPositional()) facts[flagText(*flag.option)] = flag.text;
  return facts;
}

} // namespace

llvm::Expected<std::unique_ptr<Communicator>> joinProcesses(const TrainOptions &options, Variable variable,
                                                            llvm::ArrayRef<GivenFlag> given) {
  if (const CommunicatorRow *named = communicatorNamed(options.comm); named && !named->join)
    return nullptr; // then the launcher does not matter
  CommunicatorRequest request{options.comm, options.plan, nullptr, {}, variable, options.rankTimeout};
  llvm::Expected<std::optional<Launch>> launch = readLaunch(variable);
  if (!launch) return launch.takeError();
  request.launch = *launch;
  if (request.launch) request.facts = factsOf(options.plan, given);
  llvm::Expected<Manifest> manifest = readManifest(options.plan);
  if (manifest) request.manifest = &*manifest;
  llvm::Expected<const CommunicatorRow *> row = chooseCommunicator(request);
  if (!row && !manifest) {
    llvm::consumeError(row.takeError()); // a consequence
    return manifest.takeError();
  }
  llvm::consumeError(manifest.takeError()); // train() reports it: rank 0, after all ranks have joined
  if (!row) return row.takeError();
  const bool isOneOfMany = (*row)->join && (request.launch || !(*row)->makeThreads);
  return isOneOfMany ? (*row)->join(request) : nullptr;
}

} // namespace autotp
