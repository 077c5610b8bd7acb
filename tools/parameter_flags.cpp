#include "tools/parameter_flags.h"

#include "runtime/base/error.h"
#include "runtime/plan/safetensors.h"

#include "llvm/Support/JSON.h"
#include "llvm/Support/MemoryBuffer.h"

namespace autotp {

namespace cl = llvm::cl;

namespace {

/// The weights of an index: which file of a sharded checkpoint holds each tensor.
llvm::Error readIndex(llvm::StringRef path, llvm::StringRef text, ParameterOverrides &parameters) {
  auto index = llvm::json::parse(text);
  if (!index) return problem(path, "it is no JSON: " + llvm::toString(index.takeError()));
  const llvm::json::Object *object = index->getAsObject(),
                           *weights = object ? object->getObject("weight_map") : nullptr;
  if (!weights)
    return problem(path, "it has no 'weight_map'",
                   "give the index of a sharded checkpoint, model.safetensors.index.json");
  for (const auto &entry : *weights)
    parameters.listed.push_back(llvm::StringRef(entry.first).str());
  llvm::sort(parameters.listed); // an object's keys have no order
  return llvm::Error::success();
}

llvm::Error readLines(llvm::StringRef text, ParameterOverrides &parameters) {
  llvm::SmallVector<llvm::StringRef, 0> lines;
  text.split(lines, '\n');
  for (llvm::StringRef line : lines)
    addListed(line, parameters);
  return llvm::Error::success();
}

llvm::Error readList(llvm::StringRef path, ParameterOverrides &parameters) {
  parameters.isListed = true;
  if (path.endswith(".safetensors")) {
    llvm::Expected<SafetensorsFile> file = readSafetensors(path);
    if (!file) return file.takeError();
    for (const NamedTensor &tensor : file->tensors)
      parameters.listed.push_back(tensor.name);
  } else {
    auto file = llvm::MemoryBuffer::getFile(path);
    if (!file) return problem(path, "it cannot be read: " + file.getError().message());
    llvm::StringRef text = (*file)->getBuffer();
    if (llvm::Error error =
            text.ltrim().startswith("{") ? readIndex(path, text, parameters) : readLines(text, parameters))
      return error;
  }
  return parameters.listed.empty() ? problem(path, "it lists no parameters") : llvm::Error::success();
}

} // namespace

ParameterFlags::ParameterFlags(cl::OptionCategory &category)
    : train_("train",
             cl::desc("initializers to train, besides those that are known as parameters; by their names or those of "
                      "their modules. Where --freeze matches too, the pattern with more letters and digits wins"),
             cl::value_desc("REGEX"), cl::cat(category)),
      freeze_("freeze", cl::desc("initializers not to train, by the same names"), cl::value_desc("REGEX"),
              cl::cat(category)),
      only_("only", cl::desc("train just these initializers, by the same names"), cl::value_desc("REGEX"),
            cl::cat(category)),
      list_(
          "parameters",
          cl::desc("the model's parameters: a safetensors file, the index of a sharded one, or a list of names, one a "
                   "line, where 'a = b' says that two are one; nothing else is trained"),
          cl::value_desc("FILE"), cl::cat(category)),
      assume_("assume",
              cl::desc("roles: where nothing says whether an initializer is a parameter, go by its role in the graph "
                       "instead of asking"),
              cl::value_desc("roles"), cl::cat(category)),
      noRetie_("no-retie", cl::desc("leave tied weights apart that the exporter wrote twice"), cl::cat(category)) {}

llvm::Error ParameterFlags::check() const {
  if (!only_.empty() && (!train_.empty() || !freeze_.empty()))
    return problem("--only", "it says all of what is trained, so --train and --freeze have nothing to add",
                   "leave them out, or use them without --only");
  if (!assume_.empty() && assume_ != "roles") return problem("--assume", "'" + escaped(assume_) + "' is not roles");
  return llvm::Error::success();
}

llvm::Error ParameterFlags::read(CompileOptions &options) const {
  ParameterOverrides &parameters = options.parameters;
  parameters.train = train_;
  parameters.freeze = freeze_;
  parameters.only = only_;
  parameters.assumesRoles = assume_ == "roles";
  options.retie = !noRetie_;
  return list_.empty() ? llvm::Error::success() : readList(list_, parameters);
}

} // namespace autotp
