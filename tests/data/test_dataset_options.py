"""The options of a dataset: offered, defaulted, checked."""

from typing import Any

import pytest

from fersearch import UsageError
from fersearch.data import options


def test_defaults_fill_missing_values(squares: Any) -> None:
    assert options.decoding(squares, {"image_size": 8}) == {"image_size": 8, "channels": 1, "corner": 255}
    assert options.loading(squares, {}) == {"flip_labels": False, "target": "majority"}


def test_an_option_that_applies_only_sometimes_is_there_only_then(squares: Any) -> None:
    assert options.loading(squares, {"flip_labels": True})["how"] == "a"
    with pytest.raises(UsageError, match="how: applies only when flip_labels=true"):
        options.loading(squares, {"how": "b"})


def test_texts_become_values(squares: Any) -> None:
    assert options.parse(squares, {"image_size": "64", "flip_labels": "true"}) == {
        "image_size": 64,
        "flip_labels": True,
    }


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ({"imagesize": "64"}, "dataset squares has no option 'imagesize'"),
        ({"channels": "2"}, "channels: '2' is not offered"),
        ({"image_size": "9999"}, "image_size: 9999 is not offered"),
        ({"image_size": "big"}, "image_size: 'big' is not offered"),
    ],
)
def test_what_is_not_offered_is_refused(squares: Any, texts: dict[str, str], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        options.parse(squares, texts)
    assert caught.value.message == message
    assert caught.value.hint


def test_an_unknown_target_shows_the_offer(squares: Any) -> None:
    with pytest.raises(UsageError) as caught:
        options.loading(squares, {"target": "majorty"})
    assert caught.value.message == "squares has no target 'majorty'"
    assert caught.value.hint == "did you mean 'majority'? offered: crossentropy, majority"


def test_explicit_values_are_checked_too(squares: Any) -> None:
    options.check(squares, {"channels": 3})
    with pytest.raises(UsageError, match="channels: 2 is not offered"):
        options.check(squares, {"channels": 2})
