"""What a study sees: labels, split, statistics; derived once and mapped after."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fersearch import DataError, Labels, UsageError
from fersearch.data import views
from fersearch.data.arrays import Prepared, load, prepare
from fersearch.study import Protocol


def test_the_search_sees_train_and_valid_and_never_test(squares: Any, prepared: Prepared) -> None:
    loaded = load(squares, prepared, {})
    assert {part: len(rows) for part, rows in loaded.indices.items()} == {"train": 40, "valid": 10}
    assert len(load(squares, prepared, {}, with_test=True).indices["test"]) == 10


def test_everything_is_mapped_read_only(squares: Any, prepared: Prepared) -> None:
    loaded = load(squares, prepared, {"target": "crossentropy"})
    arrays = [loaded.images, loaded.hard, loaded.soft, *loaded.indices.values()]
    assert all(isinstance(array, np.memmap) and not array.flags.writeable for array in arrays)
    assert [loaded.images.dtype, loaded.hard.dtype, loaded.soft.dtype] == [np.uint8, np.int64, np.float32]


def test_a_view_is_derived_once(squares: Any, prepared: Prepared, monkeypatch: pytest.MonkeyPatch) -> None:
    first = load(squares, prepared, {})
    monkeypatch.setattr(squares, "label", None)
    again = load(squares, prepared, {"target": "majority"})
    assert np.array_equal(first.hard, again.hard)
    assert first.mean == again.mean


def test_options_targets_protocols_and_limits_have_views_of_their_own(squares: Any, prepared: Prepared) -> None:
    plain = load(squares, prepared, {})
    assert load(squares, prepared, {"target": "crossentropy"}).soft is not None
    assert plain.soft is None
    assert np.array_equal(load(squares, prepared, {"flip_labels": True}).hard, 1 - plain.hard)
    drawn = load(squares, prepared, {}, Protocol("ratios", (0.5, 0.25, 0.25)))
    assert len(drawn.indices["train"]) == 30
    few = load(squares, prepared, {}, limit=25)
    assert {part: len(rows) for part, rows in few.indices.items()} == {"train": 20, "valid": 5}


def test_an_edited_plugin_does_not_find_the_labels_it_gave_before(
    squares: Any, prepared: Prepared, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(squares, prepared, {})
    monkeypatch.setattr(views, "_maker", lambda dataset: [1, "squares", "other text"])
    labels = Labels(("dark", "bright"), np.ones(60, np.int64), prepared.columns["split"])
    monkeypatch.setattr(squares, "label", lambda *_: labels)
    assert load(squares, prepared, {}).hard.tolist() == [1] * 60


def test_mean_and_deviation_are_of_the_train_images(squares: Any, prepared: Prepared) -> None:
    loaded = load(squares, prepared, {})
    train = loaded.images[loaded.indices["train"]] / 255
    assert loaded.mean == pytest.approx((train.mean(),))
    assert loaded.std == pytest.approx((train.std(),))


def test_each_channel_has_its_own_statistics() -> None:
    images = np.random.default_rng(0).integers(0, 256, (50, 3, 8, 8), dtype=np.uint8)
    images[:, 2] = 7
    mean, std = views.statistics(images, np.arange(0, 50, 2))
    some = images[::2] / 255
    assert mean == pytest.approx(some.mean((0, 2, 3)).tolist())
    assert std == pytest.approx([*some.std((0, 2, 3)).tolist()[:2], 1.0])


def test_the_task_is_that_of_the_view(squares: Any, source: Path, tmp_path: Path) -> None:
    prepared = prepare(squares, source, {"image_size": 16, "channels": 3}, tmp_path / "p")
    loaded = load(squares, prepared, {})
    assert (loaded.task.class_names, loaded.task.channels, loaded.task.image_size) == (("dark", "bright"), 3, 16)
    assert (loaded.digest, loaded.licence, loaded.target) == (prepared.digest, "none", "majority")
    assert len(loaded.mean) == len(loaded.std) == 3


def with_labels(squares: Any, monkeypatch: pytest.MonkeyPatch, **change: Any) -> None:
    facts: dict[str, Any] = {
        "class_names": ("dark", "bright"),
        "hard": np.zeros(60, np.int64),
        "split": np.arange(60) % 2,
        **change,
    }
    monkeypatch.setattr(squares, "label", lambda *_: Labels(**facts))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hard": np.zeros(59, np.int64)}, "59 values of 'hard' for 60 images"),
        ({"hard": np.full(60, 2)}, "labels run from 2 to 2, with 2 classes"),
        ({"soft": np.zeros((60, 3), np.float32)}, "targets have 3 columns, with 2 classes"),
        ({"class_names": ("dark",)}, "has 1 classes"),
        ({"split": np.zeros(60, np.int8)}, "leaves no image for valid"),
    ],
)
def test_labels_that_do_not_fit_are_an_error(
    squares: Any, prepared: Prepared, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any], message: str
) -> None:
    with_labels(squares, monkeypatch, **change)
    with pytest.raises(DataError) as caught:
        load(squares, prepared, {})
    assert message in caught.value.message


def test_asking_for_a_test_split_that_is_not_there_is_an_error(
    squares: Any, prepared: Prepared, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_labels(squares, monkeypatch)
    assert set(load(squares, prepared, {}).indices) == {"train", "valid"}
    with pytest.raises(DataError, match="squares has no test split"):
        load(squares, prepared, {}, with_test=True)


def test_a_limit_too_small_is_refused(squares: Any, prepared: Prepared) -> None:
    with pytest.raises(UsageError, match="a limit of 1 leaves no image"):
        load(squares, prepared, {}, limit=1)


def in_three_classes(squares: Any, monkeypatch: pytest.MonkeyPatch, hard: Any, split: Any) -> None:
    labels = Labels(("dark", "bright", "grey"), np.asarray(hard, np.int64), np.asarray(split, np.int8))
    monkeypatch.setattr(squares, "label", lambda *_: labels)


@pytest.mark.parametrize("judged", [1, 2])
def test_a_class_without_an_image_to_train_on_is_named(
    squares: Any, prepared: Prepared, monkeypatch: pytest.MonkeyPatch, judged: int
) -> None:
    parts = [0] * 40 + [1] * 10 + [2] * 10
    hard = [k % 2 for k in range(60)]
    hard[[0, 40, 50][judged]] = 2
    in_three_classes(squares, monkeypatch, hard, parts)
    warnings = ("class 'grey' has 1 images in valid and test and no image to train on",)
    assert load(squares, prepared, {}).untaught == warnings


def test_a_fold_without_an_image_of_a_class_is_reported(
    squares: Any, prepared: Prepared, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_three_classes(squares, monkeypatch, [2, *(k % 2 for k in range(59))], [-2] * 60)
    protocol = Protocol("kfold", folds=2, by="chance")
    warnings = [load(squares, prepared, {}, protocol, round=round).warnings for round in (1, 2)]
    assert sorted(map(len, warnings)) == [0, 1]
    assert "class 'grey' has 1 images in valid and test and no image to train on" in warnings[0] + warnings[1]
