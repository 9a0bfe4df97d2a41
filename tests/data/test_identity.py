"""Data is compared by its digests; differences are reported with counts and classes."""

from dataclasses import replace

import pytest

from fersearch.data import identity
from fersearch.data.identity import Identity, difference

THEN = Identity(
    files="f" * 64,
    arrays="a" * 64,
    seen="5" * 64,
    test="7" * 64,
    classes=("happy", "sad"),
    counts={"train": 1000, "valid": 27, "test": 0},
    file_count=1027,
    makers={"fersearch": "1.0", "pillow": "10.0.0"},
    path="/data/faces",
)


def test_it_is_stored_as_plain_data_with_the_versions_of_its_rules() -> None:
    plain = THEN.to_json()
    assert Identity.from_json(plain) == THEN
    assert plain["files"] == {"version": 1, "digest": "f" * 64, "count": 1027}
    assert plain["seen"]["version"] == 1
    assert THEN.unplaced.to_json()["path"] == ""
    assert Identity.from_json({}) == Identity()


def test_a_digest_by_another_rule_is_not_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = THEN.to_json()
    monkeypatch.setattr(identity, "SEEN_VERSION", 2)
    known = Identity.from_json(plain)
    assert (known.seen, known.test, known.arrays) == ("", "", THEN.arrays)
    assert known.agrees(replace(THEN, seen="6" * 64))
    assert not known.agrees(replace(THEN, seen="6" * 64, arrays="b" * 64))


def test_what_trials_see_decides_and_the_test_split_and_not_files_or_path() -> None:
    assert THEN.agrees(replace(THEN, files="e" * 64, path="/elsewhere", makers={}))
    assert not THEN.agrees(replace(THEN, seen="6" * 64))
    assert not THEN.agrees(replace(THEN, test="6" * 64))
    assert Identity().agrees(THEN)
    assert Identity(files="f" * 64).agrees(THEN)
    assert not Identity(files="e" * 64).agrees(THEN)


def test_a_difference_names_digests_counts_classes_and_the_ways_out() -> None:
    now = replace(THEN, seen="6" * 64, files="e" * 64, file_count=1028, counts={"train": 1001, "valid": 27})
    assert str(difference("data differ", THEN, now, ("one way", "another"))) == (
        "data differ\n"
        "  then: images: 1,000 train, 27 valid; 2 classes: happy, sad; seen 555555555555; files ffffffffffff (1,027)\n"
        "  now:  images: 1,001 train, 27 valid; 2 classes: happy, sad; seen 666666666666; files eeeeeeeeeeee (1,028)\n"
        "  one way\n"
        "  another"
    )


def test_equal_files_that_are_read_otherwise_are_reported_with_the_versions() -> None:
    now = replace(THEN, seen="6" * 64, makers={"fersearch": "1.0", "pillow": "12.1.0"})
    message = difference("x", THEN, now, ()).message
    assert message.endswith("the files are the same, so what reads them has changed: pillow 10.0.0 -> 12.1.0")
    unrecorded = difference("x", replace(THEN, makers={}), now, ()).message
    assert unrecorded.endswith("the versions that read them then were not recorded")
    same = difference("x", THEN, replace(THEN, seen="6" * 64), ()).message
    assert same.endswith("no package has another version, so look at the dataset's plugin")


def test_another_test_split_alone_is_reported_as_that() -> None:
    now = replace(THEN, test="8" * 64, files="e" * 64)
    assert "only the test split differs: then 777777777777, now 888888888888" in difference("x", THEN, now, ()).message


def test_many_classes_are_counted() -> None:
    many = replace(THEN, classes=tuple(f"c{k}" for k in range(14)))
    assert "14 classes: c0, c1" in many.describe()
    assert many.describe().count("and 2 more") == 1
    assert Identity().describe() == "not recorded"
