#include "tools/option_flags.h"

#include "runtime/options/option_tables.h"

namespace autotp {
namespace {

namespace cl = llvm::cl;

/// Shows the words of a row in --help, each with what it is, and takes any text.
class WordParser : public cl::generic_parser_base {
public:
  using parser_data_type = std::string;
  using cl::generic_parser_base::generic_parser_base;

  void show(const OptionRow &row) {
    const std::string initial = defaultOf(row);
    for (const OptionWord &word : row.words)
      if (!word.help.empty())
        shown_.push_back({word.name, word.help.str() + (word.name == initial ? " (default)" : ""), word.name.str()});
  }
  unsigned getNumOptions() const override { return unsigned(shown_.size()); }
  llvm::StringRef getOption(unsigned n) const override { return shown_[n].name; }
  llvm::StringRef getDescription(unsigned n) const override { return shown_[n].help; }
  const cl::GenericOptionValue &getOptionValue(unsigned n) const override { return shown_[n].value; }
  bool parse(cl::Option &, llvm::StringRef, llvm::StringRef text, std::string &value) {
    value = text.str();
    return false;
  }

private:
  struct Shown {
    llvm::StringRef name;
    std::string help;
    cl::OptionValue<std::string> value;
  };
  std::vector<Shown> shown_;
};

using Switch = cl::opt<bool>;
using Text = cl::opt<std::string>;
using Word = cl::opt<std::string, false, WordParser>;
using List = cl::list<std::string>;

template <typename T> std::vector<std::string> textOf(const cl::Option &option) {
  return {static_cast<const T &>(option).getValue()};
}

template <> std::vector<std::string> textOf<Switch>(const cl::Option &option) {
  return {static_cast<const Switch &>(option).getValue() ? "true" : "false"};
}

template <> std::vector<std::string> textOf<List>(const cl::Option &option) {
  const auto &list = static_cast<const List &>(option);
  return {list.begin(), list.end()};
}

} // namespace

OptionFlags::OptionFlags(llvm::ArrayRef<OptionSection> sections) {
  for (const OptionSection &section : sections) {
    owned_.push_back(std::make_unique<cl::OptionCategory>(section.title));
    categories_.push_back(owned_.back().get());
    for (const OptionRow *row : section.rows)
      if (!usageOf(*row).empty()) add(*row, *owned_.back());
  }
}

void OptionFlags::add(const OptionRow &row, cl::OptionCategory &category) {
  Flag &flag = *flags_.emplace_back(std::make_unique<Flag>());
  flag.row = &row;
  flag.help = helpOf(row);
  flag.placeholder = row.placeholder.str();
  auto keep = [&]<typename T>(std::unique_ptr<T> option) {
    flag.option = std::move(option);
    flag.texts = textOf<T>;
  };
  const cl::desc help(flag.help);
  const cl::value_desc placeholder(flag.placeholder);
  const cl::cat ofCategory(category);
  if (row.isPositional())
    return keep(std::make_unique<Text>(cl::Positional, cl::desc(flag.placeholder), cl::Required, ofCategory));
  if (!row.words.empty()) {
    auto word = std::make_unique<Word>(row.flag, help, ofCategory);
    word->getParser().show(row);
    return keep(std::move(word));
  }
  switch (row.kind()) {
  case OptionKind::Switch:
    return keep(std::make_unique<Switch>(row.flag, help, ofCategory));
  case OptionKind::Sizes:
  case OptionKind::Meanings:
  case OptionKind::Names:
    return keep(std::make_unique<List>(row.flag, help, placeholder, ofCategory));
  case OptionKind::Integer:
  case OptionKind::Real:
  case OptionKind::Word:
  case OptionKind::Text:
    return keep(std::make_unique<Text>(row.flag, help, placeholder, ofCategory));
  }
}

std::vector<GivenFlag> OptionFlags::given() const {
  std::vector<GivenFlag> all;
  for (const auto &flag : flags_)
    if (flag->option->getNumOccurrences() > 0)
      for (std::string &text : flag->texts(*flag->option))
        all.push_back({flag->row, std::move(text)});
  return all;
}

} // namespace autotp
