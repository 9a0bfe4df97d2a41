"""`--from`: a study that is created from another one names it, and says whether their data is the same."""

import pytest

from fersearch import api
from fersearch.cli import run
from fersearch.context import drain_notices, open_store
from fersearch.errors import StudyFileError, UnknownName, UsageError
from tests.studies import SIZES


def test_it_is_reported_with_its_data_and_what_was_taken_over(home_with_study, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "300")
    api.create_study("cnn", "faces", name="warm", from_study="small", dataset_options=SIZES)
    view, front = api.show_study("warm"), api.front("small").trials
    assert any(line.startswith("starting from study 'small': its sampler knows") for line in drain_notices())
    assert view.spec.origin.study == "small"
    assert len(view.enqueued) == view.spec.origin.enqueued > 0
    assert view.enqueued[0].source == f"small trial {front[0].number}"
    with open_store() as store:
        assert len(store.prior(store.study("warm").id)) == view.spec.origin.trials > 0
    assert run(["study", "show", "warm"]) == 0
    out = capsys.readouterr().out
    assert f"study small: {view.spec.origin.trials} trials known to the sampler" in out
    assert f"data {api.show_study('small').data['seen']['digest'][:8]}" in out


def test_a_study_that_is_not_there_or_has_nothing_in_common_is_refused(home_with_study):
    with pytest.raises(UnknownName, match="unknown study 'smal'"):
        api.create_study("cnn", "faces", from_study="smal", dataset_options=SIZES)
    with pytest.raises(UsageError, match="study 'small' has no trial to start from"):
        api.create_study("cnn", "faces", from_study="small", dataset_options=SIZES, settings={"learning_rate": "1..10"})
    assert [one.name for one in api.list_studies()] == ["small"]


def test_a_study_file_says_it_too(home_with_study, tmp_path):
    file = tmp_path / "s.toml"
    file.write_text('model = "cnn"\ndataset = "faces"\nfrom = "small"\nname = "filed"\n')
    (spec,) = api.create_from_file(file, {"dataset_options": SIZES})
    assert spec.origin.study == "small"
    file.write_text('model = "cnn"\ndataset = "faces"\nfrom = 3\n')
    with pytest.raises(StudyFileError, match="from: "):
        api.create_from_file(file, {})
