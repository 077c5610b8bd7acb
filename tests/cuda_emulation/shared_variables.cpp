#include "tests/cuda_emulation/shared_variables.h"

#include <cstring>
#include <elf.h>
#include <fstream>
#include <iterator>
#include <link.h>
#include <set>
#include <string_view>

namespace emulation {
namespace {

std::vector<char> ownProgram() {
  std::ifstream file("/proc/self/exe", std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// Where the program's address 0 lies: the first object that the loader tells of is the program itself.
std::byte *loadBase() {
  std::byte *base = nullptr;
  dl_iterate_phdr(
      [](dl_phdr_info *info, size_t, void *result) {
        *static_cast<std::byte **>(result) = reinterpret_cast<std::byte *>(info->dlpi_addr);
        return 1;
      },
      &base);
  return base;
}

struct Symbols {
  std::vector<Elf64_Sym> entries;
  std::vector<char> names;
  std::set<int> writable; // sections: a constant table beside a shared variable is none
  std::string_view name(const Elf64_Sym &symbol) const { return names.data() + symbol.st_name; }
};

Symbols symbolsOf(const std::vector<char> &file) {
  Symbols symbols;
  if (file.size() < sizeof(Elf64_Ehdr)) return symbols;
  auto *header = reinterpret_cast<const Elf64_Ehdr *>(file.data());
  auto *sections = reinterpret_cast<const Elf64_Shdr *>(file.data() + header->e_shoff);
  for (int i = 0; i < header->e_shnum; ++i) {
    if (sections[i].sh_flags & SHF_WRITE) symbols.writable.insert(i);
    if (sections[i].sh_type != SHT_SYMTAB) continue;
    auto *first = reinterpret_cast<const Elf64_Sym *>(file.data() + sections[i].sh_offset);
    symbols.entries.assign(first, first + sections[i].sh_size / sizeof(Elf64_Sym));
    const Elf64_Shdr &strings = sections[sections[i].sh_link];
    symbols.names.assign(file.data() + strings.sh_offset, file.data() + strings.sh_offset + strings.sh_size);
  }
  return symbols;
}

/// "_ZZ<function>E20emulationSharedMark7" -> "_ZZ<function>E"; empty for another symbol.
std::string_view owner(std::string_view name) {
  size_t mark = name.find("emulationSharedMark");
  if (mark == std::string_view::npos || !name.starts_with("_ZZ")) return {};
  std::string_view head = name.substr(0, mark);
  return head.substr(0, head.find_last_not_of("0123456789") + 1);
}

std::vector<SharedVariable> readSharedVariables() {
  Symbols symbols = symbolsOf(ownProgram());
  std::set<std::string_view> owners;
  for (const Elf64_Sym &symbol : symbols.entries)
    if (std::string_view head = owner(symbols.name(symbol)); !head.empty()) owners.insert(head);
  std::vector<SharedVariable> found;
  std::byte *base = loadBase();
  for (const Elf64_Sym &symbol : symbols.entries) {
    std::string_view name = symbols.name(symbol);
    int type = ELF64_ST_TYPE(symbol.st_info);
    if (type != STT_OBJECT || !symbols.writable.count(symbol.st_shndx)) continue;
    if (!name.starts_with("_ZZ") || !owner(name).empty()) continue;
    for (std::string_view head : owners)
      if (name.starts_with(head)) {
        found.push_back({std::string(name), base + symbol.st_value, symbol.st_size});
        break;
      }
  }
  return found;
}

} // namespace

const std::vector<SharedVariable> &sharedVariables() {
  static const std::vector<SharedVariable> variables = readSharedVariables();
  return variables;
}

void poisonSharedVariables() {
  for (const SharedVariable &variable : sharedVariables())
    std::memset(variable.address, 0xff, variable.bytes);
}

} // namespace emulation
