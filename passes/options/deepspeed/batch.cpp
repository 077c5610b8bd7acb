#include "passes/options/compile_row.h"
#include "passes/options/deepspeed/key_reader.h"
#include "passes/options/option_rows.h"
#include "runtime/base/error.h"

#include "llvm/Support/FormatVariadic.h"

namespace autotp {
namespace {

constexpr llvm::StringLiteral kGlobal = "train_batch_size", kMicro = "train_micro_batch_size_per_gpu",
                              kAccumulation = "gradient_accumulation_steps", kDp = "data_parallel_size";
constexpr int64_t kMost = 1000000000;

/// One of the three factors of a global batch.
struct Factor {
  const CompileRow &row;
  llvm::StringRef key;
  std::optional<int64_t> size;
  std::string saidBy = "by default"; ///< for messages

  int64_t value() const { return size.value_or(1); }
  std::string text() const { return std::to_string(value()) + " (" + saidBy + ")"; }
};

/// train_batch_size = micro batch * accumulation * dp: what is missing follows from the others. Alone it is one
/// micro-batch a dp rank, as in DeepSpeed's own _set_batch_related_parameters.
class BatchReader {
public:
  explicit BatchReader(KeyReader &reader) : r_(reader) {}

  void run() {
    if (r_.keys.isAuto(kGlobal)) r_.tellAuto(kGlobal, "the product of the other sizes");
    r_.keys.take(kGlobal);
    if (r_.keys.find(kGlobal)) global_ = r_.number(kGlobal, 1, kMost);
    for (Factor *factor : {&micro_, &accumulation_, &dp_})
      read(*factor);
    if (r_.keys.isWrong()) return;
    if (global_) solve(*global_);
    if (!global_ && !micro_.size) r_.tell("no batch size is in the file: the micro batch is --micro-batch's default");
    for (Factor *factor : {&micro_, &accumulation_, &dp_})
      if (factor->size) r_.say(factor->row, factor->key, *factor->size);
  }

private:
  /// "auto" follows from the global batch if that is there.
  void read(Factor &factor) {
    const int64_t before = std::get<int64_t>(factor.row.member.get(r_.o)),
                  initial = std::get<int64_t>(factor.row.member.initial());
    const bool isFlagged = r_.isFlagged(factor.row.flag) || before != initial;
    std::optional<int64_t> said;
    if (global_ && r_.keys.isAuto(factor.key) && !isFlagged) {
      r_.keys.take(factor.key);
      r_.tellAuto(factor.key, "what train_batch_size leaves for it");
    } else {
      said = r_.number(factor.key, 1, kMost, factor.row.flag);
    }
    if (isFlagged && before > 0) {
      factor.size = before;
      factor.saidBy = ("--" + factor.row.flag).str();
    } else if (said) {
      factor.size = said;
      factor.saidBy = factor.key.str();
    }
  }

  void solve(int64_t global) {
    auto leaves = [&](Factor &missing, int64_t others) {
      if (missing.size || global % others != 0) return;
      missing.size = global / others;
      missing.saidBy = "as train_batch_size leaves it";
    };
    if (!dp_.size && micro_.size && accumulation_.size) {
      leaves(dp_, *micro_.size * *accumulation_.size);
      if (dp_.value() > 1)
        r_.tell(llvm::formatv("dp is {0}, since train_batch_size is {1} x {2} x {0}", dp_.value(), *micro_.size,
                              *accumulation_.size));
    }
    if (!micro_.size && !accumulation_.size) leaves(micro_, dp_.value());
    leaves(accumulation_, micro_.value() * dp_.value());
    leaves(micro_, accumulation_.value() * dp_.value());
    const int64_t product = micro_.value() * accumulation_.value() * dp_.value();
    if (product == global) return;
    r_.keys.wrong(kGlobal,
                  llvm::formatv("is {0}, but the micro batch of {1} x accumulation steps of {2} x dp of {3} is {4}",
                                global, micro_.text(), accumulation_.text(), dp_.text(), product)
                      .str(),
                  "change one of them, or remove train_batch_size; --dp, or data_parallel_size, gives dp");
  }

  KeyReader &r_;
  std::optional<int64_t> global_;
  Factor micro_{optionNamed("micro-batch"), kMicro, {}}, accumulation_{optionNamed("grad-accum"), kAccumulation, {}},
      dp_{optionNamed("dp"), kDp, {}};
};

} // namespace

void readBatch(KeyReader &reader) { BatchReader(reader).run(); }

} // namespace autotp
