#include "runtime/plan/referenced_files.h"

#include "runtime/base/error.h"

#include "llvm/ADT/STLExtras.h"

namespace autotp {

// Found by ObjectMapper through the namespace of their second argument.
bool fromJSON(const llvm::json::Value &value, ReferencedFiles::File &file, llvm::json::Path path) {
  llvm::json::ObjectMapper map(value, path);
  return map && map.map("path", file.path) && map.map("digest", file.digest);
}

bool fromJSON(const llvm::json::Value &value, ReferencedFiles::Parameter &parameter, llvm::json::Path path) {
  llvm::json::ObjectMapper map(value, path);
  std::string dtype;
  int64_t offset = 0;
  LocatedTensor &tensor = parameter.tensor;
  if (!map || !map.map("parameter", parameter.name) || !map.map("tensor", tensor.name) ||
      !map.map("file", tensor.file) || !map.map("offset", offset) || !map.map("dtype", dtype) ||
      !map.map("shape", tensor.shape) || !map.map("transposed", parameter.isTransposed))
    return false;
  const std::optional<DType> known = dtypeNamed(dtype);
  if (!known || !isFloat(*known)) path.field("dtype").report("expected a type of floats");
  if (offset < 0) path.field("offset").report("expected a place in the file");
  if (!known || !isFloat(*known) || offset < 0) return false;
  tensor.dtype = *known;
  tensor.offset = uint64_t(offset);
  return true;
}

bool fromJSON(const llvm::json::Value &value, ReferencedFiles &referenced, llvm::json::Path path) {
  llvm::json::ObjectMapper map(value, path);
  return map && map.mapOptional("checkpoint", referenced.checkpoint) && map.map("files", referenced.files) &&
         map.map("parameters", referenced.parameters);
}

void writeReferenced(llvm::json::OStream &json, const ReferencedFiles &referenced) {
  json.object([&] {
    if (!referenced.checkpoint.empty()) json.attribute("checkpoint", llvm::json::fixUTF8(referenced.checkpoint));
    json.attributeArray("files", [&] {
      for (const ReferencedFiles::File &file : referenced.files)
        json.object([&] {
          json.attribute("path", llvm::json::fixUTF8(file.path));
          json.attribute("digest", file.digest);
        });
    });
    json.attributeArray("parameters", [&] {
      for (const ReferencedFiles::Parameter &parameter : referenced.parameters)
        json.object([&] {
          json.attribute("parameter", llvm::json::fixUTF8(parameter.name));
          json.attribute("tensor", llvm::json::fixUTF8(parameter.tensor.name));
          json.attribute("file", llvm::json::fixUTF8(parameter.tensor.file));
          json.attribute("offset", int64_t(parameter.tensor.offset));
          json.attribute("dtype", nameOf(parameter.tensor.dtype));
          json.attributeArray("shape", [&] {
            for (int64_t size : parameter.tensor.shape)
              json.value(size);
          });
          json.attribute("transposed", parameter.isTransposed);
        });
    });
  });
}

} // namespace autotp
