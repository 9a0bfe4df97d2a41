"""A child is ready before it is needed, is used once, and never outlives its service."""

import asyncio
import os
import subprocess
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable
from pathlib import Path

import pytest

from fersearch.service import jobs, spare
from fersearch.service.job import READY
from fersearch.service.spare import Env, Spare

PLUGIN = {"name": "accuracy", "settings": {}, "classes": 8, "channels": 1, "image_size": 48, "layers": False}
ENV = {**os.environ, "COLOUR": "blue"}


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spare, "PAUSE_SECONDS", 0.0)


class Starts:
    """Processes that wait, started one after the other; the first `refused` of them cannot be."""

    def __init__(self, refused: int = 0) -> None:
        self.refused = refused
        self.children: list[Process] = []

    async def __call__(self, env: Env) -> Process:
        if self.refused:
            self.refused -= 1
            raise BlockingIOError("Resource temporarily unavailable")
        self.children.append(await asyncio.create_subprocess_exec("cat", stdin=PIPE, stdout=PIPE, env=env))
        return self.children[-1]


async def until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not holds():
            await asyncio.sleep(0.01)


async def end(child: Process) -> None:
    child.kill()
    await child.communicate()


def test_a_child_is_ready_is_taken_once_and_is_followed_by_another():
    async def scenario() -> None:
        starts = Starts()
        one = Spare(starts)
        assert one.take(ENV) is None
        async with one.kept(ENV):
            await until(lambda: starts.children)
            taken = one.take(ENV)
            assert taken is starts.children[0]
            assert one.take(ENV) is None
            assert await taken.communicate(b"work") == (b"work", None)
            await until(lambda: len(starts.children) == 2)
        assert starts.children[1].returncode is not None
        assert one.take(ENV) is None

    asyncio.run(scenario())


def test_a_child_is_not_for_another_environment():
    async def scenario() -> None:
        starts = Starts()
        one = Spare(starts)
        async with one.kept(ENV):
            await until(lambda: starts.children)
            assert one.take({**ENV, "COLOUR": "red"}) is None
            assert one.take(ENV) is not None
            await end(starts.children[0])

    asyncio.run(scenario())


def test_a_child_that_died_is_replaced():
    async def scenario() -> None:
        starts = Starts(refused=2)
        one = Spare(starts)
        async with one.kept(ENV):
            await until(lambda: starts.children)
            await end(starts.children[0])
            assert one.take(ENV) is None
            await until(lambda: len(starts.children) == 2)
            taken = one.take(ENV)
            assert taken is starts.children[1]
            await end(taken)

    asyncio.run(scenario())


def test_a_child_that_is_being_started_at_the_end_is_ended_too():
    async def scenario() -> Process:
        begun, starts = asyncio.Event(), Starts()

        async def slowly(env: Env) -> Process:
            begun.set()
            await asyncio.sleep(0.05)
            return await starts(env)

        async with Spare(slowly).kept(ENV):
            await begun.wait()
        return starts.children[0]

    assert asyncio.run(scenario()).returncode is not None


def test_a_verb_runs_in_the_child_that_is_ready(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("FERSEARCH_HOME", str(tmp_path))
    started = []
    start = jobs._started

    async def counted(env: Env, *arguments: str) -> Process:
        started.append(arguments)
        return await start(env, *arguments)

    async def scenario() -> object:
        async with jobs.kept_ready(None):
            await until(lambda: started)
            await until(lambda: jobs._SPARE._child)
            return await jobs.run("show_plugin", None, **PLUGIN)

    monkeypatch.setattr(jobs, "_started", counted)
    assert asyncio.run(scenario())["name"] == "accuracy"
    assert started[0] == (READY,)
    assert () not in started


def test_a_child_does_without_fastapi():
    code = "import sys, fersearch.service.job; print({'fastapi', 'torch', 'optuna', 'sqlalchemy'} & {*sys.modules})"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "set()\n"


def test_a_child_ends_quietly_when_its_service_is_gone():
    command = [sys.executable, "-m", "fersearch.service.job", READY]
    ended = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
