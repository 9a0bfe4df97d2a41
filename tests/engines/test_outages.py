"""A full disk is waited for, and not for ever."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from fersearch.engines import outages
from fersearch.engines.outages import PATIENCE, Shortage


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A disk and a clock that a test sets."""
    machine = SimpleNamespace(free=0, now=1000.0, folders=[])

    def usage(folder: Path) -> SimpleNamespace:
        machine.folders.append(folder)
        return SimpleNamespace(free=machine.free)

    monkeypatch.setattr(outages.shutil, "disk_usage", usage)
    monkeypatch.setattr(outages.time, "monotonic", lambda: machine.now)
    return machine


def lacking(folder: Path) -> dict[str, object]:
    return {"lacking_disk": {"folder": str(folder), "bytes": 100}}


def test_it_lasts_until_there_is_room_for_twice_as_much(machine: SimpleNamespace, tmp_path: Path):
    notes: list[str] = []
    result = Shortage(notes.append)
    assert not result.lasts
    result.record({"threads": 1})
    assert not result.lasts
    result.record(lacking(tmp_path / "not" / "there"))
    result.record(lacking(tmp_path / "not" / "there"))
    assert result.lasts
    assert notes == [f"the disk is full at {tmp_path / 'not' / 'there'}: no trial starts until there is room"]
    assert set(machine.folders) == {tmp_path}
    machine.free = 201
    assert not result.lasts
    machine.free = 0
    assert not result.lasts


def test_it_ends_after_a_while_so_that_the_trial_is_tried_again(machine: SimpleNamespace, tmp_path: Path):
    result = Shortage(lambda _: None)
    result.record(lacking(tmp_path))
    machine.now += PATIENCE - 1
    assert result.lasts
    machine.now += 1
    assert not result.lasts


def test_room_that_proved_to_be_none_is_waited_for_without_looking(machine: SimpleNamespace, tmp_path: Path):
    """As under a quota: the disk has room and the user has none."""
    machine.free = 10**9
    result = Shortage(lambda _: None)
    result.record(lacking(tmp_path))
    assert not result.lasts
    result.record(lacking(tmp_path))
    assert result.lasts
    machine.now += PATIENCE
    assert not result.lasts


def test_the_disk_of_another_node_is_not_looked_at_here(machine: SimpleNamespace, tmp_path: Path):
    machine.free = 10**9
    result = Shortage(lambda _: None)
    result.record({**lacking(tmp_path), "node": "another"})
    assert result.lasts
    machine.now += PATIENCE
    assert not result.lasts
