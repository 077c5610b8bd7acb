// autotp-opt: runs passes of the compiler on a graph's text.
#include "passes/compile_options.h"
#include "passes/run_on_text.h"
#include "tools/command_line.h"

#include "llvm/Support/MemoryBuffer.h"

using namespace llvm;
using autotp::problem;

static cl::OptionCategory category("autotp-opt options");
static cl::opt<std::string> file(cl::Positional, cl::desc("FILE.ir|-"), cl::Required, cl::cat(category));
static cl::list<std::string> passes("pass", cl::desc("what runs, in this order; a wrong name lists all"),
                                    cl::value_desc("NAME[,NAME...]"), cl::CommaSeparated, cl::cat(category));
static cl::opt<int> tp("tp", cl::desc("ranks of tensor parallelism (default 1)"), cl::value_desc("N"), cl::init(1),
                       cl::cat(category));
static cl::opt<int> dp("dp", cl::desc("ranks of data parallelism (default 1)"), cl::value_desc("N"), cl::init(1),
                       cl::cat(category));
static cl::opt<int64_t> microBatch("micro-batch",
                                   cl::desc("samples that bind-batch leaves (default: those of the text)"),
                                   cl::value_desc("N"), cl::init(0), cl::cat(category));
static cl::opt<bool> all("shard-all", cl::desc("choose-axes takes every axis that divides parameters"),
                         cl::cat(category));

static Error run() {
  if (tp < 1 || tp > 4096 || dp < 1 || dp > 4096 || microBatch < 0)
    return problem("command line", "--tp, --dp and --micro-batch take positive numbers");
  auto text = MemoryBuffer::getFileOrSTDIN(file);
  if (!text) return problem(file, "it cannot be read: " + text.getError().message());
  autotp::CompileOptions options;
  options.step.tp = tp;
  options.step.dp = dp;
  options.import.microBatch = microBatch;
  options.shard = all ? autotp::ShardMode::All : autotp::ShardMode::Auto;
  Expected<std::string> left =
      autotp::runOnText((*text)->getBuffer(), std::vector<std::string>(passes.begin(), passes.end()), options);
  if (!left) return autotp::placed(file, left.takeError());
  outs() << *left;
  return Error::success();
}

int main(int argc, char **argv) {
  if (!autotp::parseCommandLine(
          argc, argv, &category,
          "Runs passes of the compiler on a graph's text, as --print-after prints it, and prints what "
          "the last of them left.\n"))
    return 2;
  return autotp::exitCode(run());
}
