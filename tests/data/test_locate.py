"""A dataset is located by an explicit path, by the last one, or in the folder of its name."""

from pathlib import Path
from typing import Any

import pytest

from fersearch import DataError
from fersearch.data.locate import locate, look_for, remember, remembered


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FERSEARCH_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def test_an_explicit_path_precedes_a_remembered_one_and_that_the_usual_one(
    squares: Any, home: Path, tmp_path: Path
) -> None:
    usual, last, by_path = home / "data" / "squares", tmp_path / "last", tmp_path / "given"
    for folder in (usual, last, by_path):
        folder.mkdir(parents=True)
    assert locate(squares) == usual
    remember(squares, last)
    assert locate(squares) == last
    assert locate(squares, by_path) == by_path


def test_several_datasets_are_remembered(squares: Any, tmp_path: Path) -> None:
    other = type("Other", (type(squares),), {"name": "other"})()
    remember(squares, tmp_path / "1")
    remember(other, tmp_path / "2")
    remember(squares, tmp_path / "3")
    assert remembered() == {"squares": tmp_path / "3", "other": tmp_path / "2"}


def test_a_layout_that_many_sets_of_images_have_is_not_remembered_by_its_name(
    squares: Any, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remember(squares, tmp_path)
    monkeypatch.setattr(type(squares), "named_by_path", True)
    with pytest.raises(DataError) as caught:
        locate(squares)
    assert str(caught.value) == (
        "squares is a layout that many image sets share\n  give the folder with --data: squares.txt"
    )
    remember(squares, tmp_path / "other")
    assert remembered() == {"squares": tmp_path}
    assert locate(squares, tmp_path) == tmp_path
    (home / "data" / "squares").mkdir(parents=True)
    assert locate(squares) == home / "data" / "squares"


def test_a_study_looks_where_its_data_was_then_for_a_copy_then_by_the_name(
    squares: Any, home: Path, tmp_path: Path
) -> None:
    recorded, named = tmp_path / "recorded", tmp_path / "named"
    recorded.mkdir()
    named.mkdir()
    remember(squares, named)
    assert look_for(squares, recorded, lambda _: False) == recorded
    recorded.rmdir()
    assert look_for(squares, recorded, lambda path: path == recorded) == recorded
    assert look_for(squares, recorded, lambda _: False) == named
    named.rmdir()
    with pytest.raises(DataError) as caught:
        look_for(squares, recorded, lambda _: False)
    assert str(caught.value) == (
        f"{recorded}, where the data was before, does not exist\n  give the folder that holds it: --data PATH"
    )
    assert look_for(squares, None, lambda _: False) == named


def test_a_remembered_path_that_is_gone_still_leads_to_its_copy(squares: Any, tmp_path: Path) -> None:
    remember(squares, tmp_path / "gone")
    assert locate(squares) == tmp_path / "gone"


def test_nothing_known_says_what_is_expected_and_what_to_do(squares: Any, home: Path) -> None:
    with pytest.raises(DataError) as caught:
        locate(squares)
    assert str(caught.value) == (
        f"no squares images found in {home / 'data' / 'squares'}\n"
        "  expected squares.txt;\n"
        "  give the folder with --data, or try the built-in drawings now: --dataset faces"
    )


def test_an_explicit_path_that_does_not_exist_is_named(squares: Any, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nowhere does not exist"):
        locate(squares, tmp_path / "nowhere")


def test_a_dataset_without_files_is_nowhere(squares: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(squares), "needs_data", False)
    assert locate(squares) is None


def test_a_broken_list_says_what_to_do(squares: Any, home: Path) -> None:
    home.mkdir()
    (home / "datasets.json").write_text("[1, 2")
    with pytest.raises(DataError, match=r"datasets.json cannot be read"):
        locate(squares)
