#include "models/decoder/weight_files.h"

#include "runtime/base/error.h"
#include "runtime/base/parse_json.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

#include <set>

namespace autotp {
namespace {

constexpr llvm::StringLiteral kWhole = "model.safetensors", kIndex = "model.safetensors.index.json";

std::string besides(llvm::StringRef folder, llvm::StringRef name) {
  llvm::SmallString<128> path(folder);
  llvm::sys::path::append(path, name);
  return path.str().str();
}

llvm::Expected<std::string> fileOf(const std::string &path) {
  if (!llvm::sys::fs::is_directory(path)) return path;
  for (llvm::StringRef name : {kWhole, kIndex})
    if (const std::string file = besides(path, name); llvm::sys::fs::exists(file)) return file;
  return problem(path, "it holds neither " + kWhole.str() + " nor " + kIndex.str(),
                 "give the .safetensors file, or the index of several");
}

/// An index of the Hugging Face Hub may come from anybody, so it names only files that lie beside it.
bool isPlainName(llvm::StringRef name) {
  return !name.empty() && name != "." && name != ".." && !name.contains('/') && !name.contains('\\') &&
         !name.contains('\0');
}

/// Which file holds which tensor.
using WeightMap = std::map<std::string, std::string>;

llvm::Expected<WeightMap> readIndex(const std::string &path) {
  auto text = llvm::MemoryBuffer::getFile(path);
  if (!text) return problem(path, "it cannot be read: " + text.getError().message());
  llvm::Expected<llvm::json::Value> value = parseJson((*text)->getBuffer());
  if (!value) return problem(path, "it is no JSON: " + llvm::toString(value.takeError()));
  const llvm::json::Object *object = value->getAsObject(), *map = object ? object->getObject("weight_map") : nullptr;
  if (!map) return problem(path, "it has no 'weight_map'", "give a .safetensors file, or the index of several");
  llvm::Error errors = llvm::Error::success();
  WeightMap files;
  for (const auto &[name, file] : *map) {
    llvm::Optional<llvm::StringRef> found = file.getAsString();
    if (found && isPlainName(*found))
      files[name.str()] = found->str();
    else
      errors =
          llvm::joinErrors(std::move(errors), problem(path + ": tensor '" + escaped(name) + "'",
                                                      found ? "its file '" + escaped(*found) + "' has no plain name"
                                                            : "its file is no string",
                                                      "name a file that lies beside the index"));
  }
  if (errors) return errors;
  return files;
}

} // namespace

llvm::Expected<WeightFiles> WeightFiles::open(const std::string &path) {
  llvm::Expected<std::string> file = fileOf(path);
  if (!file) return file.takeError();
  WeightFiles weights;
  weights.path_ = *file;
  llvm::Error error = llvm::StringRef(*file).endswith(".json") ? weights.addIndexed(*file) : weights.addFile(*file);
  if (error) return error;
  return weights;
}

llvm::Error WeightFiles::addFile(const std::string &path) {
  llvm::Expected<SafetensorsFile> file = readSafetensors(path);
  if (!file) return file.takeError();
  const SafetensorsFile &kept = files_.emplace(path, std::move(*file)).first->second;
  for (const NamedTensor &tensor : kept.tensors)
    tensors_.emplace(tensor.name, Located{&tensor, path});
  return llvm::Error::success();
}

llvm::Error WeightFiles::addIndexed(const std::string &index) {
  llvm::Expected<WeightMap> map = readIndex(index);
  if (!map) return map.takeError();
  llvm::Error errors = llvm::Error::success();
  const llvm::StringRef folder = llvm::sys::path::parent_path(index);
  std::set<std::string> names;
  for (const auto &[tensor, file] : *map)
    names.insert(file);
  for (const std::string &name : names)
    errors = llvm::joinErrors(std::move(errors), addFile(besides(folder, name)));
  for (const auto &[name, file] : *map) {
    const std::string path = besides(folder, file);
    auto at = files_.find(path);
    if (at == files_.end()) continue; // which has been said
    if (const NamedTensor *tensor = at->second.find(name))
      tensors_[name] = {tensor, path};
    else
      errors = llvm::joinErrors(std::move(errors), problem(index + ": tensor '" + escaped(name) + "'",
                                                           "it is not in '" + escaped(file) + "', where it should be"));
  }
  return errors;
}

std::vector<std::string> WeightFiles::files() const {
  std::vector<std::string> paths = {path_};
  for (const auto &[path, file] : files_)
    paths.push_back(path);
  return paths;
}

} // namespace autotp
