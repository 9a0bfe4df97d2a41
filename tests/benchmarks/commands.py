"""How long the commands take that people wait for, on a study of 2,000 trials, beside a bare Python.

python -m tests.benchmarks.commands [--trials 2000] [--runs 5]
"""

import argparse
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from fersearch.store import Store
from fersearch.store.writer import Writer
from fersearch.trial import Attempt, Epoch, Reason, Trial, TrialState
from tests.benchmarks._noop import NAMES
from tests.benchmarks.pool import spec

COMMANDS = (
    ("--help",),
    ("study", "list"),
    ("study", "show", "noop"),
    ("study", "front", "noop"),
    ("trial", "list", "noop"),
    ("trial", "show", "noop", "7"),
)


def fill(url: str, trials: int) -> None:
    """Write a study of so many complete trials with 12 epochs each."""
    with Store.open(url) as store:
        study = store.create_study(spec(trials), ())
        space = study.spec.space.to_json()
        params = next(study.spec.space.configurations())
        chance = random.Random(0)
        with store.writer(study.id) as writer:
            for number in range(trials):
                values = {name: chance.uniform(0.1, 0.9) for name in NAMES}
                write_trial(writer, Trial(number, params, TrialState.COMPLETE, values, 12, 12, space=space))


def write_trial(writer: Writer, trial: Trial) -> None:
    """Write a complete trial from its start to its end, with 12 epochs of its values."""
    writer.add_trial(replace(trial, state=TrialState.RUNNING, values={}, epochs=0, kept_epoch=None))
    writer.start_attempt(trial.number, Attempt(1))
    for epoch in range(1, 13):
        writer.record(trial.number, 1, Epoch(epoch, trial.values, 1.0, 1.0))
    attempt = Attempt(1, Reason.DONE, first_epoch=1, last_epoch=12, seconds=12.0)
    writer.end_attempt(replace(trial, attempts=(attempt,)), attempt, {})


def seconds(command: list[str], env: dict[str, str]) -> float:
    """Wall seconds of one run."""
    started = time.perf_counter()
    subprocess.run(command, env=env, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def main() -> None:
    """Fill a database and print the median seconds of each command."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--trials", type=int, default=2000)
    parser.add_argument("--runs", type=int, default=5)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/bench.db"
        fill(url, chosen.trials)
        env = {**os.environ, "FERSEARCH_HOME": folder, "FERSEARCH_STORAGE": url}
        program = str(Path(sys.executable).with_name("fersearch"))
        bare = statistics.median(seconds([sys.executable, "-c", "pass"], env) for _ in range(chosen.runs))
        print(f"a study of {chosen.trials} trials x 12 epochs; a bare Python takes {bare:.3f} s")
        for arguments in COMMANDS:
            taken = statistics.median(seconds([program, *arguments], env) for _ in range(chosen.runs))
            print(f"fersearch {' '.join(arguments):<22} {taken:6.3f} s")


if __name__ == "__main__":
    main()
