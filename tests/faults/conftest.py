"""A study small enough to run in seconds and slow enough to be hurt while it runs."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

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
            def forward(self, x):
                if self.training:
                    time.sleep(float(os.environ.get("SLOW_SECONDS", "0.05")))
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
    """A fersearch home of its own, and commands run in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.env = {**os.environ, "FERSEARCH_HOME": str(folder / "home"), "COLUMNS": "100"}
        self.env.pop("FERSEARCH_PLUGINS_DIR", None)
        (folder / "plugins").mkdir()
        (folder / "plugins" / "slow.py").write_text(SLOW_PLUGIN)

    def start(self, *words: str, **env: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", "from fersearch.cli import main; main()", *words]
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env={**self.env, **env},
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )

    def run(self, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
        process = self.start(*words, **env)
        out, err = process.communicate(timeout=900)
        return subprocess.CompletedProcess(words, process.returncode, out, err)

    def create(self, trials: int = 3, epochs: int = 6, model: str = "slow", **settings: str) -> None:
        chosen = [part for key, value in {**SETTINGS, **settings}.items() for part in ("--set", f"{key}={value}")]
        sizes = [part for split in ("train", "valid", "test") for part in ("--option", f"{split}=128")]
        done = self.run(
            *("study", "create", "--model", model, "--dataset", "faces", "--name", "s", "--no-run"),
            *("--trials", str(trials), "--epochs", str(epochs), "--sampler", "random", "--pruner", "none"),
            *("--objective", "f1_macro", "--objective", "parameters"),
            *chosen,
            *sizes,
        )
        assert done.returncode == 0, done.stderr

    def json(self, *words: str) -> Any:
        done = self.run(*words, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def trials(self) -> list[dict[str, Any]]:
        done = self.run("study", "export", "s", "--format", "json")
        assert done.returncode == 0, done.stderr
        found: list[dict[str, Any]] = json.loads(done.stdout)["trials"]
        return found

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        import sqlite3

        path = self.folder / "home" / "fersearch.db"
        if not path.exists():
            return []
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
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
            if found := true():
                return found
            time.sleep(0.05)
        raise AssertionError("it did not happen in time")

    @staticmethod
    def gone(pids: list[int]) -> bool:
        """Whether every process has ended; one that nobody has buried yet has."""
        return all(ended(pid) for pid in pids)

    def running_pids(self) -> list[int]:
        """The trial processes that have told at least one epoch."""
        query = """
            SELECT pid FROM attempts
            WHERE reason IS NULL AND pid IS NOT NULL AND last_epoch IS NOT NULL
        """
        return [row[0] for row in self.rows(query)]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def interrupt(process: subprocess.Popen[str]) -> None:
    os.killpg(process.pid, signal.SIGINT)
