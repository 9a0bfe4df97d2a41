"""A study's trials as CSV and JSON, written a trial at a time."""

import io
import json
import math
from pathlib import Path

import pytest

from fersearch import api
from fersearch.errors import UsageError
from fersearch.store import Store
from fersearch.trial import Attempt, Epoch, Reason, Trial, TrialState
from tests.search.fakes import make_spec


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A study whose trial 1 has no epochs and whose trial 2 runs, with values that JSON cannot say."""
    url = f"sqlite:///{tmp_path}/a.db"
    with Store.open(url) as store:
        study = store.create_study(make_spec())
        with store.writer(study.id) as writer:
            for number in range(3):
                writer.add_trial(Trial(number, {"optimizer": 'a "quoted" sgd', "width": 4}))
                writer.start_attempt(number, Attempt(1))
            for number in (0, 2):
                for epoch in (1, 2):
                    writer.record(number, 1, Epoch(epoch, {"f1_macro": epoch / 3, "auc": math.nan, "é": 1.0}, 0.5))
            ended = Attempt(1, Reason.DONE, first_epoch=1, last_epoch=2, seconds=1.5, facts={"device": "cpu"})
            values = {"f1_macro": 0.25, "auc": math.inf}
            done = Trial(0, {"optimizer": "sgd"}, TrialState.COMPLETE, values, 2, 2, "d1", (ended,))
            writer.end_attempt(done, ended, ended.facts)
    return url


def test_json_is_what_one_dump_of_everything_would_give(url):
    text = api.export_study("s", "json", url)
    data = json.loads(text)
    assert json.dumps(data, indent=2) == text
    assert [trial["epochs"] for trial in data["trials"]] == [2, 0, 2]
    assert [[epoch["epoch"] for epoch in trial["history"]] for trial in data["trials"]] == [[1, 2], [], [1, 2]]
    assert data["trials"][0]["values"] == {"f1_macro": 0.25, "auc": None}
    assert data["trials"][2]["history"][1]["values"] == {"auc": None, "f1_macro": 2 / 3, "é": 1.0}
    assert data["trials"][0]["attempts"][0]["facts"] == {"device": "cpu"}


def test_a_study_without_trials_is_an_empty_list(tmp_path):
    url = f"sqlite:///{tmp_path}/a.db"
    with Store.open(url) as store:
        store.create_study(make_spec())
    text = api.export_study("s", "json", url)
    assert json.loads(text)["trials"] == []
    assert json.dumps(json.loads(text), indent=2) == text


def test_trials_are_written_one_after_the_other(url):
    class Pieces(io.StringIO):
        longest = 0

        def write(self, piece: str) -> int:
            self.longest = max(self.longest, len(piece))
            return super().write(piece)

    pieces = Pieces()
    api.write_export(pieces, "s", "json", url)
    assert pieces.longest < len(pieces.getvalue()) / 2


def test_an_unknown_format_is_reported(url):
    with pytest.raises(UsageError, match="unknown format 'xml'"):
        api.export_study("s", "xml", url)
