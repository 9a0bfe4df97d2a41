"""Studies are stored, listed, changed and removed."""

import math
import platform
from dataclasses import replace

import pytest
from sqlalchemy import func, select

from fersearch.errors import StudyBusy, UnknownName, UsageError
from fersearch.plugins import PluginFile
from fersearch.store import Lease, Store, StudyRow
from fersearch.store.prior import WarmStart, add_warm_start
from fersearch.store.tables import STUDY_TABLES, metadata
from fersearch.study import Budget, Keep, Objective
from fersearch.trial import Attempt, Epoch, Reason, Trial, TrialState
from tests.store.conftest import make_spec


def fill(store: Store, study: StudyRow, checkpoint: str) -> None:
    """One row at least in every table that holds rows of a study."""
    with store.writer(study.id) as writer:
        writer.add_trial(Trial(0, {"optimizer": "adam"}))
        writer.start_attempt(0, Attempt(1))
        writer.record(0, 1, Epoch(1, {"f1_macro": 0.5}, 1.0, confusion=[[1, 0], [0, 1]]))
        ended = Trial(0, {}, TrialState.COMPLETE, {"f1_macro": 0.5}, epochs=1, kept_epoch=1, checkpoint=checkpoint)
        writer.end_attempt(ended, Attempt(1, Reason.DONE), {"torch": "2", "checkpoint_bytes": 9})
    with store.database.write() as connection:
        add_warm_start(connection, study.id, WarmStart([Trial(0, {}, values={"f1_macro": 0.5})]))
    store.request(study.id, "stop", {})
    store.add_look(study.uid, checkpoint, "faces", "test", 3, {"f1_macro": 0.5})


def count(store: Store) -> dict[str, int]:
    with store.database.read() as connection:
        tables = [table for table in metadata.sorted_tables if table.name != "identity"]
        counts = {t.name: connection.execute(select(func.count()).select_from(t)) for t in tables}
        return {name: result.scalar_one() for name, result in counts.items()}


def test_a_study_comes_back_as_it_was_made(store: Store) -> None:
    plugin = PluginFile("/plugins/plain.py", "0" * 64, "# ünïcode\n")
    made = store.create_study(make_spec(), [plugin])
    result = store.study("faces")
    assert result == made
    assert result.spec == make_spec()
    assert result.plugins == (plugin,)
    assert (result.baseline, result.seconds) == ({}, 0.0)
    assert result.created.tzinfo is not None


def test_a_new_study_knows_how_costs_varied_in_those_before(store: Store, study: StudyRow) -> None:
    assert store.create_study(make_spec(name="second")).cost_spreads == {}
    again = [
        {"train_seconds": 10.0, "train_seconds_std": 0.2, "f1_macro": 0.5, "f1_macro_std": 0.1},
        {"train_seconds": 10.0, "train_seconds_std": 0.2, "train_seconds_spread": 0.06},
        {"train_seconds": 10.0, "train_seconds_spread": 0.1, "peak_memory_mb": 0.0, "peak_memory_mb_std": 0.0},
        {"train_seconds": 50.0, "parameters": 9.0, "parameters_std": 0.0},
    ]
    with store.writer(study.id) as writer:
        for number, values in enumerate(again):
            writer.add_trial(Trial(number, {}))
            writer.start_attempt(number, Attempt(1))
            ended = Trial(number, {}, TrialState.COMPLETE, values, epochs=1)
            writer.end_attempt(ended, Attempt(1, Reason.DONE), {})
    assert store.create_study(make_spec(name="third")).cost_spreads == {"train_seconds": pytest.approx(0.06)}
    assert store.study("third").cost_spreads == {"train_seconds": pytest.approx(0.06)}


def test_costs_vary_as_on_this_machine_where_that_is_known(store: Store, study: StudyRow) -> None:
    def trained_again(name: str, values: dict[str, float], *hosts: str) -> None:
        row = store.create_study(make_spec(name=name))
        for host in hosts:
            store.environment(row.id, {"role": "driver", "host": host})
        store.environment(row.id, {"device": "cpu"})
        with store.writer(row.id) as writer:
            writer.add_trial(Trial(0, {}))
            writer.start_attempt(0, Attempt(1))
            writer.end_attempt(Trial(0, {}, TrialState.COMPLETE, values, epochs=1), Attempt(1, Reason.DONE), {})

    here = platform.node()
    trained_again("elsewhere", {"cpu_seconds_spread": 0.5, "peak_memory_mb_spread": 0.2}, "elsewhere")
    assert store.create_study(make_spec(name="a")).cost_spreads == {"cpu_seconds": 0.5, "peak_memory_mb": 0.2}
    trained_again("both", {"cpu_seconds_spread": 0.4}, here, "elsewhere")
    trained_again("here", {"cpu_seconds_spread": 0.1}, here)
    assert store.create_study(make_spec(name="b")).cost_spreads == {"cpu_seconds": 0.1, "peak_memory_mb": 0.2}


def test_each_change_of_the_spec_is_a_new_version(store: Store, study: StudyRow) -> None:
    versions = [store.version(study.name)]
    store.update_budget(study.id, Budget(9))
    versions.append(store.version(study.name))
    store.update_keep(study.id, Keep("all"))
    versions.append(store.version(study.name))
    store.add_unseen(study.id, ["jaffe"])
    store.add_unseen(study.id, ["kdef", "jaffe"])
    versions.append(store.version(study.name))
    assert len(set(versions)) == len(versions)
    assert store.study(study.name).spec.unseen == ("jaffe", "kdef")


def test_a_name_is_used_once(store: Store, study: StudyRow) -> None:
    with pytest.raises(UsageError, match="study 'faces' already exists") as caught:
        store.create_study(make_spec())
    assert "fersearch study run faces" in caught.value.hint
    assert store.study_names() == ["faces"]


def test_an_unknown_study_names_the_nearest(store: Store, study: StudyRow) -> None:
    with pytest.raises(UnknownName) as caught:
        store.study("fases")
    assert str(caught.value) == "unknown study 'fases'\n  did you mean 'faces'? known studies: faces"


def test_names_are_sorted_alike_in_every_database(store: Store) -> None:
    files = [PluginFile(path, "0" * 64, "") for path in ("b.py", "C.py", "a.py", "_d.py")]
    for name in ("b", "C", "a", "é", "a-2"):
        store.create_study(make_spec(name), files)
    assert store.study_names() == ["C", "a", "a-2", "b", "é"]
    assert [file.path for file in store.study("é").plugins] == ["C.py", "_d.py", "a.py", "b.py"]


def test_summaries_count_trials_by_state(store: Store, study: StudyRow) -> None:
    store.create_study(make_spec("empty"))
    with store.writer(study.id) as writer:
        for number in range(3):
            writer.add_trial(Trial(number, {}, TrialState.COMPLETE if number else TrialState.WAITING))
    first, second = store.studies()
    assert (first.name, first.model, first.dataset) == ("faces", "cnn", "faces")
    assert first.counts == {"waiting": 1, "complete": 2}
    assert first.objectives == (Objective("f1_macro", "max"), Objective("train_seconds", "min"))
    assert first.created == study.created
    assert (second.name, second.counts) == ("empty", {})


def test_budget_baseline_and_seconds_change(store: Store, study: StudyRow) -> None:
    store.update_budget(study.id, Budget(7, 60.0))
    store.set_baseline(study.id, {"f1_macro": 0.1})
    with store.writer(study.id) as writer:
        writer.add_seconds(1.5)
        writer.add_seconds(2.0)
    result = store.study("faces")
    assert result.spec == replace(make_spec(), budget=Budget(7, 60.0))
    assert (result.baseline, result.seconds) == ({"f1_macro": 0.1}, 3.5)


def test_what_a_study_keeps_changes_and_nothing_else(store: Store, study: StudyRow) -> None:
    store.update_keep(study.id, Keep("best", 3))
    assert store.study("faces").spec == replace(make_spec(), keep=Keep("best", 3))


def test_a_study_is_driven_while_its_lease_is_held(store: Store, study: StudyRow) -> None:
    assert not store.is_driven("faces")
    with Lease.take(store.database, study.id, "faces"):
        assert store.is_driven("faces")
    assert not store.is_driven("faces")


def test_delete_removes_every_row_and_spares_other_studies(store: Store, study: StudyRow) -> None:
    other = store.create_study(make_spec("other"), [PluginFile("p.py", "0" * 64, "")])
    fill(store, other, "a" * 64)
    before = count(store)
    doomed = store.create_study(make_spec("doomed"), [PluginFile("p.py", "0" * 64, "")])
    fill(store, doomed, "b" * 64)
    Lease.take(store.database, doomed.id, "doomed").release()
    assert store.delete_study("doomed") == ["b" * 64]
    assert count(store) == before
    assert all(before[table.name] for table in STUDY_TABLES if table.name != "leases")


def test_a_checkpoint_that_another_study_needs_is_not_released(store: Store, study: StudyRow) -> None:
    fill(store, study, "a" * 64)
    fill(store, store.create_study(make_spec("other")), "a" * 64)
    assert store.delete_study("faces") == []
    assert store.delete_study("other") == ["a" * 64]


def test_a_study_that_is_driven_is_not_deleted(store: Store, study: StudyRow) -> None:
    with (
        Lease.take(store.database, study.id, "faces"),
        pytest.raises(StudyBusy, match="study 'faces' is run by process"),
    ):
        store.delete_study("faces")
    store.delete_study("faces")
    assert store.studies() == []


def test_the_number_of_a_deleted_study_is_never_used_again(store: Store, study: StudyRow) -> None:
    store.delete_study("faces")
    assert store.create_study(make_spec()).id > study.id


def test_rows_go_with_their_study_also_by_plain_sql(store: Store, study: StudyRow) -> None:
    fill(store, study, "a" * 64)
    with store.database.write() as connection:
        connection.exec_driver_sql("DELETE FROM studies")
    assert set(count(store).values()) == {0}


def test_the_identity_of_a_studys_data_is_stored_with_its_baseline_and_its_trials(
    store: Store, study: StudyRow
) -> None:
    with store.writer(study.id) as writer:
        writer.add_trial(Trial(90, {}))
        writer.add_trial(Trial(91, {}, data_digest="other"))
    data = {"seen": {"version": 1, "digest": "abc"}, "path": "/data"}
    store.set_data(study.id, data, {"": "abc"}, {"f1_macro": math.nan})
    result = store.study("faces")
    assert (result.data, result.data_digest) == (data, "abc")
    assert math.isnan(result.baseline["f1_macro"])
    assert [store.trial(study.id, number).data_digest for number in (90, 91)] == ["abc", "other"]


def test_a_study_may_be_created_with_what_is_known_of_its_data(store: Store) -> None:
    made = store.create_study(replace(make_spec(), name="again"), data={"arrays": {"digest": "a"}})
    assert (made.data, made.data_digest) == ({"arrays": {"digest": "a"}}, "")


def test_why_a_study_ended_stays_until_it_runs_or_is_extended(store: Store, study: StudyRow) -> None:
    store.set_finished(study.id, "the front stood still")
    assert store.study("faces").ending.endswith(" UTC: the front stood still")
    with Lease.take(store.database, study.id, "faces"):
        assert store.study("faces").ending == ""
    store.set_finished(study.id, "the front stood still")
    store.extend_study(store.study("faces"), replace(study.spec, stop_when_flat=0, budget=Budget(30)))
    assert (store.study("faces").ending, store.studies()[0].state) == ("", "idle")
