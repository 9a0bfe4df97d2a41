"""How many epochs a second go through brain and writer: 1,000 simulated slots, on SQLite and on PostgreSQL.

python -m tests.benchmarks.store [--slots 1000] [--trials 2000] [--epochs 20] [--pruner none|pareto]
"""

import argparse
import os
import tempfile
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path

import psutil
from sqlalchemy import func, select

from fersearch import registry
from fersearch.engines.local import seldom_collecting  # as the engine does
from fersearch.search.brain import Search
from fersearch.store import Store
from fersearch.store.tables import epochs as epoch_rows
from fersearch.study import Budget
from fersearch.trial import Decision, Epoch, Outcome, Reason
from tests.benchmarks.pool import spec
from tests.postgres import Server, Unavailable
from tests.processes import anonymous_mb

METRICS = [f"metric_{n}" for n in range(17)]
CONFUSION = [[n * m for m in range(8)] for n in range(8)]


class Memory:
    """The highest private memory of this process over what it had before, in MB."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self.before = self.peak = self._now()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def close(self) -> float:
        self._ended.set()
        self._thread.join()
        return (self.peak - self.before) / 2**20

    def _now(self) -> int:
        return int(1024 * 1024 * anonymous_mb(self._process.pid))

    def _watch(self) -> None:
        while not self._ended.wait(0.05):
            self.peak = max(self.peak, self._now())


@dataclass(frozen=True)
class Found:
    """Epochs recorded; seconds of wall and of the driver's CPU; MB; seconds in which 99 of 100 decisions came."""

    epochs: int
    wall: float
    cpu: float
    memory: float
    decision: float


def fake(trial: int, number: int) -> Epoch:
    """An epoch with 20 metrics and a confusion matrix; the lower half of trials is worse than the upper."""
    values = dict.fromkeys(METRICS, number / 100)
    values |= {"f1_macro": (trial * 7919 % 1000 + number) / 1100, "train_seconds": float(number + trial % 13)}
    return Epoch(number, values | {"peak_memory_mb": 50.0 + trial % 7}, 1.0, 1.0, CONFUSION)


def drive(url: str, slots: int, trials: int, epochs: int, pruner: str) -> Found:
    """Run so many trials that do nothing in so many slots; what is recorded is checked in the end."""
    chosen = spec(trials)
    with Store.open(url) as store:
        study = store.create_study(replace(chosen, budget=Budget(trials), pruner=pruner), ())
        recorded, waits = 0, []
        metrics = registry.load().metrics
        memory, started, cpu = Memory(), time.perf_counter(), time.process_time()
        with store.writer(study.id) as writer, seldom_collecting():
            search = Search(study, (), {}, writer, metrics, {})
            running = {trial.number: 0 for _ in range(slots) if (trial := search.ask())}
            while running:
                for number in list(running):
                    running[number] += 1
                    recorded += 1
                    queued_at = time.perf_counter()
                    decision = search.record(number, fake(number, running[number]))
                    waits.append(time.perf_counter() - queued_at)
                    if running[number] == epochs or decision is Decision.STOP:
                        reason = Reason.DONE if decision is Decision.CONTINUE else Reason.PRUNED
                        search.finish(number, Outcome(reason, kept_epoch=running.pop(number)), 1.0)
                        if (trial := search.ask()) is not None:
                            running[trial.number] = 0
        wall, cpu = time.perf_counter() - started, time.process_time() - cpu
        used = memory.close()
        with store.database.read() as connection:
            assert connection.execute(select(func.count()).select_from(epoch_rows)).scalar_one() == recorded
    return Found(recorded, wall, cpu, used, sorted(waits)[int(0.99 * len(waits))])


def report(name: str, url: str, chosen: argparse.Namespace, server: Server | None = None) -> None:
    before = server_seconds(server)
    result = drive(url, chosen.slots, chosen.trials, chosen.epochs, chosen.pruner)
    by_server = server_seconds(server) - before
    extra = f", server {1000 * by_server / result.epochs:.2f} ms" if server else ""
    print(
        f"{name}: {result.epochs:,} epochs, {result.epochs / result.wall:,.0f} a second; CPU for an epoch: driver "
        f"{1000 * result.cpu / result.epochs:.2f} ms{extra}; decisions within {1000 * result.decision:.2f} ms (99 %); "
        f"{result.memory:.0f} MB over {chosen.slots} slots ({os.cpu_count()} cores)",
        flush=True,
    )


def server_seconds(server: Server | None) -> float:
    """The CPU seconds that a server has used so far, those of connections that have ended included."""
    if server is None:
        return 0.0
    own = psutil.Process(server.pid)
    ended = own.cpu_times()
    living = [process.cpu_times() for process in own.children()]
    return sum(times.user + times.system for times in living) + ended.children_user + ended.children_system


def main() -> None:
    """Run on each database and print a line for each."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--slots", type=int, default=1000)
    parser.add_argument("--trials", type=int, default=2000)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--pruner", choices=("none", "pareto"), default="none")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        report("SQLite", f"sqlite:///{Path(folder)}/bench.db", chosen)
    try:
        server = Server(fsync="on", synchronous_commit="on", full_page_writes="on", autovacuum="on")
    except Unavailable as reason:
        print(f"PostgreSQL: {reason}")
        return
    try:
        report("PostgreSQL", server.create(), chosen, server)
    finally:
        server.close()


if __name__ == "__main__":
    main()
