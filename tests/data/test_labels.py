"""One canonical word for what datasets call an emotion."""

import pytest

from fersearch import DataError
from fersearch.data.labels import (
    EMOTIONS,
    EXTENDED,
    NOT_CLASSES,
    canonical,
    check_base,
    coded,
    in_order,
    known,
    lookalikes,
    one_spelling,
)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Happy", "happiness"),
        ("happinnes", "happiness"),
        ("NE", "neutral"),
        ("neutrality", "neutral"),
        ("None-Expression", "neutral"),
        ("af", "fear"),
        ("Not a face", "not_a_face"),
        ("NF", "not_a_face"),
        ("no_face", "not_a_face"),
        ("Think", "concentration"),
        ("uncertain", "unknown"),
    ],
)
def test_aliases_are_read_whatever_their_case_and_blanks(text: str, name: str) -> None:
    assert canonical(text) == name


def test_every_canonical_word_is_its_own_alias() -> None:
    for name in (*EMOTIONS, *EXTENDED, *NOT_CLASSES):
        assert canonical(name) == name


def test_a_plain_none_is_not_neutral() -> None:
    assert known("none") is None


def test_an_unknown_label_names_the_place_and_the_nearest_word() -> None:
    with pytest.raises(DataError) as caught:
        canonical("hapyness", "list.csv line 3")
    assert caught.value.message == "list.csv line 3: unknown label 'hapyness'"
    assert "did you mean 'happiness'?" in caught.value.hint


def test_two_names_of_one_emotion_are_noticed_and_stay_separate() -> None:
    assert lookalikes(("Happy", "happiness", "sad")) == [
        "classes 'Happy' and 'happiness' look like one class (happiness); they are kept apart"
    ]
    assert lookalikes(EMOTIONS) == []


def test_a_code_is_looked_up_and_an_unknown_one_refused_with_all_of_them() -> None:
    codes = {"1": "surprise", "2": "fear"}
    assert coded(" 2 ", codes, "list.txt line 1") == "fear"
    with pytest.raises(DataError) as caught:
        coded("0", codes, "list.txt line 2")
    assert caught.value.message == "list.txt line 2: unknown emotion code '0'"
    assert caught.value.hint == "known: 1 surprise, 2 fear"


def test_emotions_come_in_canonical_order_and_others_after_them_sorted() -> None:
    assert in_order(["zen", "fear", "neutral", "ahegao", "bored", "fear"]) == (
        *("neutral", "fear", "ahegao"),
        *("bored", "zen"),
    )


CODES = {"0": "anger", "1": "disgust", "2": "fear"}


@pytest.mark.parametrize("text", ["2", "2.0", " 2 ", "02", "2.", "fear", "Fearful"])
def test_a_label_may_be_a_code_or_a_word(text: str) -> None:
    assert canonical(text, "a.csv line 2", codes=CODES) == "fear"


def test_a_hint_names_the_codes_that_a_file_may_have_and_not_every_word() -> None:
    with pytest.raises(DataError) as caught:
        canonical("angri", "a.csv line 2", EMOTIONS[:3], CODES)
    assert caught.value.hint == "known: 0 anger, 1 disgust, 2 fear"
    with pytest.raises(DataError) as caught:
        canonical("suprise", "a.csv line 2", EMOTIONS[:3])
    assert caught.value.hint == "did you mean 'surprise'? known: neutral, happiness, surprise"


def test_codes_that_run_from_1_are_refused_or_doubted() -> None:
    places = [(f"a.csv line {k}", text) for k, text in enumerate(("1", "2.0", "3"), 2)]
    with pytest.raises(DataError) as caught:
        check_base(places, CODES)
    assert caught.value.message == (
        "a.csv line 4: emotion code 3 and no 0: these codes run from 1, the dataset's from 0"
    )
    assert caught.value.hint == "known: 0 anger, 1 disgust, 2 fear; subtract 1 from each"
    assert check_base(places[:2], CODES) == [
        "no label is code 0 (anger): if these codes run from 1, every label is wrong; known: 0 anger, 1 disgust, 2 fear"
    ]
    assert check_base([*places, ("a.csv line 5", "0")], CODES) == []
    assert check_base([("a", "anger"), ("b", "fear")], CODES) == []


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("Angry", "angry"), "classes 'Angry' and 'angry' look like one class"),
        (("caf\u00e9", "cafe\u0301"), r"classes 'caf\xe9' and 'cafe\u0301' look like one class"),
        (("sad", "sad "), "classes 'sad' and 'sad ' look like one class"),
        (("0", "0.0"), "classes '0' and '0.0' look like one class"),
        (("sad", "s\u200bad"), r"classes 'sad' and 's\u200bad' look like one class"),
    ],
)
def test_spellings_of_one_name_are_one_class_and_both_are_named(names: tuple[str, str], message: str) -> None:
    merged, findings = one_spelling({names[0]: 5, names[1]: 2, "zen": 1})
    assert merged == {names[0]: names[0], names[1]: names[0], "zen": "zen"}
    assert findings == [f"{message}: their images are taken together as '{names[0]}'"]


def test_other_names_stay_apart() -> None:
    assert one_spelling({"happy": 1, "happiness": 1, "1": 1, "10": 1})[1] == []
