"""The engine of a cluster: trial processes are started through Ray Tune, on any node with room.

To the engine's loop this is a pool like that of one machine. Behind it a real Tuner runs in a
thread: each started process is a Ray trial, whose actor on some node runs a fork server and
passes messages on. A lost actor appears as a process that ended without a message.
"""

import contextlib
import itertools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any
from uuid import uuid4

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from fersearch.engines.devices import PerGpu, Slot
from fersearch.engines.processes import Pool, Process
from fersearch.engines.ray import cluster
from fersearch.engines.ray.board import Board
from fersearch.engines.ray.tune import MessageScheduler, TrialSearcher, TuneLoop
from fersearch.errors import FersearchError
from fersearch.home import home
from fersearch.run_options import HUNG_AFTER
from fersearch.trial import Lost

NAMESPACE = "fersearch"
MAX_CONCURRENT_CALLS = 10_000  # concurrent calls of the board: each running trial waits in one
PATIENCE = 60.0  # seconds for the board to answer
SHUTDOWN_SECONDS = 15.0  # seconds for Ray Tune to end by itself


@contextlib.contextmanager
def on_ray(
    address: str | None,
    slots: int | None,
    slots_per_gpu: PerGpu | None,
    threads: int | None,
    artifacts: Path | str,
) -> Iterator[tuple[list[Slot], Callable[..., Pool]]]:
    """Join a cluster; yield its slots, and a function from the modules to preload to a pool of trial processes.

    `artifacts` is the place of checkpoints, which all nodes must share.

    Raises:
        FersearchError: no cluster is at the address, or its nodes do not share storage.
        UsageError: the requested slots are impossible there.
    """
    with cluster.joined(address) as folder, cluster.marked(home(), artifacts) as marker:
        places, resources = cluster.places(slots, slots_per_gpu, threads)
        yield places, partial(RayPool, room=Room(len(places), resources, folder, marker))


@dataclass(frozen=True)
class Room:
    """The part of the cluster for a pool: trials at once, resources of each, a folder for Ray's files, the marker."""

    slots: int
    resources: Mapping[str, float]
    folder: Path
    marker: str


class RayProcess(Process):
    """A trial process on some node: its messages come through Ray Tune, the driver's go over the board.

    Its actor receives its heartbeats, and reports when it hangs.
    """

    def __init__(self, connection: Connection, log: Path, key: str, pool: "RayPool") -> None:
        super().__init__(connection, log)
        self.key = key
        self._pool = pool

    def send(self, message: Mapping[str, Any]) -> None:
        """Send a message to the process; a lost process is noticed at the next read."""
        self._pool.send(self.key, message)

    def kill(self) -> None:
        """Kill the process and all its descendants."""
        self._pool.send(self.key, {"kill": True})

    def close(self) -> None:
        """Close the connection to the process."""
        super().close()
        self._pool.drop(self.key)


class RayPool(Pool):
    """A pool that starts trial processes on a cluster, each as a Ray trial."""

    def __init__(self, preload: Sequence[str], hung_after: float = HUNG_AFTER, *, room: Room) -> None:
        super().__init__(preload, hung_after)
        self._room = room
        self._keys = map(str, itertools.count())
        self._numbers: dict[str, Iterator[int]] = {}
        self._pipes: dict[str, Connection] = {}
        self._statuses: dict[str, int | None] = {}
        self._lost: dict[str, Lost | None] = {}
        self._name = f"board-{uuid4().hex}"
        self._board: Any = None
        self._loop: TuneLoop | None = None
        self._searcher = TrialSearcher(self.deliver)

    def warm_up(self) -> None:
        """Start the board and Ray Tune."""
        if self._loop is not None:
            return
        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        options = {"name": self._name, "namespace": NAMESPACE, "num_cpus": 0, "max_concurrency": MAX_CONCURRENT_CALLS}
        self._board = ray.remote(Board).options(**options, scheduling_strategy=here).remote()
        room = self._room
        folder = room.folder / self._name
        scheduler = MessageScheduler(self.deliver)
        self._loop = TuneLoop(self._searcher, scheduler, dict(room.resources), room.slots, folder, self._mark_all_lost)

    def start(self, log: Path, env: Mapping[str, str]) -> Process:
        """Request a process that waits for its trial.

        Raises:
            FersearchError: Ray has ended.
        """
        self.warm_up()
        log.parent.mkdir(parents=True, exist_ok=True)
        key = next(self._keys)
        ours, theirs = Pipe(duplex=False)
        order = {
            "log": str(log),
            "env": {**env, "FERSEARCH_HOME": str(home())},
            "preload": self._preload,
            "hung_after": self._hung_after,
            "home": str(home()),
            "marker": self._room.marker,
        }
        try:
            ray.get(self._board.send.remote(key, 0, order), timeout=PATIENCE)
        except ray.exceptions.RayError as error:
            raise self._ended(error) from None
        if self._loop is None or self._loop.error is not None:
            raise self._ended(self._loop.error if self._loop else None)
        self._pipes[key], self._numbers[key] = theirs, itertools.count(1)
        self._searcher.put({"key": key, "board": self._name, "namespace": NAMESPACE})
        return RayProcess(ours, log, key, self)

    def exit_status(self, process: Process, wait: float = 1.0) -> int | None:  # noqa: ARG002
        """Return the exit status of a process that closed its connection; None if unknown, as for a lost node."""
        return self._statuses.pop(process.key, None) if isinstance(process, RayProcess) else None

    def lost(self, process: Process) -> Lost | None:
        """Return the loss that explains a lost process: as its actor reported, else that of the node."""
        return self._lost.pop(process.key, Lost.NODE) if isinstance(process, RayProcess) else None

    def close(self) -> None:
        """End Ray Tune, and with it the actors and their processes."""
        self._searcher.put(None)
        if self._loop is not None:
            self._loop.join(SHUTDOWN_SECONDS)
            self._loop = None
        if self._board is not None:
            with contextlib.suppress(Exception):
                ray.kill(self._board)
            self._board = None

    def send(self, key: str, message: Mapping[str, Any]) -> None:
        """Send a message to a process."""
        if self._board is not None and (numbers := self._numbers.get(key)):
            self._board.send.remote(key, next(numbers), dict(message))

    def drop(self, key: str) -> None:
        """Remove a process and its messages."""
        self._close_pipe(key)
        self._numbers.pop(key, None)
        if self._board is not None:
            self._board.close.remote(key)

    def deliver(self, key: str, message: dict[str, Any] | None) -> None:
        """Deliver a process's message, None after the last one; called from Ray Tune's thread."""
        failed = message.pop("failed", {}) if message else {}
        self.failed_preloads |= failed
        if message is None or "exited" in message:
            self._statuses[key] = message["exited"] if message else None
            if message:
                self._lost[key] = Lost(message["lost"]) if message.get("lost") else None
            self._close_pipe(key)
        elif pipe := self._pipes.get(key):
            with contextlib.suppress(OSError):
                pipe.send_bytes(json.dumps(message).encode())

    def _close_pipe(self, key: str) -> None:
        if pipe := self._pipes.pop(key, None):
            pipe.close()

    def _mark_all_lost(self) -> None:
        """Mark every process as lost, since Ray Tune has ended."""
        for key in list(self._pipes):
            self._close_pipe(key)

    def _ended(self, error: BaseException | None) -> FersearchError:
        reason = f": {str(error).strip().splitlines()[-1]}" if error and str(error).strip() else ""
        return FersearchError(
            f"Ray ended during the study{reason}", "the progress of the study is kept: run it again to continue"
        )
