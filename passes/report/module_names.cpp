#include "passes/report/module_names.h"

#include "passes/compiled_model.h"

namespace autotp {

llvm::StringRef moduleNameOf(const CompiledModel &compiled, llvm::StringRef initializer) {
  auto at = compiled.source.moduleNames.find(initializer);
  return at == compiled.source.moduleNames.end() ? initializer : llvm::StringRef(at->second);
}

std::string withModuleNames(const CompiledModel &compiled, llvm::StringRef text) {
  llvm::StringRef before;
  for (llvm::StringRef lead : {"", "it multiplies with "})
    if (text.startswith(lead)) before = lead;
  const llvm::StringRef rest = text.drop_front(before.size()), name = rest.split(' ').first;
  return (before + moduleNameOf(compiled, name) + rest.drop_front(name.size())).str();
}

} // namespace autotp
