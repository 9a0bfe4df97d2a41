"""How many epochs a second go through brain and writer: 1,000 simulated slots, on SQLite and on PostgreSQL.

python -m tests.benchmarks.store [--slots 1000] [--trials 2000] [--epochs 20]
"""

import argparse
import os
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path

import psutil
from sqlalchemy import func, select

from fersearch import registry
from fersearch.search.brain import Search
from fersearch.store import Store
from fersearch.store.tables import epochs as epoch_rows
from fersearch.study import Budget
from fersearch.trial import Epoch, Outcome, Reason
from tests.benchmarks.pool import spec
from tests.postgres import Server, Unavailable

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
        return int(self._process.memory_info().rss)

    def _watch(self) -> None:
        while not self._ended.wait(0.05):
            self.peak = max(self.peak, self._now())


def fake(number: int) -> Epoch:
    """An epoch with 20 metrics and a confusion matrix."""
    values = dict.fromkeys(METRICS, number / 100)
    values |= {"f1_macro": number / 100, "train_seconds": float(number), "peak_memory_mb": 50.0}
    return Epoch(number, values, 1.0, 1.0, CONFUSION)


def drive(url: str, slots: int, trials: int, epochs: int) -> tuple[float, float, float]:
    """Seconds of wall and of CPU, and MB, to run so many trials that do nothing in so many slots."""
    chosen = spec(trials)
    with Store.open(url) as store:
        study = store.create_study(replace(chosen, budget=Budget(trials)), ())
        metrics = registry.load().metrics
        memory, started, cpu = Memory(), time.perf_counter(), time.process_time()
        with store.writer(study.id) as writer:
            search = Search(study, (), {}, writer, metrics, {})
            running = {trial.number: 0 for _ in range(slots) if (trial := search.ask())}
            while running:
                for number in list(running):
                    running[number] += 1
                    search.record(number, fake(running[number]))
                    if running[number] == epochs:
                        del running[number]
                        search.finish(number, Outcome(Reason.DONE, kept_epoch=epochs), 1.0)
                        if (trial := search.ask()) is not None:
                            running[trial.number] = 0
        wall, cpu = time.perf_counter() - started, time.process_time() - cpu
        used = memory.close()
        with store.database.read() as connection:
            assert connection.execute(select(func.count()).select_from(epoch_rows)).scalar_one() == trials * epochs
    return wall, cpu, used


def report(name: str, url: str, chosen: argparse.Namespace) -> None:
    wall, cpu, used = drive(url, chosen.slots, chosen.trials, chosen.epochs)
    rate = chosen.trials * chosen.epochs / wall
    print(
        f"{name}: {rate:,.0f} epochs/s, {chosen.trials / wall:.0f} trials/s, CPU {cpu / wall:.0%} of one core, "
        f"{used:.0f} MB over {chosen.slots} slots ({os.cpu_count()} cores)",
        flush=True,
    )


def main() -> None:
    """Run on each database and print a line for each."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--slots", type=int, default=1000)
    parser.add_argument("--trials", type=int, default=2000)
    parser.add_argument("--epochs", type=int, default=20)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        report("SQLite", f"sqlite:///{Path(folder)}/bench.db", chosen)
    try:
        server = Server(fsync="on", synchronous_commit="on", full_page_writes="on", autovacuum="on")
    except Unavailable as reason:
        print(f"PostgreSQL: {reason}")
        return
    try:
        report("PostgreSQL", server.create(), chosen)
    finally:
        server.close()


if __name__ == "__main__":
    main()
