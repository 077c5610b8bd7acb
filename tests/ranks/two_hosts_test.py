#!/usr/bin/env python3
"""two_hosts_test.py BIN: ranks on two hosts, which are two network namespaces with names of their own, train over gloo with the bits
of threads; a rank that is killed ends those on the other host, and a network that is cut does not hang. Needs root and `ip`."""
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

import launch

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BIN = os.path.abspath(sys.argv.pop(1))
FIRST, SECOND = f"autotp-a{os.getpid()}", f"autotp-b{os.getpid()}"
ADDRESSES = "10.213.7.1", "10.213.7.2"
LINK = f"at{os.getpid()}"


def ip(*words):
    return subprocess.run(["ip", *words], capture_output=True, text=True)


def make_hosts():
    """False where this is not possible, as in a container."""
    steps = [["netns", "add", FIRST], ["netns", "add", SECOND],
             ["-n", FIRST, "link", "add", LINK, "type", "veth", "peer", "name", LINK, "netns", SECOND]]
    for host, address in zip((FIRST, SECOND), ADDRESSES):
        steps += [["-n", host, "addr", "add", f"{address}/24", "dev", LINK], ["-n", host, "link", "set", LINK, "up"],
                  ["-n", host, "link", "set", "lo", "up"]]
    return shutil.which("ip") is not None and all(ip(*step).returncode == 0 for step in steps)


def on(host):
    return ["ip", "netns", "exec", host, "unshare", "--uts", "sh", "-c", 'hostname "$0" && exec "$@"', host]


def losses(log):
    with open(log) as lines:
        return [(step["loss"], step["grad_norm"]) for step in map(json.loads, lines)]


class TwoHosts(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.addClassCleanup(lambda: (ip("netns", "delete", FIRST), ip("netns", "delete", SECOND)))
        if not make_hosts():
            raise unittest.SkipTest("it takes root, `ip` and a kernel with network namespaces")
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.path = staticmethod(lambda name: f"{folder.name}/{name}")
        subprocess.run([f"{BIN}/autotp-compile", f"{ROOT}/tests/fixtures/llama/model.onnx", "--tp", "2", "--dp", "2", "--shard",
                        "all", "--micro-batch", "2", "-o", cls.path("plan")], check=True, stdout=subprocess.DEVNULL)

    def command(self, log, steps, *flags):
        return [f"{BIN}/autotp-run", self.path("plan"), "--steps", str(steps), "--threads", "1", "--quiet", "--log",
                self.path(log), *flags]

    def start(self, log, steps, *flags):
        ranks = launch.start(4, self.command(log, steps, *flags), hosts=([on(FIRST), on(SECOND)], ADDRESSES[0]),
                             stderr=subprocess.PIPE, text=True)
        self.addCleanup(lambda: [rank.kill() for rank in ranks])
        return ranks

    def train(self, log):
        while not os.path.exists(self.path(log)) or os.path.getsize(self.path(log)) < 500:
            time.sleep(0.05)

    def test_losses_have_the_bits_of_threads(self):
        subprocess.run(self.command("threads", 4), check=True)
        ranks = self.start("hosts", 4)
        said = [rank.communicate(timeout=60)[1] for rank in ranks]
        self.assertEqual([rank.returncode for rank in ranks], [0] * 4, said)
        self.assertEqual(losses(self.path("hosts")), losses(self.path("threads")))

    def test_a_killed_rank_ends_those_on_the_other_host(self):
        for lost in (0, 3):
            with self.subTest(rank=lost):
                ranks = self.start(f"killed{lost}", 10 ** 8)
                self.train(f"killed{lost}")
                ranks[lost].send_signal(signal.SIGKILL)
                begin = time.time()
                said = [rank.communicate(timeout=60)[1] for rank in ranks]
                self.assertLess(time.time() - begin, 5)
                self.assertEqual([rank.returncode for rank in ranks],
                                 [-signal.SIGKILL if rank == lost else 1 for rank in range(4)], said)
                self.assertIn("a rank has ended, or does not answer", "".join(said))

    def test_a_network_that_is_cut(self):
        ranks = self.start("cut", 10 ** 8, "--rank-timeout", "2")
        self.train("cut")
        ip("-n", FIRST, "link", "set", LINK, "down")
        self.addCleanup(ip, "-n", FIRST, "link", "set", LINK, "up")
        begin = time.time()
        said = [rank.communicate(timeout=60)[1] for rank in ranks]
        self.assertLess(time.time() - begin, 15)
        self.assertEqual([rank.returncode for rank in ranks], [1] * 4, said)
        self.assertIn("a rank has ended, or does not answer", "".join(said))


unittest.main()
