"""The sections on the best trials' learning curves and the best model's mistakes."""

from collections.abc import Sequence
from dataclasses import replace

from fersearch.report import derive, study_tables
from fersearch.report import derive as evidence
from fersearch.report.inputs import Absent, Data, Predictions, Record
from fersearch.report.parts import Gallery, Missing, Part, Plot, Row, Section, Tabular, Text
from fersearch.report.plots.curves import Line, Panel, curves
from fersearch.report.plots.curves import confusion as draw_confusion
from fersearch.report.plots.curves import roc as draw_roc
from fersearch.trial import Epoch, Trial

CONCERT = {
    "auc_macro": "AUC (macro)",
    "recall_macro": "recall (macro)",
    "precision_macro": "precision (macro)",
    "f1_macro": "F1 (macro)",
    "accuracy": "accuracy",
}


def learning(record: Record) -> Section:
    """Return loss and accuracy, error rate and all metrics by epoch."""
    name = "Learning curves"
    trials = [trial for trial in record.chosen if record.histories.get(trial.number)]
    if not trials:
        return Section("learning", name, [Missing("No complete trial has epochs.")])
    many = any(len(derive.rounds(record.histories[trial.number])) > 1 for trial in trials)
    rounds = " Thin lines: single rounds; thick lines: their mean." if many else ""
    legend = f"Solid lines: validation, dashed: training; dots mark the kept epochs.{rounds}"
    both = curves([_loss(record, trials), _accuracy(record, trials)])
    parts: list[Part] = [Plot("learning", f"Loss and accuracy of the best trials by epoch. {legend}", both)]
    more = [
        Plot(
            "error-rate",
            "Error rate (1 - accuracy) of the best trials on validation.",
            curves([_errors(record, trials)]),
        )
    ]
    concert = _concert(record, trials[0])
    if concert.lines:
        caption = f"All metrics of trial {trials[0].number} on validation by epoch."
        more.append(Plot("all-metrics", caption, curves([concert])))
    return Section("learning", name, [*parts, Row(more)])


def confusion(record: Record) -> Section:
    """Return the confusion matrix of the best trial, raw and by row, and the scores of each class."""
    name, best = "Confusion matrix and classes", record.best
    if best is None:
        return Section("confusion", name, [Missing("No trial is complete.")])
    history = record.histories.get(best.number, ())
    matrix = derive.confusion(history, record.spec.objectives[0])
    if matrix is None:
        return Section("confusion", name, [Missing(f"No confusion matrix was recorded for trial {best.number}.")])
    classes = _classes(record, len(matrix))
    rounds = len(derive.rounds(history))
    over = f", summed over the kept epochs of {rounds} rounds" if rounds > 1 else ""
    raw = Plot("confusion", f"Images of trial {best.number} on validation{over}.", draw_confusion(matrix, classes))
    shares = draw_confusion(derive.row_shares(matrix), classes, shares=True)
    normal = Plot("confusion-normalised", "The same as a percentage of each true class.", shares)
    scores = study_tables.classes(derive.class_scores(matrix, classes), best.number)
    about = (
        "The macro average counts every class the same, with 0 for a score that is undefined because the class was "
        "never predicted; the weighted one counts classes by their images (support)."
    )
    table = study_tables.confusion(matrix, classes, best.number)
    return Section("confusion", name, [Row([raw, normal]), Tabular(scores), Text(about), Tabular(table)])


def roc(record: Record) -> Section:
    """Return ROC curves of the best trial's model, evaluated again on validation."""
    if isinstance(record.predictions, Absent) or record.best is None:
        return Section("roc", "ROC curves", [_no_predictions(record)])
    class_curves = evidence.roc_curves(record.predictions, _classes(record, record.predictions.probabilities.shape[1]))
    count = len(record.predictions.labels)
    caption = (
        f"Each class against the rest: trial {record.best.number} on {count:,} validation images{_of_round(record)}."
    )
    return Section(
        "roc", "ROC curves", [*_checked(record, record.predictions), Plot("roc", caption, draw_roc(class_curves))]
    )


def mistakes(record: Record) -> Section:
    """Return the validation images that the best model misclassifies with the most confidence."""
    name = "Most confident mistakes"
    if isinstance(record.predictions, Absent) or record.best is None:
        return Section("mistakes", name, [_no_predictions(record)])
    pictures = evidence.mistakes(record.predictions, _classes(record, record.predictions.probabilities.shape[1]))
    if not pictures:
        return Section("mistakes", name, [Text("Every validation image is classified correctly.")])
    about = (
        f"Validation images that trial {record.best.number} misclassifies with the largest share. They are only in "
        "this page, not in the files next to it; check the dataset's licence before sharing the page."
    )
    return Section("mistakes", name, [Text(about), Gallery(pictures)])


def _loss(record: Record, trials: Sequence[Trial]) -> Panel:
    return Panel(
        "Loss", "loss", [line for which in _pair("train_loss", "valid_loss") for line in _of(record, trials, *which)]
    )


def _accuracy(record: Record, trials: Sequence[Trial]) -> Panel:
    lines = [line for which in _pair("train_accuracy", "accuracy") for line in _of(record, trials, *which)]
    return Panel("Accuracy", "accuracy", lines, record.baseline.get("accuracy"))


def _errors(record: Record, trials: Sequence[Trial]) -> Panel:
    floor = record.baseline.get("accuracy")
    lines = [
        replace(line, points=[(x, 1 - y) for x, y in line.points]) for line in _of(record, trials, "accuracy", False)
    ]
    return Panel("Error rate", "error rate", lines, None if floor is None else 1 - floor)


def _concert(record: Record, trial: Trial) -> Panel:
    rounds = derive.rounds(record.histories[trial.number])
    lines = [
        line
        for place, (name, label) in enumerate(CONCERT.items())
        for line in _lines(rounds, name, label, place, False)
    ]
    return Panel(f"All metrics, trial {trial.number}", "score", lines)


def _pair(train: str, valid: str) -> list[tuple[str, bool]]:
    return [(valid, False), (train, True)]


def _of(record: Record, trials: Sequence[Trial], metric: str, dashed: bool) -> list[Line]:
    """Return the lines of some trials in one metric, a colour each."""
    lines: list[Line] = []
    for place, trial in enumerate(trials):
        rounds = derive.rounds(record.histories[trial.number])
        label = "" if dashed else f"trial {trial.number}"
        mark = trial.kept_epoch if len(rounds) == 1 and not dashed else None
        lines += _lines(rounds, metric, label, place, dashed, mark)
    return lines


def _lines(
    rounds: Sequence[Sequence[Epoch]], metric: str, label: str, colour: int, dashed: bool, mark: float | None = None
) -> list[Line]:
    drawn = [points for one in rounds if (points := derive.curve(one, metric))]
    if len(drawn) <= 1:
        return [Line(label, points, colour, dashed, mark=mark) for points in drawn]
    mean = derive.mean_curve(drawn)
    return [*(Line("", points, colour, dashed, thin=True) for points in drawn), Line(label, mean, colour, dashed)]


def _classes(record: Record, count: int) -> list[str]:
    """Return the names of the classes; numbers where the data is not available."""
    known = record.data.classes if isinstance(record.data, Data) else ()
    return list(known) if len(known) == count else [f"class {i}" for i in range(count)]


def _no_predictions(record: Record) -> Missing:
    if record.best is None:
        return Missing("No trial is complete, so there is no model to evaluate.")
    return Missing(record.predictions.why if isinstance(record.predictions, Absent) else "")


def _of_round(record: Record) -> str:
    """Return which of several validation splits was evaluated."""
    return ", of the round whose model was kept" if record.spec.protocol.folded else ""


def _checked(record: Record, predictions: Predictions) -> list[Part]:
    """Return a sentence that says how the evaluation now compares with the recorded one."""
    recorded = derive.finite(record.best.values, "accuracy") if record.best else None
    now = evidence.right(predictions)
    if recorded is None or abs(now - recorded) < 0.0005 or record.spec.protocol.in_rounds:
        return []
    return [Text(f"Evaluated for this report, the model has an accuracy of {now:.4f}; {recorded:.4f} was recorded.")]
