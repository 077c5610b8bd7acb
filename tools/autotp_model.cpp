// autotp-model: writes models as ONNX, from their configurations.
#include "models/decoder/export_decoder.h"
#include "models/decoder/family.h"
#include "tools/command_line.h"

using namespace llvm;

static cl::OptionCategory category("autotp-model options");
static cl::opt<std::string> model(cl::Positional, cl::desc("MODEL (gemma2, llama, mistral, phi3, qwen2 or qwen3)"),
                                  cl::Required, cl::cat(category));
static cl::opt<std::string> config("config", cl::desc("a Hugging Face config.json"), cl::value_desc("FILE.json"),
                                   cl::Required, cl::cat(category));
static cl::opt<std::string> weights("weights",
                                    cl::desc("take the weights (F32, BF16 or F16) from here instead of drawing them: a "
                                             ".safetensors file, a model.safetensors.index.json, or a folder with one"),
                                    cl::value_desc("PATH"), cl::cat(category));
static cl::opt<int64_t> seed("seed", cl::desc("seed of drawn weights"), cl::value_desc("N"), cl::init(0),
                             cl::cat(category));
static cl::opt<bool> noWeights("no-weights",
                               cl::desc("write shapes only: training starts from weights that autotp-run draws"),
                               cl::cat(category));
static cl::opt<int64_t> batch("batch", cl::desc("samples of a step"), cl::value_desc("N"), cl::init(1),
                              cl::cat(category));
static cl::opt<int64_t> seq("seq", cl::desc("tokens of a sample"), cl::value_desc("N"), cl::init(128),
                            cl::cat(category));
static cl::opt<std::string>
    output("o",
           cl::desc("the model, in place of a file of that name; more than 1.5 GiB of weights lie "
                    "in FILE.onnx.data, which must not be there"),
           cl::value_desc("FILE.onnx"), cl::Required, cl::cat(category));

int main(int argc, char **argv) {
  if (!autotp::parseCommandLine(argc, argv, &category, "Writes a model with its loss as ONNX.\n")) return 2;
  if (!autotp::findFamily(model)) {
    errs() << "error: model '" << autotp::escaped(model) << "' is not known\n  do:  give " << autotp::familyNames()
           << "\n";
    return 2;
  }
  if (seed < 0) {
    errs() << "error: --seed: it takes a number from 0 on\n";
    return 2;
  }
  return autotp::exitCode(autotp::exportDecoder({model, config, output, weights, seed, !noWeights, batch, seq}));
}
