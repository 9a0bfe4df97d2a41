"""Untrusted cards: whatever is wrong in one is reported as such, before anything is used."""

import json
import random
import struct
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fersearch_architectures.cnn import Cnn

from fersearch import Task
from fersearch.errors import FersearchError
from fersearch.registry import Registry
from fersearch.training.card import DEEPEST, FORMAT, KEY, read_card, read_ensemble_card
from fersearch.training.checkpoint import Restored, write_checkpoint
from tests.cards import card, ensemble_card

PARAMS = {"dropout": 0.1, "batch_size": 8, "width": 1, "convolutions": 1}
PLUGIN = {"path": "/home/a/mine.py", "digest": "1" * 64, "file": "mine-11111111.py"}
WRONG: tuple[Any, ...] = (None, True, -1, 1.5, 10**30, "", "x", "a\0b", [], {}, [[]], {"a": {"b": []}}, [None], ["\0"])


@pytest.fixture(scope="module")
def weights() -> dict[str, torch.Tensor]:
    return dict(Cnn().build(PARAMS, Task(tuple("abcdefgh"))).state_dict())


@pytest.fixture
def registry() -> Registry:
    return Registry({"cnn": Cnn()})


def raw(path: Path, text: bytes, tensors: bytes = b"") -> Path:
    """A file whose header is `text`."""
    path.write_bytes(struct.pack("<Q", len(text)) + text + tensors)
    return path


def with_card(path: Path, text: str) -> Path:
    """A file with a card's text and no weights."""
    return raw(path, json.dumps({"__metadata__": {KEY: text}}).encode())


def test_cards_of_both_formats_are_read(tmp_path: Path) -> None:
    new = card(
        params=PARAMS,
        study_id="0" * 32,
        data={"files": {"digest": "0" * 64}},
        steps=[{"step": "grey"}],
        plugins=[PLUGIN],
    )
    old = {**card(params=PARAMS), "format": 1, "plugins": [{"path": "a/mine.py", "digest": "1" * 64}]}
    for each in (new, old):
        assert read_card(with_card(tmp_path / "x", json.dumps(each))) == each


def test_preprocessing_of_older_cards_has_its_present_name(tmp_path: Path) -> None:
    steps = [{"step": "fit", "size": 32}, {"step": "preprocess", "name": "ferplus"}]
    old = card(params=PARAMS, steps=steps)
    old["dataset"] = {**old["dataset"], "name": "ferplus", "options": {"preprocess": "ferplus"}}
    result = read_card(with_card(tmp_path / "x", json.dumps(old)))
    assert result["steps"][1] == {"step": "preprocess", "name": "illumination"}
    assert result["dataset"]["options"] == {"preprocess": "illumination"}
    assert result["dataset"]["name"] == "ferplus"


def test_the_protocol_and_params_of_a_card_may_be_whatever_a_study_offers(tmp_path: Path) -> None:
    protocol = {"split": "kfold", "ratios": [0.7, 0.15, 0.15], "folds": 5, "repeats": 2, "seed": 0, "by": "subject"}
    params = {**PARAMS, "crop": 40, "tta": "ten_crop", "loss_scale": 10, "freeze": "none", "nesterov": True}
    each = card(params=params, protocol={**protocol, "duplicates": "drop"}, metrics={"f1_macro": None, "loss": 1})
    assert read_card(with_card(tmp_path / "x", json.dumps(each))) == each


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"mean": [0.5, 0.5]}, "mean and std are of 2 and 1 channels, not 1"),
        ({"std": [0.0]}, r"std\.0: Input should be greater than 0"),
        ({"image_size": 10**9}, "image_size: Input should be less than or equal to 8192"),
        ({"channels": 2}, "channels: Input should be 1 or 3"),
        ({"class_names": []}, "class_names: List should have at least 1 item"),
        ({"class_names": ["a\0b"]}, "its card holds a NUL character"),
        ({"seed": 10**30}, "its card holds a number that is too large"),
        ({"metrics": {"f1": float("nan")}}, "its card holds a number that is not finite"),
        ({"params": {"batch_size": 0}}, r"params\.batch_size: Input should be greater than or equal to 1"),
        ({"protocol": {"split": "none"}}, r"protocol\.split: Input should be 'auto'"),
        ({"protocol": {"folds": 10**9}}, "protocol: folds, repeats and seed are out of all bounds"),
        ({"protocol": {"fold": 3}}, r"protocol\.fold: Unexpected keyword argument"),
        ({"plugins": [{"path": "a.py"}]}, r"plugins\.0\.digest: Field required"),
        ({"plugins": [{**PLUGIN, "file": "../a.py"}]}, r"plugins\.0\.file: String should match"),
        ({"plugins": [{**PLUGIN, "digest": "x"}]}, r"plugins\.0\.digest: String should match"),
        ({"dataset": {"name": "faces"}}, r"dataset\.digest: Field required"),
        ({"data": {"seen": {"digest": 3}}}, r"data\.seen\.digest: Input should be a valid string"),
        ({"data": {"seen": None}}, r"data\.seen: Input should be"),
        ({"licence": "x" * 2**22}, "its card is longer than 4,194,304 bytes"),
        ({"format": "2"}, "format: Input should be a valid integer"),
    ],
)
def test_what_is_wrong_in_a_card_is_reported(tmp_path: Path, changed: dict[str, Any], message: str) -> None:
    with pytest.raises(FersearchError, match=f"x is not a checkpoint of fersearch: {message}") as error:
        read_card(with_card(tmp_path / "x", json.dumps(card(**changed))))
    assert error.value.hint == "pull one: fersearch checkpoint pull STUDY"


@pytest.mark.parametrize("text", ["", "{", "[]", "3", '"x"', "null", "[" * 100_000, '{"a":' * 100_000, "9" * 5000])
def test_a_card_that_is_no_table_is_no_card(tmp_path: Path, text: str) -> None:
    with pytest.raises(FersearchError, match="not a checkpoint of fersearch: it"):
        read_card(with_card(tmp_path / "x", text))


def test_a_card_is_nested_no_deeper_than_anyone_needs(tmp_path: Path) -> None:
    deep: Any = []
    for _ in range(DEEPEST):
        deep = [deep]
    with pytest.raises(FersearchError, match="nested deeper than 20"):
        read_card(with_card(tmp_path / "x", json.dumps(card(data={"a": deep}))))


@pytest.mark.parametrize(
    "header",
    [b"", b"{}", b"[]", b"{", b"\xff", b"[" * 100_000, b'{"__metadata__":3}', b'{"__metadata__":{"fersearch":3}}'],
)
def test_a_header_without_a_card_is_no_checkpoint(tmp_path: Path, header: bytes) -> None:
    with pytest.raises(FersearchError, match="not a checkpoint of fersearch: it holds no card"):
        read_card(raw(tmp_path / "x", header))


def test_a_header_that_claims_a_terabyte_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(struct.pack("<Q", 2**40) + b"{}")
    with pytest.raises(FersearchError, match="not a checkpoint of fersearch"):
        read_card(tmp_path / "x")


def test_no_wrong_field_gets_past_the_card_into_a_traceback(tmp_path: Path, registry: Registry) -> None:
    """Every field is left out and replaced by every wrong value; what is used after all answers or says why not."""
    whole = card(params=PARAMS, plugins=[PLUGIN], image_size=16)
    weights = dict(Cnn().build(PARAMS, Task(tuple("abcdefgh"), 1, 16)).state_dict())
    mutated = [{key: value for key, value in whole.items() if key != gone} for gone in whole]
    mutated += [{**whole, key: value} for key in whole for value in WRONG]
    for table in ("params", "dataset", "protocol"):
        mutated += [{**whole, table: {**whole[table], key: value}} for key in whole[table] for value in WRONG]
    write_checkpoint(tmp_path / "good", weights, whole)
    images = np.zeros((1, 1, 16, 16), np.uint8)
    assert Restored.open(tmp_path / "good", registry).probabilities(images).shape == (1, 8)
    refused = 0
    for each in mutated:
        write_checkpoint(tmp_path / "x", weights, each)
        try:
            assert np.isfinite(Restored.open(tmp_path / "x", registry).probabilities(images)).all(), each
        except FersearchError as error:
            refused += "not a checkpoint of fersearch" in error.message
    assert len(mutated) > 400
    assert refused > 0.8 * len(mutated)


def test_no_wrong_byte_gets_into_a_traceback(tmp_path: Path, weights: Any, registry: Registry) -> None:
    write_checkpoint(tmp_path / "good", weights, card(params=PARAMS))
    data, draw = (tmp_path / "good").read_bytes(), random.Random(0)
    length = int.from_bytes(data[:8], "little")
    for _ in range(150):
        changed = bytearray(data)
        for _ in range(draw.randint(1, 4)):
            changed[draw.randrange(8 + length)] = draw.randrange(256)
        cut = draw.choice([len(data), len(data), draw.randrange(len(data))])
        (tmp_path / "x").write_bytes(changed[:cut])
        try:
            Restored.open(tmp_path / "x", registry)
        except FersearchError:
            continue


def test_a_small_file_that_asks_for_gigabytes_is_refused_at_once(
    tmp_path: Path, weights: Any, registry: Registry
) -> None:
    for params in ({"width": 4000}, {"width": 10**7}):
        write_checkpoint(tmp_path / "x", weights, card(params={**PARAMS, **params}))
        started = time.perf_counter()
        with pytest.raises(FersearchError, match="the checkpoint's weights do not fit architecture 'cnn'"):
            Restored.open(tmp_path / "x", registry)
        assert time.perf_counter() - started < 5


def test_the_card_of_an_ensemble_is_checked_as_well(tmp_path: Path) -> None:
    member = {"file": "1.safetensors", "digest": "0" * 64, "weight": 1.0}
    good = ensemble_card(members=[member])
    where = tmp_path / "ensemble.json"
    where.write_text(json.dumps(good))
    assert read_ensemble_card(tmp_path) == good
    wrong = [{key: value for key, value in good.items() if key != gone} for gone in good if gone != "params"]
    wrong += [{**good, "members": value} for value in WRONG]
    wrong += [{**good, "members": [{**member, "file": "../1"}]}, {**good, "method": "stacking"}]
    for each in wrong:
        where.write_text(json.dumps(each))
        with pytest.raises(FersearchError, match="is not an ensemble of fersearch"):
            read_ensemble_card(tmp_path)


def test_an_ensemble_of_format_1_keeps_its_selection_apart_from_decoding_steps(tmp_path: Path) -> None:
    member = {"file": "1.safetensors", "digest": "0" * 64, "weight": 1.0}
    chosen = [{"study": "a", "trial": 1, "value": 0.5, "kept": True}]
    (tmp_path / "ensemble.json").write_text(
        json.dumps({**ensemble_card(members=[member]), "format": 1, "steps": chosen})
    )
    result = read_ensemble_card(tmp_path)
    assert result["selection"] == chosen
    assert "steps" not in result


def test_a_card_of_a_newer_format_is_reported_whatever_else_it_says(tmp_path: Path) -> None:
    with pytest.raises(FersearchError, match="newer fersearch"):
        read_card(with_card(tmp_path / "x", json.dumps({"format": FORMAT + 1})))
