"""How many trials a second go through brain, pool and SQLite: no-op trials of 20 recorded epochs, 2 slots.

With it comes the highest memory of the driver, everything that it imports included.

python -m tests.benchmarks.pool [--trials 300] [--slots 2] [--sampler random] [--pruner none]
"""

import argparse
import os
import re
import tempfile
import time
from pathlib import Path

from fersearch import registry
from fersearch.engines.devices import Slot
from fersearch.engines.local import Callbacks, LocalEngine, Stop
from fersearch.engines.processes import Pool
from fersearch.observer import Observer
from fersearch.recipe import recipe
from fersearch.search.brain import Search
from fersearch.store import Store
from fersearch.study import Budget, Objective, StudySpec
from fersearch.training.request import TrialRequest

OBJECTIVES = (Objective("f1_macro", "max"), Objective("train_seconds", "min"), Objective("peak_memory_mb", "min"))


def spec(trials: int, sampler: str = "random", pruner: str = "none") -> StudySpec:
    """A study over the whole recipe."""
    components = registry.load()
    space = recipe(components.architecture("cnn"), components.dataset("faces")).narrowed({"epochs": "20"})
    return StudySpec(
        "noop", "cnn", "faces", OBJECTIVES, space, budget=Budget(trials), sampler=sampler, pruner=pruner, seed=1
    )


def run(trials: int, slots: int, sampler: str, pruner: str) -> tuple[float, float, float]:
    """Wall and CPU seconds of the driver for so many trials, the fork server already warm, and its highest MB."""
    with tempfile.TemporaryDirectory() as folder, Store.open(f"sqlite:///{folder}/bench.db") as store:
        study = store.create_study(spec(trials, sampler, pruner), ())
        pool = Pool(("fersearch.engines.child", "tests.benchmarks._noop"))
        pool.start(Path(folder) / "warm.log", {}).receive()

        def request(trial, slot):
            return TrialRequest(
                study.id, study.name, trial.number, 1, trial.params, "cnn", "faces", "", {}, OBJECTIVES[0], 0, "", ""
            )

        try:
            with store.writer(study.id) as writer:
                search = Search(study, (), {}, writer, registry.load().metrics, {})
                places = [Slot(i, "cpu", (), 1) for i in range(slots)]
                log = Path(folder) / "trial.log"
                engine = LocalEngine(search, places, pool, Callbacks(request, lambda _: log), Observer(), Stop())
                started, cpu = time.perf_counter(), time.process_time()
                engine.run()
                wall, cpu = time.perf_counter() - started, time.process_time() - cpu
                peak = int(re.findall(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[0]) / 1024
        finally:
            pool.close()
        ended = store.trials(study.id)
        assert len(ended) == trials
        assert pruner != "none" or all(trial.epochs == 20 for trial in ended)
    return wall, cpu, peak


def main() -> None:
    """Run and print one line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--trials", type=int, default=300)
    parser.add_argument("--slots", type=int, default=2)
    parser.add_argument("--sampler", default="random")
    parser.add_argument("--pruner", default="none")
    chosen = parser.parse_args()
    wall, cpu, peak = run(chosen.trials, chosen.slots, chosen.sampler, chosen.pruner)
    rate = chosen.trials / wall
    print(
        f"{chosen.trials} no-op trials of 20 epochs, {chosen.slots} slots, {os.cpu_count()} cores: "
        f"{rate:.1f} trials/s, {20 * rate:.0f} epochs/s, driver CPU {cpu / wall:.0%} of one core, {peak:.0f} MB at most"
    )


if __name__ == "__main__":
    main()
