#include "tools/optimizer_flags.h"

#include "runtime/base/error.h"
#include "runtime/base/indexed.h"

namespace autotp {

namespace cl = llvm::cl;

namespace {

struct Number {
  const char *flag;
  double OptimizerOptions::*member;
  const char *description;
};
constexpr Number kNumbers[] = {
    {"lr", &OptimizerOptions::lr, "learning rate (default 1e-3, adagrad 1e-2)"},
    {"beta1", &OptimizerOptions::beta1, "adamw, adam (default 0.9)"},
    {"beta2", &OptimizerOptions::beta2, "adamw (default 0.95), adam (0.999)"},
    {"eps", &OptimizerOptions::epsilon, "adamw, adam (default 1e-8), adagrad (1e-10)"},
    {"weight-decay", &OptimizerOptions::weightDecay,
     "adamw (default 0.1: decoupled), the others (0: added to the gradient)"},
    {"momentum", &OptimizerOptions::momentum, "momentum (default 0.9)"},
    {"dampening", &OptimizerOptions::dampening, "momentum (default 0)"},
    {"lr-decay", &OptimizerOptions::lrDecay, "adagrad (default 0)"},
    {"initial-accumulator", &OptimizerOptions::initialAccumulator, "adagrad (default 0)"},
    {"clip-grad-norm", &OptimizerOptions::clipGradNorm, "clip the global gradient norm (default: no clipping)"},
};

} // namespace

OptimizerFlags::OptimizerFlags(cl::OptionCategory &category)
    : name_("optimizer", cl::desc("with torch's rules (default adamw)"),
            cl::value_desc("adamw|adam|sgd|momentum|adagrad"), cl::init("adamw"), cl::cat(category)),
      decay_("decay", cl::desc("what decays: matrices (default) or all"), cl::value_desc("all|matrices"),
             cl::init("matrices"), cl::cat(category)),
      nesterov_("nesterov", cl::desc("momentum: Nesterov's"), cl::cat(category)) {
  for (const Number &number : kNumbers)
    numbers_.push_back(std::make_unique<cl::opt<double>>(llvm::StringRef(number.flag), cl::desc(number.description),
                                                         cl::value_desc("X"), cl::cat(category)));
}

std::vector<std::string> OptimizerFlags::given() const {
  std::vector<std::string> names;
  auto add = [&](const cl::Option &flag) {
    if (flag.getNumOccurrences() > 0) names.push_back("--" + flag.ArgStr.str());
  };
  add(name_);
  add(decay_);
  add(nesterov_);
  for (const auto &number : numbers_)
    add(*number);
  return names;
}

llvm::Expected<OptimizerOptions> OptimizerFlags::options(const OptimizerOptions &fromFile, bool isNamed) const {
  const std::optional<OptimizerKind> kind = optimizerNamed(name_);
  if (!kind)
    return problem("--optimizer", "'" + escaped(name_) + "' is none", "name adamw, adam, sgd, momentum or adagrad");
  if (isNamed && name_.getNumOccurrences() > 0 && fromFile.kind != *kind)
    return problem("--optimizer", ("the configuration's optimizer is " + nameOf(fromFile.kind)).str(),
                   "name it in one of the two only");
  OptimizerOptions o = isNamed ? fromFile : defaultsOf(*kind);
  o.clipGradNorm = fromFile.clipGradNorm;
  if (decay_ != "all" && decay_ != "matrices")
    return problem("--decay", "'" + escaped(decay_) + "' is neither all nor matrices");
  if (decay_.getNumOccurrences() > 0) o.decaysAll = decay_ == "all";
  if (nesterov_.getNumOccurrences() > 0) o.isNesterov = nesterov_;
  for (auto [i, number] : indexed(numbers_))
    if (number->getNumOccurrences() > 0) o.*kNumbers[i].member = *number;
  for (const std::string &flag : given()) {
    llvm::StringRef name = llvm::StringRef(flag).drop_front(2);
    const bool isCommon = name == "optimizer" || name == "decay" || name == "clip-grad-norm";
    if (!isCommon && !hasOption(o.kind, name))
      return problem(flag, (nameOf(o.kind) + " has no such option").str(), "leave it out, or name another --optimizer");
  }
  if (llvm::Error error = checkOptions(o)) return error;
  return o;
}

} // namespace autotp
