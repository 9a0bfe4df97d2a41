"""Studies whose names are free are stored, also where others take names meanwhile."""

from pathlib import Path

import pytest

from fersearch import api
from fersearch.checkpoint_folder import refuse_existing
from fersearch.context import components
from fersearch.errors import NameTaken, UsageError
from fersearch.planning.plan import plan
from fersearch.planning.request import StudyRequest
from fersearch.store import Store


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FERSEARCH_HOME", str(tmp_path))
    monkeypatch.delenv("FERSEARCH_STORAGE", raising=False)
    monkeypatch.setenv("FERSEARCH_PLUGINS_DIR", str(tmp_path / "none"))
    monkeypatch.chdir(tmp_path)


def overtaken(monkeypatch: pytest.MonkeyPatch, times: int, **options: str) -> None:
    """Let another process take the name between the look and the storing, so many times."""
    left, store_studies = [times], Store.create_studies

    def create(store: Store, wanted: object, owner: str) -> None:
        if left[0]:
            left[0] -= 1
            request = StudyRequest("cnn", "faces", **options)
            store.create_study(plan(request, components(), names=store.study_names()))
        store_studies(store, wanted, owner)

    monkeypatch.setattr(Store, "create_studies", create)


def test_the_next_free_name_is_taken_where_another_was_quicker(monkeypatch):
    overtaken(monkeypatch, 2)
    assert api.create_study("cnn", "faces").name == "cnn-faces-3"
    assert [summary.name for summary in api.list_studies()] == ["cnn-faces", "cnn-faces-2", "cnn-faces-3"]


def test_the_study_of_a_file_takes_the_next_free_name_too(monkeypatch, tmp_path):
    (tmp_path / "a.toml").write_text('model = "cnn"\ndataset = "faces"\n')
    overtaken(monkeypatch, 1)
    assert [spec.name for spec in api.create_from_file(tmp_path / "a.toml", {})] == ["cnn-faces-2"]


def test_a_name_that_was_chosen_is_refused_where_another_has_it(monkeypatch):
    overtaken(monkeypatch, 1, name="mine")
    with pytest.raises(NameTaken, match="study 'mine' already exists"):
        api.create_study("cnn", "faces", name="mine")
    assert len(api.list_studies()) == 1


@pytest.mark.parametrize("wish", [{"epochs": "0"}, {"seed": -1}, {"objectives": ["f2:max"]}])
def test_a_study_that_is_refused_leaves_no_database(tmp_path, wish):
    with pytest.raises(UsageError):
        api.create_study("cnn", "faces", **wish)
    assert not list(tmp_path.rglob("*.db*"))


def test_a_file_that_is_refused_leaves_no_database(tmp_path):
    (tmp_path / "a.toml").write_text('model = "cnn"\ndataset = "faces"\ntrials = 0\n')
    with pytest.raises(UsageError):
        api.create_from_file(tmp_path / "a.toml", {})
    assert not list(tmp_path.rglob("*.db*"))


def test_a_folder_for_a_pulled_checkpoint_must_have_a_name_that_fits(tmp_path):
    with pytest.raises(UsageError, match="too long for the name of a folder"):
        refuse_existing(tmp_path / ("表情" * 50), force=False)
    refuse_existing(tmp_path / ("表情" * 30), force=False)
