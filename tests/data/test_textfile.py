"""Texts with and without a byte-order mark, and in other encodings."""

from pathlib import Path

import pytest

from fersearch import DataError
from fersearch.data.textfile import lines, read_text


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_a_byte_order_mark_is_no_text(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "a.txt").write_text("train_1.jpg 5\r\n\r\n  b 2 \n", encoding=encoding)
    assert lines(tmp_path / "a.txt") == [(1, "train_1.jpg 5"), (3, "b 2")]


@pytest.mark.parametrize(
    ("encoding", "message"), [("utf-16", "is text in UTF-16"), ("latin-1", "is not text in UTF-8 (byte 0xe9)")]
)
def test_another_encoding_is_named(tmp_path: Path, encoding: str, message: str) -> None:
    (tmp_path / "a.txt").write_text("caf\u00e9 1\n", encoding=encoding)
    with pytest.raises(DataError) as caught:
        read_text(tmp_path / "a.txt")
    assert caught.value.message == f"{tmp_path / 'a.txt'} {message}"
    assert "UTF-8" in caught.value.hint
