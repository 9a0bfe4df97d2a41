"""A checkpoint is evaluated on the data that it was trained on, unless other data is requested."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from fersearch import api
from fersearch.context import notices, open_store
from fersearch.engines.follow_up import evaluate_unseen, follow_up
from fersearch.errors import DataError, UsageError
from fersearch.training.checkpoint import read_checkpoint, write_checkpoint
from tests.api.test_path import OWN as PLUGIN
from tests.small_sets import (
    add,
    create,
    data,
    digest_of,
    made,
    pulled,
    run,
    write,
)

__all__ = ["data", "made", "pulled"]


def test_a_checkpoint_finds_its_studys_data_and_judges_no_other_unasked(data: Path, pulled: Path) -> None:
    assert api.evaluate(pulled).n == 8
    assert notices == []
    add(data, "train", "sad", "new", 5)
    with pytest.raises(DataError) as caught:
        api.evaluate(pulled)
    first, then, now, way = str(caught.value).splitlines()
    assert first == "imagefolder as found now is not the data that the checkpoint was trained on"
    assert then.startswith("  then: images: 16 train")
    assert now.startswith("  now:  images: 17 train")
    assert way.endswith("give its folder: --data PATH")
    assert api.evaluate(pulled, split="test").n == 8
    view = api.evaluate(pulled, data=data)
    assert view.n == 8
    assert [line for line in notices if "is not the data that the checkpoint was trained on: then images: 16" in line]


def test_a_changed_test_split_is_noticed_where_it_is_opened(data: Path, pulled: Path) -> None:
    add(data, "test", "sad", "new", 5)
    assert api.evaluate(pulled).n == 8
    with pytest.raises(DataError, match="only the test split differs"):
        api.evaluate(pulled, split="test")


def test_the_same_data_elsewhere_needs_no_word(data: Path, pulled: Path, tmp_path: Path) -> None:
    same = shutil.copytree(data, tmp_path / "same")
    assert api.evaluate(pulled, data=same).n == 8
    assert notices == []
    with pytest.raises(UsageError, match="not a fair test"):
        api.evaluate(pulled, data=same, split="all")
    other = write(tmp_path / "other", ("sad", "happy"))
    assert api.evaluate(pulled, data=other, split="all").n == 32


def test_a_checkpoint_of_an_earlier_version_says_that_its_data_was_not_recorded(
    data: Path, pulled: Path, tmp_path: Path
) -> None:
    card, tensors = read_checkpoint(pulled / "model.safetensors")
    del card["data"]
    write_checkpoint(tmp_path / "old.safetensors", tensors, card)
    assert api.evaluate(tmp_path / "old.safetensors").n == 8
    assert notices == []
    add(data, "train", "sad", "new", 5)
    assert api.evaluate(tmp_path / "old.safetensors").n == 8
    assert any("made before its data was recorded; the imagefolder found now is used" in line for line in notices)


def test_no_path_leaves_with_a_checkpoint(pulled: Path, data: Path) -> None:
    card, _ = read_checkpoint(pulled / "model.safetensors")
    assert card["data"]["path"] == ""
    assert card["data"]["seen"]["digest"] == digest_of()
    assert str(data) not in (pulled / "card.json").read_text()


def test_training_images_are_left_out_by_the_data_of_the_training_alone(
    data: Path, pulled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(data, "train", "sad", "new", 5)
    with pytest.raises(DataError, match="imagefolder as found now is not the data"):
        api.evaluate(pulled, "faces", no_duplicates=True, dataset_options={"train": "20", "valid": "20", "test": "20"},
                     label_map={"happiness": "happy", "sadness": "sad"})  # fmt: skip


def test_unseen_data_of_the_same_layout_is_judged_whole(data: Path, pulled: Path, tmp_path: Path) -> None:
    other = write(tmp_path / "other", ("sad", "happy"))
    third = write(tmp_path / "third")
    create("judged", data, unseen=[f"imagefolder={other}", f"imagefolder={third}"], epochs="1")
    messages: list[str] = []
    run("judged")
    gone = third.rename(tmp_path / "gone")
    with open_store(None) as store:
        evaluate_unseen(store.study("judged").spec.unseen, "judged", store, messages.append)
        gone.rename(third)
        evaluate_unseen(store.study("judged").spec.unseen, "judged", store, messages.append)
        evaluate_unseen(store.study("judged").spec.unseen, "judged", store, messages.append)
    assert len(messages) == 4
    assert messages[0].startswith(f"unseen imagefolder={other}: accuracy ")
    assert messages[0].endswith(" on 32 images of the classes they share")
    assert messages[1].startswith(f"the model could not be evaluated on unseen imagefolder={third}: ")
    assert messages[3].startswith(f"the model could not be evaluated on unseen imagefolder={third}")
    assert messages[3].endswith("so all of its images are not a fair test")


def test_unseen_data_is_evaluated_with_the_database_of_the_command(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests: list[str | None] = []

    def open_input(file: Path, request: Any, **_: Any) -> None:
        requests.append(request.storage)
        raise DataError("enough", "")

    create("judged", data, unseen=[f"imagefolder={write(tmp_path / 'other')}"], epochs="1")
    run("judged")
    monkeypatch.setattr("fersearch.evaluation.request.open_input", open_input)
    follow_up("judged", url := f"sqlite:///{tmp_path}/home/fersearch.db", lambda *_, **__: None, lambda _: None)
    assert requests == [url]


def test_unseen_data_of_a_study_with_a_plugin_is_judged_without_asking_or_noting(data: Path, tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(PLUGIN)
    other = write(tmp_path / "other", ("sad", "happy"))
    wishes: dict[str, Any] = {"trials": 1, "epochs": "1", "pruner": "none", "objectives": ("accuracy", "parameters")}
    wishes |= {"data": data, "unseen": [f"imagefolder={other}"], "plugins": [tmp_path / "own.py"]}
    api.create_study("own", "imagefolder", name="plugged", **wishes)
    notices.clear()
    run("plugged")
    messages: list[str] = []
    with open_store(None) as store:
        evaluate_unseen(store.study("plugged").spec.unseen, "plugged", store, messages.append)
    assert [line.partition(": ")[2].partition(" ")[0] for line in messages] == ["accuracy"]
    assert messages[0].endswith(" on 32 images of the classes they share")
    assert not any("not the data" in line for line in notices)
    assert api.pull_checkpoint("plugged", out=tmp_path / "out").plugins == [
        file.name for file in (tmp_path / "out").glob("own-*.py")
    ]
