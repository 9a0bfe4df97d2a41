"""One canonical word for what datasets call an emotion."""

import pytest

from fersearch import DataError
from fersearch.data.labels import EMOTIONS, EXTENDED, NOT_CLASSES, canonical, coded, in_order, known, lookalikes


@pytest.mark.parametrize(
    ("text", "word"),
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
def test_aliases_are_read_whatever_their_case_and_blanks(text: str, word: str) -> None:
    assert canonical(text) == word


def test_every_canonical_word_is_its_own_alias() -> None:
    for word in (*EMOTIONS, *EXTENDED, *NOT_CLASSES):
        assert canonical(word) == word


def test_a_plain_none_is_not_neutral() -> None:
    assert known("none") is None


def test_an_unknown_label_names_the_place_and_the_nearest_word() -> None:
    with pytest.raises(DataError) as caught:
        canonical("hapyness", "list.csv line 3")
    assert caught.value.message == "list.csv line 3: unknown label 'hapyness'"
    assert "did you mean 'happiness'?" in caught.value.hint


def test_two_words_for_one_emotion_are_noticed_and_kept_apart() -> None:
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


def test_words_come_in_canonical_order_and_others_after_them_sorted() -> None:
    assert in_order(["zen", "fear", "neutral", "ahegao", "bored", "fear"]) == (
        *("neutral", "fear", "ahegao"),
        *("bored", "zen"),
    )
