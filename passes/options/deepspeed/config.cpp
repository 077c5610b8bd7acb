#include "passes/options/deepspeed/config.h"

#include "passes/options/deepspeed/hjson.h"
#include "passes/options/deepspeed/key_reader.h"
#include "runtime/base/error.h"
#include "runtime/base/parse_json.h"

#include "llvm/Support/MemoryBuffer.h"

namespace autotp {

llvm::Error readDeepSpeedConfig(llvm::StringRef path, CompileOptions &options) {
  auto file = llvm::MemoryBuffer::getFile(path);
  if (!file) return problem(path, "it cannot be read: " + file.getError().message());
  const std::string text = withoutComments((*file)->getBuffer());
  auto json = parseJson(text);
  if (!json) return problem(path, "it is no JSON: " + llvm::toString(json.takeError()));
  if (!json->getAsObject()) return problem(path, "it is no JSON object");
  if (const std::string twice = repeatedKey(text); !twice.empty())
    return problem(path, "it has '" + escaped(twice) + "' twice in one object", "remove one of the two");
  KeyReader reader(DeepSpeedKeys(*json->getAsObject()), options);
  readRanks(reader);
  readOptimizer(reader);
  readPrecision(reader);
  readBatch(reader);
  options.notes = reader.told();
  return reader.keys.takeErrors();
}

} // namespace autotp
