#!/usr/bin/env python3
"""storage_faults_test.py BIN: a disk that is full, cannot be written, or vanishes while ranks write to it: one line, exit code 1, and
checkpoints that were whole stay whole. The disk is a small tmpfs, so it needs root."""
import os
import subprocess
import sys
import tempfile
import time
import unittest

import launch

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BIN = os.path.abspath(sys.argv.pop(1))
RANKS = 2
FULL = "No space left on device"
READ_ONLY = "Read-only file system"


class StorageFaults(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.plan, self.disk = f"{folder.name}/plan", f"{folder.name}/disk"
        os.mkdir(self.disk)
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", self.disk], capture_output=True)
        if mounted.returncode != 0:
            self.skipTest("only root mounts a disk")
        self.addCleanup(subprocess.run, ["umount", self.disk], check=True)
        self.compile(self.plan, check=True)

    def compile(self, out, **how):
        return subprocess.run([f"{BIN}/autotp-compile", f"{ROOT}/tests/fixtures/llama/model.onnx", "--tp", str(RANKS), "--shard",
                               "all", "--micro-batch", "2", "-o", out], text=True, capture_output=True, **how)

    def start(self, steps, *flags):
        command = [f"{BIN}/autotp-run", self.plan, "--steps", str(steps), "--threads", "1", "--quiet", *flags]
        return launch.start(RANKS, command, stderr=subprocess.PIPE, text=True)

    def end(self, ranks):
        said = "".join(rank.communicate(timeout=60)[1] for rank in ranks)
        return [rank.returncode for rank in ranks], said

    def expect_failure(self, message, steps, *flags):
        codes, said = self.end(self.start(steps, *flags))
        self.assertEqual(codes, [1] * RANKS, said)
        self.assertEqual(said.count("error: "), 1, said)
        self.assertIn(message, said)

    def fill(self):
        with open(f"{self.disk}/fill", "wb", buffering=0) as file:
            try:
                while file.write(b"\0" * 65536):
                    pass
            except OSError:
                pass

    def test_checkpoints_fill_the_disk(self):
        save = f"{self.disk}/saved"
        self.expect_failure(FULL, 100, "--save", save, "--save-every", "1")
        steps = sorted(int(name[5:]) for name in os.listdir(save) if name.startswith("step-") and "." not in name)
        self.assertEqual(steps, list(range(1, len(steps) + 1)))
        self.assertGreater(len(steps), 2)
        self.assertFalse([name for name in os.listdir(save) if name.startswith("step-") and "." in name])
        codes, said = self.end(self.start(steps[-1] + 1, "--resume", f"{save}/step-{steps[-1]}"))
        self.assertEqual(codes, [0] * RANKS, said)

    def test_log_and_weights_on_a_full_disk(self):
        self.fill()
        self.expect_failure(FULL, 2, "--log", f"{self.disk}/log")
        codes, said = self.end(self.start(2, "--save-weights", f"{self.disk}/w.safetensors"))
        self.assertEqual((codes, said.count("error: ")), ([1] * RANKS, 1), said)
        self.assertIn(FULL, said)
        self.assertFalse([name for name in os.listdir(self.disk) if name not in ("fill", "log")])

    def test_plan_on_a_full_disk(self):
        self.fill()
        done = self.compile(f"{self.disk}/plan")
        self.assertEqual(done.returncode, 1)
        self.assertIn(FULL, done.stderr)
        self.assertFalse([name for name in os.listdir(self.disk) if name != "fill"])

    def test_a_disk_that_cannot_be_written(self):
        subprocess.run(["mount", "-o", "remount,ro", self.disk], check=True)
        for flags in (["--save", f"{self.disk}/saved"], ["--log", f"{self.disk}/log"],
                      ["--save-weights", f"{self.disk}/w.safetensors"]):
            self.expect_failure(READ_ONLY, 2, *flags)
        done = self.compile(f"{self.disk}/plan")
        self.assertEqual(done.returncode, 1)
        self.assertIn(READ_ONLY, done.stderr)

    def test_a_folder_that_vanishes(self):
        save, log = f"{self.disk}/saved", f"{self.disk}/log"
        ranks = self.start(10 ** 8, "--save", save, "--log", log)
        while not os.path.exists(log) or os.path.getsize(log) < 500:
            time.sleep(0.01)
        subprocess.run(["rm", "-r", save], check=True)
        for rank in ranks:
            rank.terminate()  # each ends with a checkpoint
        codes, said = self.end(ranks)
        self.assertEqual(codes, [1] * RANKS, said)
        self.assertEqual(said.count("error: "), 1, said)
        self.assertIn("there is no folder", said)


unittest.main()
