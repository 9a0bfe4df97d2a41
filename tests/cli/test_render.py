"""Whole tables at a fixed width."""

import io
from dataclasses import replace

from rich.text import Text as RichText

from fersearch.api import records
from fersearch.api.checkpoints import CheckpointRow
from fersearch.api.datasets import DatasetRow, DatasetView
from fersearch.api.plugins import PluginRow, PluginView
from fersearch.api.studies import Best, StudyView, TrialView
from fersearch.cli import parts, render
from fersearch.cli.listing import Listing
from fersearch.cli.parts import Text
from fersearch.data.identity import Identity
from fersearch.data.verify import Report
from fersearch.store import StudySummary
from fersearch.study_front import Front
from fersearch.trial import Attempt, Enqueued, Reason, TrialState
from tests.cli.fakes import CREATED, OBJECTIVES, SPEC, epoch, lines, text, trial

VERDICT = {"stop": True, "rung": 2, "rank": 5, "peers": 6, "kept": 3, "reason": ""}
PRUNED = trial(
    1,
    0.2,
    4.0,
    31.0,
    state=TrialState.PRUNED,
    epochs=2,
    checkpoint=None,
    kept_epoch=1,
    verdict=VERDICT,
    attempts=(Attempt(1, Reason.PRUNED, first_epoch=1, last_epoch=2, seconds=4.0),),
)


def test_studies_one_row_each():
    counts = {"complete": 12, "pruned": 5}
    summary = StudySummary("cnn-faces", OBJECTIVES, counts, CREATED, "cnn", "faces")
    assert text(render.studies([summary]), 120) == lines(
        "study      model  dataset  state  trials                 created           objectives",
        "cnn-faces  cnn    faces    idle   12 complete, 5 pruned  2026-03-01 12:30  "
        "f1_macro train_seconds peak_memory_mb",
    )


def test_no_studies_yet_says_how_to_begin():
    assert text(render.studies([])) == "no studies yet; try: fersearch study create --model cnn --dataset faces"


def test_one_study():
    view = StudyView("cnn-faces", SPEC, CREATED, {"complete": 3}, "sqlite:///x.db", [], {}, 95.0, [])
    assert text(render.study(view)) == lines(
        "study cnn-faces",
        "model          cnn",
        "dataset        faces image_size=48 hardness=0.5; only 600 images of train and valid",
        "objectives     f1_macro ↑, train_seconds ↓, peak_memory_mb ↓",
        "budget         20 trials, 25m 00s",
        "search         sampler tpe, pruner pareto, rules 2, seed 7",
        "protocol       split auto, precision auto, memory format auto",
        "checkpoints    keeps the checkpoints of the front (keep = front)",
        "state          idle",
        "trials         3 complete of 20",
        "time used      1m 35s",
        "looks at test  0",
        "created        2026-03-01 12:30",
        "storage        sqlite:///x.db",
        "",
        "parameter      searched",
        "optimizer      sgd, adam",
        "learning_rate  0.001..0.1 (log)",
    )


def test_a_study_shows_the_best_of_its_front_with_the_interval():
    best = Best(2, "f1_macro", 0.625, (0.5, 0.75))
    view = StudyView("cnn-faces", SPEC, CREATED, {"complete": 3}, "sqlite:///x.db", [], {}, 95.0, [], best=best)
    shown = text(render.study(view))
    assert "of 20\nbest           trial 2: f1_macro 0.625 (95 % interval 0.500 to 0.750)\ntime used" in shown
    view = replace(view, best=replace(best, interval=None))
    assert "best           trial 2: f1_macro 0.625\n" in text(render.study(view))


def test_a_study_shows_what_is_enqueued():
    enqueued = [Enqueued("a", {"learning_rate": 0.01}), Enqueued("b", {"optimizer": "sgd", "learning_rate": 0.1})]
    view = StudyView("cnn-faces", SPEC, CREATED, {}, "sqlite:///x.db", [], {}, 95.0, [], enqueued=enqueued)
    shown = text(render.study(view))
    assert "enqueued       learning_rate=0.01\n               optimizer=sgd learning_rate=0.1" in shown


def test_a_study_shows_the_observers_that_it_was_created_with():
    spec = replace(SPEC, observe=("mlflow", "tensorboard"))
    view = StudyView("s", spec, CREATED, {}, "sqlite:///x.db", [], {}, 95.0, [])
    assert "observers      mlflow, tensorboard\n" in text(render.study(view))


def test_a_study_shows_when_and_why_it_ended_before_its_budget():
    spec = replace(SPEC, stop_when_flat=5)
    view = StudyView("s", spec, CREATED, {}, "sqlite:///x.db", [], {}, 95.0, [], ending="2026-03-01 12:30 UTC: flat")
    shown = text(render.study(view), 120)
    assert "budget         20 trials, 25m 00s, or until the front has not grown for 5 complete trials\n" in shown
    assert "ended          2026-03-01 12:30 UTC: flat\n" in shown


def test_a_trial_shows_what_it_was_enqueued_with():
    one = trial(1, 0.2, 4.0, 31.0, sampler_state={"enqueued": {"uid": "a", "given": {"learning_rate": 0.01}}})
    assert "enqueued    learning_rate=0.01" in text(render.trial(TrialView(one, []), OBJECTIVES))


def test_trials_one_row_each_with_what_varies():
    assert text(render.trials([trial(0, 0.61, 12.3, 45.6), PRUNED], OBJECTIVES), 120) == lines(
        "trial  state     reason  epochs  f1_macro ↑  train_seconds ↓  peak_memory_mb ↓  parameters",
        "    0  complete  done        12       0.610             12.3              45.6  learning_rate=0.01",
        "    1  pruned    pruned       2       0.200             4.00              31.0  learning_rate=0.02",
    )
    assert text(render.trials([], OBJECTIVES)) == "no trials yet"


def test_what_other_work_slowed_is_marked_where_wall_seconds_stand():
    facts = {"device": "cpu", "threads": 1}
    alone = trial(0, 0.61, 12.3, 45.6)
    slowed = replace(
        alone, values={**alone.values, "cpu_seconds": 4.0}, attempts=(Attempt(1, Reason.DONE, facts=facts),)
    )
    shown = text(render.trials([slowed], OBJECTIVES), 120)
    assert "12.3*" in shown
    assert "* slowed by other work" in shown
    assert "slowed" not in text(render.trials([slowed], OBJECTIVES[:1]), 120)
    assert "12.3*" in text(render.front(Front("cnn-faces", [slowed], OBJECTIVES, {})), 120)


def test_parameters_go_below_their_trial_where_the_width_leaves_them_no_room():
    head = "trial  state     reason  epochs  f1_macro ↑  train_seconds ↓  peak_memory_mb ↓"
    first, second = trial(0, 0.61, 12.3, 45.6), replace(PRUNED, params={**PRUNED.params, "learning_rate": 0.02})
    assert text(render.trials([first, second], OBJECTIVES), 80) == lines(
        head,
        "    0  complete  done        12       0.610             12.3              45.6",
        "       learning_rate=0.01",
        "    1  pruned    pruned       2       0.200             4.00              31.0",
        "       learning_rate=0.02",
    )


def test_a_pipe_gets_one_line_for_each_row_and_no_blanks_at_its_end(monkeypatch, capsys):
    monkeypatch.delenv("COLUMNS", raising=False)
    long = trial(0, 0.61, 12.3, 45.6, params={f"parameter_{i}": i for i in range(20)})
    render.show(render.trials([long], OBJECTIVES))
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == 2
    assert printed[1].endswith("parameter_19=19")
    assert printed == [line.rstrip() for line in printed]


def test_one_trial_tells_why_it_stopped():
    assert text(render.trial(TrialView(PRUNED, [epoch(1, 0.15), epoch(2, 0.2)]), OBJECTIVES)) == lines(
        "trial 1",
        "state       pruned",
        "last rung   epoch 2: rank 5 of 6 trials, the best 3 go on; stopped",
        "kept epoch  1 of 2",
        "",
        "parameter      value",
        "optimizer        sgd",
        "learning_rate   0.02",
        "epochs            12",
        "",
        "metric          value",
        "f1_macro        0.200",
        "train_seconds    4.00",
        "peak_memory_mb   31.0",
        "",
        "attempt  ended   epochs  time  message",
        "      1  pruned  1-2     4.0s",
        "",
        "epoch  f1_macro  train_seconds  peak_memory_mb  time",
        "    1     0.150           2.00            30.0  2.0s",
        "    2     0.200           4.00            30.0  2.0s",
    )


def test_a_verdict_with_the_pruners_own_reason_is_reported_unchanged():
    assert render.verdict(replace(PRUNED, verdict={**VERDICT, "reason": "rank 5 of 6"})) == "rank 5 of 6"
    alone = {**VERDICT, "rank": None, "stop": False}
    assert render.verdict(replace(PRUNED, verdict=alone)) == "epoch 2: no trials to compare with yet"


def test_a_running_trial_shows_its_process_and_a_failed_one_its_traceback():
    running = trial(3, 0, 0, 0, state=TrialState.RUNNING, values={}, attempts=(Attempt(1, pid=77, log="/x.log"),))
    assert "process     77" in text(render.trial(TrialView(running, []), OBJECTIVES))
    error = Attempt(1, Reason.ERROR, "RuntimeError: shapes", "Traceback\n  [bold]x[/bold]\nRuntimeError", seconds=1.0)
    shown = text(render.attempts([error]), 60)
    assert shown == lines(
        "attempt  ended  epochs  time  message",
        "      1  error          1.0s  RuntimeError: shapes",
        "",
        "  Traceback",
        "    [bold]x[/bold]",
        "  RuntimeError",
    )


def test_checkpoints_one_row_each():
    row = CheckpointRow(4, "0123456789abcdef" * 4, 9, 0.646, {"f1_macro": 0.6, "train_seconds": 12.0})
    assert text(render.checkpoints([row], OBJECTIVES)) == lines(
        "trial  f1_macro ↑  train_seconds ↓  peak_memory_mb ↓     MB  digest",
        "    4       0.600             12.0                 -  0.646  0123456789ab",
    )
    assert text(render.checkpoints([], OBJECTIVES)) == "no checkpoints yet: they come with complete trials"


def test_datasets_and_where_they_are():
    rows = [DatasetRow("faces", "drawings", "ours", "built in"), DatasetRow("ferplus", "FER+", "MIT", None)]
    assert text(render.datasets(rows)) == lines(
        "dataset  what it is  found",
        "faces    drawings    built in",
        "ferplus  FER+        not here; give --data",
    )


def test_one_dataset_by_class_and_split():
    splits = {
        "train": {"n": 1500, "per_class": {"anger": 1000, "joy": 500}, "baseline": 2 / 3},
        "valid": {"n": 3, "per_class": {"anger": 2, "joy": 1}, "baseline": 2 / 3},
    }
    view = DatasetView(
        "tiny", "two classes", "ours", None, {"channels": 1}, "majority", ("anger", "joy"), splits, ("odd votes",)
    )
    assert text(render.dataset(view)) == lines(
        "dataset tiny",
        "what it is  two classes",
        "licence     ours",
        "files       none needed",
        "options     channels=1",
        "target      majority",
        "",
        "class              train  valid",
        "anger              1,000      2",
        "joy                  500      1",
        "all                1,500      3",
        "majority baseline  66.7%  66.7%",
        "",
        "! odd votes",
    )


def test_a_merged_dataset_by_source():
    splits = {"train": {"n": 3, "per_class": {"anger": 2, "joy": 1}, "baseline": 2 / 3}}
    sources = {"web": {"n": 2, "per_class": {"anger": 2, "joy": 0}, "baseline": 1.0}}
    view = DatasetView("two", "both", "ours", None, {}, "majority", ("anger", "joy"), splits, (), sources)
    assert text(render.dataset(view)).endswith(
        lines(
            "class                 web",
            "anger                   2",
            "joy                     0",
            "all                     2",
            "majority baseline  100.0%",
        )
    )


def test_a_report_keeps_every_row_and_finding():
    rows = (("images", "6"), ("leakage", "2 valid"), ("leakage", "1 test"))
    assert text(render.report(Report("tiny", ("a", "b"), {}, rows, ("leakage: 2 valid",)))) == lines(
        "dataset tiny", "images   6", "leakage  2 valid", "leakage  1 test", "", "! leakage: 2 valid"
    )


def test_plugins_and_one_plugin():
    assert text(render.plugins([PluginRow("metric", "accuracy", "quality.py", "share called right")])) == lines(
        "kind    name      what it is          file", "metric  accuracy  share called right  quality.py"
    )
    assert text(render.plugins([PluginRow("metric", "accuracy", "my.quality", "share called right")])) == lines(
        "kind    name      what it is", "metric  accuracy  share called right"
    )
    view = PluginView("architecture", "cnn", "cnn.py", "small", {"width": "1, 2"}, {"total": 1234, "trainable": 1000})
    assert text(render.plugin(view)) == lines(
        "architecture cnn",
        "what it is  small",
        "module      cnn.py",
        "parameters  1,234 (1,000 trainable)",
        "",
        "parameter  offered",
        "width      1, 2",
    )


def test_commands_are_quoted_for_a_shell():
    assert text(render.commands([["fersearch", "predict", "my folder", "a.png"]])) == lines(
        "next:", "  fersearch predict 'my folder' a.png"
    )


HOSTILE = "joy\x1b[31m\r\u202e"
SHOWN = r"joy\x1b[31m\x0d\u202e"


def test_nothing_that_a_terminal_would_obey_comes_out_of_any_table(capsys):
    cells = parts.table((HOSTILE, ">n"), [(HOSTILE, "1")])
    listing = Listing(("a", "b"), [(HOSTILE, HOSTILE * 3)])
    shown = parts.facts({HOSTILE: HOSTILE})
    styled = RichText(HOSTILE, style="bold")  # even what was not made by us
    render.show(HOSTILE, cells, listing, shown, parts.title(HOSTILE), Text().append(HOSTILE), styled, "[bold]x[/bold]")
    out = capsys.readouterr().out
    assert not set(out) & {"\x1b", "\r", "\u202e"}
    assert out.count(SHOWN) == 11
    assert "[bold]x[/bold]" in out


def test_what_is_escaped_is_measured_as_it_is_shown():
    shown = text(parts.table(("name", "n"), [(HOSTILE, "1"), ("x", "2")]), 60)
    assert shown.splitlines() == [f"name{' ' * 19}n", f"{SHOWN}  1", f"x{' ' * 22}2"]


def test_colours_and_the_consoles_own_codes_stay(monkeypatch):
    out = render.SafeConsole(file=io.StringIO(), force_terminal=True, color_system="standard", width=40)
    out.print(Text("joy\x1b[2J", style="red"))
    assert out.file.getvalue() == "\x1b[31mjoy\\x1b[2J\x1b[0m\n"


def test_a_study_says_which_data_it_is_about():
    known = Identity("f" * 64, "a" * 64, "5" * 64, "7" * 64, ("happy", "sad"), {"train": 1000, "valid": 27}, 1027)
    known = replace(known, makers={"fersearch": "1.0", "pillow": "12.1.0"})
    data = {**replace(known, path="/faces").to_json(), "earlier": [known.to_json()]}
    view = StudyView("cnn-faces", SPEC, CREATED, {}, "sqlite:///x.db", [], {}, 95.0, [], data=data)
    messages = text(render.study(view), 140).splitlines()
    place = next(k for k, line in enumerate(messages) if line.startswith("data "))
    assert [line.strip() for line in messages[place : place + 4]] == [
        "data           /faces",
        "images: 1,000 train, 27 valid; 2 classes: happy, sad; seen 555555555555; files ffffffffffff (1,027)",
        "read by fersearch 1.0, pillow 12.1.0",
        "1 earlier set of data, whose trials are not compared",
    ]
    assert records.StudyDetail.of_view(view).data == data


def test_trials_of_other_data_are_marked_in_the_list_and_counted_below_the_front():
    old, new = (replace(trial(k, 0.6, 1.0, 1.0), data_digest=str(k) * 64) for k in range(2))
    listed = text(render.trials([old, new], OBJECTIVES), 120).splitlines()
    assert listed[0].split()[:5] == ["trial", "state", "reason", "epochs", "data"]
    assert [line.split()[4] for line in listed[1:]] == ["000000000000", "111111111111"]
    assert "data" not in text(render.trials([old, replace(new, data_digest="")], OBJECTIVES), 120).split()
    result = Front("cnn-faces", [new], OBJECTIVES, {}, foreign=2)
    below = "2 complete trials saw earlier data and cannot be compared with these"
    assert text(render.front(result), 120).splitlines()[-1] == below
    assert (
        text(render.front(replace(result, trials=[], foreign=1)), 120).splitlines()[-1].startswith("1 complete trial ")
    )
