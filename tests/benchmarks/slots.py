"""One slot with a thread for each core against a slot of one thread on each core, in both memory formats.

    python -m tests.benchmarks.slots [--rounds 5] [--images 3200] [--network cnn]

The sides train as many images altogether with `standard` augmentation, and take turns; a ratio is that of one turn. Its
CPU seconds are those of the process that waits for the slots, and say nothing.
"""

import argparse
import os
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, get_args

import torch

from fersearch import registry
from fersearch.training.memory_format import MemoryFormat
from tests.benchmarks.trainer import NETWORKS, Side, compare, data, timed, trainer

SPAWN = get_context("spawn")


def slot(connection: Connection, network: str, images: int, threads: int, kind: MemoryFormat, rounds: int) -> None:
    """Train one pass for each word that comes, and answer it."""
    torch.set_num_threads(threads)
    name, own = NETWORKS[network]
    model = registry.load().architecture(name)
    with tempfile.TemporaryDirectory() as folder:
        side = trainer(data(images), "standard", Path(folder), rounds + 1, model, memory_format=kind, own=own)
        while connection.recv():
            side()
            connection.send(True)


def together(slots: Sequence[Connection]) -> None:
    """Let all slots train a pass."""
    for connection in slots:
        connection.send(True)
    for connection in slots:
        connection.recv()


def slots(count: int, threads: int, stack: ExitStack, *arguments_parsed: Any) -> Side:
    """Start so many slots; a pass of all of them."""
    ends = []
    for _ in range(count):
        ours, theirs = SPAWN.Pipe()
        network, images, kind, rounds = arguments_parsed
        process = SPAWN.Process(target=slot, args=(theirs, network, images // count, threads, kind, rounds))
        process.start()
        stack.callback(process.join)
        stack.callback(ours.send, False)
        ends.append(ours)
    return lambda: timed(lambda: together(ends))


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--images", type=int, default=3200)
    parser.add_argument("--network", default="cnn", choices=NETWORKS)
    arguments_parsed = parser.parse_args(arguments)
    cores = len(os.sched_getaffinity(0))
    with ExitStack() as stack:
        sides: dict[str, Side] = {}
        for kind in get_args(MemoryFormat):
            job = (stack, arguments_parsed.network, arguments_parsed.images, kind, arguments_parsed.rounds)
            sides[f"1 x {cores}, {kind}"] = slots(1, cores, *job)
            sides[f"{cores} x 1, {kind}"] = slots(cores, 1, *job)
        compare(sides, arguments_parsed.images, arguments_parsed.rounds, f"1 x {cores}, contiguous")


if __name__ == "__main__":
    main()
