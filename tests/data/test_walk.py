"""Which files a walk over folders takes for images, where links lead, and what it reports."""

import inspect
import os
import sys
from pathlib import Path

import pytest

from fersearch.data import formats
from fersearch.data.folders import printable
from fersearch.data.walk import Walk, images_below


def tree(root: Path, *paths: str) -> Path:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()
    return root


def names(root: Path) -> list[str]:
    return [str(path.relative_to(root)) for path in images_below(root)[0]]


def test_images_are_known_by_their_suffix_whatever_its_case(tmp_path: Path) -> None:
    tree(tmp_path, "a.JPG", "b.jfif", "c.jpe", "d.pbm", "e.txt", "deep/er/f.PNG", "g")
    assert names(tmp_path) == ["a.JPG", "b.jfif", "c.jpe", "d.pbm", "deep/er/f.PNG"]
    assert images_below(tmp_path)[1] == 2


@pytest.mark.parametrize(
    "junk",
    [
        *("@eaDir/a.jpg", "#recycle/a.jpg", "$RECYCLE.BIN/a.jpg", "__MACOSX/a.jpg", ".thumbs/a.jpg", "_old/a.jpg"),
        *("thumbnails/a.jpg", "Thumbs/a.jpg", "._a.jpg", "SYNOFILE_THUMB_M_a.jpg", "a_thumb.jpg", "thumb_a.jpg"),
    ],
)
def test_what_systems_and_network_drives_leave_is_no_image(tmp_path: Path, junk: str) -> None:
    assert names(tree(tmp_path, "b.jpg", junk)) == ["b.jpg"]


def test_what_a_person_may_have_meant_is_reported(tmp_path: Path) -> None:
    walk = Walk(tree(tmp_path, "a/_old/1.png", "a/_2.png", "a/@eaDir/3.png", "a/.4.png", "a/_notes.txt", "a/5.png"))
    assert len(walk.images(tmp_path / "a")) == 1
    assert walk.findings() == [
        "names that begin with @ # $ _, and thumbnails, are not images and were left out: "
        f"{tmp_path / 'a' / '_2.png'}, {tmp_path / 'a' / '_old'}"
    ]


def test_links_are_followed_and_every_real_file_counts_once(tmp_path: Path) -> None:
    top, elsewhere = tree(tmp_path / "top", "a/1.png"), tree(tmp_path / "elsewhere", "2.png", "3.png")
    (top / "b").symlink_to(elsewhere)
    (top / "c.png").symlink_to(elsewhere / "3.png")
    (top / "a" / "round").symlink_to("..")
    walk = Walk(top)
    assert [path.relative_to(top).as_posix() for path in walk.images(top)] == ["a/1.png", "b/2.png", "b/3.png"]
    assert walk.findings() == [
        f"2 images lie outside {top}, reached by links: the first is {top / 'b' / '2.png'}",
        f"1 links lead to images that are listed already, each counts once: the first is {top / 'c.png'}, "
        f"which is {top / 'b' / '3.png'}",
    ]


def test_links_in_a_circle_end(tmp_path: Path) -> None:
    top, other = tree(tmp_path / "top", "1.png"), tree(tmp_path / "other", "2.png")
    (top / "there").symlink_to(other)
    (other / "back").symlink_to(top)
    (top / "self").symlink_to("self")
    assert names(top) == ["1.png", "there/2.png"]


def test_folders_in_each_other_are_walked_however_many(tmp_path: Path) -> None:
    tree(tmp_path, "/".join([*["d"] * 300, "1.png"]))
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack(0)) + 100)
    try:
        result = images_below(tmp_path)[0]
    finally:
        sys.setrecursionlimit(limit)
    assert len(result) == 1


def test_a_format_without_its_decoder_is_reported_with_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(formats, "decodable", lambda suffix: suffix == ".avif")
    walk = Walk(tree(tmp_path, "a.HEIC", "b.heic", "c.avif", "d.png"))
    assert [path.name for path in walk.images(tmp_path)] == ["c.avif", "d.png"]
    assert walk.findings() == ["2 .heic files cannot be decoded here and were left out: install pillow-heif"]


def test_a_name_that_is_not_utf8_is_walked_and_can_be_shown(tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.png")).touch()
    assert [printable(name) for name in names(tmp_path)] == ["caf\\xe9.png"]
