#include "runtime/comm/shm/rank_board.h"

#include "runtime/base/error.h"

namespace autotp {
namespace {

llvm::StringRef wordsOf(Activity activity) {
  switch (activity) {
  case Activity::Starting:
    return "was starting";
  case Activity::Loading:
    return "was loading the plan and its weights";
  case Activity::Training:
    return "was training";
  case Activity::Evaluating:
    return "was evaluating";
  case Activity::Saving:
    return "was saving a checkpoint";
  case Activity::Ending:
    return "was ending";
  }
  return "";
}

} // namespace

RankEntry &RankBoard::entry(int rank) const { return reinterpret_cast<RankEntry *>(memory_ + sizeof(Verdict))[rank]; }

bool RankBoard::claim() {
  int32_t nobody = 0;
  return verdict().sayer.compare_exchange_strong(nobody, own_ + 1);
}

std::string RankBoard::describe(int rank) const {
  const RankEntry &shown = entry(rank);
  std::string text = llvm::formatv("rank {0} (process {1} on {2}), which {3}", rank, shown.process.load(),
                                   escaped(host_), wordsOf(Activity(shown.activity.load())));
  if (shown.step > 0) text += " in step " + std::to_string(shown.step);
  if (shown.waits % 2 == 1) text += ", waiting for other ranks";
  return text;
}

} // namespace autotp
