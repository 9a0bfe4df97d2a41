"""The doctor's table, its JSON and its exit code."""

import json

import pytest

from fersearch import api, cli
from fersearch.maintenance.doctor import Check

FINE = Check("home", "ok", "/home/x, 20.0 GB free", facts={"free_mb": 20480})
BAD = Check("storage", "fail", "sqlite:////x.db: damaged", "move it away\nor restore it")


@pytest.fixture
def calls_of_diagnose(monkeypatch):
    calls = []

    def diagnose(**options):
        calls.append(options)
        return [FINE, BAD] if options["storage"] else [FINE]

    monkeypatch.setattr(api, "diagnose", diagnose)
    return calls


def test_a_table_with_the_hint_below_what_fails(calls_of_diagnose, capsys):
    assert cli.run(["doctor", "--storage", "sqlite:///x.db", "--deep"]) == 1
    assert calls_of_diagnose == [{"deep": True, "storage": "sqlite:///x.db"}]
    assert [line.rstrip() for line in capsys.readouterr().out.splitlines()] == [
        "      check    found",
        "ok    home     /home/x, 20.0 GB free",
        "fail  storage  sqlite:////x.db: damaged",
        "               -> move it away",
        "               -> or restore it",
    ]


def test_it_leaves_with_0_when_nothing_fails(calls_of_diagnose, capsys):
    assert cli.run(["doctor"]) == 0
    assert "fail" not in capsys.readouterr().out


def test_json_has_the_facts(calls_of_diagnose, capsys):
    assert cli.run(["doctor", "--json", "--storage", "sqlite:///x.db"]) == 1
    fine, bad = json.loads(capsys.readouterr().out)
    assert fine == {
        "schema": 1,
        "name": "home",
        "level": "ok",
        "told": FINE.message,
        "hint": "",
        "facts": {"free_mb": 20480},
    }
    assert bad["hint"] == BAD.hint


def test_the_real_one_runs(capsys):
    assert cli.run(["doctor", "--json"]) == 0
    assert "storage" in [check["name"] for check in json.loads(capsys.readouterr().out)]
