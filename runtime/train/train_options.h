/// \file What the user asks of a run. train_rows.h has a row for each option, which says how it is asked for.
#pragma once

#include "runtime/data/sample_order.h"
#include "runtime/options/option_member.h"
#include "runtime/plan/lr_schedule.h"

namespace autotp {

struct TrainOptions : ProgramOptions {
  std::string plan;
  int64_t steps = 10;
  std::string data = "synthetic:0", feed;    ///< if both are given, the feed is used
  DataOrder dataOrder = DataOrder::Shuffled; ///< of what `data` says
  int64_t evalEvery = 0;                     ///< steps; 0: there is no evaluation
  std::string evalData, evalFeed;            ///< one of them, for an evaluation
  int64_t evalSteps = 10;                    ///< global batches of an evaluation
  int threads = 0;                           ///< threads of each rank; 0 divides the cores among ranks
  std::string instructionSet;                ///< that of the cpu device's kernels; empty: the best that the host has
  std::string log;                           ///< JSONL
  std::string tensorboard;                   ///< the folder of event files
  double peakTflops = 0;                     ///< of one rank's device; 0: not known
  std::string dumpGradients, saveWeights;    ///< safetensors with whole tensors, under their ONNX names
  std::optional<LrKind> lrKind; ///< in place of the plan's schedule; the numbers below change one of its own
  std::optional<double> lr, minLr;
  std::optional<int64_t> warmupSteps, decaySteps;
  std::optional<int64_t> seed; ///< of dropout, of the order of samples, and of initial weights for plans without
  std::string save;            ///< the folder of checkpoints
  int64_t saveEvery = 0;       ///< steps; 0: only after the last one
  int64_t keep = 0;            ///< of the checkpoints in that folder; 0: all
  bool savesAsync = false;
  std::string resume;        ///< a checkpoint, a folder of them, or "auto": the newest in `save`, if there is one
  double maxMinutes = 0;     ///< the run ends after the step in which they are over; 0: never
  bool checksFinite = false; ///< in fp16 too: a step that is not finite ends the run, and is not skipped
  bool isQuiet = false;
  std::string device;        ///< "cpu" or "cuda", which must be that of the plan; empty: that of the plan
  std::string comm;          ///< a name of communicators.h; empty: the first that serves
  double rankTimeout = 1800; ///< seconds for which ranks wait for one that runs; 0: without a limit
  bool allowsTf32 = false;   ///< on a GPU, products may round their operands to TF32

  /// Where samples come from, and in which order if it is another than usual.
  std::string dataName() const {
    if (!feed.empty()) return feed;
    return dataOrder == DataOrder::Shuffled ? data : data + " in sequential order";
  }
};

} // namespace autotp
