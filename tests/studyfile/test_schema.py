"""The JSON Schema of a study file, and the table of options that it is made from."""

import tomllib
from dataclasses import fields
from pathlib import Path

import jsonschema
import pytest

from fersearch import study_options
from fersearch.planning.request import StudyRequest
from fersearch.search.samplers import PRUNERS, SAMPLERS
from fersearch.study import Protocol, StudySpec
from fersearch.studyfile import reading
from fersearch.studyfile.schema import json_schema

ROOT = Path(__file__).parents[2]
SHORTHAND = {"image_size", "channels", "target", "plugins"}  # of the command line, or not of the study itself


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft202012Validator:
    jsonschema.Draft202012Validator.check_schema(json_schema())
    return jsonschema.Draft202012Validator(json_schema())


@pytest.mark.parametrize("file", sorted(ROOT.glob("studies/*.toml")), ids=lambda path: path.name)
def test_every_study_file_fits_the_schema(validator: jsonschema.Draft202012Validator, file: Path) -> None:
    validator.validate(tomllib.loads(file.read_text(encoding="utf-8")))


SOUND = {
    "one of a thing": "model = 'cnn'\nobjectives = 'f1_macro'\ndataset = 'faces'\nplugins = 'mine.py'\ntimeout = 90",
    "lists": "model = ['cnn', 'sanet']\nobjectives = ['f1_macro', 'log_loss:min']\ndataset = ['faces', 'jaffe']",
    "tables": "[[dataset]]\nname = 'faces'\noptions = {classes = 10}\n[[dataset]]\nname = 'jaffe'\n",
    "settings": "epochs = '2..4'\n[space]\ndropout = {low = 0.0, high = 0.2}\nbatch_size = [32, 64]\ntta = 'flip'",
    "settings of an architecture": "one_study = true\n[space.cnn]\nwidth = [1, 4]\nconvolutions = {low = 1, high = 2}",
    "protocol": "[protocol]\nsplit = 'kfold'\nfolds = 3\nratios = [0.6, 0.2, 0.2]\nsplit_seed = 4",
    "an older name": "[protocol]\nseed = 4",
}
UNSOUND = {
    "an unknown key": "trails = 3",
    "an unknown key of a table": "[protocol]\nfold = 3",
    "too small": "trials = 0",
    "no number": "trials = '3'",
    "not offered": "sampler = 'tpee'",
    "not offered in a table": "[protocol]\nsplit = 'halves'",
    "too few": "[protocol]\nratios = [0.5, 0.5]",
    "no setting": "[space]\ndropout = {low = 0.0}",
}


@pytest.mark.parametrize("text", SOUND.values(), ids=SOUND)
def test_what_a_file_may_say_fits(validator: jsonschema.Draft202012Validator, tmp_path: Path, text: str) -> None:
    validator.validate(tomllib.loads(text))
    (tmp_path / "s.toml").write_text(text)
    assert reading.read(tmp_path / "s.toml")[1] == []


@pytest.mark.parametrize("text", UNSOUND.values(), ids=UNSOUND)
def test_what_a_file_may_not_say_does_not_fit(
    validator: jsonschema.Draft202012Validator, tmp_path: Path, text: str
) -> None:
    assert list(validator.iter_errors(tomllib.loads(text)))
    (tmp_path / "s.toml").write_text(text)
    assert len(reading.read(tmp_path / "s.toml")[1]) == 1


def test_the_schema_has_descriptions_defaults_and_no_null(validator: jsonschema.Draft202012Validator) -> None:
    schema = json_schema()
    assert all(field["description"] for field in schema["properties"].values())
    assert schema["properties"]["trials"] == {
        "description": "end after this many trials", "default": 20, "exclusiveMinimum": 0, "type": "integer"
    }  # fmt: skip
    assert schema["properties"]["pruner"]["enum"] == ["pareto", "none"]
    assert "null" not in str(schema)


def test_a_split_seed_under_both_names_is_refused(tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text("[protocol]\nseed = 4\nsplit_seed = 4")
    assert reading.read(tmp_path / "s.toml")[1] == [
        "protocol.seed: given twice, also as protocol.split_seed; keep split_seed"
    ]
    (tmp_path / "s.toml").write_text("[protocol]\nseed = 4")
    assert reading.read(tmp_path / "s.toml")[0].options == {"split_seed": 4}


def test_the_table_of_options_covers_the_fields_of_a_request() -> None:
    fields_of_request = {field.name for field in fields(StudyRequest)} - {"lenient"}
    assert {option.name for option in study_options.OPTIONS} - SHORTHAND == fields_of_request - {"architecture"} | {
        "model"
    }
    assert study_options.BY_NAME["sampler"].choices == tuple(SAMPLERS)
    assert study_options.BY_NAME["pruner"].choices == tuple(PRUNERS)


def test_the_defaults_of_the_table_are_the_real_ones() -> None:
    defaults = {name: option.default.strip("`") for name, option in study_options.BY_NAME.items()}
    held = {**vars(Protocol()), **{field.name: field.default for field in fields(StudySpec)}}
    names = ("split", "by", "folds", "repeats", "split_seed", "duplicates", "sampler", "pruner", "seed")
    names += ("precision", "memory_format")
    assert {name: defaults[name] for name in (*names, "refit", "keep")} == {
        name: str(held[name]) for name in (*names, "refit", "keep")
    }
