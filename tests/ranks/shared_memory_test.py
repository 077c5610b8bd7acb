#!/usr/bin/env python3
"""shared_memory_test.py BIN: ranks as processes that share memory train with the bits of ranks as threads, through the commands;
and nothing of them is left."""
import json
import os
import subprocess
import sys
import tempfile
import unittest

import launch

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BIN = os.path.abspath(sys.argv.pop(1))


def numbers(log):
    with open(log) as lines:
        return [(step["step"], step["loss"], step["grad_norm"]) for step in map(json.loads, lines)]


class SharedMemory(unittest.TestCase):
    def setUp(self):
        self.new_folder()

    def new_folder(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = lambda name: f"{folder.name}/{name}"

    def compile(self, fixture, *flags):
        subprocess.run([f"{BIN}/autotp-compile", f"{ROOT}/tests/fixtures/{fixture}/model.onnx", "--micro-batch", "2", "-o",
                        self.path("plan"), *flags], check=True, stdout=subprocess.DEVNULL)

    def command(self, log, *flags):
        return [f"{BIN}/autotp-run", self.path("plan"), "--steps", "4", "--threads", "1", "--quiet", "--log", self.path(log),
                *flags]

    def wait(self, processes):
        for process in processes:
            self.assertEqual(process.wait(timeout=60), 0)

    def test_losses_have_the_bits_of_threads(self):
        for fixture, ranks, flags in [("llama", 2, ["--tp", "2"]), ("llama", 4, ["--tp", "2", "--dp", "2", "--zero", "2"]),
                                      ("gpt2", 3, ["--dp", "3", "--zero", "3"]), ("llama", 1, [])]:
            with self.subTest(fixture=fixture, flags=flags):
                self.new_folder()
                self.compile(fixture, "--shard", "all", *flags)
                subprocess.run(self.command("threads"), check=True)
                self.wait(launch.start(ranks, self.command("processes")))
                self.assertEqual(numbers(self.path("processes")), numbers(self.path("threads")))

    def test_checkpoints_and_weights(self):
        """What each process reads and writes by itself, and what goes over the ranks that is not in a plan's arena."""
        self.compile("llama", "--shard", "all", "--tp", "2", "--dp", "2")
        subprocess.run(self.command("threads", "--save-weights", self.path("threads.safetensors")), check=True)
        first = self.command("processes", "--save", self.path("save"))
        first[first.index("4")] = "2"
        self.wait(launch.start(4, first))
        self.wait(launch.start(4, self.command("processes", "--save", self.path("save"), "--resume", "auto", "--save-weights",
                                               self.path("processes.safetensors"))))
        self.assertEqual(numbers(self.path("processes")), numbers(self.path("threads")))
        with open(self.path("threads.safetensors"), "rb") as a, open(self.path("processes.safetensors"), "rb") as b:
            self.assertEqual(a.read(), b.read())

    def test_a_plan_for_another_number_of_ranks(self):
        self.compile("llama", "--tp", "2")
        processes = launch.start(3, self.command("log"), stderr=subprocess.PIPE, text=True)
        said = [process.communicate(timeout=60)[1] for process in processes]
        self.assertEqual([process.returncode for process in processes], [1, 1, 1])
        self.assertEqual("".join(said).count("error: "), 1, said)
        self.assertIn("it is for 2 ranks", said[0])


unittest.main()
