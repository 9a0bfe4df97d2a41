"""A whole report from records made by hand: the page, its plots, its tables."""

import csv
import math
import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest
from PIL import Image

from fersearch.errors import UsageError
from fersearch.report import sections, study_tables, writer
from fersearch.report.folder import check_folder
from fersearch.report.inputs import Absent, Importance, Measure
from fersearch.report.parts import Page
from fersearch.report.plots import style
from fersearch.report.plots.curves import Line, Panel, best_so_far, confusion, curves
from fersearch.report.plots.parameters import Column
from fersearch.trial import Attempt, Reason, TrialState
from tests.report import fakes

SEARCH = ["history", "front", "parallel", "importance", "slices"]
MODEL = ["learning", "confusion", "roc", "mistakes"]
IDS = ["summary", "protocol", *SEARCH, *MODEL, "costs", "trials", "failures", "environment"]


class Reader(HTMLParser):
    """Anchors, references and ids of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.sections: list[str] = []
        self.references: list[str] = []
        self.ids: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        result = dict(attrs)
        if tag == "section":
            self.sections.append(result["id"])
        self.ids += [result["id"]] if "id" in result else []
        self.references += [result[name] for name in ("src", "href", "xlink:href") if name in result]


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    shares = {"learning_rate": 0.7, "dropout": 0.3}
    lost = (Attempt(1, Reason.OOM, "out of <memory>", seconds=1.0),)
    record = fakes.record(
        6, rounds=2, importance=[Importance("f1_macro", "fANOVA", shares)], looks=[fakes.look(accuracy=0.7)]
    )
    trials = [*record.trials, fakes.trial(6, state=TrialState.FAILED, attempts=lost, values={})]
    record = fakes.replace(record, trials=trials)
    return writer.write(lambda: sections.study(record), tmp_path_factory.mktemp("out") / "report")


def test_the_page_has_every_section_and_fetches_nothing(written):
    text = written.page.read_text()
    page = Reader(text)
    assert page.sections == IDS
    assert len(page.ids) == len(set(page.ids))
    outside = [one for one in page.references if not one.startswith(("#", "data:", "plots/", "tables/"))]
    assert outside == []
    assert "http" not in re.sub(r"data:[^\"]*", "", text)
    assert [one for one in page.references if one.startswith("#") and one[1:] not in page.ids] == []
    assert [
        one for one in page.references if "/" in one[:8] and not (written.path / one).exists() and "data:" not in one
    ] == []


def test_the_page_escapes_what_others_wrote(written):
    text = written.page.read_text()
    assert "out of &lt;memory&gt;" in text
    assert "joy &amp; hope" in text
    assert "<memory>" not in text


def test_every_plot_is_there_twice_and_parses(written):
    assert {"history", "front", "parallel", "importance", "learning", "confusion", "roc"} <= set(written.plots)
    for name in written.plots:
        assert ElementTree.parse(written.path / "plots" / f"{name}.svg").getroot().tag.endswith("svg")
        with Image.open(written.path / "plots" / f"{name}.png") as image:
            assert min(image.size) > 200


def test_every_table_is_there_three_times(written):
    assert {"best", "front", "trials", "classes", "confusion", "costs", "failures", "looks"} <= set(written.tables)
    for name in written.tables:
        table = list(csv.reader((written.path / "tables" / f"{name}.csv").open()))
        assert len({len(row) for row in table}) == 1
        assert (written.path / "tables" / f"{name}.md").read_text().count("\n") == len(table) + 3
        assert r"\toprule" in (written.path / "tables" / f"{name}.tex").read_text()


def test_the_trials_have_the_columns_of_the_fer_plus_report(written):
    header, first, *_ = csv.reader((written.path / "tables" / "trials.csv").open())
    row = dict(zip(header, first, strict=True))
    for name in ("Batch size", "Epochs", "Initial learning rate", "Optimizer", "Dropout rate", "Min training loss"):
        assert row[name] != ""
    assert row["Device"] == "Test CPU"
    assert float(row["Total time (s)"]) == 9.0
    assert float(row["Validation accuracy std"]) == pytest.approx(0.1 * float(row["Validation accuracy"]))
    assert "Training accuracy" not in header, "no trial recorded one"


def test_a_study_without_a_complete_trial_says_so(tmp_path):
    nothing = fakes.record(0, predictions=Absent("No model."), data=Absent("Not here."), environments=[])
    made = writer.write(lambda: sections.study(nothing), tmp_path / "report")
    page = made.page.read_text()
    assert Reader(page).sections == IDS
    assert "No trial is complete" in page
    assert made.plots == ()


def test_one_trial_and_one_objective_are_enough(tmp_path):
    record = fakes.record(1)
    record = fakes.replace(record, spec=fakes.replace(record.spec, objectives=record.spec.objectives[:1]))
    made = writer.write(lambda: sections.study(record), tmp_path / "report")
    assert "at least two complete trials" in made.page.read_text()
    assert "front" not in made.plots


def test_an_existing_folder_is_not_overwritten(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("years of work")
    with pytest.raises(UsageError, match="exists"):
        check_folder(tmp_path / "mine", force=False)
    with pytest.raises(UsageError, match="is not a report"):
        check_folder(tmp_path / "mine", force=True)


def test_force_replaces_a_report(tmp_path):
    def page():
        return Page("mine", "", [])

    old = writer.write(page, tmp_path / "report")
    (old.path / "note.txt").write_text("mine")
    with pytest.raises(UsageError, match="exists"):
        writer.write(page, tmp_path / "report")
    assert (old.path / "note.txt").exists()
    assert writer.write(page, tmp_path / "report", force=True).page.exists()
    assert not (old.path / "note.txt").exists()


def test_an_empty_folder_is_free(tmp_path):
    (tmp_path / "report").mkdir()
    assert writer.write(lambda: Page("mine", "", []), tmp_path / "report").page.exists()


def test_a_failure_leaves_nothing_behind(tmp_path):
    with pytest.raises(ZeroDivisionError):
        writer.write(lambda: 1 // 0, tmp_path / "report")
    assert list(tmp_path.iterdir()) == []


def test_the_front_marks_the_best_of_each_objective():
    record = fakes.record(8)
    table = study_tables.front(record)
    for j, objective in enumerate(record.objectives, start=1):
        (i,) = [i for i, column in table.marked if column == j]
        better = max if objective.direction == "max" else min
        assert table.rows[i][j] == better(row[j] for row in table.rows)


def test_best_so_far_never_falls_back():
    assert best_so_far([(0, 0.5), (2, 0.4), (5, 0.6)], "max") == [(0, 0.5), (2, 0.5), (5, 0.6)]
    assert best_so_far([(1, 3.0), (0, 4.0)], "min") == [(0, 4.0), (1, 3.0)]


def test_columns_return_text_positions_and_gaps_none():
    assert Column("a", ["sgd", None, "adam"]).places()[::2] == [1, 0]
    assert math.isnan(Column("a", ["sgd", None]).places()[1])
    assert Column("a", [0.5, 2]).options is None
    assert Column("a", [True, False]).options == ["false", "true"]


def test_labels_carry_units_once():
    assert Measure("peak_memory_mb", "min", "MB").heading == "peak memory (MB) ↓"
    assert Measure("f1_macro").heading == "F1 macro ↑"


def test_thin_lines_have_no_entry_in_the_legend():
    points = [(1, 0.1), (2, 0.2)]
    figure = curves([Panel("a", "b", [Line("", points, thin=True), Line("mean", points)])])
    assert [entry.get_text() for entry in figure.legends[0].get_texts()] == ["mean"]


def test_names_that_a_terminal_would_obey_are_written_out_in_every_file(tmp_path, recwarn):
    matrix = confusion([[1, 0], [0, 1]], ("joy\x1b[31m", "sad\u202e"))
    svg, _ = style.render(matrix)
    assert r"joy\x1b[31m" in svg
    assert r"sad\u202e" in svg
    assert not set(svg) & {"\x1b", "\u202e"}
    assert [str(one.message) for one in recwarn] == []


def test_trials_that_other_work_slowed_are_marked():
    plain = fakes.record()
    assert study_tables.SLOWED not in (*study_tables.trials(plain).columns, *study_tables.front_costs(plain).columns)
    attempt = Attempt(1, Reason.DONE, facts={"device": "cpu", "threads": 2})
    values = {**plain.front[0].values, "train_seconds": 30.0, "cpu_seconds": 30.0}
    slowed = fakes.replace(plain.front[0], values=values, attempts=(attempt,))
    others = [one for one in plain.trials if one.number != slowed.number]
    marked = fakes.replace(plain, trials=[slowed, *others], front=[slowed, *plain.front[1:]])
    for table in (study_tables.trials(marked), study_tables.front_costs(marked)):
        column = list(table.columns).index(study_tables.SLOWED)
        assert [row[column] for row in table.rows] == ["yes", *[None] * (len(table.rows) - 1)]
