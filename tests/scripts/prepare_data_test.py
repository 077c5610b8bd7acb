#!/usr/bin/env python3
"""scripts/prepare_data.py: the bytes of its files, and what it refuses. What needs the library `tokenizers` is skipped
where that is missing, and the skip is said."""
import importlib.util
import json
import pathlib
import struct
import subprocess
import sys
import tempfile
import unittest

SCRIPT = pathlib.Path(__file__).resolve().parent.parent.parent / "scripts" / "prepare_data.py"
HAS_TOKENIZERS = importlib.util.find_spec("tokenizers") is not None


def header(magic, version, count):
    return struct.pack("<3i", magic, version, count) + bytes(1024 - 12)


def little(tokens, letter="H"):
    return struct.pack(f"<{len(tokens)}{letter}", *tokens)


class Fixture(unittest.TestCase):
    def setUp(self):
        self.temporary = tempfile.TemporaryDirectory()
        self.addCleanup(self.temporary.cleanup)
        self.folder = pathlib.Path(self.temporary.name)

    def write(self, name, content):
        path = self.folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(path)

    def run_script(self, *arguments):
        return subprocess.run([sys.executable, SCRIPT, *arguments, "-o", str(self.folder / "out.bin")], capture_output=True,
                              text=True, check=False)

    def prepare(self, *arguments):
        done = self.run_script(*arguments)
        self.assertEqual(done.returncode, 0, done.stderr)
        return (self.folder / "out.bin").read_bytes()

    def refuse(self, said, *arguments):
        before = sorted(self.folder.iterdir())
        done = self.run_script(*arguments)
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn(said, done.stderr)
        self.assertIn("\n  do:  ", done.stderr)
        self.assertEqual(sorted(self.folder.iterdir()), before)  # nothing is left behind


class WithoutTokenizer(Fixture):
    def test_bytes_of_texts(self):
        one, two = self.write("a.txt", b"ab\xff"), self.write("b.md", "c")
        self.assertEqual(self.prepare(one, two), header(20240520, 1, 4) + little([97, 98, 255, 99]))
        self.assertEqual(self.prepare(one, two, "--raw"), little([97, 98, 255, 99]))

    def test_bytes_of_json_lines(self):
        lines = self.write("a.jsonl", '{"text": "a\\u00e9"}\n\n{"text": "b", "id": 1}\n')
        self.assertEqual(self.prepare(lines, "--raw"), little([97, 0xC3, 0xA9, 10, 98, 10]))
        self.assertEqual(self.prepare(lines, "--raw", "--end", "none"), little([97, 0xC3, 0xA9, 98]))
        other = self.write("a.log", '{"body": "xy"}')
        self.assertEqual(self.prepare(other, "--raw", "--as", "jsonl", "--key", "body"), little([120, 121, 10]))

    def test_shards(self):
        done = self.run_script(self.write("a.txt", "abcde"), "--shard-tokens", "2")
        self.assertEqual(done.returncode, 0, done.stderr)
        shards = {path.name: path.read_bytes() for path in self.folder.glob("*.bin")}
        self.assertEqual(shards, {"out_00000.bin": header(20240520, 1, 2) + little([97, 98]),
                                  "out_00001.bin": header(20240520, 1, 2) + little([99, 100]),
                                  "out_00002.bin": header(20240520, 1, 1) + little([101])})

    def test_refusals(self):
        text = self.write("a.txt", "a")
        self.refuse("its name does not tell what it is", self.write("a.log", "a"))
        self.refuse("it is no file", str(self.folder / "none.txt"))
        self.refuse("there are no tokens", self.write("empty.txt", ""))
        self.refuse("line 1 is no JSON; line 3 has no text under the key \"text\"",
                    self.write("a.jsonl", '{\n{"text": "a"}\n{"text": 1}\n'))
        self.refuse("'x' is no byte", text, "--end", "x")
        self.refuse("it is read", text, self.write("out.bin", "b"), "--as", "text")
        self.assertEqual((self.folder / "out.bin").read_bytes(), b"b")


@unittest.skipUnless(HAS_TOKENIZERS, "the library `tokenizers` is missing: pip install tokenizers")
class WithTokenizer(Fixture):
    def tokenizer(self, vocabulary, special=("</s>",)):
        added = [{"id": vocabulary[token], "content": token, "single_word": False, "lstrip": False, "rstrip": False,
                  "normalized": False, "special": True} for token in special]
        return self.write("tokenizer.json", json.dumps({
            "version": "1.0", "truncation": None, "padding": None, "added_tokens": added, "normalizer": None,
            "pre_tokenizer": {"type": "Whitespace"}, "post_processor": None, "decoder": None,
            "model": {"type": "WordLevel", "vocab": vocabulary, "unk_token": "?"}}))

    def test_documents_end_with_the_tokenizers_token(self):
        tokenizer = self.tokenizer({"?": 0, "</s>": 1, "one": 2, "two": 300})
        text, lines = self.write("a.txt", "one two\nsix"), self.write("b.jsonl", '{"text": "two"}\n{"text": "one </s>"}')
        self.assertEqual(self.prepare(text, lines, "--tokenizer", tokenizer),
                         header(20240520, 1, 9) + little([2, 300, 0, 1, 300, 1, 2, 1, 1]))
        self.assertEqual(self.prepare(text, "--tokenizer", tokenizer, "--end", "none", "--raw"), little([2, 300, 0]))
        self.assertEqual(self.prepare(text, "--tokenizer", tokenizer, "--end", "two", "--raw"), little([2, 300, 0, 300]))

    def test_large_vocabularies_have_four_bytes(self):
        tokenizer = self.tokenizer({"?": 0, "</s>": 1, "one": 70000})
        self.assertEqual(self.prepare(self.write("a.txt", "one"), "--tokenizer", tokenizer),
                         header(20240801, 7, 2) + little([70000, 1], "I"))

    def test_tokenizer_refusals(self):
        text = self.write("a.txt", "one")
        self.refuse("it cannot be read", text, "--tokenizer", self.write("bad.json", "{}"))
        tokenizer = self.tokenizer({"?": 0, "one": 1}, special=())
        self.refuse("which token ends a document is not clear: none known", text, "--tokenizer", tokenizer)
        self.refuse("it has no token '</s>'", text, "--tokenizer", tokenizer, "--end", "</s>")
        tokenizer = self.tokenizer({"?": 0, "</s>": 1, "<eos>": 2})
        self.refuse("is not clear: ['</s>', '<eos>']", text, "--tokenizer", tokenizer)
        self.refuse("it is not UTF-8", self.write("b.txt", b"\xff"), "--tokenizer", tokenizer, "--end", "none")


if __name__ == "__main__":
    if not HAS_TOKENIZERS:
        print("SKIPPED: everything by a tokenizer.json, since the library `tokenizers` is missing", file=sys.stderr)
    unittest.main()
