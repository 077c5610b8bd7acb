// One rank of a meeting, as a process: says what it got, or why not. For meeting_test.cpp, and by hand under a
// launcher: mpirun -n 3 meeting_rank; torchrun --no-python --nproc-per-node 3 meeting_rank.
#include "runtime/base/error.h"
#include "runtime/comm/launch/meet.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/raw_ostream.h"

#include <cstdlib>

using namespace autotp;

/// Rank 0 leaves a word, everybody reads it.
static llvm::Error run(std::chrono::milliseconds limit) {
  auto variable = [](const char *name) { return std::getenv(name); };
  auto launch = readLaunch(variable);
  if (!launch) return launch.takeError();
  if (!*launch) return problem("meeting_rank", "no launcher has started it");
  auto point = findMeetingPoint(**launch, variable);
  if (!point) return point.takeError();
  auto meeting = meet(**launch, *point, "line of " + std::to_string((*launch)->rank), {limit, limit});
  if (!meeting) return meeting.takeError();
  if ((*launch)->rank == 0)
    if (llvm::Error error = meeting->exchange->set("id", std::string("word\0", 5))) return error;
  auto word = meeting->exchange->get("id", limit);
  if (!word) return word.takeError();
  llvm::outs() << "rank " << (*launch)->rank << ": " << llvm::join(meeting->lines, ", ") << "; " << escaped(*word)
               << "\n";
  return llvm::Error::success();
}

int main(int argc, char **argv) {
  if (llvm::Error error = run(std::chrono::milliseconds(argc > 1 ? std::atoi(argv[1]) : 20000))) {
    llvm::outs() << describe(std::move(error)) << "\n";
    return 1;
  }
  return 0;
}
