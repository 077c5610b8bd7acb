#include "compiler/ir/parse.h"

#include "runtime/base/error.h"
#include "runtime/base/indexed.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/MathExtras.h"

#include <cstdlib>

namespace autotp {
namespace {

using Intern = llvm::function_ref<llvm::StringRef(llvm::StringRef)>;

/// One line, read from its front. After the first mistake every read returns an empty value, and error() reports that
/// mistake.
class Line {
public:
  Line(llvm::StringRef text, int64_t number) : rest_(text.trim()), number_(number) {}

  bool failed() const { return !mistake_.empty(); }
  bool atEnd() const { return rest_.empty(); }
  /// Without a place, so that the caller can say which file it is.
  llvm::Error error() const { return problem("", "line " + std::to_string(number_) + ": " + mistake_); }
  void fail(const llvm::Twine &what) {
    if (!failed()) mistake_ = what.str();
    rest_ = "";
  }

  bool tryTake(llvm::StringRef text) {
    rest_ = rest_.ltrim(' ');
    return rest_.consume_front(text);
  }
  void take(llvm::StringRef text) {
    if (!tryTake(text)) fail("expected '" + text + "' before '" + escaped(rest_) + "'");
  }
  /// The text up to one of `ends`, which is not read.
  llvm::StringRef until(llvm::StringRef ends) {
    rest_ = rest_.ltrim(' ');
    size_t length = std::min(rest_.find_first_of(ends), rest_.size());
    llvm::StringRef text = rest_.take_front(length);
    rest_ = rest_.drop_front(length);
    if (text.empty()) fail("expected a word before '" + escaped(rest_) + "'");
    return text;
  }
  int64_t integer() {
    llvm::StringRef text = until(" ,]})=");
    int64_t value = 0;
    if (text.getAsInteger(10, value)) fail("'" + escaped(text) + "' is no integer");
    return value;
  }
  /// The rest of a quoted text after its opening quote; \ stands for a byte.
  std::string quoted() {
    size_t length = rest_.find('"');
    if (length == llvm::StringRef::npos) {
      fail("a quote is not closed");
      return "";
    }
    llvm::StringRef text = rest_.take_front(length);
    rest_ = rest_.drop_front(length + 1);
    std::string result;
    while (!text.empty()) {
      char c = text.front();
      text = text.drop_front();
      if (c == '\\' && text.consume_front("\\")) {
        result += '\\';
        continue;
      }
      uint8_t byte = uint8_t(c);
      if (c == '\\' && text.take_front(2).getAsInteger(16, byte)) fail("'\\' must stand before two hexadecimal digits");
      if (c == '\\') text = text.drop_front(std::min<size_t>(2, text.size()));
      result += char(byte);
    }
    return result;
  }
  double real(llvm::StringRef text) {
    std::string copy = text.str();
    char *end = nullptr;
    double value = std::strtod(copy.c_str(), &end);
    if (copy.empty() || *end != '\0') fail("'" + escaped(text) + "' is no number");
    return value;
  }

private:
  llvm::StringRef rest_;
  int64_t number_;
  std::string mistake_;
};

class Parser {
public:
  Parser(llvm::StringRef text, Intern internOp) : text_(text), internOp_(internOp) {}

  llvm::Expected<Graph> run() {
    llvm::SmallVector<llvm::StringRef, 0> lines;
    text_.split(lines, '\n');
    bool isClosed = false;
    for (auto [index, content] : indexed(lines)) {
      Line line(content, int64_t(index) + 1);
      if (line.atEnd()) continue;
      if (!isOpen_) {
        line.take("graph");
        line.take("{");
        isOpen_ = true;
      } else if (isClosed) {
        line.fail("nothing may follow the graph");
      } else if (line.tryTake("}")) {
        isClosed = true;
      } else {
        readStatement(line);
      }
      if (!line.failed() && !line.atEnd()) line.fail("unexpected text at its end");
      if (line.failed()) return line.error();
    }
    if (!isClosed) return problem("", "line " + std::to_string(lines.size()) + ": the graph is not closed by '}'");
    return std::move(graph_);
  }

private:
  void readStatement(Line &line) {
    if (hasReturned_) return line.fail("nothing may follow 'return'");
    if (line.tryTake("return")) return readReturn(line);
    constexpr std::pair<const char *, ValueKind> kKinds[] = {{"input ", ValueKind::Input},
                                                             {"parameter ", ValueKind::Parameter},
                                                             {"state ", ValueKind::State},
                                                             {"constant ", ValueKind::Constant}};
    for (auto [word, kind] : kKinds)
      if (line.tryTake(word)) return readSource(line, kind);
    readNode(line);
  }

  std::string readName(Line &line) {
    line.take("%");
    return line.tryTake("\"") ? line.quoted() : line.until(" ,)=").str();
  }

  void define(Line &line, llvm::StringRef name, ValueId value) {
    if (line.failed()) return;
    if (!byName_.try_emplace(name, value).second) return line.fail("'%" + escaped(name) + "' is defined twice");
    graph_.uniqueName(name); // names that are made later avoid it
    graph_.value(value).name = name.str();
  }

  ValueId readUse(Line &line) {
    std::string name = readName(line);
    auto at = byName_.find(name);
    if (at != byName_.end()) return at->second;
    line.fail("'%" + escaped(name) + "' is not defined before it");
    return kNone;
  }

  Type readType(Line &line) {
    llvm::StringRef word = line.until("[ ");
    std::optional<DType> dtype = dtypeNamed(word);
    if (!dtype) line.fail("'" + escaped(word) + "' is no element type");
    Type type{dtype.value_or(DType::F32), {}};
    line.take("[");
    int64_t elements = 1;
    while (!line.failed() && !line.tryTake("]")) {
      if (!type.shape.empty()) line.take(",");
      type.shape.push_back(line.integer());
      if (type.shape.back() < 0) line.fail("a size is negative");
      if (llvm::MulOverflow(elements, type.shape.back(), elements)) line.fail("it has too many elements");
    }
    return type;
  }

  std::optional<Tensor> readContents(Line &line, const Type &type) {
    line.take("=");
    if (line.tryTake("#")) {
      line.until(" ");
      return std::nullopt;
    }
    if (line.tryTake("hex\"")) return readBytes(line, type);
    return readNumbers(line, type);
  }

  /// {1, 2, 3}; {1, 2, ...} repeats what stands before the dots until the tensor is full.
  std::optional<Tensor> readNumbers(Line &line, const Type &type) {
    constexpr int64_t kMostRepeated = 1 << 24;
    std::vector<double> values;
    line.take("{");
    while (!line.failed() && !line.tryTake("}")) {
      if (!values.empty()) line.take(",");
      if (!values.empty() && line.tryTake("...")) {
        if (type.elements() > kMostRepeated)
          line.fail("'...' makes at most " + llvm::Twine(kMostRepeated) + " elements");
        if (line.failed()) break;
        for (size_t given = values.size(); int64_t(values.size()) < type.elements();)
          values.push_back(values[values.size() - given]);
        line.take("}");
        break;
      }
      values.push_back(line.real(line.until(" ,}")));
    }
    if (int64_t(values.size()) != type.elements())
      line.fail("it has " + llvm::Twine(values.size()) + " elements for " + type.text());
    if (line.failed()) return std::nullopt;
    Array array(type);
    array.data = values;
    return toTensor(array);
  }

  std::optional<Tensor> readBytes(Line &line, const Type &type) {
    std::string digits = line.quoted(), bytes;
    if (!llvm::tryGetFromHex(digits, bytes) || int64_t(bytes.size()) / int64_t(sizeOf(type.dtype)) != type.elements() ||
        bytes.size() % sizeOf(type.dtype) != 0)
      line.fail("its bytes are not those of " + type.text());
    if (line.failed()) return std::nullopt;
    return ownedTensor(type, {bytes.begin(), bytes.end()});
  }

  void readSource(Line &line, ValueKind kind) {
    std::string name = readName(line);
    line.take(":");
    Type type = readType(line);
    const bool mayHaveContents = kind == ValueKind::Parameter && !line.atEnd();
    std::optional<Tensor> contents;
    if (kind == ValueKind::Constant || mayHaveContents) contents = readContents(line, type);
    if (line.failed()) return;
    ValueId value = graph_.addInput(name, type);
    graph_.setKind(value, kind);
    graph_.value(value).contents = std::move(contents);
    define(line, name, value);
  }

  Attributes readAttributes(Line &line) {
    Attributes attributes;
    bool isFirst = true;
    while (!line.failed() && !line.tryTake("}")) {
      if (!isFirst) line.take(",");
      isFirst = false;
      llvm::StringRef name = line.until("= ");
      line.take("=");
      if (line.tryTake("\"")) {
        attributes.set(name, line.quoted());
      } else if (line.tryTake("[")) {
        llvm::SmallVector<int64_t, 6> list;
        while (!line.failed() && !line.tryTake("]")) {
          if (!list.empty()) line.take(",");
          list.push_back(line.integer());
        }
        attributes.set(name, list);
      } else {
        readNumber(line, name, attributes);
      }
    }
    return attributes;
  }

  /// A real contains one of ".en" (print.h); any other number is an integer.
  void readNumber(Line &line, llvm::StringRef name, Attributes &attributes) {
    llvm::StringRef text = line.until(" ,}");
    int64_t integer = 0;
    if (text.find_first_of(".en") != llvm::StringRef::npos)
      attributes.set(name, line.real(text));
    else if (text.getAsInteger(10, integer))
      line.fail("'" + escaped(text) + "' is no number");
    else
      attributes.set(name, integer);
  }

  void readNode(Line &line) {
    llvm::SmallVector<std::string, 2> names;
    do
      names.push_back(readName(line));
    while (!line.failed() && line.tryTake(","));
    line.take("=");
    llvm::StringRef word = line.until("( ");
    llvm::StringRef op = line.failed() ? llvm::StringRef() : internOp_(word);
    if (op.empty()) line.fail("'" + escaped(word) + "' is no operator");
    llvm::SmallVector<ValueId, 4> operands;
    line.take("(");
    while (!line.failed() && !line.tryTake(")")) {
      if (!operands.empty()) line.take(",");
      operands.push_back(readUse(line));
    }
    Attributes attributes;
    if (line.tryTake("{")) attributes = readAttributes(line);
    line.take(":");
    llvm::SmallVector<Type, 2> types;
    do
      types.push_back(readType(line));
    while (!line.failed() && line.tryTake(","));
    bool isBackward = line.tryTake("# backward");
    if (names.size() != types.size())
      line.fail("it names " + llvm::Twine(names.size()) + " results and types " + llvm::Twine(types.size()));
    if (line.failed()) return;
    NodeId node = graph_.addNode(op, operands, types, std::move(attributes), "");
    graph_.node(node).backward = isBackward;
    for (size_t r = 0; r < names.size(); ++r)
      define(line, names[r], graph_.node(node).results[r]);
  }

  void readReturn(Line &line) {
    hasReturned_ = true;
    while (!line.failed() && !line.atEnd()) {
      if (!graph_.outputs.empty()) line.take(",");
      std::string name = line.tryTake("\"") ? line.quoted() : line.until("=").str();
      line.take("=");
      ValueId value = readUse(line);
      if (!line.failed()) graph_.outputs.push_back({std::move(name), value});
    }
  }

  llvm::StringRef text_;
  Intern internOp_;
  Graph graph_;
  llvm::StringMap<ValueId> byName_;
  bool isOpen_ = false, hasReturned_ = false;
};

} // namespace

llvm::Expected<Graph> parse(llvm::StringRef text, Intern internOp) { return Parser(text, internOp).run(); }

} // namespace autotp
