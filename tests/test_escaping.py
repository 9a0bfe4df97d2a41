"""What is shown: nothing that a terminal would obey, and no password."""

import pytest

from fersearch.errors import FersearchError
from fersearch.escaping import masked, masked_url, printable, safe


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b]0;owned\x07", r"\x1b]0;owned\x07"),
        ("happy\rangry\b", r"happy\x0dangry\x08"),
        ("\x9b31m", r"\x9b31m"),
        ("a\u202eb\u2066c\u200f", r"a\u202eb\u2066c\u200f"),
        ("a\u2028b\ufeff", r"a\u2028b\ufeff"),
        ("caf\udce9.png", r"caf\xe9.png"),
        ("\U000e0041", r"\U000e0041"),
        ("two\nlines\tand a tab", "two\nlines\tand a tab"),
        ("Überraschung, ярость, 怒り, खुशी, می‌خواهم 👨‍👩‍👧", "Überraschung, ярость, 怒り, खुशी, می‌خواهم 👨‍👩‍👧"),
    ],
)
def test_what_a_terminal_would_obey_is_written_out(text: str, shown: str) -> None:
    assert printable(text) == shown
    assert printable(shown) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgresql://ada:secret@host:5/fer", "postgresql://ada:***@host:5/fer"),
        ("postgresql://ada:se@c/r:e%t@host/fer", "postgresql://ada:***@host/fer"),
        ("see 'postgresql+psycopg://ada:it's@host/fer': no", "see 'postgresql+psycopg://ada:***@host/fer': no"),
        ("postgresql://host/fer?user=ada&password=secret&x=1", "postgresql://host/fer?user=ada&password=***&x=1"),
        ("postgresql://host/fer?sslpassword=secret", "postgresql://host/fer?sslpassword=***"),
        ("s3://key:secret@bucket/x and 1:2@3", "s3://key:***@bucket/x and 1:2@3"),
        ("postgresql://ada@host/fer", "postgresql://ada@host/fer"),
        ("sqlite:////home/a:b@c/fer.db", "sqlite:////home/a:b@c/fer.db"),
        ("http://host:80/x", "http://host:80/x"),
    ],
)
def test_passwords_of_urls_are_masked(text: str, shown: str) -> None:
    assert masked(text) == safe(text) == shown


def test_a_url_with_blanks_in_its_password_is_masked() -> None:
    assert masked_url("postgresql://ada:my own @ word@host/fer") == "postgresql://ada:***@host/fer"
    assert masked_url("postgresql:/ada:secret@host/fer") == "postgresql:***@host/fer"
    assert masked_url("ada:secret@host/fer") == "ada:***@host/fer"
    assert masked_url("nonsense") == "nonsense"
    assert masked_url("sqlite:////home/a:b@c/fer.db") == "sqlite:////home/a:b@c/fer.db"


def test_an_error_never_carries_a_password() -> None:
    url = "postgresql://a:secret@h/x"
    error = FersearchError(f"no {url}", f"try: fersearch study list --storage {url}")
    assert "secret" not in f"{error} {error.args}"
    assert error.hint == "try: fersearch study list --storage postgresql://a:***@h/x"
