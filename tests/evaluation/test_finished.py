"""How the finish of a study is described and stored."""

import json
import math
from dataclasses import replace
from datetime import UTC, datetime

from fersearch.api.records.base import plain
from fersearch.api.records.finishes import Finish as Record
from fersearch.evaluation.finished import Finalist, Finish, finish_of
from fersearch.store import Look

MOMENT = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
FINISH = Finish(
    "cnn-faces",
    "faces",
    7,
    "f1_macro",
    (11, 12),
    {"f1_macro": (0.5, 0.75), "auc_macro": (0.75, math.nan)},
    (0.45, 0.8),
    3589,
    "split auto",
    (Finalist(7, 0.7, 0.01), Finalist(3, 0.6, 0.02)),
    "finish/cnn-faces",
    looked=MOMENT,
)


def look(finish: Finish | None = None, dataset: str = "faces", split: str = "test") -> Look:
    metrics = json.loads(json.dumps(finish.metrics())) if finish else {"f1_macro": 0.5}
    return Look("ab", dataset, split, 3589, metrics, MOMENT)


def test_the_line_says_all_that_a_paper_needs():
    assert FINISH.line == (
        "f1_macro 0.625 ± 0.177 on the test split of faces (bootstrap 95 % interval 0.450 to 0.800, n = 3,589, "
        "2 seeds, 1 look at test, split auto): trial 7 of cnn-faces, picked from 2 finalists on validation"
    )


def test_the_line_has_the_metrics_that_papers_compare_beside_the_studys_own():
    values = {**FINISH.values, "accuracy": (0.8, 0.9), "auc_macro": (0.7, 0.8)}
    assert replace(FINISH, values=values).line.startswith(
        "f1_macro 0.625 ± 0.177, accuracy 0.850 ± 0.071 on the test split of faces "
        "(bootstrap 95 % interval of f1_macro 0.450 to 0.800, n = 3,589, "
    )


def test_a_metric_undefined_for_one_seed_is_reported_and_read_again():
    undefined = replace(FINISH, values={"f1_macro": (0.5, math.nan)}, interval=(math.nan, math.nan))
    result = finish_of("cnn-faces", [look(undefined)])
    assert result is not None
    assert result.line == undefined.line
    assert result.line.startswith("f1_macro undefined on the test split of faces (no bootstrap interval, n = 3,589, ")
    assert (str(result.std), str(result.interval)) == ("nan", "(nan, nan)")
    record = plain(Record.of(result))
    assert (record["mean"], record["std"], record["interval"]) == (None, None, [None, None])


def test_the_line_says_that_the_pick_was_trained_longer():
    longer = replace(FINISH, epochs=40)
    assert "trial 7 of cnn-faces trained for 40 epochs, picked from" in longer.line
    result = finish_of("cnn-faces", [look(longer)])
    assert result is not None
    assert result.epochs == 40


def test_one_seed_has_no_deviation():
    one = replace(FINISH, seeds=(11,), values={"f1_macro": (0.5,)})
    assert one.std is None
    assert one.line.startswith("f1_macro 0.500 on the test split")
    assert "f1_macro_std" not in one.metrics()


def test_a_look_keeps_means_deviations_and_the_values_of_each_seed():
    look_metrics = look(FINISH).metrics
    assert (look_metrics["f1_macro"], round(look_metrics["f1_macro_std"], 3), look_metrics["auc_macro"]) == (
        0.625,
        0.177,
        None,
    )
    assert look_metrics["finish"]["values"] == {"f1_macro": [0.5, 0.75], "auc_macro": [0.75, None]}


def test_it_is_read_from_the_look_as_it_was_written():
    result = finish_of("cnn-faces", [look(), look(dataset="jaffe", split="all"), look(FINISH), look()])
    assert result is not None
    assert result.looks == 2
    assert str(result.values["auc_macro"]) == "(0.75, nan)"
    same = replace(result, looks=1, values=FINISH.values)
    assert same == FINISH


def test_looks_that_finished_nothing_are_no_finish():
    assert finish_of("cnn-faces", [look(), look(split="all")]) is None
