#include "runtime/checkpoint/checkpoint.h"

#include "runtime/base/digest.h"
#include "runtime/base/error.h"
#include "runtime/base/folder_listing.h"
#include "runtime/base/input_file.h"
#include "runtime/base/parse_json.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/raw_ostream.h"

namespace autotp {

// Found by ObjectMapper through the namespace of their second argument.
bool fromJSON(const llvm::json::Value &value, Checkpoint::Slice &slice, llvm::json::Path path) {
  llvm::json::ObjectMapper map(value, path);
  return map && map.map("file", slice.file) && map.map("begin", slice.begin) && map.map("end", slice.end) &&
         map.mapOptional("covers", slice.covers);
}

bool fromJSON(const llvm::json::Value &value, Checkpoint::Alias &alias, llvm::json::Path path) {
  llvm::json::ObjectMapper map(value, path);
  return map && map.map("name", alias.name) && map.map("transposed", alias.isTransposed);
}

bool fromJSON(const llvm::json::Value &value, Checkpoint::Tensor &tensor, llvm::json::Path path) {
  llvm::json::ObjectMapper map(value, path);
  return map && map.map("parameter", tensor.parameter) && map.map("kind", tensor.kind) &&
         map.map("shape", tensor.shape) && map.map("slices", tensor.slices) &&
         map.mapOptional("aliases", tensor.aliases);
}

bool fromJSON(const llvm::json::Value &value, Checkpoint &c, llvm::json::Path path) {
  llvm::json::ObjectMapper map(value, path);
  return map && map.map("step", c.step) && map.map("skipped_steps", c.skippedSteps) && map.map("rows", c.rows) &&
         map.map("seed", c.seed) && map.map("data", c.data) && map.map("tensors", c.tensors);
}

namespace {

void writeIntegers(llvm::json::OStream &json, llvm::ArrayRef<int64_t> values) {
  json.array([&] {
    for (int64_t value : values)
      json.value(value);
  });
}

void writeSlice(llvm::json::OStream &json, const Checkpoint::Slice &slice) {
  json.object([&] {
    json.attribute("file", slice.file);
    json.attribute("begin", slice.begin);
    json.attribute("end", slice.end);
    if (slice.covers.empty()) return;
    json.attributeArray("covers", [&] {
      for (const std::vector<int64_t> &cover : slice.covers)
        writeIntegers(json, cover);
    });
  });
}

void writeTensor(llvm::json::OStream &json, const Checkpoint::Tensor &tensor) {
  json.object([&] {
    json.attribute("parameter", llvm::json::fixUTF8(tensor.parameter));
    json.attribute("kind", tensor.kind);
    json.attributeBegin("shape");
    writeIntegers(json, tensor.shape);
    json.attributeEnd();
    json.attributeArray("slices", [&] {
      for (const Checkpoint::Slice &slice : tensor.slices)
        writeSlice(json, slice);
    });
    if (tensor.aliases.empty()) return;
    json.attributeArray("aliases", [&] {
      for (const Checkpoint::Alias &alias : tensor.aliases)
        json.object([&] {
          json.attribute("name", llvm::json::fixUTF8(alias.name));
          json.attribute("transposed", alias.isTransposed);
        });
    });
  });
}

bool isWhole(const plan::Parameter &parameter) {
  for (int d = 0; d < parameter.covers_size(); ++d)
    if (parameter.tensor().shape(d) != parameter.global_shape(d)) return false;
  return true;
}

std::vector<std::vector<int64_t>> coversOf(const plan::Parameter &parameter) {
  std::vector<std::vector<int64_t>> covers;
  if (isWhole(parameter)) return covers;
  for (const plan::Cover &cover : parameter.covers()) {
    std::vector<int64_t> &bounds = covers.emplace_back();
    for (int i = 0; i < cover.begins_size(); ++i)
      bounds.insert(bounds.end(), {cover.begins(i), cover.ends(i)});
  }
  return covers;
}

/// The number of elements that covers select of a shape; nothing if they do not fit it.
llvm::Optional<int64_t> selectedOf(const Checkpoint::Tensor &tensor, const Checkpoint::Slice &slice) {
  if (!slice.covers.empty() && slice.covers.size() != tensor.shape.size()) return llvm::None;
  int64_t elements = 1;
  for (size_t d = 0; d < tensor.shape.size(); ++d) {
    int64_t selected = tensor.shape[d], at = 0;
    if (!slice.covers.empty()) {
      const std::vector<int64_t> &cover = slice.covers[d];
      if (cover.size() % 2) return llvm::None;
      selected = 0;
      for (size_t i = 0; i < cover.size(); i += 2) {
        if (cover[i] < at || cover[i + 1] < cover[i] || cover[i + 1] > tensor.shape[d]) return llvm::None;
        selected += cover[i + 1] - cover[i];
        at = cover[i + 1];
      }
    }
    if (selected < 0 || llvm::MulOverflow(elements, selected, elements)) return llvm::None;
  }
  return elements;
}

/// The slices hold at least as many elements as the whole has, so no number of a manifest asks for more memory than its files
/// have.
bool isConsistent(const Checkpoint::Tensor &tensor, const std::map<std::string, std::string> &files) {
  const llvm::Optional<int64_t> all = selectedOf(tensor, {});
  if (!all) return false;
  int64_t held = 0;
  for (const Checkpoint::Slice &slice : tensor.slices) {
    const llvm::Optional<int64_t> selected = selectedOf(tensor, slice);
    if (!selected || slice.begin < 0 || slice.begin > slice.end || slice.end > *selected || !files.count(slice.file) ||
        llvm::AddOverflow(held, slice.end - slice.begin, held))
      return false;
  }
  auto fits = [&](const Checkpoint::Alias &alias) { return !alias.isTransposed || tensor.shape.size() == 2; };
  return held >= *all && llvm::all_of(tensor.aliases, fits);
}

bool isConsistent(const Checkpoint &c, const std::map<std::string, std::string> &files) {
  constexpr int64_t kMostRows = int64_t(1) << 60;
  if (c.step < 0 || double(c.step) > kMostSteps || c.skippedSteps < 0 || c.skippedSteps > c.step || c.rows < 0 ||
      c.rows > kMostRows)
    return false;
  return llvm::all_of(c.tensors, [&](const Checkpoint::Tensor &tensor) { return isConsistent(tensor, files); }) &&
         files.count(kScalarsFile.str());
}

} // namespace

std::string fileOfSlices(llvm::StringRef kind, int rank) {
  std::string name;
  llvm::raw_string_ostream(name) << kind << llvm::format("-%05d.safetensors", rank);
  return name;
}

std::vector<Checkpoint::Tensor> tensorsOf(llvm::ArrayRef<SavedSlice> slices) {
  std::vector<Checkpoint::Tensor> tensors;
  for (const SavedSlice &slice : slices) {
    const plan::Parameter &parameter = *slice.parameter;
    if (tensors.empty() || tensors.back().parameter != parameter.name() || tensors.back().kind != slice.kind) {
      tensors.push_back(
          {parameter.name(), slice.kind, {parameter.global_shape().begin(), parameter.global_shape().end()}, {}});
      for (const plan::Alias &alias : parameter.aliases())
        if (slice.kind == kWeights) tensors.back().aliases.push_back({alias.name(), alias.transposed()});
    }
    tensors.back().slices.push_back(
        {fileOfSlices(slice.kind, slice.rank), slice.begin, slice.end, coversOf(parameter)});
  }
  return tensors;
}

std::string checkpointText(const Checkpoint &c) {
  std::string text;
  llvm::raw_string_ostream os(text);
  llvm::json::OStream json(os, 1);
  json.object([&] {
    json.attribute("format_version", kCheckpointFormatVersion);
    json.attribute("step", c.step);
    json.attribute("skipped_steps", c.skippedSteps);
    json.attribute("rows", c.rows);
    json.attribute("seed", c.seed);
    json.attribute("data", llvm::json::fixUTF8(c.data));
    json.attribute("run", llvm::json::Object(c.run));
    json.attributeArray("tensors", [&] {
      for (const Checkpoint::Tensor &tensor : c.tensors)
        writeTensor(json, tensor);
    });
  });
  os << "\n";
  return os.str();
}

llvm::Expected<Checkpoint> readCheckpointFacts(llvm::StringRef folder) {
  auto bad = [&](const llvm::Twine &what) { return problem(escaped(folder), what.str(), "take another checkpoint"); };
  std::map<std::string, std::string> files = listedDigests(folder.str());
  if (files.empty()) return bad("it is no checkpoint, or not a whole one: it has no list of its files");
  const std::string path = (folder + "/" + kCheckpointManifest).str();
  auto text = mapFile(escaped(path), path, "take another checkpoint");
  if (!text) return text.takeError();
  const auto listed = files.find(kCheckpointManifest.str());
  if (listed == files.end() || listed->second != digestOf((*text)->getBuffer()))
    return bad("its manifest.json is not as it was written");
  llvm::Expected<llvm::json::Value> json = parseJson((*text)->getBuffer());
  if (!json) return bad("its manifest.json: " + llvm::toString(json.takeError()));
  const llvm::json::Object *object = json->getAsObject();
  if (!object || object->getInteger("format_version") != kCheckpointFormatVersion)
    return bad("its manifest.json is of another format version, or no checkpoint's");
  Checkpoint checkpoint;
  llvm::json::Path::Root root("manifest");
  if (!fromJSON(*json, checkpoint, root)) return bad(llvm::toString(root.getError()));
  if (const llvm::json::Object *run = object->getObject("run")) checkpoint.run = *run;
  if (!isConsistent(checkpoint, files)) return bad("its manifest.json does not fit its files");
  checkpoint.digests = std::move(files);
  return checkpoint;
}

} // namespace autotp
