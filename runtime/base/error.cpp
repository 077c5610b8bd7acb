#include "runtime/base/error.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/raw_ostream.h"

namespace autotp {

char Problem::ID = 0;

void Problem::log(llvm::raw_ostream &os) const {
  os << "error: ";
  if (!where_.empty()) os << where_ << ": ";
  os << what_;
  if (!remedy_.empty()) os << "\n  do:  " << remedy_;
}

std::error_code Problem::convertToErrorCode() const { return llvm::inconvertibleErrorCode(); }

char SaidElsewhere::ID = 0;
void SaidElsewhere::log(llvm::raw_ostream &os) const { os << "another rank has failed, and says why"; }
std::error_code SaidElsewhere::convertToErrorCode() const { return llvm::inconvertibleErrorCode(); }

llvm::Error problem(llvm::StringRef where, llvm::StringRef what, llvm::StringRef remedy) {
  return llvm::make_error<Problem>(where.str(), what.str(), remedy.str());
}

llvm::Error placed(llvm::StringRef where, llvm::Error error) {
  return llvm::handleErrors(
      std::move(error), [&](const Problem &p) { return llvm::make_error<Problem>(p.placed(where)); },
      [&](const llvm::ErrorInfoBase &other) { return problem(where, other.message()); });
}

std::string describe(llvm::Error error) {
  std::vector<std::string> said; // two attempts may have met the same error
  llvm::handleAllErrors(std::move(error), [&](const llvm::ErrorInfoBase &info) {
    std::string text = info.isA<Problem>() ? "" : "error: ";
    llvm::raw_string_ostream os(text);
    info.log(os);
    if (!llvm::is_contained(said, os.str())) said.push_back(os.str());
  });
  return llvm::join(said, "\n");
}

std::string escaped(llvm::StringRef name) {
  constexpr size_t kLongest = 200;
  std::string text;
  llvm::raw_string_ostream os(text);
  os.write_escaped(name.take_front(kLongest), /*UseHexEscapes=*/true);
  if (name.size() > kLongest) os << "...";
  return os.str();
}

} // namespace autotp
