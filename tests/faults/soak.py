"""A study that is hurt again and again beside the same study left alone.

python -m tests.faults.soak [--trials 200] [--slots 4] [--engine local|ray] [--storage sqlite|postgresql]
                            [--together one|studies|databases] [--seed 0]

Trial processes, fork server, driver and raylets are killed, PostgreSQL is stopped and started, and the disk of the
study's home, a tmpfs where one may be mounted, is filled, in random order. A trial that was killed twice is left
alone, for a third time in vain would rightly fail it. Two may be hurt together in one home: two studies of one
database, or two databases with a study of the same name and number, each with a driver of its own.
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
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import psutil

from tests.faults.conftest import Home
from tests.faults.findings import compare
from tests.postgres import Server

EPOCHS = 5
RATES = "0.001..0.1"
DISK_MB = 48
PAUSES = {"local": (0.3, 1.5), "ray": (2.0, 6.0)}  # seconds between two faults, the least and the most
EARLIER_LOSSES = """
    (SELECT COUNT(*) FROM attempts b
     WHERE b.study_id = a.study_id AND b.trial = a.trial AND b.reason IN ('killed', 'hung'))
"""
TOGETHER = {"one": [("s", 0)], "studies": [("s", 0), ("t", 0)], "databases": [("s", 0), ("s", 1)]}
"""The studies in one home, each with the number of its database."""


class Patient(Home):
    """A home whose study is driven again whenever its driver has died, its rows in SQLite or in a server's database."""

    def __init__(self, folder: Path, number: int, study: str, storage: str, flags: Sequence[str] = ()) -> None:
        super().__init__(folder, study)
        self.storage, self.flags, self.log = storage, flags, folder / f"driver-{number}.log"
        self.database = Path(storage.removeprefix("sqlite:///"))
        self.env |= {"FERSEARCH_STORAGE": storage, "SLOW_SECONDS": "0.15"}
        self.driver: subprocess.Popen[Any] | None = None
        self.starts = 0

    def drive(self) -> None:
        """Start the driver; its output is stored beside the home."""
        self.starts += 1
        command = [sys.executable, "-c", "from fersearch.cli import main; main()", "study", "run", self.study]
        with self.log.open("a") as log:
            self.driver = subprocess.Popen(
                [*command, *self.flags],
                cwd=self.folder,
                env=self.env,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def over(self) -> bool:
        """Whether the study has ended; a driver that has died before that is started again."""
        code = None if self.driver is None else self.driver.poll()
        if code:
            self.drive()
        return code == 0

    def able(self) -> list[int]:
        """The pids of the running trial processes whose trials may be killed once more."""
        query = f"""
            SELECT pid FROM attempts a WHERE reason IS NULL AND pid IS NOT NULL AND {self.own} AND {EARLIER_LOSSES} < 2
        """
        return [pid for (pid,) in self.rows(query) if psutil.pid_exists(pid)]

    @property
    def own(self) -> str:
        """The condition that an attempt is of this study."""
        return f"a.study_id = (SELECT id FROM studies WHERE name = '{self.study}')"

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        if self.storage.startswith("sqlite"):
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

    def all_able(self) -> list[int]:
        """The pids of all that run, if no trial that has not ended was killed twice."""
        query = f"""
            SELECT COUNT(*) FROM attempts a JOIN trials t ON t.study_id = a.study_id AND t.number = a.trial
            WHERE t.state IN ('running', 'waiting') AND {self.own} AND {EARLIER_LOSSES} >= 2
        """
        return [] if self.rows(query) != [(0,)] else self.able()


Hazard = Callable[[Patient], bool]


def stop_database(server: Server) -> bool:
    """Stop a server for a few seconds, at once or politely."""
    server.stop(random.choice((signal.SIGQUIT, signal.SIGINT)))
    time.sleep(random.uniform(1, 4))
    server.start()
    return True


def fill_disk(disk: Path, patient: Patient) -> bool:
    """Leave no byte free on a disk for a few seconds."""
    if not patient.all_able():
        return False
    ballast = disk / "ballast"
    with contextlib.suppress(OSError), ballast.open("wb") as file:
        while True:
            file.write(bytes(4096))
            file.flush()
    time.sleep(random.uniform(1, 3))
    ballast.unlink()
    return True


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
def nodes(engine: str) -> Iterator[tuple[list[str], Callable[[], bool] | None]]:
    """The flags of an engine, and what kills one of its nodes and brings another, if it has nodes."""
    if engine == "local":
        yield [], None
        return
    from ray.cluster_utils import Cluster

    from fersearch.engines.ray.cluster import QUIET

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


def hazards_of(server: Server | None, disk: Path | None, kill_node: Callable[[], bool] | None) -> dict[str, Hazard]:
    """What can strike, by name, where there is a server, a small disk, a cluster."""
    result: dict[str, Hazard] = {
        "trial process": Patient.kill_trial,
        "driver": Patient.kill_driver,
        "fork server": Patient.kill_server,
    }
    if server is not None:
        result["database stopped"] = lambda _: stop_database(server)
    if disk is not None:
        result["disk full"] = partial(fill_disk, disk)
    if kill_node is not None:
        result["node"] = lambda patient: bool(patient.all_able()) and kill_node()
    return result


def hurt(
    patients: Sequence[Patient], hazards: Mapping[str, Hazard], pause: tuple[float, float], seconds: float
) -> Counter[str]:
    """Drive studies to their ends, hurting one of them every so often; returns how often each hazard struck."""
    struck: Counter[str] = Counter()
    deadline = time.monotonic() + seconds
    for patient in patients:
        patient.drive()
    while under_way := [patient for patient in patients if not patient.over()]:
        if time.monotonic() > deadline:
            names = ", ".join(patient.study for patient in under_way)
            raise TimeoutError(f"{names} did not end in {seconds:.0f} s; see driver-*.log in {patients[0].folder}")
        time.sleep(random.uniform(*pause))
        name = random.choice(list(hazards))
        struck[name] += hazards[name](random.choice(under_way))
    return struck


def left_alone(folder: Path, names: Sequence[str], trials: int) -> list[Patient]:
    """The same studies, each run to its end undisturbed in a home of its own."""
    done = []
    for number, name in enumerate(names):
        home = folder / str(number)
        home.mkdir(parents=True)
        patient = Patient(home, number, name, f"sqlite:///{home / 'home' / 'fersearch.db'}")
        patient.create(trials, EPOCHS, seed=number, learning_rate=RATES)
        ended = patient.run("study", "run", name, "--slots", "2", SLOW_SECONDS="0")
        assert ended.returncode == 0, ended.stderr
        done.append(patient)
    return done


def soak(
    folder: Path,
    *,
    trials: int = 200,
    slots: int = 4,
    engine: str = "local",
    storage: str = "sqlite",
    together: str = "one",
    seed: int = 0,
    seconds: float = 3600.0,
) -> dict[str, Any]:
    """Hurt one study or two and compare them with ones left alone: the faults, the losses, and every difference."""
    random.seed(seed)
    names = [name for name, _ in TOGETHER[together]]
    alone = left_alone(folder / "alone", names, trials)
    place = folder / "hurt"
    with contextlib.ExitStack() as left:
        server = Server(fsync="on", synchronous_commit="on") if storage == "postgresql" else None
        if server is not None:
            left.callback(server.close)
        disk = left.enter_context(small_disk(place / "home"))
        flags, kill_node = left.enter_context(nodes(engine))
        files = [f"sqlite:///{place / 'home' / name}" for name in ("fersearch.db", "second.db")]
        urls = files if server is None else [server.create(), server.create()]
        patients = [
            Patient(place, number, name, urls[database], ["--slots", str(slots), *flags])
            for number, (name, database) in enumerate(TOGETHER[together])
        ]
        left.callback(lambda: [patient.driver.kill() for patient in patients if patient.driver])
        for number, patient in enumerate(patients):
            patient.create(trials, EPOCHS, seed=number, learning_rate=RATES)
        hazards = hazards_of(server, disk, kill_node)
        started = time.monotonic()
        struck = hurt(patients, hazards, PAUSES[engine], seconds)
        drivers = sum(patient.starts for patient in patients)
        summary = {"faults": dict(struck), "drivers": drivers, "seconds": round(time.monotonic() - started)}
        return summary | compare(alone, patients)


def main() -> None:
    """Run the soak and print its findings."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--slots", type=int, default=4)
    parser.add_argument("--engine", choices=("local", "ray"), default="local")
    parser.add_argument("--storage", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--together", choices=TOGETHER, default="one")
    parser.add_argument("--seed", type=int, default=0)
    with tempfile.TemporaryDirectory(prefix="fersearch-soak-") as name:
        print(json.dumps(soak(Path(name), **vars(parser.parse_args())), indent=2))


if __name__ == "__main__":
    main()
