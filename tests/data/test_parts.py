"""The names of parts, as people write them."""

import pytest

from fersearch.data.parts import looks_like_part, part_of, parts_of


@pytest.mark.parametrize(
    ("names", "part"),
    [
        (("train", "Train", "TRAINING", "train_set", "trainset", "Train-Data", "training data", "images_train"), 0),
        (("valid", "validation", "val", "Val_Set", "dev", "dev-set", "eval", "evaluation_data", "PublicTest"), 1),
        (("test", "Testing", "test_data", "TestSet", "test images", "PrivateTest"), 2),
        (("happy", "data", "images", "", "trainer", "contest", "protest", "latest", "evaluator"), None),
    ],
)
def test_a_part_is_known_by_its_usual_names(names: tuple[str, ...], part: int | None) -> None:
    assert dict.fromkeys(names, part) == {name: part_of(name) for name in names}


@pytest.mark.parametrize(
    ("names", "parts"),
    [
        ("train eval test", {"train": 0, "eval": 1, "test": 2}),
        ("train dev eval", {"train": 0, "dev": 1, "eval": 2}),
        ("train eval", {"train": 0, "eval": 1}),
        ("Training PublicTest PrivateTest", {"Training": 0, "PublicTest": 1, "PrivateTest": 2}),
        ("happy train sad", {"train": 0}),
    ],
)
def test_eval_is_test_only_beside_another_valid_part(names: str, parts: dict[str, int]) -> None:
    assert parts_of(names.split()) == parts


def test_what_looks_like_a_part_is_no_class() -> None:
    assert all(map(looks_like_part, ("train2", "FER2013Test", "fold_1", "split-3", "my_val", "train_aug")))
    assert not any(map(looks_like_part, ("happy", "Surprised", "class1", "contest", "devil", "restrained")))
