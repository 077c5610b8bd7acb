// autotp-run: trains a plan.
#include "runtime/train/train.h"
#include "tools/command_line.h"

using namespace llvm;

static cl::OptionCategory category("autotp-run options");
static cl::opt<std::string> plan(cl::Positional, cl::desc("PLAN"), cl::Required, cl::cat(category));
static cl::opt<int64_t> steps("steps", cl::desc("optimizer steps to run"), cl::value_desc("N"), cl::init(10),
                              cl::cat(category));
static cl::opt<std::string>
    data("data", cl::desc("synthetic[:seed], a text file (bytes are tokens), or a .bin of uint16 tokens"),
         cl::value_desc("SRC"), cl::init("synthetic:0"), cl::cat(category));
static cl::opt<std::string> feed("feed", cl::desc("arrays by graph input name, samples first; instead of --data"),
                                 cl::value_desc("FILE.npz"), cl::cat(category));
static cl::opt<int> threads("threads", cl::desc("threads of each rank; default: the cores shared out"),
                            cl::value_desc("N"), cl::init(0), cl::cat(category));
static cl::opt<std::string> logFile("log", cl::desc("one JSON object a step"), cl::value_desc("FILE.jsonl"),
                                    cl::cat(category));
static cl::opt<std::string>
    dumpGradients("dump-gradients",
                  cl::desc("write the first step's whole gradients, of the mean loss, before clipping"),
                  cl::value_desc("FILE.safetensors"), cl::cat(category));
static cl::opt<std::string> saveWeights("save-weights", cl::desc("write the whole weights after the last step"),
                                        cl::value_desc("FILE.safetensors"), cl::cat(category));
static cl::opt<double> lr("lr", cl::desc("learning rate, instead of the plan's"), cl::value_desc("X"),
                          cl::cat(category));
static cl::opt<int64_t> seed("seed", cl::desc("seed of initial weights, for a plan without weights"),
                             cl::value_desc("N"), cl::cat(category));
static cl::opt<bool> quiet("quiet", cl::desc("print no line a step"), cl::cat(category));

int main(int argc, char **argv) {
  if (!autotp::parseCommandLine(
          argc, argv, category,
          "Trains a plan that autotp-compile wrote, with all of its ranks as threads of this process.\n"))
    return 2;
  if (steps < 1 || threads < 0) {
    errs() << "error: --steps and --threads take a positive number\n";
    return 2;
  }
  autotp::TrainOptions options{plan, steps, data, feed, threads, logFile, dumpGradients, saveWeights, {}, {}, quiet};
  if (lr.getNumOccurrences()) options.lr = lr;
  if (seed.getNumOccurrences()) options.seed = seed;
  return autotp::exitCode(autotp::train(options));
}
