#include "compiler/onnx/check_file.h"

#include "runtime/base/error.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/JSON.h"

#include <onnx/defs/schema.h>

#include <set>

namespace autotp {
namespace {

constexpr int64_t kOldestOpset = 13;

std::string nameOfDomain(const std::string &domain) {
  return domain.empty() || domain == "ai.onnx" ? "" : " of '" + escaped(domain) + "'";
}

/// Goes through the fields of messages within messages. Their depth is bounded, since the parser bounds it.
class TextCheck {
public:
  std::vector<std::string> wrong; ///< as "graph.node[3].name '\xff'"

  void visit(const google::protobuf::Message &message, const std::string &path) {
    using google::protobuf::FieldDescriptor;
    const google::protobuf::Reflection &reflection = *message.GetReflection();
    std::vector<const FieldDescriptor *> fields;
    reflection.ListFields(message, &fields);
    for (const FieldDescriptor *field : fields) {
      const bool isMessage = field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE;
      if (!isMessage && (field->type() != FieldDescriptor::TYPE_STRING || field->name() == "doc_string")) continue;
      const int count = field->is_repeated() ? reflection.FieldSize(message, field) : 1;
      for (int i = 0; i < count; ++i) {
        const std::string place =
            path + field->name() + (field->is_repeated() ? "[" + std::to_string(i) + "]" : std::string());
        if (isMessage)
          visit(field->is_repeated() ? reflection.GetRepeatedMessage(message, field, i)
                                     : reflection.GetMessage(message, field),
                place + ".");
        else
          check(field->is_repeated() ? reflection.GetRepeatedString(message, field, i)
                                     : reflection.GetString(message, field),
                place);
      }
    }
  }

private:
  void check(const std::string &text, const std::string &place) {
    if (!llvm::json::isUTF8(text)) wrong.push_back(place + " '" + escaped(text) + "'");
  }
};

} // namespace

llvm::Error checkVersions(llvm::StringRef path, const onnx::ModelProto &model) {
  std::set<std::string> wrong;
  if (model.ir_version() > onnx::Version::IR_VERSION)
    wrong.insert("its format (ir_version) is " + std::to_string(model.ir_version()) + ", and " +
                 std::to_string(int(onnx::Version::IR_VERSION)) + " is the newest that is known");
  const auto &known = onnx::OpSchemaRegistry::DomainToVersionRange::Instance().Map();
  int64_t own = 0;
  auto check = [&](const auto &imports, bool isModel) {
    for (const auto &opset : imports) {
      const std::string domain = opset.domain() == "ai.onnx" ? "" : opset.domain();
      if (isModel && domain.empty()) own = opset.version();
      if (auto at = known.find(domain); at != known.end() && opset.version() > at->second.second)
        wrong.insert("its opset" + nameOfDomain(domain) + " is " + std::to_string(opset.version()) + ", and " +
                     std::to_string(at->second.second) + " is the newest that is known");
    }
  };
  check(model.opset_import(), true);
  for (const auto &function : model.functions())
    check(function.opset_import(), false);
  if (own < kOldestOpset)
    return problem(path, "its opset " + std::to_string(own) + " is older than " + std::to_string(kOldestOpset),
                   "export the model with opset " + std::to_string(kOldestOpset) + " or newer");
  if (wrong.empty()) return llvm::Error::success();
  return problem(path, llvm::join(wrong, "; "), "export the model for a version that is known");
}

llvm::Error checkTexts(llvm::StringRef path, const onnx::ModelProto &model) {
  TextCheck check;
  check.visit(model, "");
  if (check.wrong.empty()) return llvm::Error::success();
  constexpr size_t kMost = 10;
  std::string list;
  for (size_t i = 0; i < check.wrong.size() && i < kMost; ++i)
    list += "\n    " + check.wrong[i];
  if (check.wrong.size() > kMost) list += "\n    and " + std::to_string(check.wrong.size() - kMost) + " more";
  return problem(path, "names in it are no UTF-8:" + list, "rename them, and export the model again");
}

} // namespace autotp
