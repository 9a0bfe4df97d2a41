import pytest

from fersearch import formatting


@pytest.mark.parametrize(
    ("text", "expected"),
    [("90", 90), (90, 90), ("90s", 90), ("55m", 3300), ("2h", 7200), ("1h30m", 5400), ("0.5h", 1800), (" 5M ", 300)],
)
def test_a_duration_is_read_in_every_way_people_write_it(text, expected):
    assert formatting.seconds(text) == expected


@pytest.mark.parametrize("text", ["", "m", "2x", "-5", "0", "0m", "m5", "1 h", "inf", True])
def test_what_is_no_duration_is_refused_with_an_example(text):
    with pytest.raises(ValueError, match="write 90, 90s, 55m or 2h"):
        formatting.seconds(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0s"),
        (4.13, "4.1s"),
        (9.96, "10s"),
        (59.6, "1m 00s"),
        (200, "3m 20s"),
        (3599.7, "1h 00m"),
        (7500, "2h 05m"),
    ],
)
def test_a_duration_is_reported_in_two_units_at_most(seconds, text):
    assert formatting.brief(seconds) == text


@pytest.mark.parametrize("text", ["0", "0s", "0h0m"])
def test_no_time_at_all_is_a_duration_where_it_may_be(text):
    assert formatting.seconds(text, zero=True) == 0
    with pytest.raises(ValueError, match=f"'{text}' is not a positive duration"):
        formatting.seconds(text)
