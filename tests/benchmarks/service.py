"""What a service costs: memory, answers on a study of 2,000 trials, a face in front of a camera, 50 who watch.

python -m tests.benchmarks.service [--trials 2000] [--clients 50] [--runs 20] [--small]
"""

import argparse
import io
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import httpx

from tests.benchmarks.commands import fill
from tests.drawn_face import photograph
from tests.service.served import Served, kill_all, wait_for
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


def memory(served: Served) -> tuple[float, bool]:
    """Return the resident megabytes of the service, and whether torch is in it."""
    folder = Path(f"/proc/{served.process.pid}")
    line = next(line for line in (folder / "status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024, "libtorch" in (folder / "maps").read_text()


def milliseconds(call: Callable[[], httpx.Response], runs: int) -> tuple[float, float]:
    """Return the first time, and the median of the following ones."""
    times = []
    for _ in range(runs + 1):
        started = time.perf_counter()
        call().raise_for_status()
        times.append(1000 * (time.perf_counter() - started))
    return times[0], statistics.median(times[1:])


def run_study(served: Served, name: str, trials: int) -> float:
    """Run a study and return the share of the slots' seconds, from its first trial's start to its last one's end."""
    served.client.post("/api/v1/studies", json={**STUDY, "name": name, "trials": trials}).raise_for_status()
    wait_for(lambda: served.get(f"/studies/{name}").json()["state"] == "running")
    started = time.perf_counter()
    wait_for(lambda: served.get(f"/studies/{name}").json()["counts"].get("complete") == trials, 600)
    span = time.perf_counter() - started
    details = [served.get(f"/studies/{name}/trials/{number}").json() for number in range(trials)]
    return sum(attempt["seconds"] or 0 for one in details for attempt in one["attempts"]) / (2 * span)


class Watchers:
    """So many clients of the event stream, each in a thread."""

    def __init__(self, served: Served, count: int) -> None:
        self.events = 0
        self._threads = [threading.Thread(target=self._listen, args=(served,), daemon=True) for _ in range(count)]
        for thread in self._threads:
            thread.start()

    def _listen(self, served: Served) -> None:
        headers = {"Authorization": f"Bearer {served.token}"}
        with (
            suppress(httpx.HTTPError),  # the service ends
            httpx.stream("GET", f"{served.address}/api/v1/events", headers=headers, timeout=None) as answer,
        ):
            for line in answer.iter_lines():
                self.events += line.startswith("id:")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--trials", type=int, default=2000)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--small", action="store_true", help="few trials and clients, to see that it works")
    chosen = parser.parse_args()
    trials, clients, study = (50, 5, 4) if chosen.small else (chosen.trials, chosen.clients, 60)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        home.mkdir()
        fill(f"sqlite:///{home}/fersearch.db", trials)
        served = Served(home)
        try:
            measure(served, clients, study, chosen.runs)
        finally:
            served.kill(15)
            kill_all(home)


def measure(served: Served, clients: int, trials: int, runs: int) -> None:
    """Print the figures of a service on a study of many trials."""
    megabytes, torch = memory(served)
    print(f"idle: {megabytes:.0f} MB, torch {'is' if torch else 'is not'} in the process")
    for path in ("/studies", "/studies/noop/front", "/studies/noop/chart", "/studies/noop/trials"):
        first, median = milliseconds(lambda path=path: served.get(path), runs)
        print(f"GET {path}: {first:.0f} ms at first, {median:.1f} ms then")
    alone = run_study(served, "alone", trials)
    watchers = Watchers(served, clients)
    watched = run_study(served, "watched", trials)
    print(f"slots in use: {alone:.1%} alone, {watched:.1%} with {clients} clients ({watched / alone:.3f} of it)")
    print(f"{watchers.events:,} events were sent")
    camera(served, runs)
    megabytes, torch = memory(served)
    print(f"after all that: {megabytes:.0f} MB, torch {'is' if torch else 'is not'} in the process")


def camera(served: Served, runs: int) -> None:
    """Print how long a frame with a face takes, with the face found and with the frame taken whole."""
    trial = served.get("/studies/alone/checkpoints").json()[0]["trial"]
    frame = io.BytesIO()
    photograph(480, (150, 200), height=360).save(frame, "JPEG", quality=80)
    for faces in ("true", "true&longest=256", "false"):
        path = f"/api/v1/studies/alone/checkpoints/{trial}/predict?faces={faces}"
        files = {"images": ("frame.jpg", frame.getvalue(), "image/jpeg")}
        first, median = milliseconds(lambda path=path, files=files: served.client.post(path, files=files), runs)
        print(f"a frame of 480x360, faces={faces}: {first:.0f} ms at first, {median:.1f} ms then")


if __name__ == "__main__":
    main()
