#include "passes/options/option_rows.h"

#include "passes/options/compile_row.h"

namespace autotp {
namespace {

constexpr CompileRow kRows[] = {
    {{.placeholder = "MODEL.onnx|ARTIFACTS",
      .member = at<&CompileOptions::model>(),
      .help = "the model, or a folder that onnxruntime-training's generate_artifacts wrote"},
     {.key = "model", .changes = Changes::Graph}},
    {{.flag = "o",
      .placeholder = "DIR",
      .member = at<&CompileOptions::files, &NamedFiles::plan>(),
      .help = "folder of the plan; one that is there is replaced if autotp-compile wrote all that it holds"},
     {}},
    {{.flag = "force",
      .member = at<&CompileOptions::files, &NamedFiles::movesAside>(),
      .help = "move a folder that -o would not replace aside, to DIR.old-...; nothing is deleted"},
     {}},
    {{.flag = "ds-config",
      .placeholder = "FILE",
      .member = at<&CompileOptions::files, &NamedFiles::deepSpeedConfig>(),
      .help = "take the options that DeepSpeed's configuration gives; a flag given as well overrules it",
      .detail = "Absent keys have DeepSpeed's defaults; `docs/guide/deepspeed.md` has every key"},
     {}},
};

} // namespace

OptionSection fileOptions() { return {"What is read and written", kRows}; }

} // namespace autotp
