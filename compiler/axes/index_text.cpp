#include "compiler/axes/index_text.h"

#include <map>
#include <numeric>

namespace autotp {
namespace {
using Dim = IndexText::Dim;
using Lists = std::vector<std::vector<Dim>>;

bool parseName(llvm::StringRef &rest, Dim &dim) {
  llvm::StringRef name = rest.take_while([](char c) { return llvm::isAlnum(c) || c == '_'; });
  rest = rest.drop_front(name.size());
  dim.names.push_back(name.str());
  dim.isWhole.push_back(rest.consume_front("!"));
  return !name.empty();
}

bool parseDim(llvm::StringRef &rest, Dim &dim) {
  dim.kind = Dim::Kind::Letter;
  if (rest.consume_front("(")) {
    dim.kind = Dim::Kind::Product;
    while (true) {
      rest = rest.ltrim();
      if (!parseName(rest, dim)) return false;
      rest = rest.ltrim();
      if (rest.consume_front(")")) return dim.names.size() > 1;
      bool isBar = rest.consume_front("|");
      if (dim.names.size() > 1 && isBar != (dim.kind == Dim::Kind::Concat)) return false;
      if (isBar) dim.kind = Dim::Kind::Concat;
    }
  }
  bool isNamed = parseName(rest, dim);
  if (!rest.consume_front("...")) return isNamed;
  dim.kind = Dim::Kind::Many;
  return true;
}

bool parseSide(llvm::StringRef side, Lists &lists) {
  llvm::SmallVector<llvm::StringRef> parts;
  side.split(parts, ',');
  for (llvm::StringRef part : parts) {
    lists.emplace_back();
    for (part = part.trim(); !part.empty(); part = part.ltrim()) {
      lists.back().emplace_back();
      if (!parseDim(part, lists.back().back())) return false;
    }
  }
  return true;
}
} // namespace

llvm::Expected<IndexText> IndexText::parse(llvm::StringRef text) {
  IndexText parsed;
  parsed.text_ = text.str();
  auto [left, right] = text.split("->");
  if (!text.contains("->") || !parseSide(left, parsed.ins_) || !parseSide(right, parsed.outs_))
    return problem(text, "index text is not well formed");
  return parsed;
}

/// Instantiates a text for given shapes: first the sizes of names from their plain occurrences, then the products and
/// concats with one unknown size, then one leaf for each name.
struct Instantiation {
  AxisArena &arena;
  std::map<std::string, size_t> counts; ///< the number of dimensions of each named group
  std::map<std::string, int64_t> sizes;
  std::map<std::string, AxisId> axes;
  using Flat = std::vector<std::pair<Dim, int64_t>>; ///< one entry for each dimension
  std::vector<Flat> ins, outs;

  /// Assigns a dimension of `shape` to each entry of `list`. Returns false if more than one group of the list has an
  /// unknown number of dimensions; such a list is tried again when other lists have determined one.
  bool flatten(const std::vector<Dim> &list, llvm::ArrayRef<int64_t> shape, Flat &flat, bool &fits) {
    size_t known = 0, unknown = 0;
    for (const Dim &dim : list) {
      bool isOpen = dim.kind == Dim::Kind::Many && (dim.names[0].empty() || !counts.count(dim.names[0]));
      unknown += isOpen;
      known += isOpen ? 0 : dim.kind == Dim::Kind::Many ? counts[dim.names[0]] : 1;
    }
    if (unknown > 1) return false;
    fits = known <= shape.size() && (unknown || known == shape.size());
    size_t at = 0, open = shape.size() - known;
    for (const Dim &dim : list) {
      if (!fits) break;
      if (dim.kind != Dim::Kind::Many) {
        flat.push_back({dim, shape[at++]});
        continue;
      }
      const std::string &name = dim.names[0];
      size_t count = !name.empty() && counts.count(name) ? counts[name] : open;
      if (!name.empty()) counts[name] = count;
      for (size_t i = count; i-- > 0;)
        flat.push_back({Dim{Dim::Kind::Letter, {name + "." + std::to_string(i)}, {bool(dim.isWhole[0])}}, shape[at++]});
    }
    return true;
  }

  bool flattenAll(const Lists &texts, IndexText::Shapes shapes, std::vector<Flat> &flats, std::vector<bool> &done) {
    flats.resize(texts.size());
    done.resize(texts.size());
    for (size_t k = 0; k < texts.size(); ++k) {
      bool fits = true;
      if (!done[k] && (done[k] = flatten(texts[k], shapes[k], flats[k], fits)) && !fits) return false;
    }
    return true;
  }

  /// Finds the sizes of all names. Each round may solve trees that an earlier one could not; a tree with two unknown
  /// sizes is an error in the last round only.
  bool solve() {
    for (const auto *side : {&ins, &outs})
      for (const Flat &flat : *side)
        for (const auto &[dim, size] : flat)
          if (dim.kind == Dim::Kind::Letter) {
            auto [it, isNew] = sizes.insert({dim.names[0], size});
            if (it->second == 1) it->second = size;
            if (size != 1 && it->second != size) return false;
          }
    for (int round = 0; round < 8; ++round)
      for (const auto *side : {&ins, &outs})
        for (const Flat &flat : *side)
          for (const auto &[dim, size] : flat)
            if (dim.kind != Dim::Kind::Letter && !solveTree(dim, size, round == 7)) return false;
    return true;
  }

  bool solveTree(const Dim &dim, int64_t size, bool isLast) {
    bool isProduct = dim.kind == Dim::Kind::Product;
    int64_t known = isProduct;
    llvm::SmallVector<std::string> unknown;
    for (const std::string &name : dim.names)
      if (!sizes.count(name))
        unknown.push_back(name);
      else
        known = isProduct ? known * sizes[name] : known + sizes[name];
    if (unknown.empty()) return known == size || size == 1;
    if (unknown.size() > 1) return !isLast;
    if (isProduct && (known == 0 || size % known)) return size == 1 && !isLast;
    if (!isProduct && size < known) return false;
    sizes[unknown[0]] = isProduct ? size / known : size - known;
    return true;
  }

  /// The terms of one operand or result. A dimension of size 1 has no axis, whatever the text says.
  IndexTerms::Axes termsOf(const Flat &flat, IndexTerms &terms) {
    IndexTerms::Axes out;
    for (const auto &[dim, size] : flat) {
      llvm::SmallVector<AxisId> parts;
      for (size_t i = 0; size != 1 && i < dim.names.size(); ++i) {
        auto [it, isNew] = axes.insert({dim.names[i], kNoAxis});
        int64_t own = sizes[dim.names[i]];
        if (isNew) it->second = dim.kind == Dim::Kind::Concat ? arena.segment(own) : arena.leaf(own);
        parts.push_back(it->second);
        std::pair<AxisId, std::string> whole{it->second, "the operator needs all of it"};
        if (dim.isWhole[i] && it->second != kNoAxis && !llvm::is_contained(terms.whole, whole))
          terms.whole.push_back(whole);
      }
      if (parts.empty())
        out.push_back(kNoAxis);
      else
        out.push_back(dim.kind == Dim::Kind::Concat ? arena.concat(parts) : arena.product(parts));
    }
    return out;
  }
};

llvm::Expected<IndexTerms> IndexText::instantiate(AxisArena &arena, Shapes operands, Shapes results) const {
  if (operands.size() != ins_.size() || results.size() != outs_.size())
    return problem(text_, "the number of operands or results differs from the index text");
  Instantiation work{arena, {}, {}, {}, {}, {}};
  std::vector<bool> inDone, outDone;
  // Each round may find the dimensions of named groups that another list needs.
  for (int round = 0; round < 4; ++round)
    if (!work.flattenAll(ins_, operands, work.ins, inDone) || !work.flattenAll(outs_, results, work.outs, outDone))
      return problem(text_, "a rank differs from the index text");
  if (llvm::is_contained(inDone, false) || llvm::is_contained(outDone, false) || !work.solve())
    return problem(text_, "sizes do not agree with the index text");
  IndexTerms terms;
  for (const auto &flat : work.ins)
    terms.ins.push_back(work.termsOf(flat, terms));
  for (const auto &flat : work.outs)
    terms.outs.push_back(work.termsOf(flat, terms));
  auto leavesOf = [&](const IndexTerms::Axes &list) {
    IndexTerms::Axes all;
    for (AxisId axis : list)
      if (axis != kNoAxis) all.append(arena.leaves(axis));
    return all;
  };
  for (const auto &out : terms.outs) {
    IndexTerms::Axes kept = leavesOf(out), &gone = terms.contracted.emplace_back();
    for (const auto &in : terms.ins)
      for (AxisId leaf : leavesOf(in))
        if (!llvm::is_contained(kept, leaf) && !llvm::is_contained(gone, leaf)) gone.push_back(leaf);
  }
  return terms;
}

IndexTerms emptyTerms(size_t operands) {
  IndexTerms terms;
  terms.ins.resize(operands);
  terms.outs.resize(1);
  terms.contracted.resize(1);
  return terms;
}

IndexTerms::Axes freshAxes(AxisArena &arena, llvm::ArrayRef<int64_t> shape) {
  IndexTerms::Axes axes;
  for (int64_t size : shape)
    axes.push_back(arena.leaf(size));
  return axes;
}

IndexTerms instantiateText(llvm::StringRef text, AxisArena &arena, IndexText::Shapes operands,
                           IndexText::Shapes results) {
  auto parsed = IndexText::parse(text);
  auto terms = parsed ? parsed->instantiate(arena, operands, results) : llvm::Expected<IndexTerms>(parsed.takeError());
  if (terms) return std::move(*terms);
  std::string reason = describe(terms.takeError());
  IndexTerms fresh;
  auto fill = [&](IndexText::Shapes shapes, std::vector<IndexTerms::Axes> &lists) {
    for (auto shape : shapes) {
      auto &list = lists.emplace_back();
      for (int64_t size : shape) {
        list.push_back(arena.leaf(size));
        if (size != 1) fresh.whole.push_back({list.back(), reason});
      }
    }
  };
  fill(operands, fresh.ins);
  fill(results, fresh.outs);
  fresh.contracted.resize(results.size());
  return fresh;
}

/// Takes as few dimensions as possible from both sides until their sizes agree, then divides each such group into
/// common factors.
ReshapeTerms refineReshape(AxisArena &arena, llvm::ArrayRef<int64_t> from, llvm::ArrayRef<int64_t> to) {
  ReshapeTerms terms{std::vector<AxisId>(from.size(), kNoAxis), std::vector<AxisId>(to.size(), kNoAxis), {}};
  std::vector<llvm::SmallVector<AxisId>> left(from.size()), right(to.size());
  size_t i = 0, j = 0;
  while (true) {
    while (i < from.size() && from[i] == 1)
      ++i;
    while (j < to.size() && to[j] == 1)
      ++j;
    if (i == from.size() && j == to.size()) break;
    size_t i0 = i, j0 = j;
    int64_t m = i < from.size() ? from[i++] : 1, n = j < to.size() ? to[j++] : 1;
    while (m != n && (i < from.size() || j < to.size()))
      if ((m < n && i < from.size()) || j == to.size())
        m *= from[i++];
      else
        n *= to[j++];
    bool aligns = m == n && m > 0;
    size_t x = i0, y = j0;
    for (int64_t a = 1, b = 1; aligns;) {
      while (a == 1 && x < i)
        a = from[x++];
      while (b == 1 && y < j)
        b = to[y++];
      if (a == 1 && b == 1) break;
      int64_t common = std::gcd(a, b);
      if (common == 1) {
        aligns = false;
        break;
      }
      AxisId leaf = arena.leaf(common);
      left[x - 1].push_back(leaf);
      right[y - 1].push_back(leaf);
      a /= common;
      b /= common;
    }
    auto finish = [&](size_t d, size_t end, llvm::ArrayRef<int64_t> shape, auto &lists, std::vector<AxisId> &out) {
      for (; d < end; ++d) {
        out[d] = aligns ? arena.product(lists[d]) : arena.leaf(shape[d]);
        if (!aligns && out[d] != kNoAxis) terms.whole.push_back(out[d]);
      }
    };
    finish(i0, i, from, left, terms.from);
    finish(j0, j, to, right, terms.to);
  }
  return terms;
}

} // namespace autotp
