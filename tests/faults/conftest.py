"""A study small enough to run in seconds and slow enough to be hurt while it runs."""

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fersearch import api, cli
from tests.forkservers import ForkServers
from tests.preloaded import COMMAND, Driver, Preloaded
from tests.processes import ended

SLOW_PLUGIN = '''
"""A tiny network that takes its time, so that there is time to hurt it."""
import os
import time

from fersearch import Architecture, Choice, hookimpl


class Slow(Architecture):
    name = "slow"
    space = {"width": Choice(2, 3, 4, 5, 6, 7, 8, 9)}
    stage_names = ("features", "head")

    def build(self, params, task):
        from torch import nn

        class Nap(nn.Module):
            steps = 0

            def forward(self, x):
                if self.training:
                    self.steps += 1
                    name = "SLOW_SECONDS" if self.steps > int(os.environ.get("SLOW_AFTER", "0")) else "FAST_SECONDS"
                    time.sleep(float(os.environ.get(name, "0.05")))
                return x

        width = params["width"]
        features = nn.Sequential(Nap(), nn.Conv2d(task.channels, width, 3, stride=4), nn.ReLU(), nn.Flatten())
        return nn.Sequential(features, nn.Linear(width * 12 * 12, task.num_classes))

    def stages(self, model):
        return [model[0], model[1]]


@hookimpl
def register_architectures(register):
    register(Slow())
'''

SETTINGS = {
    "optimizer": "sgd",
    "momentum": "0.9",
    "nesterov": "false",
    "learning_rate": "0.01",
    "weight_decay": "0.0001",
    "scheduler": "none",
    "dropout": "0",
    "augmentation": "flip",
    "loss": "cross_entropy",
    "label_smoothing": "0",
    "class_weights": "none",
    "batch_size": "64",
}


class Home:
    """A fersearch home of its own: drivers that may be hurt are processes, all else runs in this one."""

    def __init__(self, folder: Path, study: str = "s", preloaded: Preloaded | None = None) -> None:
        self.folder, self.study, self.preloaded = folder, study, preloaded
        self.database = folder / "home" / "fersearch.db"
        self.env = {**os.environ, "FERSEARCH_HOME": str(folder / "home"), "COLUMNS": "100"}
        self.env.pop("FERSEARCH_PLUGINS_DIR", None)
        (folder / "plugins").mkdir(exist_ok=True)
        (folder / "plugins" / "slow.py").write_text(SLOW_PLUGIN)

    def start(self, *arguments: str, **env: str) -> subprocess.Popen[str]:
        """Start a command in an interpreter of its own, as users do."""
        command = [sys.executable, "-c", COMMAND, *arguments]
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env={**self.env, **env},
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )

    def fork(self, *arguments: str, **env: str) -> Driver:
        """Start a command in a process of its own that has all modules loaded."""
        assert self.preloaded is not None
        return self.preloaded.start(arguments, self.folder, {**self.env, **env})

    def run(self, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end in this process; the networks of its trials take no time of their own."""
        out, err = io.StringIO(), io.StringIO()
        with (
            self.inside(**{"SLOW_SECONDS": "0", **env}),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            code = cli.run(list(arguments))
        return subprocess.CompletedProcess(arguments, code, out.getvalue(), err.getvalue())

    @contextlib.contextmanager
    def inside(self, **env: str) -> Iterator[None]:
        """Give this process the variables and the folder of the home."""
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(self.folder)
            patch.delenv("FERSEARCH_PLUGINS_DIR", raising=False)
            for name, value in {**self.env, **env}.items():
                if os.environ.get(name) != value:
                    patch.setenv(name, value)
            yield

    def create(
        self,
        trials: int = 3,
        epochs: int = 6,
        model: str = "slow",
        seed: int = 0,
        memory_format: str = "contiguous",
        **settings: str,
    ) -> None:
        """Create the study, of drawn faces, without running it."""
        with self.inside():
            api.create_study(
                model,
                "faces",
                name=self.study,
                trials=trials,
                epochs=str(epochs),
                seed=seed,
                sampler="random",
                pruner="none",
                objectives=("f1_macro", "parameters"),
                memory_format=memory_format,
                settings={**SETTINGS, **settings},
                dataset_options=dict.fromkeys(("train", "valid", "test"), "128"),
                plugins=sorted((self.folder / "plugins").glob("*.py")),
            )

    def trials(self) -> list[dict[str, Any]]:
        """The trials of the study with their attempts and epochs, as `study export` gives them."""
        with self.inside():
            result: list[dict[str, Any]] = json.loads(api.export_study(self.study, "json"))["trials"]
        return result

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        import sqlite3

        if not self.database.exists():
            return []
        connection = sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)
        try:
            return connection.execute(query).fetchall()
        except sqlite3.OperationalError:
            return []
        finally:
            connection.close()

    def until(self, true: Callable[[], Any], seconds: float = 60.0) -> Any:
        """Wait for something to become true and return it."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if result := true():
                return result
            time.sleep(0.05)
        raise AssertionError("it did not happen in time")

    @staticmethod
    def gone(pids: list[int]) -> bool:
        """Whether every process has ended, zombies included."""
        return all(ended(pid) for pid in pids)

    def running_pids(self) -> list[int]:
        """The trial processes that have reported at least one epoch."""
        query = """
            SELECT pid FROM attempts
            WHERE reason IS NULL AND pid IS NOT NULL AND last_epoch IS NOT NULL
        """
        return [row[0] for row in self.rows(query)]


@pytest.fixture
def home(tmp_path: Path, warm_fork_server: None, preloaded: Preloaded) -> Home:
    return Home(tmp_path, preloaded=preloaded)


Undisturbed = Callable[..., list[dict[str, Any]]]


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, fork_servers: ForkServers) -> Undisturbed:
    """Gives the trials of an undisturbed study: each kind is run once, for the largest number of trials needed."""
    known: dict[tuple[Any, ...], list[dict[str, Any]]] = {}

    def run(trials: int, epochs: int, slots: int = 1, **settings: str) -> list[dict[str, Any]]:
        key = (epochs, slots, *sorted(settings.items()))
        if len(known.get(key, ())) < trials:
            home = Home(tmp_path_factory.mktemp("undisturbed"))
            home.create(trials, epochs, **settings)
            with fork_servers.shared():
                done = home.run("study", "run", "s", "--slots", str(slots))
            assert done.returncode == 0, done.stderr
            known[key] = home.trials()
        return known[key][:trials]

    return run


def interrupt(process: subprocess.Popen[str] | Driver) -> None:
    os.killpg(process.pid, signal.SIGINT)
