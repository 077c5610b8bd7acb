#include "passes/options/deepspeed/config.h"

#include "passes/options/deepspeed/hjson.h"
#include "passes/options/deepspeed/key_reader.h"
#include "runtime/base/error.h"
#include "runtime/base/input_file.h"
#include "runtime/base/parse_json.h"

namespace autotp {

llvm::Error readDeepSpeedConfig(llvm::StringRef path, CompileOptions &options) {
  auto file = mapFile(path);
  if (!file) return file.takeError();
  const std::string text = withoutComments((*file)->getBuffer());
  auto json = parseJson(text);
  if (!json) return problem(path, llvm::toString(json.takeError()));
  if (!json->getAsObject()) return problem(path, "it is no JSON object");
  KeyReader reader(DeepSpeedKeys(*json->getAsObject()), options);
  readRanks(reader);
  readOptimizer(reader);
  readPrecision(reader);
  readBatch(reader);
  options.notes = reader.told();
  return reader.keys.takeErrors();
}

} // namespace autotp
