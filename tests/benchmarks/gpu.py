"""A GPU: the trainer against the bare step, trials an hour by slots, memory against the driver's, bf16 against float32.

    python -m tests.benchmarks.gpu [--device cuda:0] [--small]

Where there is no GPU, `--device cpu --small` runs the same on a CPU, at a size that says nothing of speed. Neither
Optuna, SQLAlchemy nor Ray is needed. The GPU of CUDA_VISIBLE_DEVICES is used alone: end what else runs on it.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

import torch

from fersearch import nvml, registry
from fersearch.data import arrays
from fersearch.engines.processes import Pool, Process
from fersearch.study import Objective
from fersearch.training.measure import device_name
from fersearch.training.model import prepare_torch
from fersearch.training.request import TrialRequest
from tests.benchmarks.trainer import PARAMS, bare, compare, data, trainer
from tests.processes import anonymous_mb

MODELS = ("cnn", "resnet18", "vgg19")
PRELOAD = ("torch", "torch._dynamo", "sklearn.metrics", "fersearch.engines.child")
PRECISIONS = ("float32", "bf16")


@dataclass(frozen=True)
class Size:
    """How much is run: images of a pass, turns, drawn faces to train on, epochs of a trial, seeds, slots."""

    images: int = 25_600
    turns: int = 5
    faces: int = 8_000
    epochs: int = 10
    seeds: int = 3
    slots: tuple[int, ...] = (1, 2, 4, 8)
    rounds: int = 3  # trials that each slot runs
    bf16: tuple[str, ...] = MODELS  # timed in bf16 too, which many a CPU takes minutes for


SMALL = Size(images=8, turns=1, faces=64, epochs=1, seeds=1, slots=(1, 2), rounds=1, bf16=("cnn",))


def speed(device: torch.device, size: Size, folder: Path) -> None:
    """Samples per second of each model, in each precision, against the bare step."""
    loaded = data(size.images)
    for name in MODELS:
        model = registry.load().architecture(name)
        for precision in PRECISIONS if name in size.bf16 else PRECISIONS[:1]:
            cast = partial(torch.autocast, device.type, torch.bfloat16, enabled=precision == "bf16")
            place = folder / f"{name}-{precision}"
            train = partial(trainer, loaded, epochs=size.turns + 1, model=model, device=device, precision=precision)
            sides = {"bare step": bare(loaded, model, device, cast)}
            sides |= {f"trainer, {kind}": train(kind, place / kind) for kind in ("none", "standard")}
            sides["standard, channels_last"] = train("standard", place / "last", memory_format="channels_last")
            print(f"\n{name}, {precision}, batches of {PARAMS['batch_size']}")
            compare(sides, size.images, size.turns, "bare step")


def request(folder: Path, device: str, size: Size, model: str = "cnn", **settings: Any) -> TrialRequest:
    """A trial on drawn faces."""
    dataset, options = registry.load().dataset("faces"), {"train": size.faces, "valid": size.faces // 4, "test": 100}
    prepared = arrays.prepare(dataset, None, options, folder / "prepared")
    params = {**PARAMS, "epochs": size.epochs, "augmentation": "standard", "target": "majority"}
    params |= {"class_weights": "none", "label_smoothing": 0.0, "first_conv": "sum"}
    requests_given = TrialRequest(
        *(1, "gpu", 0, 1, params, model, "faces", str(prepared.folder), options, Objective("accuracy", "max"), 0),
        scratch=str(folder / "run"),
        artifacts=str(folder / "artifacts"),
        device=device,
    )
    return replace(requests_given, **settings)


class Slots:
    """Runs trials in processes of their own, so many at once, and receives their messages."""

    def __init__(self, folder: Path, device: str) -> None:
        self._folder, self._number = folder, 0
        self._env = {"CUDA_VISIBLE_DEVICES": ""} if device == "cpu" else {}
        self.pool = Pool(PRELOAD)

    def start(self, requests_given: TrialRequest) -> Process:
        """Start one, in a scratch folder of its own."""
        self._number += 1
        process = self.pool.start(self._folder / "trials.log", self._env)
        process.pid = (process.receive() or {})["pid"]
        process.send({"request": replace(requests_given, scratch=str(self._folder / f"run-{self._number}")).to_json()})
        return process

    def run(
        self, requests_given: Sequence[TrialRequest], slots: int, look: Any = lambda process: None
    ) -> list[dict[str, Any]]:
        """Run all and return the last epoch's values of each; `look` is called with those that run, now and then."""
        left, running, result = list(requests_given), {}, []
        while left or running:
            while left and len(running) < slots:
                process = self.start(left.pop(0))
                running[process.connection] = process
            for process in running.values():
                look(process)
            for connection in wait(list(running), 0.02):
                message = running[connection].receive() or {"outcome": {"reason": "killed", "message": "it died"}}
                if "epoch" in message:
                    values = message["epoch"]["values"]
                    running[connection].send({"decision": "continue"})
                elif "outcome" in message:
                    assert message["outcome"]["reason"] == "done", message["outcome"]["message"]
                    result.append(values)
                    running.pop(connection).close()
        return result


def throughput(slots: Slots, requests_given: TrialRequest, size: Size) -> None:
    """Trials an hour by the number of slots on the one device."""
    print(
        f"\ntrials of cnn, {size.faces:,} drawn faces, {size.epochs} epochs\n"
        f"{'slots':<8}{'trials an hour':>16}{'times':>8}"
    )
    slots.run([requests_given], 1)
    first = 0.0
    for number in size.slots:
        started = time.perf_counter()
        trials = slots.run([requests_given] * (number * size.rounds), number)
        rate = 3600 * len(trials) / (time.perf_counter() - started)
        first = first or rate
        print(f"{number:<8}{rate:>16,.0f}{rate / first:>8.2f}")


def memory(slots: Slots, folder: Path, device: torch.device, size: Size) -> None:
    """The peak that a trial reports against the memory that the driver (on a CPU: the system) shows for its process."""
    print(f"\n{'one trial of':<14}{'reported, MB':>13}{'driver, MB':>12}")
    gpu = str(device.index or 0)
    for model in MODELS:
        before = nvml.status(gpu)
        peak = [0.0]

        def look(process: Process, before: Any = before, peak: list[float] = peak) -> None:
            if device.type == "cpu":
                peak[0] = max(peak[0], anonymous_mb(process.pid or 0))
            elif (now := nvml.status(gpu)) and before:
                peak[0] = max(peak[0], (now.used - before.used) / 2**20)

        (values,) = slots.run([request(folder, str(device), replace(size, epochs=1), model)], 1, look)
        print(f"{model:<14}{values['peak_memory_mb']:>13,.0f}{peak[0]:>12,.0f}")


def accuracy(slots: Slots, requests_given: TrialRequest, size: Size) -> None:
    """Validation accuracy in both precisions, the seeds the same."""
    print(f"\n{'accuracy of cnn':<18}{'mean':>8}  each seed")
    for precision in PRECISIONS:
        tried = [replace(requests_given, precision=precision, seed=seed) for seed in range(size.seeds)]
        result = [values["accuracy"] for values in slots.run(tried, 1)]
        print(f"{precision:<18}{statistics.mean(result):>8.4f}  {' '.join(f'{value:.4f}' for value in result)}")


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the four tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda:0" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--small", action="store_true", help="so little that only the way is tried")
    chosen = parser.parse_args(arguments)
    size, device = SMALL if chosen.small else Size(), prepare_torch(chosen.device, 1)
    print(f"{device_name(device)}, torch {torch.__version__}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        slots = Slots(folder, chosen.device)
        try:
            requests_given = request(folder, chosen.device, size)
            throughput(slots, requests_given, size)
            memory(slots, folder, device, size)
            accuracy(slots, requests_given, size)
        finally:
            slots.pool.close()
        speed(device, size, folder)


if __name__ == "__main__":
    main()
