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

/// The text without what a terminal would obey: control characters, but for the ends of lines, are written as \x1b. So
/// whoever composes a message may forget escaped() without harm.
static std::string printable(llvm::StringRef text) {
  std::string safe;
  for (size_t i = 0; i < text.size(); ++i) {
    const uint8_t c = uint8_t(text[i]);
    const bool isC1 = c == 0xc2 && i + 1 < text.size() && uint8_t(text[i + 1]) >= 0x80 && uint8_t(text[i + 1]) < 0xa0;
    if (isC1) ++i; // U+0080 to U+009F, of which some begin sequences as ESC does
    if (isC1 || (c < 0x20 && c != '\n') || c == 0x7f)
      safe += "\\x" + llvm::toHex(llvm::StringRef(&text.data()[i], 1), /*LowerCase=*/true);
    else
      safe += char(c);
  }
  return safe;
}

std::string describe(llvm::Error error) {
  std::vector<std::string> said; // two attempts may have met the same error
  llvm::handleAllErrors(std::move(error), [&](const llvm::ErrorInfoBase &info) {
    std::string text = info.isA<Problem>() ? "" : "error: ";
    llvm::raw_string_ostream os(text);
    info.log(os);
    if (std::string safe = printable(os.str()); !llvm::is_contained(said, safe)) said.push_back(std::move(safe));
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
