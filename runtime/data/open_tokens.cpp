#include "runtime/base/error.h"
#include "runtime/data/check_tokens.h"
#include "runtime/data/data_kinds.h"
#include "runtime/data/data_spec.h"
#include "runtime/data/file_tokens.h"
#include "runtime/data/input_files.h"
#include "runtime/plan/dtype.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

namespace autotp {
namespace {

std::string whereOf(llvm::StringRef path) { return "--data " + escaped(path); }

/// What the plan's inputs ask of tokens.
class Wanted {
public:
  explicit Wanted(const Manifest &manifest) {
    for (const Manifest::Input &input : manifest.inputs) {
      if (!readsTokens(input)) continue;
      readers_.push_back(&input);
      stride_ = std::max(stride_, input.elementsOfSample());
      const DType dtype = dtypeNamed(input.dtype).value_or(DType::I64);
      limit_ = std::min(limit_, dtype == DType::I32 ? int64_t(1) << 31 : INT64_MAX);
      if (input.limit > 0) limit_ = std::min(limit_, input.limit);
      if (input.role == "tokens") vocabulary_ = input.limit;
    }
  }

  int64_t stride() const { return stride_; }          ///< tokens of a sample, its last label not counted
  int64_t vocabulary() const { return vocabulary_; }  ///< 0: not known
  uint64_t limit() const { return uint64_t(limit_); } ///< a token below it is legal for all inputs
  bool isLegal(int64_t token) const {
    return llvm::all_of(readers_, [&](const Manifest::Input *input) {
      return (token >= 0 && (input->limit == 0 || token < input->limit)) || input->ignores(double(token));
    });
  }

private:
  std::vector<const Manifest::Input *> readers_;
  int64_t stride_ = 1, limit_ = INT64_MAX, vocabulary_ = 0;
};

/// Opens one file, of the kind that was said or that it tells. Errors: it is shorter than a sample.
llvm::Expected<TokenFile> openFile(const std::string &path, const DataKind *said, const Wanted &wanted) {
  const std::string where = whereOf(path);
  const DataKind *kind = said;
  if (!kind) {
    llvm::Expected<const DataKind *> told = tellKind(where, path);
    if (!told) return told.takeError();
    kind = *told;
  }
  llvm::Expected<TokenFile> file = kind->open(where, path);
  if (!file) return file;
  if (file->count <= wanted.stride())
    return problem(where,
                   llvm::formatv("its {0} tokens are fewer than one sample of {1} and its last label need", file->count,
                                 wanted.stride())
                       .str(),
                   "give a longer file, or a plan of shorter samples");
  if (!said)
    if (llvm::Error error = checkTold(where, *kind, *file, wanted.vocabulary())) return error;
  return file;
}

/// Adds the files of an item. A pattern that finds both files of Megatron's means the one of tokens.
llvm::Error addFiles(const DataItem &item, const Wanted &wanted, DataSet &set) {
  llvm::Expected<std::vector<std::string>> paths = filesOf(whereOf(item.pattern), item.pattern);
  if (!paths) return paths.takeError();
  llvm::Error errors = llvm::Error::success();
  for (const std::string &path : *paths) {
    llvm::StringRef prefix = path;
    if (prefix.consume_back(".idx") && llvm::is_contained(*paths, (prefix + ".bin").str())) continue;
    llvm::Expected<TokenFile> file = openFile(path, item.kind, wanted);
    if (file)
      set.files.push_back(std::move(*file));
    else
      errors = llvm::joinErrors(std::move(errors), file.takeError());
  }
  return errors;
}

/// Each weighted item is a data set; without weights all items together are one.
llvm::Expected<std::vector<DataSet>> openDataSets(llvm::StringRef spec, llvm::ArrayRef<DataItem> items,
                                                  const Wanted &wanted) {
  std::vector<DataSet> sets;
  llvm::Error errors = llvm::Error::success();
  for (const DataItem &item : items) {
    if (sets.empty() || item.weight)
      sets.push_back({item.weight ? item.pattern : spec.str(), item.weight.value_or(0), {}, {}});
    errors = llvm::joinErrors(std::move(errors), addFiles(item, wanted, sets.back()));
  }
  if (errors) return errors;
  return sets;
}

/// Errors: tokens that the model does not know, the first of each file.
llvm::Error checkVocabulary(llvm::ArrayRef<DataSet> sets, const Wanted &wanted) {
  std::vector<const TokenFile *> files;
  for (const DataSet &set : sets)
    for (const TokenFile &file : set.files)
      files.push_back(&file);
  llvm::Error errors = llvm::Error::success();
  const auto found = firstOutside(files, wanted.limit(), [&](int64_t token) { return wanted.isLegal(token); });
  for (size_t f = 0; f < files.size(); ++f)
    if (found[f])
      errors =
          llvm::joinErrors(std::move(errors),
                           problem(whereOf(files[f]->path),
                                   llvm::formatv("token {0} at position {1} lies outside the model's vocabulary of {2}",
                                                 files[f]->at(*found[f]), *found[f], wanted.limit())
                                       .str(),
                                   "give data of the model's own tokenizer, or a model with a larger vocabulary"));
  return errors;
}

/// Errors: an input that no token can fill.
llvm::Error checkRoles(llvm::StringRef spec, const Manifest &manifest) {
  llvm::Error errors = llvm::Error::success();
  for (const Manifest::Input &input : manifest.inputs)
    if (input.role == "data")
      errors =
          llvm::joinErrors(std::move(errors), problem(whereOf(spec), "input '" + escaped(input.name) + "' is no token",
                                                      "feed it with --feed FILE.npz"));
  return errors;
}

} // namespace

llvm::Expected<std::unique_ptr<Source>> openTokens(llvm::StringRef spec, const Manifest &manifest,
                                                   const TokenOptions &options) {
  llvm::StringRef rest = spec;
  if (rest.consume_front("synthetic") && (rest.empty() || rest[0] == ':')) {
    uint64_t seed = 0;
    if (rest.consume_front(":") && rest.getAsInteger(10, seed))
      return problem("--data", "'" + escaped(spec) + "' is no source",
                     "write synthetic or synthetic:SEED, and no file beside it");
    return std::make_unique<TokenSource>(manifest, seed);
  }
  llvm::Expected<std::vector<DataItem>> items = parseDataSpec(spec);
  if (!items) return items.takeError();
  if (llvm::Error error = checkRoles(spec, manifest)) return error;
  const Wanted wanted(manifest);
  llvm::Expected<std::vector<DataSet>> sets = openDataSets(spec, *items, wanted);
  if (!sets) return sets.takeError();
  if (options.checksTokens)
    if (llvm::Error error = checkVocabulary(*sets, wanted)) return error;
  std::vector<double> weights;
  for (const DataItem &item : *items)
    if (item.weight) weights.push_back(*item.weight);
  if (weights.empty()) weights.push_back(1);
  llvm::Expected<Interleaving> interleaving = Interleaving::create(weights);
  if (!interleaving) return interleaving.takeError();
  return std::make_unique<FileTokens>(manifest, std::move(*sets), std::move(*interleaving), wanted.stride(),
                                      options.order, options.seed);
}

} // namespace autotp
