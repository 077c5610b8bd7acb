#include "passes/emit/write_plan.h"

#include "compiler/sharding/reshard.h"
#include "runtime/base/error.h"
#include "runtime/base/indexed.h"
#include "runtime/plan/program_file.h"
#include "runtime/plan/safetensors.h"

namespace autotp {
namespace {

/// Makes a name such as "programs/0003.plan".
std::string numbered(const char *before, size_t n, const char *after) {
  std::string digits = std::to_string(n);
  return before + std::string(digits.size() < 4 ? 4 - digits.size() : 0, '0') + digits + after;
}

bool hasSameData(const plan::Program &a, const plan::Program &b) {
  return std::equal(a.constants().begin(), a.constants().end(), b.constants().begin(), b.constants().end(),
                    [](const plan::Constant &x, const plan::Constant &y) { return x.data() == y.data(); });
}

class Writer {
public:
  Writer(PlanContents contents, OutputFolder &folder) : contents_(std::move(contents)), folder_(folder) {}

  llvm::Error run() {
    if (llvm::Error error = writePrograms()) return error;
    if (contents_.manifest.weightsKind == "copy")
      for (auto [tp, rank] : indexed(contents_.ranks))
        if (llvm::Error error = writeWeights(tp, rank)) return error;
    return folder_.write("manifest.json", [&](llvm::raw_ostream &os) { os << manifestText(contents_.manifest); })
        .takeError();
  }

private:
  /// The number of the file that holds the program; a new one is written.
  llvm::Expected<int64_t> writeProgramOnce(const plan::Program &program) {
    std::string message = messageOf(program);
    if (message.size() > INT32_MAX) return problem("program", "it is larger than 2 GiB", "use a larger --tp");
    for (auto [number, known] : indexed(written_))
      if (known.message == message && hasSameData(*known.program, program)) return int64_t(number);
    std::string name = numbered("programs/", written_.size(), ".plan");
    llvm::Expected<std::string> digest =
        folder_.write(name, [&](llvm::raw_ostream &os) { writeProgram(os, program, message); });
    if (!digest) return digest.takeError();
    contents_.manifest.programs.push_back({name, std::move(*digest)});
    written_.push_back({std::move(message), &program});
    return int64_t(written_.size()) - 1;
  }

  llvm::Error writePrograms() {
    std::vector<int64_t> byTpRank;
    for (const plan::Program &program : contents_.programs) {
      llvm::Expected<int64_t> number = writeProgramOnce(program);
      if (!number) return placed("tp rank " + std::to_string(byTpRank.size()), number.takeError());
      byTpRank.push_back(*number);
    }
    for (int64_t r = 0; r < contents_.manifest.tp * contents_.manifest.dp; ++r) {
      int64_t tp = r % contents_.manifest.tp;
      contents_.manifest.ranks.push_back({byTpRank[size_t(tp)], tp, r / contents_.manifest.tp});
    }
    return llvm::Error::success();
  }

  llvm::Error writeWeights(size_t tp, const RankProgram &rank) {
    std::vector<NamedTensor> tensors;
    for (const PlacedParameter &p : rank.parameters) {
      const Value &value = contents_.global.value(p.local.global);
      if (!contents_.readPart && !value.contents)
        return problem("parameter '" + escaped(value.name) + "'", "the model holds no values for it",
                       "fill it with --weights FILE, or compile with --weights none[:seed]");
      const Shape shape = shapeOf(p.local.covers);
      const DType dtype = contents_.readPart ? DType::F32 : value.contents->type.dtype;
      tensors.push_back({value.name, dtype, {shape.begin(), shape.end()}, {}});
    }
    llvm::Error error = llvm::Error::success();
    std::string name = numbered("weights/tp_", tp, ".safetensors");
    llvm::Expected<std::string> digest = folder_.write(name, [&](llvm::raw_ostream &os) {
      error = llvm::joinErrors(std::move(error), writeSafetensors(os, tensors, [&](size_t i) {
                                 return writeParts(os, rank.parameters[i].local);
                               }));
    });
    if (error) return error;
    if (!digest) return digest.takeError();
    contents_.manifest.weights.push_back({name, std::move(*digest)});
    return llvm::Error::success();
  }

  /// The bytes of what a rank holds of a parameter.
  llvm::Error writeParts(llvm::raw_ostream &os, const LocalParameter &parameter) {
    const Value &value = contents_.global.value(parameter.global);
    if (!contents_.readPart && shapeOf(parameter.covers) == value.type.shape) {
      os.write(reinterpret_cast<const char *>(value.contents->bytes.data()), value.contents->bytes.size());
      return llvm::Error::success();
    }
    for (const Covers &piece : piecesOf(parameter.covers, kPieceElements)) {
      llvm::Expected<Tensor> part = contents_.readPart ? contents_.readPart(value, piece)
                                                       : llvm::Expected<Tensor>(partOf(*value.contents, piece));
      if (!part) return part.takeError();
      os.write(reinterpret_cast<const char *>(part->bytes.data()), part->bytes.size());
    }
    return llvm::Error::success();
  }

  struct Written {
    std::string message;
    const plan::Program *program;
  };

  PlanContents contents_;
  OutputFolder &folder_;
  std::vector<Written> written_; ///< by the number of its file
};

} // namespace

llvm::Error writePlan(PlanContents contents, OutputFolder &folder) { return Writer(std::move(contents), folder).run(); }

} // namespace autotp
