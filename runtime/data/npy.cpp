#include "runtime/data/npy.h"

#include "runtime/base/error.h"

#include "llvm/ADT/Optional.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Endian.h"

namespace autotp {
namespace {

struct Header {
  std::string descr; ///< "<i8"
  bool isFortran = false;
  std::vector<int64_t> shape;
};

/// Reads the dictionary: keys in any order, texts in single or double quotes. Each function takes what it reads off the
/// text, and gives false where the text is something else.
class HeaderReader {
public:
  explicit HeaderReader(llvm::StringRef text) : rest_(text) {}

  bool read(Header &header) {
    if (!take("{")) return false;
    bool hasDescr = false, hasOrder = false, hasShape = false;
    while (!take("}")) {
      std::string key;
      if (!readText(key) || !take(":")) return false;
      bool &has = key == "descr" ? hasDescr : key == "fortran_order" ? hasOrder : hasShape;
      if (has || (&has == &hasShape && key != "shape")) return false;
      has = true;
      if (!(key == "descr"           ? readDescr(header.descr)
            : key == "fortran_order" ? readBool(header.isFortran)
                                     : readShape(header.shape)))
        return false;
      if (take(",")) continue;
      if (!take("}")) return false;
      break;
    }
    return hasDescr && hasOrder && hasShape;
  }

private:
  bool take(llvm::StringRef token) {
    rest_ = rest_.ltrim();
    return rest_.consume_front(token);
  }
  bool readText(std::string &text) {
    rest_ = rest_.ltrim();
    if (rest_.empty() || (rest_[0] != '\'' && rest_[0] != '"')) return false;
    const size_t end = rest_.find(rest_[0], 1);
    if (end == llvm::StringRef::npos) return false;
    text = rest_.slice(1, end).str();
    rest_ = rest_.drop_front(end + 1);
    return true;
  }
  /// Elements of several fields are described by a list: no type that is read here.
  bool readDescr(std::string &descr) {
    if (readText(descr)) return true;
    if (!rest_.startswith("[")) return false;
    descr = rest_.take_until([](char c) { return c == ']'; }).str() + "]";
    rest_ = rest_.drop_front(std::min(rest_.size(), descr.size()));
    return true;
  }
  bool readBool(bool &value) {
    value = take("True");
    return value || take("False");
  }
  bool readShape(std::vector<int64_t> &shape) {
    if (!take("(")) return false;
    while (!take(")")) {
      int64_t size = 0;
      rest_ = rest_.ltrim();
      if (rest_.consumeInteger(10, size) || size < 0) return false;
      rest_.consume_front("L"); // Python 2
      shape.push_back(size);
      if (take(",")) continue;
      if (!take(")")) return false;
      break;
    }
    return true;
  }

  llvm::StringRef rest_;
};

llvm::Optional<ElementType> typeOf(llvm::StringRef descr) {
  if (descr.size() != 3 || !llvm::StringRef("<|=").contains(descr[0]) || !llvm::isDigit(descr[2])) return llvm::None;
  const uint8_t bytes = uint8_t(descr[2] - '0');
  const bool isPower = bytes == 1 || bytes == 2 || bytes == 4 || bytes == 8;
  if (descr[1] == 'b' && bytes == 1) return ElementType{ElementKind::Bool, 1};
  if (descr[1] == 'i' && isPower) return ElementType{ElementKind::Signed, bytes};
  if (descr[1] == 'u' && isPower) return ElementType{ElementKind::Unsigned, bytes};
  if (descr[1] == 'f' && isPower && bytes > 1) return ElementType{ElementKind::Float, bytes};
  return llvm::None;
}

} // namespace

llvm::Expected<NpyArray> parseNpy(llvm::StringRef where, llvm::StringRef bytes) {
  auto bad = [&](const llvm::Twine &what, const char *remedy = "") { return problem(where, what.str(), remedy); };
  if (bytes.size() < 12 || !bytes.startswith(kNpyMagic)) return bad("it is no numpy array");
  const bool isShort = bytes[6] == 1; // of version 1 the length has two bytes, later four
  const uint64_t start = isShort ? 10 : 12, length = isShort ? llvm::support::endian::read16le(bytes.data() + 8)
                                                             : llvm::support::endian::read32le(bytes.data() + 8);
  if (length > bytes.size() - start) return bad("it is truncated");
  Header header;
  if (!HeaderReader(bytes.substr(start, length)).read(header)) return bad("its header cannot be read");
  NpyArray array;
  llvm::Optional<ElementType> type = typeOf(header.descr);
  if (!type)
    return bad("its element type is not a little-endian bool, integer or float: '" + escaped(header.descr) + "'",
               "store it as such, for example by array.astype('<i4')");
  array.type = *type;
  uint64_t expected = type->bytes;
  for (int64_t size : header.shape) {
    if (size > 0 && expected > bytes.size() / uint64_t(size) + 1) return bad("its shape is larger than the file");
    expected *= uint64_t(size);
  }
  if (expected != bytes.size() - start - length) return bad("its size does not fit its shape");
  if (header.isFortran && header.shape.size() > 1)
    return bad("it is in Fortran order", "store it by numpy.ascontiguousarray(array)");
  array.shape = std::move(header.shape);
  array.data = {reinterpret_cast<const std::byte *>(bytes.data()) + start + length, size_t(expected)};
  return array;
}

} // namespace autotp
