"""A study is tied to its data: other data is refused with the differences, or accepted and kept separate."""

import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fersearch import api
from fersearch.context import components, notices, open_store
from fersearch.data import digests
from fersearch.data.images import decode_all
from fersearch.data.locate import remember
from fersearch.engines.follow_up import refit
from fersearch.engines.rerun import _same_data
from fersearch.ensembles.candidates import gather as gather_candidates
from fersearch.ensembles.candidates import load_valid
from fersearch.errors import DataError, UsageError
from fersearch.report.gathering import gather as gather_report
from fersearch.study_data import open_study_data
from fersearch.training.checkpoint import read_checkpoint
from fersearch.trial import TrialState
from tests.api.conftest import SETTINGS
from tests.small_sets import (
    add,
    all_rows,
    create,
    data,
    digest_of,
    made,
    pulled,
    run,
    write,
)

__all__ = ["data", "made", "pulled"]


def test_the_first_run_records_files_what_is_seen_and_who_read_it(data: Path) -> None:
    known = api.show_study("s").data
    assert known["files"]["digest"] == digests.of_files(sorted(data.rglob("*.png")), data)
    assert known["files"]["count"] == 32
    assert known["seen"]["classes"] == ["happy", "sad"]
    assert known["seen"]["counts"] == {"train": 16, "valid": 8, "test": 8}
    assert known["makers"]["pillow"] == digests.makers()["pillow"]
    assert known["makers"]["dataset imagefolder"]
    assert known["path"] == str(data)
    assert [trial.data_digest for trial in api.list_trials("s")] == [digest_of()]


def test_a_file_that_was_touched_and_is_equal_is_the_same_data(data: Path) -> None:
    before = api.show_study("s").data
    os.utime(data / "train" / "sad" / "0.png", ns=(1, 1))
    assert run() == []
    assert api.show_study("s").data == before


def test_files_that_differ_in_unseen_parts_are_reported_once(data: Path) -> None:
    path, seen = data / "train" / "sad" / "0.png", digest_of()
    Image.open(path).save(path, compress_level=0)
    (messages,) = run()
    assert messages.startswith("the files differ from those of the run before (")
    assert messages.endswith("but all that trials and the test split see is the same")
    assert digest_of() == seen
    assert run() == []


def test_one_image_more_is_refused_with_both_named_and_nothing_is_changed(data: Path) -> None:
    before, seen = all_rows(), digest_of()[:12]
    files = api.show_study("s").data["files"]["digest"][:12]
    add(data, "train", "sad", "new", 5)
    with pytest.raises(DataError) as caught:
        run(trials=7, keep="front")
    first, then, now, *ways = str(caught.value).splitlines()
    assert first == "the data of study 's' is not what it began with"
    assert then == (
        f"  then: images: 16 train, 8 valid, 8 test; 2 classes: happy, sad; seen {seen}; files {files} (32)"
    )
    assert now.startswith("  now:  images: 17 train, 8 valid, 8 test; 2 classes: happy, sad; seen ")
    assert now.endswith("(33)")
    assert ways == [
        "  restore it, or give the folder that holds it: fersearch study run s --data PATH",
        "  or continue with the data as it is now: fersearch study run s --accept-data-change",
    ]
    assert all_rows() == before


def test_one_more_class_is_refused_by_its_name(data: Path) -> None:
    write(data, ("happy", "sad", "angry"))
    with pytest.raises(DataError, match="now:  images: 24 train, 12 valid, 12 test; 3 classes: angry, happy, sad"):
        run()


def test_another_test_split_alone_is_refused_and_trials_outlive_it(data: Path) -> None:
    add(data, "test", "sad", "new", 5)
    with pytest.raises(DataError, match="only the test split differs"):
        run()
    notes = run(accept_data_change=True)
    assert notes[0] == "study s continues with other data"
    assert len(notes) == 3
    assert [trial.number for trial in api.front("s").trials] == [0]
    assert api.front("s").foreign == 0


def test_a_moved_folder_is_accepted_where_it_is_now_and_another_is_not(data: Path, tmp_path: Path) -> None:
    moved, other = tmp_path / "elsewhere", write(tmp_path / "other", ("sad", "happy"))
    data.rename(moved)
    home = tmp_path / "home"
    shutil.rmtree(home / "prepared")
    with pytest.raises(DataError, match="does not exist"):
        run()
    with pytest.raises(DataError, match="is not what it began with"):
        run(data=other)
    assert run(data=moved) == []
    assert api.show_study("s").data["path"] == str(moved)
    assert run() == []


def test_a_folder_that_is_gone_is_served_by_its_prepared_copy(data: Path) -> None:
    shutil.rmtree(data)
    assert run() == []


def test_equal_files_that_are_read_otherwise_are_refused_with_the_versions(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(tmp_path / "home" / "prepared")
    pillow = digests.makers()["pillow"]
    monkeypatch.setattr(digests, "makers", lambda: {"pillow": "99.0"})
    monkeypatch.setattr("fersearch.data.images.decode_all", brighter)
    with pytest.raises(DataError) as caught:
        run()
    assert "the files are the same, so what reads them has changed: " in caught.value.message
    assert f"pillow {pillow} -> 99.0" in caught.value.message


def brighter(*args: Any, **options: Any) -> Any:
    """Decoding as another version of Pillow might do it."""
    return (pixels + np.uint8(1) for pixels in decode_all(*args, **options))


def test_accepted_data_has_a_front_and_a_baseline_of_its_own(data: Path) -> None:
    seen, baseline = digest_of(), api.show_study("s").baseline
    for k in range(8):
        add(data, "valid", "sad", f"new{k}", 50 + k)
    notes = run(accept_data_change=True, trials=2)
    assert notes[-1] == (
        "trials that saw the earlier data: 1 of 1. They stay listed and count as tried, "
        "but are not compared with new ones and not on the front"
    )
    view, front = api.show_study("s"), api.front("s")
    assert [trial.data_digest == seen for trial in api.list_trials("s")] == [True, False]
    assert {trial.number for trial in front.trials} <= {1}
    assert front.foreign == 1
    assert view.baseline["accuracy"] == pytest.approx(4 / 16)
    assert baseline["accuracy"] == pytest.approx(1 / 2)
    (earlier,) = view.data["earlier"]
    assert (earlier["seen"]["digest"], earlier["baseline"]) == (seen, baseline)
    for path in data.glob("valid/sad/new*"):
        path.unlink()
    run(accept_data_change=True)
    assert (digest_of(), api.show_study("s").baseline) == (seen, baseline)
    assert api.front("s").foreign == 1


def test_what_is_left_of_the_budget_is_reported(data: Path) -> None:
    add(data, "train", "sad", "new", 5)
    assert run(accept_data_change=True)[-1] == "all 1 trials of the budget were tried: give more with --trials"


def test_a_waiting_trial_whose_classes_changed_begins_again(data: Path) -> None:
    leave_waiting("s")
    write(data, ("happy", "sad", "angry"))
    notes = run(accept_data_change=True)
    assert notes[-1] == "1 trial that had not ended begins again"
    (trial,) = api.list_trials("s")
    assert (trial.state, trial.data_digest) == (TrialState.COMPLETE, digest_of())
    assert [len(epoch.confusion) for epoch in api.show_trial("s", 0).history] == [3, 3]
    assert [attempt.last_epoch for attempt in trial.attempts] == [1, 2]


def leave_waiting(name: str) -> None:
    """Turn the study's trial into one that was interrupted after its first epoch."""
    from dataclasses import replace

    from fersearch.trial import Attempt, Reason

    with open_store(None) as store:
        study = store.study(name)
        trial = store.trial(study.id, 0)
        attempt = Attempt(1, Reason.INTERRUPTED, first_epoch=1, last_epoch=1)
        with store.writer(study.id) as writer:
            writer.update_trial(
                replace(trial, state=TrialState.WAITING, epochs=1, values={}, checkpoint=None, attempts=(attempt,))
            )
            writer.end_attempt(
                replace(trial, state=TrialState.WAITING, epochs=1, values={}, checkpoint=None), attempt, {}
            )


def test_a_study_of_an_earlier_version_adopts_the_present_data_and_reports_it_once(data: Path) -> None:
    seen = digest_of()
    with open_store(None) as store:
        study = store.study("s")
        store.set_data(study.id, {}, {seen: ""}, study.baseline)
    (messages,) = run()
    assert messages.startswith(
        "study s was made before its data was recorded; the data found now is recorded: images: 16"
    )
    assert digest_of() == seen
    assert [trial.data_digest for trial in api.list_trials("s")] == [seen]
    assert run() == []


def test_what_is_adopted_is_held_to_what_the_checkpoints_were_trained_on(data: Path) -> None:
    with open_store(None) as store:
        study = store.study("s")
        store.set_data(study.id, {}, {digest_of(): ""}, study.baseline)
    add(data, "train", "sad", "new", 5)
    first, second = run()
    assert first.startswith("study s was made before its data was recorded")
    assert second.startswith("but its checkpoints were trained on images or labels that were read otherwise (arrays ")


def test_a_layout_alone_names_no_data(data: Path, tmp_path: Path) -> None:
    other = write(tmp_path / "other", ("bored", "alert"))
    create("t", other)
    with pytest.raises(UsageError, match="imagefolder is a layout that many image sets share"):
        create("u", None)
    assert run() == []
    assert api.show_study("s").data["seen"]["classes"] == ["happy", "sad"]


def test_a_name_may_lead_elsewhere_later_and_a_study_stays(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fersearch_datasets.imagefolder import ImageFolder

    monkeypatch.setattr(ImageFolder, "named_by_path", False)
    first, second = write(tmp_path / "first"), write(tmp_path / "second", ("bored", "alert"))
    remember(ImageFolder(), first)
    create("named", None)
    assert api.show_study("named").spec.data == str(first)
    remember(ImageFolder(), second)
    run("named")
    assert api.show_study("named").data["seen"]["classes"] == ["happy", "sad"]


def test_a_rerun_is_refused_on_other_data(data: Path, tmp_path: Path) -> None:
    same = shutil.copytree(data, tmp_path / "same")
    add(data, "train", "sad", "new", 5)
    with pytest.raises(DataError) as caught:
        api.rerun_trial("s", 0)
    assert caught.value.message.startswith("the data of study 's' is not what trial 0 saw\n  then: images: 16 train")
    assert caught.value.hint == "give the folder that holds it: fersearch trial rerun s 0 --data PATH"
    run(accept_data_change=True)
    with pytest.raises(DataError, match="is not what trial 0 saw"):
        api.rerun_trial("s", 0)
    study, (trial,) = all_rows()
    assert _same_data(components(), study, trial, same).identity.seen == trial.data_digest


def test_the_study_that_trains_again_is_held_to_the_same_files(data: Path) -> None:
    study, _ = all_rows()
    ran: list[tuple[str, Path | None]] = []

    def again(name: str, data: Path | None) -> None:
        ran.append((name, data))

    add(data, "train", "sad", "new", 5)
    with open_store(None) as store:
        assert refit(study, store, again, lambda _: None) == "refit/s"
    with pytest.raises(DataError, match="the data of study 'refit/s' is not what it began with"):
        run("refit/s")
    run(accept_data_change=True, trials=2)
    study, _ = all_rows()
    with open_store(None) as store:
        assert refit(study, store, again, lambda _: None) == "refit/s-2"
    assert ran == [("refit/s", data), ("refit/s-2", data)]
    assert run("refit/s-2") == []


def test_whatever_compares_trials_leaves_out_and_reports_trials_on_earlier_data(data: Path) -> None:
    add(data, "train", "sad", "new", 5)
    run(accept_data_change=True, trials=2)
    assert api.compare_studies(["s"]).result.left_out == ["1 trial of study s saw earlier data: left out."]
    study, _ = all_rows()
    with open_store(None) as store:
        record = gather_report(store, study)
        result = gather_candidates(store, [study])
    assert [trial.number for trial in record.trials] == [1]
    assert record.data.warnings[-1] == "1 trial saw earlier data and is left out of this report"
    assert [each.trial.number for each in result] == [1]
    states = [(trial.state.name, trial.user_attrs["state"]) for trial in api.to_optuna("s").trials]
    assert states == [("FAIL", "complete"), ("COMPLETE", "complete")]
    assert api.export_study("s").splitlines()[0].endswith(",checkpoint,data")


def test_an_ensemble_is_not_chosen_by_other_data(data: Path) -> None:
    study, _ = all_rows()
    with open_store(None) as store:
        result = gather_candidates(store, [study])
    assert len(load_valid(result, components()).indices["valid"]) == 8
    add(data, "train", "sad", "new", 5)
    with pytest.raises(DataError, match="is not the data that the checkpoint was trained on"):
        load_valid(result, components())


def test_under_folds_the_data_of_every_round_counts_and_a_checkpoint_is_held_to_its_own(
    data: Path, tmp_path: Path
) -> None:
    create("k", data, split="kfold", folds=2, epochs="1")
    run("k")
    study, (trial,) = all_rows("k")
    result = open_study_data(components(), study)
    rounds = [loaded.identity.seen for loaded in result.rounds()]
    assert len(set(rounds)) == 2
    assert digest_of("k") == trial.data_digest == result.identity.seen == digests.together(rounds)
    folder = api.pull_checkpoint("k", trial=0, out=tmp_path / "k").path
    card, _ = read_checkpoint(folder / "model.safetensors")
    assert card["data"]["seen"]["digest"] == rounds[card["round"] - 1]
    assert api.evaluate(folder).n == 12
    assert notices == []


def test_every_target_that_a_trial_may_have_counts(tmp_path: Path, data: Path) -> None:
    sizes = {"train": "20", "valid": "20", "test": "20"}
    targets = {"one": {}, "two": {"target": "majority,probability"}}
    for name, settings in targets.items():
        api.create_study(
            "cnn", "faces", name=name, trials=1, dataset_options=sizes, settings={**SETTINGS, **settings}, pruner="none"
        )
    one, two = (open_study_data(components(), all_rows(name)[0]).identity for name in targets)
    assert one.arrays == two.arrays
    assert one.seen != two.seen


def test_a_limit_leaves_the_test_split_as_it_is(data: Path, tmp_path: Path) -> None:
    create("few", data, limit=12, epochs="1")
    run("few")
    assert api.show_study("few").data["seen"]["counts"] == {"train": 8, "valid": 4, "test": 8}
    folder = api.pull_checkpoint("few", trial=0, out=tmp_path / "few").path
    assert (api.evaluate(folder).n, api.evaluate(folder, split="test").n) == (4, 8)
