"""The share of slot-seconds in which a trial runs, on this machine and through Ray, and what the driver needs for it.

python -m tests.benchmarks.occupancy [--engine local|ray] [--trials 200] [--seconds 5] [--slots 2]
"""

import argparse
import os
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from fersearch import registry
from fersearch.engines.devices import Slot
from fersearch.engines.local import Callbacks, LocalEngine, Stop
from fersearch.engines.processes import Pool
from fersearch.home import artifacts_folder
from fersearch.observer import Observer
from fersearch.search.brain import Search
from fersearch.store import Store
from fersearch.training.request import TrialRequest
from tests.benchmarks._sleep import NAPS, SECONDS
from tests.benchmarks.pool import OBJECTIVES, spec

ROOT = Path(__file__).parents[2]


class Times(Observer):
    """When the slots were first and last in use."""

    def __init__(self) -> None:
        self.first = self.last = 0.0

    def started(self, trial, slot) -> None:
        self.first = self.first or time.perf_counter()

    def ended(self, trial) -> None:
        self.last = time.perf_counter()


def body(engine: str, slots: int, left: ExitStack):
    """The slots of an engine, and what makes its pool."""
    if engine == "local":
        return [Slot(i, "cpu", (), 1) for i in range(slots)], Pool
    import ray

    from fersearch.engines.ray import cluster
    from fersearch.engines.ray.pool import on_ray

    os.environ.update(cluster.QUIET)
    folder = cluster.temporary_folder(left)
    quiet = {"include_dashboard": False, "log_to_driver": False, "logging_level": "ERROR"}
    ray.init(address="local", num_cpus=max(slots, os.cpu_count() or 1), num_gpus=0, _temp_dir=str(folder), **quiet)
    left.callback(ray.shutdown)
    return left.enter_context(on_ray("local", slots, None, None, artifacts_folder()))


def run(engine: str, trials: int, seconds: float, slots: int) -> tuple[float, float, float, int]:
    """Slept seconds of all epochs, wall seconds of the slots, CPU seconds of the driver; and epochs recorded.

    The slots' time begins when the first trial is asked for: what it takes to start a server, a Ray actor and the
    first process counts.
    """
    with ExitStack() as left:
        folder = Path(left.enter_context(tempfile.TemporaryDirectory()))
        os.environ |= {"FERSEARCH_HOME": str(folder), SECONDS: str(seconds), "PYTHONPATH": str(ROOT)}
        store = left.enter_context(Store.open(f"sqlite:///{folder}/bench.db"))
        study = store.create_study(spec(trials), ())
        metrics = registry.load().metrics
        places, make_pool = body(engine, slots, left)
        pool = make_pool(["tests.benchmarks._sleep"])
        left.callback(pool.close)
        (prepared := folder / "prepared").mkdir()
        (prepared / "meta.json").write_text("{}")

        def request(trial, slot):
            common = (study.id, study.name, trial.number, 1, trial.params, "cnn", "faces", str(prepared), {})
            return TrialRequest(*common, OBJECTIVES[0], 0, "", "")

        def log(trial):
            return folder / "logs" / f"{trial.number}.log"

        times = Times()
        pool.warm_up()
        with store.writer(study.id) as writer:
            search = Search(study, (), {}, writer, metrics, {})
            started, cpu = time.perf_counter(), time.process_time()
            LocalEngine(search, places, pool, Callbacks(request, log), times, Stop()).run()
            cpu = time.process_time() - cpu
        epochs = [epoch for of_trial in store.epoch_values(study.id).values() for epoch in of_trial]
        return sum(epoch.seconds for epoch in epochs), times.last - started, cpu, len(epochs)


def main() -> None:
    """Run once and print the result."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--engine", choices=("local", "ray"), default="local")
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--slots", type=int, default=2)
    chosen = parser.parse_args()
    slept, wall, cpu, epochs = run(chosen.engine, chosen.trials, chosen.seconds, chosen.slots)
    assert epochs == NAPS * chosen.trials, f"{epochs} epochs of {NAPS * chosen.trials} were recorded"
    lost = (wall * chosen.slots - slept) / chosen.trials
    print(
        f"{chosen.engine}, {chosen.trials} trials of {chosen.seconds:g} s, {chosen.slots} slots, "
        f"{os.cpu_count()} cores: occupancy {slept / (wall * chosen.slots):.2%} of {wall:.0f} s, "
        f"{1000 * lost:.0f} ms lost a trial, driver CPU {cpu / wall:.1%} of one core"
    )


if __name__ == "__main__":
    main()
