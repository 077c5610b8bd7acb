#include "runtime/plan/manifest.h"

#include "runtime/base/digest.h"
#include "runtime/base/error.h"
#include "runtime/base/input_file.h"
#include "runtime/base/parse_json.h"
#include "runtime/plan/dtype.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/raw_ostream.h"

namespace autotp {

/// What is one number or text, in the order of the file.
struct ManifestRow {
  llvm::StringLiteral key;
  ManifestMember member;
  bool isOptional = false; ///< the file has no key for what is as in a new manifest
};
constexpr ManifestRow kRows[] = {{"tp", &Manifest::tp},
                                 {"dp", &Manifest::dp},
                                 {"zero", &Manifest::zero},
                                 {"micro_batch", &Manifest::microBatch},
                                 {"grad_accum", &Manifest::gradAccum},
                                 {"device", &Manifest::device},
                                 {"loss", &Manifest::lossKind},
                                 {"learning_rate", &LrSchedule::peak},
                                 {"lr_schedule", &LrSchedule::kind, true},
                                 {"warmup_steps", &LrSchedule::warmupSteps, true},
                                 {"min_lr", &LrSchedule::minimum, true},
                                 {"decay_steps", &LrSchedule::decaySteps, true},
                                 {"warmup_from", &LrSchedule::warmupFrom, true},
                                 {"warmup_shape", &LrSchedule::warmupShape, true},
                                 {"is_late", &LrSchedule::isLate, true},
                                 {"warmup_stairs", &LrSchedule::warmupStairs, true},
                                 {"decay_stairs", &LrSchedule::decayStairs, true},
                                 {"decay_after", &LrSchedule::decayAfter, true},
                                 {"weights_kind", &Manifest::weightsKind},
                                 {"weights_seed", &Manifest::weightsSeed},
                                 {"model_flops", &Manifest::modelFlops, true}};

llvm::StringRef keyOf(ManifestMember member) {
  return llvm::find_if(kRows, [&](const ManifestRow &row) { return row.member == member; })->key;
}

// Found by ObjectMapper through the namespace of their second argument.
bool fromJSON(const llvm::json::Value &value, Manifest::Bound &bound, llvm::json::Path path) {
  llvm::json::ObjectMapper map(value, path);
  return map && map.map("of", bound.of) && map.map("limit", bound.limit) && map.map("places", bound.places);
}

bool fromJSON(const llvm::json::Value &value, Manifest::Input &input, llvm::json::Path path) {
  llvm::json::ObjectMapper map(value, path);
  return map && map.map("name", input.name) && map.map("dtype", input.dtype) && map.map("role", input.role) &&
         map.map("shape", input.shape) && map.map("batch", input.isBatched) && map.map("limit", input.limit) &&
         map.map("bounds", input.bounds) && map.mapOptional("ignored", input.ignored);
}

bool fromJSON(const llvm::json::Value &value, Manifest::File &file, llvm::json::Path path) {
  llvm::json::ObjectMapper map(value, path);
  return map && map.map("path", file.path) && map.map("digest", file.digest);
}

bool fromJSON(const llvm::json::Value &value, Manifest::Rank &rank, llvm::json::Path path) {
  llvm::json::ObjectMapper map(value, path);
  return map && map.map("program", rank.program) && map.map("tp", rank.tp) && map.map("dp", rank.dp);
}

bool fromJSON(const llvm::json::Value &value, Manifest &m, llvm::json::Path path) {
  llvm::json::ObjectMapper map(value, path);
  if (!map) return false;
  auto read = [&](const ManifestRow &row, auto &member) {
    return row.isOptional ? map.mapOptional(row.key, member) : map.map(row.key, member);
  };
  for (const ManifestRow &row : kRows)
    if (!std::visit([&](auto member) { return read(row, memberOf(m, member)); }, row.member)) return false;
  return map.map("inputs", m.inputs) && map.map("programs", m.programs) && map.map("weights", m.weights) &&
         map.mapOptional("referenced", m.referenced) && map.map("ranks", m.ranks);
}

namespace {

void writeIntegers(llvm::json::OStream &json, llvm::StringRef key, const std::vector<int64_t> &values) {
  json.attributeArray(key, [&] {
    for (int64_t value : values)
      json.value(value);
  });
}

void writeInput(llvm::json::OStream &json, const Manifest::Input &input) {
  json.object([&] {
    json.attribute("name", input.name);
    json.attribute("dtype", input.dtype);
    writeIntegers(json, "shape", input.shape);
    json.attribute("batch", input.isBatched);
    json.attribute("role", input.role);
    json.attribute("limit", input.limit);
    json.attributeArray("bounds", [&] {
      for (const Manifest::Bound &bound : input.bounds)
        json.object([&] {
          json.attribute("of", llvm::json::fixUTF8(bound.of));
          json.attribute("limit", bound.limit);
          writeIntegers(json, "places", bound.places);
        });
    });
    if (!input.ignored.empty()) writeIntegers(json, "ignored", input.ignored);
  });
}

void writeFiles(llvm::json::OStream &json, llvm::StringRef key, const std::vector<Manifest::File> &files) {
  json.attributeArray(key, [&] {
    for (const Manifest::File &file : files)
      json.object([&] {
        json.attribute("path", file.path);
        json.attribute("digest", file.digest);
      });
  });
}

/// The rows, without what is left out.
void writeRows(llvm::json::OStream &json, const Manifest &m) {
  const Manifest initial;
  for (const ManifestRow &row : kRows)
    std::visit(
        [&](auto member) {
          if (!row.isOptional || memberOf(m, member) != memberOf(initial, member))
            json.attribute(row.key, memberOf(m, member));
        },
        row.member);
}

/// Where the digest stands in the text of a manifest; npos: it has none.
size_t placeOfDigest(llvm::StringRef text) {
  constexpr llvm::StringLiteral kBefore = "\n  \"digest\": \"", kAfter = "\"\n}\n";
  const size_t length = kBefore.size() + kDigestDigits + kAfter.size();
  const llvm::StringRef end = text.take_back(length);
  if (end.size() != length || !end.startswith(kBefore) || !end.endswith(kAfter)) return llvm::StringRef::npos;
  return text.size() - length + kBefore.size();
}

llvm::Error checkBounds(const Manifest::Input &input) {
  const int64_t elements = input.elementsOfSample();
  auto isOut = [&](int64_t place) { return place < 0 || place >= elements; };
  for (const Manifest::Bound &bound : input.bounds)
    if (llvm::any_of(bound.places, isOut))
      return problem("manifest.json", "input '" + escaped(input.name) + "' has a bound for an element that it has not",
                     "compile the plan again");
  return llvm::Error::success();
}

llvm::Error checkConsistent(const Manifest &m) {
  constexpr int64_t kMost = 65536;
  auto bad = [](const std::string &what) { return problem("manifest.json", what, "compile the plan again"); };
  if (m.tp < 1 || m.dp < 1 || m.tp > kMost || m.dp > kMost || m.microBatch < 1 || m.gradAccum < 1)
    return bad("its mesh or batch is out of range");
  if (!isInRange(m.lr)) return bad("its learning rate, or a number of the schedule, is out of range");
  if (int64_t(m.ranks.size()) != m.tp * m.dp) return bad("it does not list tp * dp ranks");
  for (size_t r = 0; r < m.ranks.size(); ++r) {
    const Manifest::Rank &rank = m.ranks[r];
    if (rank.dp * m.tp + rank.tp != int64_t(r) || rank.tp < 0 || rank.tp >= m.tp)
      return bad("the ranks of a rank are not dp_rank * tp + tp_rank");
    if (rank.program < 0 || rank.program >= int64_t(m.programs.size()))
      return bad("a rank names a program that is not there");
  }
  if (m.weightsKind == "copy" && int64_t(m.weights.size()) != m.tp)
    return bad("it does not list the weights of every tp rank");
  if (m.weightsKind != "copy" && m.weightsKind != "reference" && m.weightsKind != "none")
    return bad("its weights_kind '" + escaped(m.weightsKind) + "' is none of copy, reference and none");
  for (const Manifest::Input &input : m.inputs)
    if (!dtypeNamed(input.dtype))
      return bad("input '" + escaped(input.name) + "' is of an unknown dtype '" + escaped(input.dtype) + "'");
  for (const Manifest::Input &input : m.inputs) {
    if (input.isBatched && (input.shape.empty() || input.shape[0] != m.microBatch))
      return bad("the first dimension of an input is not the micro-batch");
    if (llvm::Error error = checkBounds(input)) return error;
  }
  for (const auto *files : {&m.programs, &m.weights})
    for (const Manifest::File &file : *files)
      if (llvm::StringRef(file.path).contains("..") || llvm::StringRef(file.path).startswith("/"))
        return bad("a file of it lies outside the plan");
  return llvm::Error::success();
}

} // namespace

std::string manifestText(const Manifest &m) {
  std::string text;
  llvm::raw_string_ostream os(text);
  llvm::json::OStream json(os, 2);
  json.object([&] {
    json.attribute("format_version", kPlanFormatVersion);
    writeRows(json, m);
    json.attributeArray("inputs", [&] {
      for (const Manifest::Input &input : m.inputs)
        writeInput(json, input);
    });
    writeFiles(json, "programs", m.programs);
    writeFiles(json, "weights", m.weights);
    if (m.weightsKind == "reference") {
      json.attributeBegin("referenced");
      writeReferenced(json, m.referenced);
      json.attributeEnd();
    }
    json.attributeArray("ranks", [&] {
      for (const Manifest::Rank &rank : m.ranks)
        json.object([&] {
          json.attribute("program", rank.program);
          json.attribute("tp", rank.tp);
          json.attribute("dp", rank.dp);
        });
    });
    json.attribute("source", llvm::json::Object(m.source));
    json.attribute("report", llvm::json::Object(m.report));
    json.attribute("digest", std::string(kDigestDigits, '0'));
  });
  os << "\n";
  return withDigest(os.str());
}

std::string withDigest(std::string text) {
  const size_t at = placeOfDigest(text);
  if (at == std::string::npos) return text;
  text.replace(at, kDigestDigits, kDigestDigits, '0');
  return text.replace(at, kDigestDigits, digestOf(text));
}

llvm::Expected<Manifest> readManifest(llvm::StringRef planFolder) {
  std::string path = planFolder.str() + "/manifest.json";
  auto file = mapFile(path, path, "name a folder that autotp-compile wrote");
  if (!file) return file.takeError();
  llvm::Expected<llvm::json::Value> json = parseJson((*file)->getBuffer());
  if (!json) return problem(path, llvm::toString(json.takeError()), "compile the plan again");
  const llvm::json::Object *object = json->getAsObject();
  if (!object || object->getInteger("format_version") != kPlanFormatVersion)
    return problem(path, "it is of another format version", "compile the plan again with this autotp-compile");
  const std::string text = (*file)->getBuffer().str();
  if (placeOfDigest(text) == std::string::npos || withDigest(text) != text)
    return problem(path, "it is not as it was written: truncated or edited",
                   "compile the plan again; a run may say --lr and the like itself");
  Manifest manifest;
  llvm::json::Path::Root root("manifest");
  if (!fromJSON(*json, manifest, root)) return problem(path, llvm::toString(root.getError()), "compile the plan again");
  if (const llvm::json::Object *source = object->getObject("source")) manifest.source = llvm::json::Object(*source);
  if (const llvm::json::Object *report = object->getObject("report")) manifest.report = llvm::json::Object(*report);
  if (llvm::Error error = checkConsistent(manifest)) return error;
  return manifest;
}

} // namespace autotp
