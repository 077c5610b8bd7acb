#include "passes/options/option_rows.h"

#include "passes/options/compile_row.h"

namespace autotp {
namespace {

constexpr OptionWord kEvidence[] = {{"", 0, ""}, {"roles", 1, "go by its role in the graph, instead of asking"}};

constexpr OptionWord kExplained[] = {{"", 0, ""},
                                     {"parameters", 1, "list what each initializer is, and by which evidence"}};

/// The list as a manifest keeps it, one name a line: "a", or "a = b" for a tie.
OptionValue linesOf(const CompileOptions &o) {
  std::vector<std::string> lines = o.parameters.listed;
  for (const Tie &tie : o.parameters.ties)
    lines.push_back(tie.copy + " = " + tie.of);
  return lines;
}

void addLines(CompileOptions &o, const OptionValue &lines) {
  for (const std::string &line : std::get<std::vector<std::string>>(lines))
    addListed(line, o.parameters);
}

constexpr CompileRow kRows[] = {
    {{.flag = "train",
      .placeholder = "REGEX",
      .member = at<&CompileOptions::parameters, &ParameterOverrides::train>(),
      .help = "initializers to train, besides those that are known as parameters; by their names or those of their "
              "modules. Where --freeze matches too, the pattern with more letters and digits wins",
      .detail = "So `--train lora --freeze '.*'` trains what has lora in its name"},
     {.key = "train", .changes = Changes::Graph, .traits = kOfTrainingGraph}},
    {{.flag = "freeze",
      .placeholder = "REGEX",
      .member = at<&CompileOptions::parameters, &ParameterOverrides::freeze>(),
      .help = "initializers not to train, by the same names"},
     {.key = "freeze", .changes = Changes::Graph, .traits = kOfTrainingGraph}},
    {{.flag = "only",
      .placeholder = "REGEX",
      .member = at<&CompileOptions::parameters, &ParameterOverrides::only>(),
      .help = "train just these initializers, by the same names"},
     {.key = "only", .changes = Changes::Graph, .traits = kOfTrainingGraph}},
    {{.flag = "parameters",
      .placeholder = "FILE",
      .member = at<&CompileOptions::files, &NamedFiles::parameters>(),
      .help = "the model's parameters: a safetensors file, the index of a sharded one, or a list of names, one a line, "
              "where 'a = b' says that two are one; nothing else is trained"},
     {.key = "parameters",
      .recorded = accessedBy<linesOf, addLines>(OptionKind::Names),
      .changes = Changes::Graph,
      .traits = kOfTrainingGraph}},
    {{.flag = "explain",
      .member = wordAt<&CompileOptions::look, &LookInto::explainsParameters>(),
      .words = kExplained,
      .help = "print more of what was found"},
     {}},
    {{.flag = "assume",
      .member = wordAt<&CompileOptions::parameters, &ParameterOverrides::assumesRoles>(),
      .words = kEvidence,
      .help = "what decides where nothing says whether an initializer is a parameter",
      .detail = "See `docs/parameters.md`"},
     {.key = "assume", .changes = Changes::Graph}},
    {{.flag = "no-retie",
      .member = at<&CompileOptions::retie>(),
      .help = "leave tied weights apart that the exporter wrote twice"},
     {.key = "retie", .changes = Changes::Graph}},
};

} // namespace

OptionSection parameterOptions() { return {"What is trained", kRows}; }

} // namespace autotp
