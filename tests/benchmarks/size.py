"""CPU seconds and memory of the commands that read a whole study, on one of 5,000 trials x 20 epochs x 30 metrics.

python -m tests.benchmarks.size [--trials 5000] [--epochs 20] [--metrics 30] [--only "study run"]
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from fersearch import api
from fersearch.search.optuna_sampler import OptunaSampler
from fersearch.store import Store
from fersearch.trial import Attempt, Epoch, Reason, Trial, TrialState

NAME = "size"
OBJECTIVES = ("f1_macro", "train_seconds", "peak_memory_mb")
FACTS = {"device": "cpu", "device_name": "a CPU", "precision": "float32", "torch": "2.15.0", "threads": 1}
COMMANDS = {
    "study run (all trials have ended)": ("study", "run", NAME),
    "trial list": ("trial", "list", NAME),
    "trial list --json": ("trial", "list", NAME, "--json"),
    "study export --format json": ("study", "export", NAME, "--format", "json"),
    "study report": ("study", "report", NAME, "--out", "page"),
}
CHILD = """
import re, resource, sys
from fersearch import cli
code = cli.run(sys.argv[1:])
used, below = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
peak = re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read()).group(1)
own, childs = (each.ru_utime + each.ru_stime for each in (used, below))
print("\\nMEASURED", code, own, int(peak) / 1024, childs, below.ru_maxrss / 1024, file=sys.stderr)
"""


def fill(url: str, trials: int, epochs: int, metrics: int, wishes: dict[str, object]) -> None:
    """Write a study of complete trials; each epoch has so many metrics."""
    names = [*OBJECTIVES, *(f"metric_{place}" for place in range(metrics - len(OBJECTIVES)))]
    api.create_study("cnn", "faces", name=NAME, trials=trials, storage=url, **wishes)
    with Store.open(url) as store:
        study = store.study(NAME)
        sampler = OptunaSampler(replace(study.spec, sampler="random"), (), lambda _: None)
        space, chance = study.spec.space.to_json(), random.Random(0)
        with store.writer(study.id) as writer:
            for number in range(trials):
                params, state = sampler.ask(number) or ({}, {})
                values = {name: chance.uniform(0.2, 0.9) for name in names}
                trial = Trial(number, params, TrialState.RUNNING, space=space, sampler_state=state)
                writer.add_trial(trial)
                writer.start_attempt(number, Attempt(1))
                for epoch in range(1, epochs + 1):
                    writer.record(number, 1, Epoch(epoch, {k: v * epoch for k, v in values.items()}, 1.0, 1.0))
                attempt = Attempt(1, Reason.DONE, first_epoch=1, last_epoch=epochs, seconds=12.0, facts=FACTS)
                ended = replace(trial, state=TrialState.COMPLETE, values=values, epochs=epochs, kept_epoch=epochs)
                writer.end_attempt(replace(ended, attempts=(attempt,)), attempt, FACTS)


def measured(arguments: tuple[str, ...], env: dict[str, str], folder: str) -> tuple[float, float, float, float]:
    """CPU seconds and highest memory in MB of the command's own process, imports included, and of its children.

    The children's seconds are of all of them, their memory is that of the largest.
    """
    command = [sys.executable, "-c", CHILD, *arguments]
    done = subprocess.run(command, env=env, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    report = [line for line in done.stderr.splitlines() if line.startswith("MEASURED")]
    if not report or report[-1].split()[1] != "0":
        raise SystemExit(f"fersearch {' '.join(arguments)} failed:\n{done.stderr[-2000:]}")
    cpu, peak, below, largest = map(float, report[-1].split()[2:])
    return cpu, peak, below, largest


def main() -> None:
    """Fill a database and print what each command takes."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--trials", type=int, default=5000)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--metrics", type=int, default=30)
    parser.add_argument("--wishes", type=json.loads, default={}, help='more of the study, as \'{"pruner": "none"}\'')
    parser.add_argument("--only", default="", help="only the commands that begin so")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/bench.db"
        os.environ["FERSEARCH_HOME"] = folder
        api.prepare_dataset("faces")
        fill(url, chosen.trials, chosen.epochs, chosen.metrics, chosen.wishes)
        code = str(Path(api.__file__).parents[2])
        env = {**os.environ, "FERSEARCH_STORAGE": url, "PYTHONPATH": code}
        size = Path(folder, "bench.db").stat().st_size / 2**20
        print(f"{chosen.trials} trials x {chosen.epochs} epochs x {chosen.metrics} metrics, {size:.0f} MB; {code}")
        for title, arguments in COMMANDS.items():
            if title.startswith(chosen.only):
                cpu, peak, below, largest = measured(arguments, env, folder)
                figures = f"{cpu:6.2f} s of CPU {peak:7.0f} MB; children {below:6.2f} s {largest:7.0f} MB"
                print(f"{title:<36} {figures}", flush=True)


if __name__ == "__main__":
    main()
