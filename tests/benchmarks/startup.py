"""How soon a trial trains after it is asked for, what memory it keeps to itself, and that the dataset is mapped once.

python -m tests.benchmarks.startup [--trials 10]
"""

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

from fersearch import registry
from fersearch.data import arrays
from fersearch.engines.driver import PRELOAD
from fersearch.engines.processes import Pool, Process
from fersearch.study import Objective
from fersearch.training.request import TrialRequest
from tests.benchmarks.trainer import PARAMS

PLUGINS = ("fersearch_architectures.cnn", "fersearch_datasets.faces", "fersearch_metrics.quality")


def private_mb(pid: int) -> float:
    """Memory that only this process holds."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_")) / 1024


def mapped_mb(pid: int, name: str) -> tuple[float, float]:
    """Resident and private MB of one mapped file."""
    resident = private = 0
    inside = False
    for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
        if "-" in line.split(" ")[0]:
            inside = line.endswith(name)
        elif inside and line.startswith("Rss:"):
            resident += int(line.split()[1])
        elif inside and line.startswith("Private_Dirty:"):
            private += int(line.split()[1])
    return resident / 1024, private / 1024


def request(folder: Path, number: int) -> TrialRequest:
    """One epoch of `cnn` on drawn faces."""
    dataset = registry.load().dataset("faces")
    options = {"train": 1000, "valid": 200, "test": 200}
    prepared = arrays.prepare(dataset, None, options, folder / "prepared")
    arrays.load(dataset, prepared, options)
    params = {**PARAMS, "epochs": 1, "augmentation": "standard", "class_weights": "none", "label_smoothing": 0.0}
    params |= {"activation": "relu", "batch_norm": True, "convolutions": 2, "target": "majority"}
    objective = Objective("f1_macro", "max")
    scratch = str(folder / f"run-{number}")
    return TrialRequest(
        *(1, "startup", number, 1, params, "cnn", "faces", str(prepared.folder), options, objective, 0, scratch),
        str(folder / "artifacts"),
    )


def trial(pool: Pool, folder: Path, number: int) -> dict[str, float]:
    """Run one trial and measure it on the way."""
    request_json = request(folder, number).to_json()
    started = time.perf_counter()
    process: Process = pool.start(folder / "trial.log", {"CUDA_VISIBLE_DEVICES": ""})
    process.pid = (process.receive() or {})["pid"]
    ready = time.perf_counter() - started
    result = {"ready_mb": private_mb(process.pid)}
    process.send({"request": request_json})
    while message := process.receive():
        if "epoch" in message:
            result["resident_mb"], result["private_mb"] = mapped_mb(process.pid, "images.npy")
            process.send({"decision": "continue"})
        if "outcome" in message:
            seconds = message["outcome"]["facts"]["seconds_to_first_step"]
            result["first_step_ms"] = 1000 * (ready + seconds)
    process.close()
    return result


def main() -> None:
    """Run some trials after a first one and print medians."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--trials", type=int, default=10)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        pool = Pool([*PRELOAD, *PLUGINS])
        try:
            trial(pool, Path(name), 0)
            rows = [trial(pool, Path(name), number) for number in range(1, chosen.trials + 1)]
        finally:
            pool.close()
    middle = {key: statistics.median(row[key] for row in rows) for key in rows[0]}
    print(
        f"{chosen.trials} trials of cnn after a first one, {os.cpu_count()} cores (medians)\n"
        f"from request to the end of the first training step  {middle['first_step_ms']:6.1f} ms\n"
        f"private memory of a ready trial process             {middle['ready_mb']:6.1f} MB\n"
        f"dataset pages resident in a trial                   {middle['resident_mb']:6.1f} MB\n"
        f"of them written, and so no longer shared            {middle['private_mb']:6.1f} MB"
    )


if __name__ == "__main__":
    main()
