"""The datasets that a request names, and where they are."""

import pytest

from fersearch.errors import UnknownName, UsageError
from fersearch.planning.parts import unseen_dataset
from fersearch.planning.plan import plan
from fersearch.planning.request import StudyRequest
from tests.planning.conftest import Drawn


def test_an_unknown_unseen_dataset_is_a_mistake(registry):
    with pytest.raises(UsageError, match="unknown dataset 'jafe'"):
        plan(StudyRequest("net", "drawn", unseen=["jafe"]), registry)


def test_unseen_data_is_named_by_dataset_or_by_dataset_and_path(registry, tmp_path, monkeypatch):
    spec = plan(StudyRequest("net", "drawn", unseen=["drawn", f"drawn={tmp_path}"]), registry)
    assert spec.unseen == ("drawn", "drawn")
    monkeypatch.setattr(Drawn, "needs_data", True)
    spec = plan(StudyRequest("net", "drawn", data=tmp_path, unseen=["drawn", f"drawn={tmp_path}"]), registry)
    assert spec.unseen == ("drawn", f"drawn={tmp_path}")
    assert [unseen_dataset(text) for text in spec.unseen] == [("drawn", None), ("drawn", tmp_path)]
    with pytest.raises(UsageError, match="nowhere does not exist"):
        plan(StudyRequest("net", "drawn", data=tmp_path, unseen=[f"drawn={tmp_path / 'nowhere'}"]), registry)
    monkeypatch.setattr(Drawn, "named_by_path", True)
    with pytest.raises(
        UsageError, match="unseen drawn: its name alone does not say where its files are\n  write drawn=PATH"
    ):
        plan(StudyRequest("net", "drawn", data=tmp_path, unseen=["drawn"]), registry)


def test_a_study_keeps_the_path_that_its_datasets_name_leads_to_now(registry, tmp_path, monkeypatch):
    monkeypatch.setenv("FERSEARCH_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(Drawn, "needs_data", True)
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
        assert plan(StudyRequest("net", "drawn", data=folder), registry).data == str(folder)
        assert plan(StudyRequest("net", "drawn"), registry).data == str(folder)


def test_an_unknown_name_tells_of_broken_plugins(registry):
    registry.broken["x.py"] = "plugin x.py cannot be loaded: SyntaxError: invalid syntax"
    with pytest.raises(UnknownName, match=r"not loaded: plugin x\.py"):
        plan(StudyRequest("tiny", "drawn"), registry)
