#include "passes/options/deepspeed/guide_page.h"

#include "passes/options/compile_row.h"
#include "passes/options/deepspeed/known_keys.h"
#include "passes/options/option_rows.h"
#include "runtime/options/option_tables.h"

#include "llvm/ADT/StringExtras.h"

namespace autotp {
namespace {

constexpr llvm::StringLiteral kHead =
    R"(# DeepSpeed's configuration
`autotp-compile model.onnx --ds-config ds.json -o plan/` reads the file that DeepSpeed and Hugging Face's Trainer read. This page has
every key; it is written from the rows of `passes/options/deepspeed` by `tests/passes/options/deepspeed/guide_page_test.cpp`
(`UPDATE_GOLDEN=1` rewrites it). Keys and defaults are those of DeepSpeed 0.19.6.

- **All at once.** Whatever is refused or unknown is said in one answer, each key with what to do. A key that is in none of the tables
  is an error. One that begins with `_` is a remark. A row of a whole section is of all that it holds.
- **What decides is named.** The lines `ds-config` ahead of the summary say which keys are harmless and why, what each `"auto"`
  became, and which defaults of DeepSpeed's hold because a key is absent: ZeRO stage 0, gradients clipped to a norm of 1, and with
  fp16 a window of 1000 steps and a hysteresis of 2.
- **`"auto"`** is what the command line says, or else Hugging Face's default. A flag overrules what the file says, too.
- **A global batch holds.** `train_batch_size` = micro batch x accumulation steps x dp. What is missing follows; numbers or flags that
  contradict it are an error.
- **Comments** are legal: `//`, `#`, `/* */`, and commas before a closing bracket.

The loss scale of fp16 moves as DeepSpeed's does at ZeRO 1 to 3: with a hysteresis of n, the last of n overflows and each further one
halve it, until a doubling gives n back; the first good step, and that after an overflow, do not count for the window. DeepSpeed's
optimizer of stage 0 has no hysteresis; here it holds at every stage. DeepSpeed ends the run where an overflow meets
`min_loss_scale`; here the step is skipped, or ends the run at once under `autotp-run --check-finite`. No doubling leads above 2^24.
)";

std::string flagsOf(llvm::StringRef path) {
  std::vector<std::string> flags;
  for (const CompileRow *row : optionRows()) {
    llvm::SmallVector<llvm::StringRef, 2> keys;
    row->deepSpeed.split(keys, ", ", -1, /*KeepEmpty=*/false);
    if (llvm::is_contained(keys, path) && !row->flag.empty()) flags.push_back(codeCell("--" + row->flag.str()));
  }
  return llvm::join(flags, ", ");
}

std::string hereOf(const KnownKey &row, llvm::ArrayRef<std::string> paths) {
  switch (row.verdict) {
  case KeyVerdict::Honoured: {
    const std::string flags = paths.size() == 1 ? flagsOf(paths[0]) : "";
    return flags.empty() ? "honoured" : flags;
  }
  case KeyVerdict::Harmless:
    return "harmless";
  case KeyVerdict::Part:
    return "a part";
  case KeyVerdict::Refused: {
    llvm::SmallVector<llvm::StringRef, 2> unasked;
    row.unasked.split(unasked, '|', -1, /*KeepEmpty=*/false);
    return unasked.empty() ? "refused" : "refused, unless " + codeCell(llvm::join(unasked, " or "));
  }
  }
  return "";
}

std::string textOf(const KnownKey &row) {
  std::string text = row.why.str();
  if (!row.remedy.empty()) text += (". Do: " + row.remedy).str();
  if (!row.absent.empty()) text += (". Absent: " + row.absent).str();
  if (!row.hugging.empty()) text += (". `\"auto\"`: " + row.hugging).str();
  return tableCell(text);
}

std::string tableOf(llvm::StringRef title, llvm::ArrayRef<KnownKey> rows) {
  std::string table = ("\n## " + title + "\n| key | here | |\n|---|---|---|\n").str();
  for (const KnownKey &row : rows) {
    const std::vector<std::string> paths = pathsOf(row);
    llvm::SmallVector<llvm::StringRef, 4> names;
    row.names.split(names, ' ', -1, /*KeepEmpty=*/false);
    std::string cell = codeCell(paths[0]); // the section once
    for (llvm::StringRef name : llvm::ArrayRef<llvm::StringRef>(names).drop_front())
      cell += ", " + codeCell(name);
    table += "| " + cell + " | " + hereOf(row, paths) + " | " + textOf(row) + " |\n";
  }
  return table;
}

} // namespace

std::string deepSpeedPage() {
  return kHead.str() + tableOf("Batch, precision, optimizer and scheduler", trainingKeys()) +
         tableOf("Memory and ranks", memoryKeys()) +
         tableOf("Communication, monitors and further techniques", technicalKeys());
}

} // namespace autotp
