"""A study written into an Optuna storage is read there with its trials, values and objectives."""

from pathlib import Path

import optuna
import pytest

from fersearch import api
from fersearch.cli import run
from fersearch.errors import NameTaken, StorageURLError


def test_optuna_reads_what_was_written(home_with_study: Path, tmp_path: Path, capsys):
    url = f"sqlite:///{tmp_path / 'optuna.db'}"
    assert run(["study", "export", "small", "--to", "optuna", url]) == 0
    assert "optuna-dashboard sqlite:///" in capsys.readouterr().out
    study = optuna.load_study(study_name="small", storage=url)
    trials = api.list_trials("small")
    assert study.metric_names == ["accuracy", "parameters", "peak_memory_mb"]
    assert [trial.values[0] for trial in study.trials] == [trial.values["accuracy"] for trial in trials]
    assert [trial.params["optimizer"] for trial in study.trials] == [trial.params["optimizer"] for trial in trials]


def test_an_existing_study_is_replaced_only_on_request(home_with_study: Path, tmp_path: Path):
    url = f"sqlite:///{tmp_path / 'optuna.db'}"
    assert api.export_to_optuna("small", url) == 4
    with pytest.raises(NameTaken, match="has a study 'small' already"):
        api.export_to_optuna("small", url)
    assert api.export_to_optuna("small", url, force=True) == 4
    assert len(optuna.load_study(study_name="small", storage=url).trials) == 4


def test_what_is_no_storage_is_reported(home_with_study: Path, capsys):
    with pytest.raises(StorageURLError, match="no Optuna storage at nothing"):
        api.export_to_optuna("small", "nothing")
    assert run(["study", "export", "small", "--to", "wandb", "x"]) == 2
    assert "cannot export to 'wandb'" in capsys.readouterr().err
