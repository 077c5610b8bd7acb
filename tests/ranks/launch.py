#!/usr/bin/env python3
"""launch.py RANKS COMMAND...: starts a command once for each rank, in the environment that torchrun gives, and waits for all. It
ends nobody, unlike torchrun, so what ranks do by themselves when one fails can be seen. The exit code is the largest of all."""
import os
import socket
import subprocess
import sys


def free_port():
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]


def start(ranks, command, own_arguments=lambda rank: [], hosts=None, **how):
    """The processes, by rank; own_arguments(rank) are those that one rank has by itself. `hosts` are commands that run what
    follows on a host of its own, one for an equal share of the ranks, and the first one's address."""
    port = free_port()
    on_host, address = hosts or ([[]], "127.0.0.1")
    share = ranks // len(on_host)
    return [subprocess.Popen([*on_host[rank // share], *command, *own_arguments(rank)], **how,
                             env={**os.environ, "RANK": str(rank), "WORLD_SIZE": str(ranks), "LOCAL_WORLD_SIZE": str(share),
                                  "MASTER_ADDR": address, "MASTER_PORT": str(port)})
            for rank in range(ranks)]


if __name__ == "__main__":
    sys.exit(max(abs(process.wait()) for process in start(int(sys.argv[1]), sys.argv[2:])))
