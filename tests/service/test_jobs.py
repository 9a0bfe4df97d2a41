"""What a child process of the service reports is read whole, and its failures are problems."""

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping

import pytest

from fersearch.service import jobs
from fersearch.service.problems import ProblemError

LONG = 2**20


def child_that(prints: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the children of `jobs` be a few lines of Python."""

    async def started(_: Mapping[str, str]) -> Process:
        code = f"import json, sys; sys.stdin.read(); {prints}"
        return await asyncio.create_subprocess_exec(sys.executable, "-Sc", code, stdin=PIPE, stdout=PIPE, stderr=PIPE)

    monkeypatch.setattr(jobs, "_started", started)


async def lines_of_child() -> list[Mapping[str, object]]:
    return [line async for line in jobs.reported("rerun", None)]


def test_a_report_may_be_a_line_of_a_megabyte(monkeypatch: pytest.MonkeyPatch):
    child_that(f"print(json.dumps({{'epoch': 'x' * {LONG}}})); print(json.dumps({{'result': 1}}))", monkeypatch)
    assert asyncio.run(lines_of_child()) == [{"epoch": "x" * LONG}, {"result": 1}]


def test_a_child_that_ends_within_a_line_is_an_error_with_its_last_line(monkeypatch: pytest.MonkeyPatch):
    child_that("print(json.dumps({'epoch': 1})); print(end='{\"resu'); sys.exit('out of memory')", monkeypatch)
    with pytest.raises(ProblemError, match="'rerun' ended with exit code 1") as error:
        asyncio.run(lines_of_child())
    assert error.value.hint == "out of memory"


def test_lines_are_the_texts_wherever_it_is_cut(monkeypatch: pytest.MonkeyPatch):
    async def read(size: int) -> list[bytes]:
        monkeypatch.setattr(jobs, "PIECE", size)
        stream = asyncio.StreamReader()
        stream.feed_data(b"one\n\ntwo\nrest")
        stream.feed_eof()
        return [line async for line in jobs.lines(stream)]

    assert [asyncio.run(read(size)) for size in (1, 4, 100)] == [[b"one", b"", b"two"]] * 3
