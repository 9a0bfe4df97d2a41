"""A folder names its owner; a malformed mark means none."""

from pathlib import Path

import pytest

from fersearch.owners import FILE, Owner, mark_folder, owner_of

OWNER = Owner("a" * 32, "b" * 32)


def test_a_folder_says_whose_it_is(tmp_path: Path) -> None:
    assert owner_of(tmp_path) is None
    mark_folder(tmp_path / "new", OWNER)
    assert owner_of(tmp_path / "new") == OWNER
    mark_folder(tmp_path / "new", OWNER._replace(database="c" * 32))
    assert owner_of(tmp_path / "new") == Owner("c" * 32, "b" * 32)


def test_a_folder_that_is_marked_already_is_not_written_again(tmp_path: Path) -> None:
    mark_folder(tmp_path, OWNER)
    before = (tmp_path / FILE).stat().st_mtime_ns, (tmp_path / FILE).stat().st_ino
    mark_folder(tmp_path, OWNER)
    assert ((tmp_path / FILE).stat().st_mtime_ns, (tmp_path / FILE).stat().st_ino) == before


@pytest.mark.parametrize("text", ["", "[]", "null", '{"database": "x"}', "\x00"])
def test_a_damaged_mark_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_text(text)
    assert owner_of(tmp_path) is None


def test_the_name_of_a_mark_means_its_owner() -> None:
    assert Owner.of_mark(OWNER.mark) == OWNER
    assert Owner.of_mark("notes.txt") is None
