#!/usr/bin/env python3
"""Makes files of tokens for `autotp-run --data`, of texts and of JSON lines.

    scripts/prepare_data.py corpus.txt -o corpus.bin                                     # bytes are tokens
    scripts/prepare_data.py docs/*.jsonl --tokenizer tokenizer.json -o corpus.bin        # by a Hugging Face tokenizer

A text is one document, and so is each line of JSON, by its member "text". With a tokenizer, which needs its library
(pip install tokenizers), each document ends with the tokenizer's own token for that; as bytes, a line of JSON ends with a
line feed. The file is a shard of llm.c, which says itself whether its tokens have two bytes or four, or with --raw
tokens and nothing else, as nanoGPT has them. It appears under its name once it is whole. Texts of more than 16 MiB are
tokenized in pieces that end with lines.
"""
import argparse
import array
import json
import os
import pathlib
import sys
import tempfile

ENDS = ("<|endoftext|>", "<|end_of_text|>", "<|end▁of▁sentence|>", "</s>", "<eos>")  # the tokens that end a document
PIECE = 16 << 20  # characters of a text that are tokenized at once
BATCH = 1000  # documents that are tokenized at once, on all cores
HEADER = 256  # numbers of four bytes
MOST_SAID = 5  # lines that are wrong, of a file


class Problem(Exception):
    """What is wrong, and what to do about it."""

    def __init__(self, where, what, remedy):
        super().__init__(f"error: {where}: {what}\n  do:  {remedy}")


def kind_of(path, said):
    kinds = {".txt": "text", ".text": "text", ".md": "text", ".jsonl": "jsonl", ".ndjson": "jsonl"}
    kind = said or kinds.get(path.suffix.lower())
    if not kind:
        raise Problem(path, "its name does not tell what it is", "say --as text or --as jsonl")
    return kind


def pieces_of_text(path):
    """A text as strings that end with lines, since not all of it may fit into memory several times."""
    with open(path, encoding="utf-8", newline="") as file:
        try:
            while piece := file.read(PIECE):
                yield piece + file.readline()
        except UnicodeDecodeError as error:
            raise Problem(path, f"it is not UTF-8: {error}", "convert it, or leave out --tokenizer to take bytes")


def documents_of_jsonl(path, key):
    wrong = []
    with open(path, "rb") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                text = json.loads(line)[key]
                if not isinstance(text, str):
                    raise TypeError
                yield text
            except (ValueError, RecursionError):
                wrong.append(f"line {number} is no JSON")
            except (KeyError, TypeError, IndexError):
                wrong.append(f"line {number} has no text under the key {json.dumps(key)}")
            if len(wrong) == MOST_SAID:
                break
    if wrong:
        raise Problem(path, "; ".join(wrong), 'give lines such as {"text": "a document"}, or name another --key')


class Bytes:
    """Bytes are tokens."""

    size = 256

    def __init__(self, end):
        if end not in (None, "none"):
            raise Problem("--end", f"{end!r} is no byte", "leave it out, or give a --tokenizer that has such a token")
        self.end = [] if end else [ord("\n")]

    def text(self, path):
        with open(path, "rb") as file:
            while piece := file.read(PIECE):
                yield piece

    def documents(self, texts):
        for text in texts:
            yield text.encode() + bytes(self.end)


class Tokenizer:
    """A tokenizer.json of Hugging Face's."""

    def __init__(self, path, end):
        try:
            import tokenizers
        except ImportError:
            raise Problem("--tokenizer", "the library `tokenizers` is missing", "pip install tokenizers")
        try:
            self.tokenizer = tokenizers.Tokenizer.from_file(str(path))
        except Exception as error:  # the library raises nothing narrower
            raise Problem(f"--tokenizer {path}", f"it cannot be read: {error}", "give a tokenizer.json")
        self.tokenizer.no_padding()
        self.tokenizer.no_truncation()
        self.size = max(self.tokenizer.get_vocab().values(), default=0) + 1
        self.end = self.end_token(path, end)

    def end_token(self, path, end):
        if end == "none":
            return []
        known = [token for token in ((end,) if end else ENDS) if self.tokenizer.token_to_id(token) is not None]
        if len(known) != 1:
            what = f"it has no token {end!r}" if end else f"which token ends a document is not clear: {known or 'none known'}"
            raise Problem(f"--tokenizer {path}", what, "say it with --end TOKEN, or --end none")
        return [self.tokenizer.token_to_id(known[0])]

    def encode(self, texts):
        return [encoding.ids for encoding in self.tokenizer.encode_batch(texts, add_special_tokens=False)]

    def text(self, path):
        for piece in pieces_of_text(path):
            yield self.encode([piece])[0]
        yield self.end

    def documents(self, texts):
        batch = []
        for text in texts:
            batch.append(text)
            if len(batch) == BATCH:
                yield from (ids + self.end for ids in self.encode(batch))
                batch = []
        yield from (ids + self.end for ids in self.encode(batch))


class Writer:
    """Writes shards beside the output, and renames them once all are whole."""

    def __init__(self, output, wide, raw, shard_tokens):
        self.output, self.wide, self.raw, self.shard_tokens = output, wide, raw, shard_tokens
        self.shards, self.counts, self.file = [], [], None

    def open(self):
        handle, name = tempfile.mkstemp(prefix=self.output.name + ".", dir=self.output.parent or ".")
        self.file = os.fdopen(handle, "wb")
        self.shards.append(name)
        self.counts.append(0)
        if not self.raw:
            self.file.write(bytes(4 * HEADER))

    def close(self):
        if not self.raw:
            header = array.array("i", [20240801, 7] if self.wide else [20240520, 1]) + array.array("i", [self.counts[-1]])
            self.file.seek(0)
            self.file.write(little(header))
        self.file.close()
        self.file = None

    def write(self, tokens):
        tokens = array.array("I" if self.wide else "H", iter(tokens))  # numbers, of bytes too
        while tokens:
            if self.file is None:
                self.open()
            part = tokens[: self.shard_tokens - self.counts[-1]]
            self.file.write(little(part))
            self.counts[-1] += len(part)
            tokens = tokens[len(part) :]
            if self.counts[-1] == self.shard_tokens:
                self.close()

    def finish(self):
        if self.file is not None:
            self.close()
        mode = 0o666 & ~current_umask()
        stem, suffix = self.output.with_suffix(""), self.output.suffix
        names = [self.output] if len(self.shards) == 1 else [f"{stem}_{i:05}{suffix}" for i in range(len(self.shards))]
        for shard, name in zip(self.shards, names):
            os.chmod(shard, mode)
            os.replace(shard, name)
        self.shards = []
        return names

    def abandon(self):
        if self.file is not None:
            self.file.close()
        for shard in self.shards:
            os.unlink(shard)


def little(numbers):
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers.tobytes()


def current_umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


def read_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("inputs", metavar="FILE", nargs="+", type=pathlib.Path, help="texts (.txt, .md) and JSON lines (.jsonl)")
    parser.add_argument("-o", "--output", metavar="FILE.bin", required=True, type=pathlib.Path)
    parser.add_argument("--tokenizer", metavar="tokenizer.json", type=pathlib.Path, help="default: bytes are tokens")
    parser.add_argument("--as", dest="kind", choices=("text", "jsonl"), help="what files of other names are")
    parser.add_argument("--key", default="text", help="the member of a line's object that is the document (default: text)")
    parser.add_argument("--end", metavar="TOKEN|none", help="what follows each document (default: the tokenizer's own)")
    parser.add_argument("--raw", action="store_true", help="no header: nanoGPT's form; tokens of four bytes are then uint32:FILE")
    parser.add_argument("--shard-tokens", metavar="N", type=int, default=2**31 - 1, help="tokens of a file; more make several")
    arguments = parser.parse_args()
    if not 0 < arguments.shard_tokens < 2**31:
        parser.error("--shard-tokens is from 1 to 2147483647")
    return arguments


def prepare(arguments):
    kinds = [kind_of(path, arguments.kind) for path in arguments.inputs]
    for path in arguments.inputs:
        if not path.is_file():
            raise Problem(path, "it is no file", "name texts or JSON lines")
        if arguments.output.exists() and path.samefile(arguments.output):
            raise Problem(arguments.output, "it is read", "name another output")
    if arguments.output.exists() and (arguments.output.is_symlink() or not arguments.output.is_file()):
        raise Problem(arguments.output, "it is no regular file", "name another output")
    encoder = Tokenizer(arguments.tokenizer, arguments.end) if arguments.tokenizer else Bytes(arguments.end)
    wide = encoder.size > 1 << 16
    writer = Writer(arguments.output, wide, arguments.raw, arguments.shard_tokens)
    documents = total = 0
    try:
        for path, kind in zip(arguments.inputs, kinds):
            if kind == "text":
                parts = encoder.text(path)
                documents += 1
            else:
                parts = encoder.documents(documents_of_jsonl(path, arguments.key))
            for tokens in parts:
                writer.write(tokens)
                total += len(tokens)
                documents += kind == "jsonl"
        if total == 0:
            raise Problem(arguments.inputs[0], "there are no tokens", "give files that hold a text")
        names = writer.finish()
    except BaseException:
        writer.abandon()
        raise
    form = ("uint32" if wide else "uint16") + (" and nothing else" if arguments.raw else " as llm.c's shards")
    print(f"{', '.join(map(str, names))}: {total} tokens of {documents} documents, {form}, vocabulary {encoder.size}")


def main():
    try:
        prepare(read_arguments())
    except (Problem, OSError) as error:
        print(error if isinstance(error, Problem) else f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
