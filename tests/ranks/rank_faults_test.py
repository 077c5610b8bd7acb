#!/usr/bin/env python3
"""rank_faults_test.py BIN: one rank of a run fails in each way that is known. All others must end within 5 s and with exit code 1, one
line must name the rank, and nothing may be left. The launcher ends nobody, so all of it is the ranks' own doing."""
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import unittest

import launch

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BIN = os.path.abspath(sys.argv.pop(1))
RANKS, LOST = 4, 2
SOON = 5  # seconds


def unfinished(folder):
    """Checkpoints that have no name yet."""
    return [name for name in os.listdir(folder) if name.startswith("step-") and ".autotp-" in name]


class RankFaults(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        subprocess.run([f"{BIN}/autotp-compile", f"{ROOT}/tests/fixtures/llama/model.onnx", "--tp", "2", "--dp", "2", "--shard",
                        "all", "--micro-batch", "2", "-o", cls.path("plan")], check=True, stdout=subprocess.DEVNULL)

    @classmethod
    def path(cls, name):
        return f"{cls.folder.name}/{name}"

    def start(self, *flags, of_lost=(), **how):
        self.log = self.path("log")
        if os.path.exists(self.log):
            os.remove(self.log)
        command = [f"{BIN}/autotp-run", self.path("plan"), "--steps", "100000000", "--threads", "1", "--log", self.log, *flags]
        how = {"stdout": subprocess.DEVNULL, **how}
        self.ranks = launch.start(RANKS, command, lambda rank: of_lost if rank == LOST else [], stderr=subprocess.PIPE, text=True,
                                  **how)
        self.addCleanup(lambda: [rank.kill() for rank in self.ranks])

    def train(self):
        """Waits until steps have been trained."""
        while not os.path.exists(self.log) or os.path.getsize(self.log) < 1000:
            self.assertTrue(all(rank.poll() is None for rank in self.ranks))
            time.sleep(0.01)

    def expect_end(self, message, lost=LOST, ends_by_itself=False):
        begin = time.time()
        said = [rank.communicate(timeout=60)[1] for rank in self.ranks]
        self.assertLess(time.time() - begin, SOON)
        codes = [rank.returncode for rank in self.ranks]
        self.assertEqual(codes, [1 if rank != lost or ends_by_itself else -signal.SIGKILL for rank in range(RANKS)])
        lines = "".join(said).splitlines()
        self.assertEqual(len([line for line in lines if line.startswith("error: ")]), 1, lines)
        self.assertRegex("\n".join(lines), message)
        self.assertEqual([name for name in os.listdir("/dev/shm") if "autotp" in name], [])

    def rank(self, doing, lost=LOST):
        return (rf"^error: rank {lost} \(process {self.ranks[lost].pid} on {re.escape(os.uname().nodename)}\), which was {doing}"
                rf"( in step \d+)?(, waiting for other ranks)?, ")

    def test_killed(self):
        for lost in range(RANKS):
            with self.subTest(rank=lost):
                self.start()
                self.train()
                self.ranks[lost].kill()
                self.expect_end(self.rank("training", lost) + "has ended without a word: it was killed, or has crashed$", lost)

    def test_stopped(self):
        self.start()
        self.train()
        self.ranks[LOST].send_signal(signal.SIGSTOP)
        self.expect_end(self.rank("training") + "is stopped$")

    def test_stopped_for_a_moment(self):
        """A machine that was suspended, and a launcher that stops and continues all, miss nobody."""
        self.start()
        self.train()
        for told in (signal.SIGSTOP, signal.SIGCONT):
            for rank in self.ranks:
                rank.send_signal(told)
            time.sleep(4 if told == signal.SIGSTOP else 1)
        self.assertEqual([rank.poll() for rank in self.ranks], [None] * RANKS)
        for rank in self.ranks:
            rank.send_signal(signal.SIGTERM)
        self.assertEqual([rank.wait(SOON) for rank in self.ranks], [0] * RANKS)

    def test_killed_while_it_saves(self):
        for lost in (0, LOST):
            with self.subTest(rank=lost):
                save = self.path(f"saved-{lost}")
                os.mkdir(save)
                self.start("--save", save, "--save-every", "1", "--keep", "2")
                self.train()
                while not unfinished(save):
                    pass
                self.ranks[lost].kill()
                self.expect_end(self.rank("(training|saving a checkpoint)", lost) + "has ended without a word", lost)
                self.assertEqual(unfinished(save), [])

    def test_stuck(self):
        """Rank 0's output is a pipe that nobody reads."""
        read, write = os.pipe()
        self.start("--rank-timeout", "1", stdout=write)
        os.close(write)
        while not os.path.exists(self.log) or time.time() - os.stat(self.log).st_mtime < 0.3:
            time.sleep(0.1)
        self.expect_end(self.rank("training", 0) + r"has kept the others waiting for 1 s \(--rank-timeout\)$", 0, True)
        os.close(read)

    def test_fails_while_it_loads(self):
        """It says by itself what is wrong, and the others say nothing."""
        self.start(of_lost=["--instruction-set", "z80"])
        self.expect_end("^error: .*z80", ends_by_itself=True)

    def test_other_flags_plan_or_build(self):
        """All that differs is said at once, by rank 0; what each rank may choose by itself is no difference."""
        self.start("--lr", "0.5", of_lost=["--seed", "7", "--rank-timeout", "9"])
        self.expect_end(r"^error: meeting of ranks: rank 2 has --seed 7 \(rank 0: no --seed\)\n  do:  start all ranks with one",
                        ends_by_itself=True)

    def test_killed_while_it_starts(self):
        self.start()
        while not self.has_met():
            pass
        self.ranks[LOST].kill()
        self.expect_end(self.rank("(starting|loading the plan and its weights|training)") + "has ended without a word")

    def has_met(self):
        """Whether the rank has mapped the memory that all share."""
        with open(f"/proc/{self.ranks[LOST].pid}/maps") as maps:
            return "autotp ranks" in maps.read()

    def test_launchers_file_has_the_error(self):
        file = self.path("error.json")
        os.environ["TORCHELASTIC_ERROR_FILE"] = file
        self.addCleanup(os.environ.pop, "TORCHELASTIC_ERROR_FILE")
        self.start()
        self.train()
        self.ranks[LOST].kill()
        self.expect_end("has ended without a word")
        with open(file) as written:
            message = json.load(written)["message"]
        self.assertRegex(message["extraInfo"]["py_callstack"], self.rank("training") + "has ended without a word")
        self.assertLess(abs(int(message["extraInfo"]["timestamp"]) - time.time()), 60)


unittest.main()
