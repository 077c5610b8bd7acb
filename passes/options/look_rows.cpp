#include "passes/options/option_rows.h"

#include "passes/options/compile_row.h"

namespace autotp {
namespace {

OptionValue skippedNames(const CompileOptions &o) {
  return std::vector<std::string>(o.skipped.begin(), o.skipped.end());
}

void addSkipped(CompileOptions &o, const OptionValue &names) {
  for (const std::string &name : std::get<std::vector<std::string>>(names))
    o.skipped.insert(name);
}

constexpr const char *kCertify = "certify"; // the pass that proves a plan
OptionValue isCertified(const CompileOptions &o) { return o.skipped.count(kCertify) == 0; }

void setCertified(CompileOptions &o, const OptionValue &isOn) {
  if (!std::get<bool>(isOn)) o.skipped.insert(kCertify);
}

constexpr CompileRow kRows[] = {
    {{.flag = "print-after",
      .placeholder = "PASS|all",
      .member = at<&CompileOptions::look, &LookInto::printAfter>(),
      .help = "print what a pass left, or what each did",
      .detail = "`find-axes` shows the axes of every dimension, `choose-axes` the decisions, `place-reductions` "
                "placements and Partial sums, `localise` and later ones each tp rank's program; a wrong name lists all "
                "passes"},
     {.passes = PassNames::EveryOrAll}},
    {{.flag = "stop-after",
      .placeholder = "PASS",
      .member = at<&CompileOptions::look, &LookInto::stopAfter>(),
      .help = "end after a pass and write no plan",
      .detail = "No `-o` is needed then"},
     {.passes = PassNames::Every}},
    {{.flag = "dump-dir",
      .placeholder = "DIR",
      .member = at<&CompileOptions::files, &NamedFiles::dump>(),
      .help = "write what each pass left into a folder: NN-pass.txt, one for each tp rank"},
     {}},
    {{.flag = "timings",
      .member = at<&CompileOptions::look, &LookInto::showsTimes>(),
      .help = "print the time of each pass"},
     {}},
    {{.flag = "why",
      .placeholder = "VALUE",
      .member = at<&CompileOptions::look, &LookInto::why>(),
      .help = "print how a value is placed, why, and through which nodes its dimensions got their axes",
      .detail =
          "A value of the graph, a parameter or the module's name of one, or `grad:PARAMETER`; a name that is none "
          "lists what is like it. May be given several times"},
     {}},
    {{.flag = "skip-pass",
      .placeholder = "PASS",
      .member = accessedBy<skippedNames, addSkipped>(OptionKind::Names),
      .help = "leave out a pass that a right plan can do without; a wrong name lists those"},
     {.passes = PassNames::Optional, .key = "skip_passes", .changes = Changes::Graph, .traits = kLeftOutIfEmpty}},
    {{.flag = "no-recognise",
      .member = at<&CompileOptions::recognise>(),
      .help = "keep the exporter's operators instead of fused ones: slower, the same numbers"},
     {.key = "recognise", .changes = Changes::Graph}},
    {{.flag = "no-verify",
      .member = accessedBy<isCertified, setCertified>(OptionKind::Switch),
      .help = "do not prove the plan against the model's graph: --skip-pass certify"},
     {}},
};

} // namespace

OptionSection lookOptions() { return {"The compiler's own work", kRows}; }

} // namespace autotp
