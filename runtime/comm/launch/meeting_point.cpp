#include "runtime/comm/launch/meeting_point.h"

#include "runtime/base/error.h"
#include "runtime/comm/launch/node_list.h"

namespace autotp {
namespace {

constexpr uint64_t kFirstPort = 20000, kPorts = 10000; ///< below the ports that systems assign by themselves

llvm::StringRef textOf(Variable variable, const char *name) {
  const char *value = variable(name);
  return value ? value : "";
}

llvm::Expected<uint64_t> numberOf(Variable variable, const char *name, uint64_t most) {
  uint64_t number = 0;
  llvm::StringRef text = textOf(variable, name);
  if (text.getAsInteger(10, number) || number > most)
    return problem("environment", llvm::formatv("{0}={1} is no number up to {2}", name, escaped(text), most).str(),
                   "set MASTER_ADDR and MASTER_PORT to rank 0's host and to a free port there, on all ranks");
  return number;
}

/// Keys differ between restarts, since a launcher restarts its ranks under the same numbers, while its store, or a rank
/// that ends slowly, may still be there.
std::string prefixOf(const Launcher &launcher, Variable variable) {
  std::string run;
  for (const char *name : launcher.runVariables)
    run += textOf(variable, name).str() + "/";
  return "autotp/" + run;
}

} // namespace

llvm::Expected<MeetingPoint> torchrunsMeetingPoint(MeetingPoint point, Variable variable) {
  if (point.host.empty())
    return problem("environment of torchrun", "MASTER_ADDR and MASTER_PORT are not both set",
                   "start all ranks with torchrun, which sets them");
  point.isLaunchers = textOf(variable, "TORCHELASTIC_USE_AGENT_STORE").equals_insensitive("true");
  return point;
}

llvm::Expected<MeetingPoint> mpisMeetingPoint(MeetingPoint point, Variable) { return point; }

llvm::Expected<MeetingPoint> slurmsMeetingPoint(MeetingPoint point, Variable variable) {
  if (!point.host.empty()) return point;
  llvm::StringRef list = textOf(variable, "SLURM_STEP_NODELIST");
  if (list.empty()) list = textOf(variable, "SLURM_JOB_NODELIST");
  auto nodes = readNodeList(list);
  if (!nodes) return nodes.takeError();
  point.host = nodes->front();
  if (point.port) return point; // the one of MASTER_PORT
  auto job = numberOf(variable, "SLURM_JOB_ID", UINT32_MAX), step = numberOf(variable, "SLURM_STEP_ID", UINT32_MAX);
  if (llvm::Error error = llvm::joinErrors(job.takeError(), step.takeError())) return error;
  // Steps of a job that run at the same time get different ports.
  point.port = uint16_t(kFirstPort + (*job * 31 + *step) % kPorts);
  return point;
}

llvm::Expected<MeetingPoint> findMeetingPoint(const Launch &launch, Variable variable) {
  MeetingPoint point;
  point.prefix = prefixOf(*launch.launcher, variable);
  if (variable("MASTER_PORT")) {
    auto port = numberOf(variable, "MASTER_PORT", UINT16_MAX);
    if (!port) return port.takeError();
    point.port = uint16_t(*port);
  }
  if (llvm::StringRef host = textOf(variable, "MASTER_ADDR"); !host.empty() && point.port) point.host = host.str();
  return launch.launcher->meetingPoint(std::move(point), variable);
}

} // namespace autotp
