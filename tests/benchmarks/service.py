"""What a service costs: memory, answers on a study of 2,000 trials, a face in front of a camera, 50 who watch, studies.

python -m tests.benchmarks.service [--trials 2000] [--clients 50] [--runs 20] [--turns 3] [--small]
"""

import argparse
import io
import json
import os
import random
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import psutil

from fersearch.store import Store
from fersearch.trial import Attempt, Epoch, Trial, TrialState
from tests.benchmarks._noop import NAMES
from tests.benchmarks.commands import fill, write_trial
from tests.drawn_face import photograph
from tests.faults.conftest import SETTINGS as NAPPING_SETTINGS
from tests.faults.conftest import SLOW_PLUGIN
from tests.service.served import COMMAND, Served, kill_all, wait_for
from tests.studies import SETTINGS, SIZES

STUDY = {
    "model": "cnn",
    "dataset": {"name": "faces", "options": SIZES},
    "epochs": 4,
    "sampler": "random",
    "pruner": "none",
    "objectives": ["accuracy", "parameters"],
    "space": SETTINGS,
}
NAPPING = {
    **STUDY,
    "model": "slow",
    "dataset": {"name": "faces", "options": dict.fromkeys(("train", "valid", "test"), "128")},
    "space": {**NAPPING_SETTINGS, "learning_rate": "0.001..0.1"},
}
NAP = 0.5  # seconds that the slow network sleeps in each of the two batches of an epoch


def memory(served: Served) -> tuple[float, bool]:
    """Return the resident megabytes of the service, and whether torch is in it."""
    folder = Path(f"/proc/{served.process.pid}")
    line = next(line for line in (folder / "status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024, "libtorch" in (folder / "maps").read_text()


def milliseconds(call: Callable[[], httpx.Response], runs: int, before: Callable[[], object] = int) -> list[float]:
    """Return the times of calls, something done before each."""
    times = []
    for _ in range(runs):
        before()
        started = time.perf_counter()
        call().raise_for_status()
        times.append(1000 * (time.perf_counter() - started))
    return times


def processor(served: Served, call: Callable[[], object], runs: int, before: Callable[[], object] = int) -> str:
    """Return the median milliseconds of calls, and those of CPU that the service needs for one, other work or not."""
    process = psutil.Process(served.process.pid)
    used = sum(process.cpu_times()[:2])
    times = milliseconds(call, runs, before)
    used = 1000 * (sum(process.cpu_times()[:2]) - used) / runs
    return f"{statistics.median(times):.1f} ({used:.1f} of CPU)"


def epochs_of(database: Path, name: str, number: int) -> Iterator[int]:
    """Let another trial of a study run, and record an epoch at each step."""
    with Store.open(f"sqlite:///{database}") as store:
        study = store.study(name)
        with store.writer(study.id) as writer:
            writer.add_trial(Trial(number, next(study.spec.space.configurations()), space=study.spec.space.to_json()))
            writer.start_attempt(number, Attempt(1))
            for epoch in range(1, 1_000_000):
                writer.record(number, 1, Epoch(epoch, dict.fromkeys(NAMES, 0.5), 1.0, 1.0))
                writer.flush()
                yield epoch


def ends_of(database: Path, name: str, number: int) -> Iterator[int]:
    """Let a trial of a study be complete at each step, numbered from `number`."""
    chance = random.Random(1)
    with Store.open(f"sqlite:///{database}") as store:
        study = store.study(name)
        params, space = next(study.spec.space.configurations()), study.spec.space.to_json()
        with store.writer(study.id) as writer:
            while True:
                values = {name: chance.uniform(0.1, 0.9) for name in NAMES}
                write_trial(writer, Trial(number, params, TrialState.COMPLETE, values, 12, 12, space=space))
                writer.flush()
                number += 1
                yield number


def answers(served: Served, database: Path, trials: int, runs: int) -> None:
    """Print how long a study of many trials takes to be shown: cold, after changes of it, and unchanged."""
    paths = ("", "/noop", "/noop/front", "/noop/chart", "/noop/trials")
    told = [f"GET /studies{path}, in ms: {milliseconds(getter(served, path), 1)[0]:.0f} at first" for path in paths]
    for kind, steps in (
        ("an epoch", epochs_of(database, "noop", trials)),
        ("an end", ends_of(database, "noop", trials + 1)),
    ):
        for place, path in enumerate(paths):
            told[place] += f", {processor(served, getter(served, path), runs, partial(next, steps))} after {kind}"
        steps.close()
    for line, path in zip(told, paths, strict=True):
        print(f"{line}, {processor(served, getter(served, path), runs)} unchanged")


def getter(served: Served, path: str) -> Callable[[], httpx.Response]:
    """Return what asks for a path below /studies."""
    return lambda: served.get(f"/studies{path}")


def occupancy(served: Served, name: str, trials: int) -> float:
    """Run a study of sleeping trials and return the share of the slots' seconds, from its first start to its end."""
    served.client.post("/api/v1/studies", json={**NAPPING, "name": name, "trials": trials}).raise_for_status()
    wait_for(lambda: served.get(f"/studies/{name}").json()["state"] == "running")
    started = time.perf_counter()
    wait_for(lambda: served.get(f"/studies/{name}").json()["counts"].get("complete") == trials, 600)
    span = time.perf_counter() - started
    details = [served.get(f"/studies/{name}/trials/{number}").json() for number in range(trials)]
    return sum(attempt["seconds"] or 0 for one in details for attempt in one["attempts"]) / (2 * span)


def watched(served: Served, clients: int, trials: int, turns: int) -> None:
    """Print the share of the slots' seconds in which a trial ran, alone and with clients of the stream, in turns."""
    shares: dict[str, list[float]] = {"alone": [], "watched": []}
    events = 0
    for turn in range(turns):
        shares["alone"].append(occupancy(served, f"alone{turn}", trials))
        with Watchers(served, clients) as watchers:
            shares["watched"].append(occupancy(served, f"watched{turn}", trials))
        events += watchers.events
    alone, with_clients = (statistics.median(result) for result in shares.values())
    print(
        f"slots in use: {alone:.1%} alone, {with_clients:.1%} with {clients} clients: {with_clients / alone:.3f} of it"
    )
    print(f"{events:,} events were sent")


def both_ways(served: Served, folder: Path, trials: int, turns: int) -> None:
    """Print the wall seconds of one study by the command line and through the service, in turns."""
    seconds: dict[str, list[float]] = {"command": [], "service": []}
    for turn in range(turns):
        study = {**STUDY, "trials": trials, "name": f"command{turn}"}
        (folder / "study.toml").write_text(as_toml(study))
        started = time.perf_counter()
        arguments = [*COMMAND, "study", "create", str(folder / "study.toml"), "--slots", "2"]
        subprocess.run(arguments, env=served.env, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        seconds["command"].append(time.perf_counter() - started)
        study["name"] = f"service{turn}"
        with events_of(served) as events:
            started = time.perf_counter()
            served.client.post("/api/v1/studies", json=study).raise_for_status()
            is_over = (event["study"] == study["name"] and event["data"].get("state") == "complete" for event in events)
            next(filter(None, is_over))
            seconds["service"].append(time.perf_counter() - started)
    command, service = (statistics.median(result) for result in seconds.values())
    print(f"a study of {trials} trials: {command:.1f} s by command line, {service:.1f} s through the service")
    print(f"  {service / command:.2f} times; each: {seconds}")


@contextmanager
def events_of(served: Served) -> Iterator[Iterator[dict[str, Any]]]:
    """Yield the state events of a service as they come, as a page gets them."""
    headers = {"Authorization": f"Bearer {served.token}"}
    with httpx.stream("GET", f"{served.address}/api/v1/events", headers=headers, timeout=None) as answer:
        records = (json.loads(line.removeprefix("data:")) for line in answer.iter_lines() if line.startswith("data:"))
        yield (record for record in records if record.get("kind") == "state")


def as_toml(study: dict[str, object]) -> str:
    """Write a study as a study file."""
    tables = {name: value for name, value in study.items() if isinstance(value, dict)}
    lines = [f"{name} = {json.dumps(value)}" for name, value in study.items() if name not in tables]
    for name, table in tables.items():
        inline = {key: value for key, value in table.items() if isinstance(value, dict)}
        lines += [f"[{name}]", *(f"{key} = {json.dumps(value)}" for key, value in table.items() if key not in inline)]
        for key, options in inline.items():
            lines += [f"[{name}.{key}]", *(f"{option} = {json.dumps(value)}" for option, value in options.items())]
    return "\n".join(lines)


class Watchers:
    """So many clients of the event stream, each in a thread."""

    def __init__(self, served: Served, count: int) -> None:
        self.events = 0
        self._leave = threading.Event()
        self._threads = [threading.Thread(target=self._listen, args=(served,), daemon=True) for _ in range(count)]
        for thread in self._threads:
            thread.start()

    def __enter__(self) -> "Watchers":
        return self

    def __exit__(self, *_: object) -> None:
        self._leave.set()

    def _listen(self, served: Served) -> None:
        headers = {"Authorization": f"Bearer {served.token}"}
        with (
            suppress(httpx.HTTPError),  # the service ends
            httpx.stream("GET", f"{served.address}/api/v1/events", headers=headers, timeout=None) as answer,
        ):
            for line in answer.iter_lines():
                if self._leave.is_set():
                    return
                self.events += line.startswith("id:")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--trials", type=int, default=2000)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--small", action="store_true", help="few trials and clients, to see that it works")
    chosen = parser.parse_args()
    if chosen.small:
        chosen.trials, chosen.clients, chosen.runs, chosen.turns = 50, 5, 3, 1
    with tempfile.TemporaryDirectory() as folder:
        home, plugins = Path(folder) / "home", Path(folder) / "plugins"
        home.mkdir()
        plugins.mkdir()
        (plugins / "slow.py").write_text(SLOW_PLUGIN)
        os.environ |= {"FERSEARCH_PLUGINS_DIR": str(plugins), "SLOW_SECONDS": str(NAP)}
        fill(f"sqlite:///{home}/fersearch.db", chosen.trials)
        served = Served(home)
        try:
            measure(served, home / "fersearch.db", chosen)
        finally:
            served.kill(15)
            kill_all(home)


def measure(served: Served, database: Path, chosen: argparse.Namespace) -> None:
    """Print the figures of a service on a study of many trials."""
    tell_memory(served, "idle")
    answers(served, database, chosen.trials, chosen.runs)
    tell_memory(served, "after that")
    both_ways(served, database.parent, 4 if chosen.small else 12, chosen.turns)
    watched(served, chosen.clients, 4 if chosen.small else 16, chosen.turns)
    camera(served, chosen.runs)
    tell_memory(served, "after all that")


def tell_memory(served: Served, when: str) -> None:
    """Print the memory of the service."""
    megabytes, torch = memory(served)
    print(f"{when}: {megabytes:.0f} MB, torch {'is' if torch else 'is not'} in the process", flush=True)


def camera(served: Served, runs: int) -> None:
    """Print how long a frame with a face takes, with the face detected and with the whole frame."""
    trial = served.get("/studies/service0/checkpoints").json()[0]["trial"]
    frame = io.BytesIO()
    photograph(480, (150, 200), height=360).save(frame, "JPEG", quality=80)
    for faces in ("true", "true&longest=256", "false"):
        path = f"/api/v1/studies/service0/checkpoints/{trial}/predict?faces={faces}"
        files = {"images": ("frame.jpg", frame.getvalue(), "image/jpeg")}
        first, *then = milliseconds(lambda path=path, files=files: served.client.post(path, files=files), runs + 1)
        print(f"a frame of 480x360, faces={faces}: {first:.0f} ms at first, {statistics.median(then):.1f} ms then")


if __name__ == "__main__":
    main()
