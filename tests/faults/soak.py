"""A study that is hurt again and again beside the same study left alone.

python -m tests.faults.soak [--trials 200] [--slots 4] [--engine local|ray] [--storage sqlite|postgresql] [--seed 0]

Trial processes, fork server, driver and raylets are killed, PostgreSQL is stopped and started, and the disk of the
study's home, a tmpfs where one may be mounted, is filled, in random order. A trial that was lost twice is left
alone, for a third loss would rightly fail it.
"""

import argparse
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TextIO

import psutil

from tests.faults.conftest import Home
from tests.faults.findings import compare
from tests.postgres import Server

EPOCHS = 5
DISK_MB = 48
PAUSES = {"local": (0.3, 1.5), "ray": (2.0, 6.0)}  # seconds between two faults, the least and the most
EARLIER_LOSSES = """
    (SELECT COUNT(*) FROM attempts b
     WHERE b.study_id = a.study_id AND b.trial = a.trial AND b.reason IN ('killed', 'hung'))
"""
Hazard = Callable[[], bool]


class Patient(Home):
    """A home whose study is driven again whenever its driver has died, its rows in SQLite or in a server's database."""

    def __init__(self, folder: Path, flags: list[str], server: Server | None, disk: Path | None) -> None:
        super().__init__(folder)
        self.server, self.disk, self.flags = server, disk, flags
        self.storage = server.create() if server else f"sqlite:///{folder / 'home' / 'fersearch.db'}"
        self.env |= {"FERSEARCH_STORAGE": self.storage, "SLOW_SECONDS": "0.15"}
        self.driver: subprocess.Popen[Any] | None = None
        self.starts = 0

    def drive(self, log: TextIO) -> None:
        """Start the driver."""
        self.starts += 1
        self.driver = subprocess.Popen(
            [sys.executable, "-c", "from fersearch.cli import main; main()", "study", "run", "s", *self.flags],
            cwd=self.folder,
            env=self.env,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )

    def able(self) -> list[int]:
        """The pids of the running trial processes whose trials may be lost once more."""
        query = f"""
            SELECT pid FROM attempts a WHERE reason IS NULL AND pid IS NOT NULL AND {EARLIER_LOSSES} < 2
        """
        return [pid for (pid,) in self.rows(query) if psutil.pid_exists(pid)]

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        if self.server is None:
            return super().rows(query)
        import psycopg

        with contextlib.suppress(psycopg.OperationalError), psycopg.connect(self.storage) as connection:
            return connection.execute(query.encode()).fetchall()
        return []

    def kill_trial(self) -> bool:
        pids = self.able()
        return bool(pids) and _kill(random.choice(pids))

    def kill_server(self) -> bool:
        pids = self.all_able()
        return bool(pids) and _kill(_parent(random.choice(pids)))

    def kill_driver(self) -> bool:
        return bool(self.all_able()) and self.driver is not None and _kill(self.driver.pid)

    def stop_database(self) -> bool:
        assert self.server is not None
        self.server.stop(random.choice((signal.SIGQUIT, signal.SIGINT)))
        time.sleep(random.uniform(1, 4))
        self.server.start()
        return True

    def fill_disk(self) -> bool:
        if self.disk is None or not self.all_able():
            return False
        ballast = self.disk / "ballast"
        with contextlib.suppress(OSError), ballast.open("wb") as file:
            while True:
                file.write(bytes(4096))
                file.flush()
        time.sleep(random.uniform(1, 3))
        ballast.unlink()
        return True

    def all_able(self) -> list[int]:
        """The pids of all that run, if no trial that has not ended was lost twice."""
        query = f"""
            SELECT COUNT(*) FROM attempts a JOIN trials t ON t.study_id = a.study_id AND t.number = a.trial
            WHERE t.state IN ('running', 'waiting') AND {EARLIER_LOSSES} >= 2
        """
        return [] if self.rows(query) != [(0,)] else self.able()


def _kill(pid: int) -> bool:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
        return True
    return False


def _parent(pid: int) -> int:
    try:
        return psutil.Process(pid).ppid() or pid
    except psutil.NoSuchProcess:
        return pid


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[Path | None]:
    """A small tmpfs over a folder, None where this user may mount none."""
    folder.mkdir(parents=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "tmpfs", str(folder)]
    mounted = subprocess.run(command, capture_output=True).returncode == 0
    try:
        yield folder if mounted else None
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextlib.contextmanager
def nodes(engine: str) -> Iterator[tuple[list[str], Hazard | None]]:
    """The flags of an engine, and what kills one of its nodes and brings another, if it has nodes."""
    if engine == "local":
        yield [], None
        return
    from ray.cluster_utils import Cluster

    from fersearch.engines.ray_cluster import QUIET

    os.environ.update(QUIET | {"SLOW_SECONDS": "0.15"})
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    living = [cluster.add_node(num_cpus=2) for _ in range(2)]

    def kill_node() -> bool:
        cluster.remove_node(living.pop(random.randrange(2)), allow_graceful=False)
        living.append(cluster.add_node(num_cpus=2))
        return True

    try:
        yield ["--engine", "ray", "--ray-address", cluster.address], kill_node
    finally:
        cluster.shutdown()


def hurt(patient: Patient, hazards: dict[str, Hazard], pause: tuple[float, float], seconds: float) -> Counter[str]:
    """Drive the study to its end, hurting it every so often; returns how often each hazard struck."""
    struck: Counter[str] = Counter()
    deadline = time.monotonic() + seconds
    with (patient.folder / "driver.log").open("a") as log:
        patient.drive(log)
        while time.monotonic() < deadline:
            assert patient.driver is not None
            code = patient.driver.poll()
            if code == 0:
                return struck
            if code is not None:
                patient.drive(log)
            time.sleep(random.uniform(*pause))
            name = random.choice(list(hazards))
            struck[name] += hazards[name]()
    raise TimeoutError(f"the study did not end in {seconds:.0f} s; its log is {patient.folder / 'driver.log'}")


def soak(
    folder: Path,
    *,
    trials: int = 200,
    slots: int = 4,
    engine: str = "local",
    storage: str = "sqlite",
    seed: int = 0,
    seconds: float = 3600.0,
) -> dict[str, Any]:
    """Hurt a study and compare it with one left alone; returns the faults, the losses, and every difference."""
    random.seed(seed)
    (folder / "alone").mkdir()
    (folder / "hurt").mkdir()
    alone = Patient(folder / "alone", ["--slots", "2"], None, None)
    alone.create(trials=trials, epochs=EPOCHS, learning_rate="0.001..0.1")
    assert alone.run("study", "run", "s", "--slots", "2", SLOW_SECONDS="0").returncode == 0
    with contextlib.ExitStack() as left:
        server = Server(fsync="on", synchronous_commit="on") if storage == "postgresql" else None
        if server is not None:
            left.callback(server.close)
        disk = left.enter_context(small_disk(folder / "hurt" / "home"))
        flags, kill_node = left.enter_context(nodes(engine))
        patient = Patient(folder / "hurt", ["--slots", str(slots), *flags], server, disk)
        left.callback(lambda: patient.driver and patient.driver.kill())
        patient.create(trials=trials, epochs=EPOCHS, learning_rate="0.001..0.1")
        hazards: dict[str, Hazard] = {"trial process": patient.kill_trial, "driver": patient.kill_driver}
        hazards["fork server"] = patient.kill_server
        if server is not None:
            hazards["database stopped"] = patient.stop_database
        if disk is not None:
            hazards["disk full"] = patient.fill_disk
        if kill_node is not None:
            hazards["node"] = lambda: bool(patient.all_able()) and kill_node()
        started = time.monotonic()
        struck = hurt(patient, hazards, PAUSES[engine], seconds)
        told = {"faults": dict(struck), "drivers": patient.starts, "seconds": round(time.monotonic() - started)}
        return told | compare(alone, patient)


def main() -> None:
    """Run the soak and print what it found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--slots", type=int, default=4)
    parser.add_argument("--engine", choices=("local", "ray"), default="local")
    parser.add_argument("--storage", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--seed", type=int, default=0)
    with tempfile.TemporaryDirectory(prefix="fersearch-soak-") as name:
        print(json.dumps(soak(Path(name), **vars(parser.parse_args())), indent=2))


if __name__ == "__main__":
    main()
