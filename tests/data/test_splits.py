"""An existing split is used; drawn ones are stratified, keep people together and repeat."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fersearch import DataError, Labels, UsageError
from fersearch.data import splits
from fersearch.study import Protocol


def labels(hard: Sequence[int], split: Sequence[int] | None = None, subject: Sequence[str] | None = None) -> Labels:
    given_split = [-2] * len(hard) if split is None else split
    people = None if subject is None else np.array(subject)
    names = tuple(f"c{k}" for k in range(max(hard) + 1))
    return Labels(names, np.array(hard, np.int64), np.array(given_split, np.int8), subject=people)


def sizes(parts: np.ndarray) -> list[int]:
    return [int((parts == part).sum()) for part in (0, 1, 2)]


def test_an_existing_split_is_used_and_images_left_out_stay_out() -> None:
    parts = splits.draw(labels([0, 1, 0, 1], [0, 1, 2, -1]), Protocol())
    assert parts.tolist() == [0, 1, 2, -1]


def test_a_draw_is_stratified_by_class() -> None:
    hard = [0] * 100 + [1] * 20
    parts = splits.draw(labels(hard), Protocol())
    assert sizes(parts[:100]) == [70, 15, 15]
    assert sizes(parts[100:]) == [14, 3, 3]


def test_equal_seeds_draw_equally_and_others_differently() -> None:
    some = labels([0, 1] * 50)
    first, again, other = (splits.draw(some, Protocol(split_seed=seed)) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_only_the_parts_that_nobody_gave_are_drawn() -> None:
    parts = splits.draw(labels([0, 1] * 60, [-2] * 100 + [2] * 20), Protocol())
    assert sizes(parts) == [82, 18, 20]
    assert (parts[100:] == 2).all()


def test_images_without_a_part_train_where_every_part_exists() -> None:
    assert splits.draw(labels([0, 0, 0, 0], [0, 1, 2, -2]), Protocol()).tolist() == [0, 1, 2, 0]


def test_ratios_redraw_an_existing_split() -> None:
    parts = splits.draw(labels([0] * 100, [0] * 99 + [-1]), Protocol("ratios", (0.5, 0.5, 0.0)))
    assert parts[99] == -1
    assert sizes(parts) == [50, 49, 0]


def test_an_official_split_is_demanded_and_missing() -> None:
    with pytest.raises(DataError, match="2 images have no official train and valid split"):
        splits.draw(labels([0, 1]), Protocol("official"))


def test_a_class_of_three_images_is_in_every_part() -> None:
    parts = splits.draw(labels([0] * 100 + [1] * 3), Protocol())
    assert sizes(parts[100:]) == [1, 1, 1]


def test_ratios_without_train_are_refused() -> None:
    with pytest.raises(UsageError, match="leave nothing to train on"):
        splits.draw(labels([0, 1]), Protocol(ratios=(0.0, 0.5, 0.5)))


@given(
    people=st.lists(st.tuples(st.integers(1, 8), st.integers(0, 3)), min_size=3, max_size=30),
    seed=st.integers(0, 100),
)
def test_a_person_is_in_one_part_and_no_part_is_empty(people: list[tuple[int, int]], seed: int) -> None:
    rows = [(f"p{who}", label) for who, (n, label) in enumerate(people) for _ in range(n)]
    some = labels([label for _, label in rows], subject=[who for who, _ in rows])
    parts = splits.draw(some, Protocol(split_seed=seed))
    for who in {who for who, _ in rows}:
        assert len({int(part) for part, (name, _) in zip(parts, rows, strict=True) if name == who}) == 1
    assert min(sizes(parts)) > 0


def test_people_are_divided_in_the_requested_shares() -> None:
    rows = [(f"p{who}", label) for who in range(100) for label in range(4) for _ in range(2)]
    parts = splits.draw(labels([label for _, label in rows], subject=[who for who, _ in rows]), Protocol())
    assert sizes(parts) == [560, 120, 120]


def test_images_of_nobody_known_are_divided_one_by_one() -> None:
    some = labels([0] * 100, subject=["same"] * 10 + [""] * 90)
    parts = splits.draw(some, Protocol())
    assert len(set(parts[:10].tolist())) == 1
    assert sizes(parts) == [70, 15, 15]


def test_too_few_people_are_an_error() -> None:
    with pytest.raises(DataError, match="2 subjects cannot be divided into train, valid, test"):
        splits.draw(labels([0, 1, 0, 1], subject=["a", "a", "b", "b"]), Protocol())


def test_a_limit_keeps_the_shares_of_parts_and_classes() -> None:
    hard = np.array([0] * 80 + [1] * 20 + [0] * 16 + [1] * 4 + [0] * 7, np.int64)
    indices = {"train": np.arange(100), "valid": np.arange(100, 120), "test": np.arange(120, 127)}
    subset = splits.limited(indices, hard, 60, seed=0)
    assert {part: np.bincount(hard[rows]).tolist() for part, rows in subset.items()} == {
        "train": [40, 10],
        "valid": [8, 2],
        "test": [7],
    }
    assert set(subset["train"]) <= set(range(100))


def test_a_limit_keeps_one_of_a_rare_class() -> None:
    hard = np.array([0] * 998 + [1] * 2 + [0] * 100, np.int64)
    subset = splits.limited({"train": np.arange(1000), "valid": np.arange(1000, 1100)}, hard, 50, seed=0)
    assert np.bincount(hard[subset["train"]]).tolist() == [44, 1]


def test_a_limit_above_everything_changes_nothing() -> None:
    indices = {"train": np.arange(3), "valid": np.arange(3, 5)}
    assert splits.limited(indices, np.zeros(5, np.int64), 5, seed=0) == indices


def test_a_limit_that_leaves_nothing_to_validate_on_is_refused() -> None:
    with pytest.raises(UsageError, match="a limit of 1 leaves no image"):
        splits.limited({"train": np.arange(3), "valid": np.arange(3, 5)}, np.zeros(5, np.int64), 1, seed=0)


PEOPLE = [f"s{k % 6}" for k in range(60)]
CLASSES = [k % 4 for k in range(60)]


@pytest.mark.parametrize("by", ["auto", "chance", "class", "subject"])
def test_each_image_validates_in_exactly_one_fold(by: str) -> None:
    some, protocol = labels(CLASSES, subject=PEOPLE), Protocol("kfold", folds=3, by=by)  # type: ignore[arg-type]
    assert splits.rounds(some, protocol) == 3
    parts = [splits.draw(some, protocol, number) for number in (1, 2, 3)]
    assert (sum((part == 1).astype(int) for part in parts) == 1).all()
    assert all(((part == 0) | (part == 1)).all() for part in parts)


def test_folds_by_subject_keep_people_together_and_folds_by_chance_are_reported_to_leak() -> None:
    some = labels(CLASSES, subject=PEOPLE)
    for number in (1, 2, 3):
        assert not splits.leaks(some, splits.draw(some, Protocol("kfold", folds=3), number))
    leaks = splits.leaks(some, splits.draw(some, Protocol("kfold", folds=3, by="chance")))
    assert leaks[0].startswith("6 of 6 subjects of valid are also in train")


def test_repeats_of_folds_divide_differently() -> None:
    some, protocol = labels(CLASSES), Protocol("kfold", folds=3, repeats=2)
    assert splits.rounds(some, protocol) == 6
    assert not np.array_equal(splits.draw(some, protocol, 1), splits.draw(some, protocol, 4))
    assert np.array_equal(splits.draw(some, protocol, 4), splits.draw(some, protocol, 4))


def test_folds_leave_the_existing_test_images_alone_and_join_valid_to_train() -> None:
    parts = splits.draw(labels([0] * 30, [0] * 15 + [1] * 5 + [2] * 10), Protocol("kfold", folds=4))
    assert sizes(parts) == [15, 5, 10]
    assert (parts[20:] == 2).all()


def test_folds_with_ratios_hold_out_a_test_part_of_all_images() -> None:
    some = labels([0] * 100, [0] * 90 + [2] * 10)
    assert sizes(splits.draw(some, Protocol("kfold", (0.6, 0.2, 0.2), folds=4))) == [60, 20, 20]
    assert sizes(splits.draw(some, Protocol("kfold", (0.9, 0.1, 0.0), folds=10))) == [90, 10, 0]


def test_each_subject_is_left_out_once() -> None:
    some, protocol = labels(CLASSES, subject=[*PEOPLE[:-1], ""]), Protocol("loso")
    assert splits.rounds(some, protocol) == 6
    left = [set(np.array(PEOPLE)[splits.draw(some, protocol, number) == 1]) for number in range(1, 7)]
    assert left == [{f"s{k}"} for k in range(6)]


def test_leaving_subjects_out_needs_subjects() -> None:
    with pytest.raises(DataError, match="leaving one subject out needs a dataset that lists two subjects"):
        splits.rounds(labels(CLASSES), Protocol("loso"))


def test_more_folds_than_subjects_is_refused() -> None:
    with pytest.raises(DataError, match="6 subjects cannot be divided into 10 folds"):
        splits.draw(labels(CLASSES, subject=PEOPLE), Protocol("kfold", folds=10))


def test_what_leaks_is_not_called_grouped() -> None:
    with pytest.raises(DataError, match="does not list its subjects"):
        splits.draw(labels(CLASSES), Protocol("kfold", by="subject"))
    official = labels(CLASSES, [k % 2 for k in range(60)], ["same"] * 60)
    with pytest.raises(DataError, match=r"keeps subjects apart .* and this split does not: 1 of 1 subjects of valid"):
        splits.draw(official, Protocol(by="subject"))


def test_duplicates_leave_the_side_that_learns() -> None:
    images = np.arange(6, dtype=np.uint8).reshape(6, 1, 1, 1)
    images[0] = images[3] = images[5]
    images[1] = images[4]
    parts = splits.without_duplicates(np.array([0, 0, 0, 1, 1, 2], np.int8), images)
    assert parts.tolist() == [-1, -1, 0, -1, 1, 2]


def test_a_split_by_chance_takes_no_heed_of_classes() -> None:
    parts = splits.draw(labels([0] * 95 + [1] * 5), Protocol("ratios", (0.8, 0.2, 0.0), by="chance"))
    assert sizes(parts) == [80, 20, 0]


def test_a_limit_keeps_whole_subjects_where_each_is_left_out_once() -> None:
    some = labels([0, 1] * 50, subject=[f"p{k // 10}" for k in range(100)])
    loso = Protocol(split="loso")
    fewer = splits.fewer_subjects(some, loso, 35)
    subset = np.flatnonzero(fewer.split != -1)
    assert (len(subset), splits.rounds(fewer, loso)) == (30, 3)
    assert len(np.unique(some.subject[subset])) == 3
    assert splits.rounds(splits.fewer_subjects(some, loso, 1), loso) == 2
    assert splits.fewer_subjects(some, loso, 100) is some
    assert splits.fewer_subjects(some, Protocol(split="kfold"), 35) is some


def test_a_limit_under_leave_one_subject_out_lets_test_be() -> None:
    split = [0] * 40 + [2] * 40
    some = labels([0, 1] * 40, split, [f"p{k // 10}" for k in range(80)])
    fewer = splits.fewer_subjects(some, Protocol(split="loso"), 20)
    assert sizes(splits.draw(fewer, Protocol(split="loso"))) == [10, 10, 40]
