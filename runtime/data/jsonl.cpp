#include "runtime/base/error.h"
#include "runtime/base/input_file.h"
#include "runtime/base/parse_json.h"
#include "runtime/data/token_formats.h"

#include "llvm/Support/JSON.h"

namespace autotp {
namespace {

/// Adds the document of a line. The text says what is wrong with it; empty: nothing is.
std::string addDocument(llvm::StringRef line, std::string &tokens) {
  llvm::Expected<llvm::json::Value> value = parseJson(line);
  if (!value) return llvm::toString(value.takeError());
  const llvm::json::Object *object = value->getAsObject();
  if (!object) return "it is no object";
  const llvm::Optional<llvm::StringRef> text = object->getString("text");
  if (!text) return "it has no text under the key \"text\"";
  tokens += *text;
  tokens += '\n';
  return "";
}

} // namespace

llvm::Expected<TokenFile> openJsonl(llvm::StringRef where, const std::string &path) {
  llvm::Expected<std::shared_ptr<llvm::MemoryBuffer>> file = mapFile(where, path);
  if (!file) return file.takeError();
  constexpr int kMostSaid = 5;
  int wrong = 0;
  llvm::Error errors = llvm::Error::success();
  auto tokens = std::make_shared<std::string>();
  llvm::StringRef rest = (*file)->getBuffer();
  for (int64_t number = 1; !rest.empty() && wrong < kMostSaid; ++number) {
    llvm::StringRef line;
    std::tie(line, rest) = rest.split('\n');
    if (line.trim().empty()) continue;
    const std::string fault = addDocument(line, *tokens);
    if (fault.empty()) continue;
    ++wrong;
    errors = llvm::joinErrors(std::move(errors), problem((where + ": line " + llvm::Twine(number)).str(), fault,
                                                         "give a line such as {\"text\": \"a document\"}"));
  }
  if (errors) return errors;
  TokenFile made;
  made.path = path;
  made.type = {ElementKind::Unsigned, 1};
  made.tokens = tokens->data();
  made.count = int64_t(tokens->size());
  made.owner = tokens;
  return made;
}

} // namespace autotp
