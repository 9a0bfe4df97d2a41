"""The protocol of a study in sentences, and the other sentences of a report."""

from collections.abc import Mapping
from typing import Any

from fersearch.formatting import listed, short
from fersearch.report import derive
from fersearch.report.inputs import Absent, Data, Record
from fersearch.report.tables import number
from fersearch.space import describe
from fersearch.study import ARCHITECTURE, Protocol, StudySpec
from fersearch.trial import TrialState

DEFAULT_RATIOS = (0.7, 0.15, 0.15)
BY = {
    "auto": "by subject if the dataset identifies subjects, else stratified by class",
    "chance": "at random, without regard to class or subject",
    "class": "stratified by class",
    "subject": "by subject: no person is in two parts",
}


def plural(count: int, noun: str) -> str:
    """Return a number with its noun: `1 trial`, `3 trials`, `2 classes`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}{'es' if noun.endswith('s') else 's'}"


def protocol(record: Record) -> list[str]:
    """Return how the study evaluated its trials: data, split, rounds, seed, limit, looks at test. One paragraph
    each."""
    spec = record.spec
    return [
        _data(spec, record.data),
        f"{_split(spec.protocol)} {_rounds(spec.protocol, record.data)}".strip(),
        *([f"Warning: {line}." for line in record.data.warnings] if isinstance(record.data, Data) else []),
        _limit(spec),
        _search(spec),
        *_origin(spec),
        _test(record),
    ]


def _origin(spec: StudySpec) -> list[str]:
    """Return from which study it was started, and with what; empty if from none."""
    if spec.origin is None:
        return []
    data = f" (data {short(spec.origin.data_digest)})" if spec.origin.data_digest else ""
    return [
        f"The study was started from study {spec.origin.study}{data}: its sampler knew "
        f"{plural(spec.origin.trials, 'trial')} of it, and of its front "
        f"{plural(spec.origin.enqueued, 'configuration')} came first."
    ]


def summary(record: Record) -> list[str]:
    """Return the results of the study: how the trials ended, the best of them, the baseline."""
    counts = {state: sum(trial.state is state for trial in record.trials) for state in TrialState}
    ended = ", ".join(f"{count:,} {state.value}" for state, count in counts.items() if count)
    lines = [
        f"{plural(len(record.trials), 'trial')} of {listed(record.spec.architectures)} on "
        f"{record.spec.dataset}: "
        f"{ended or 'none'}."
    ]
    first = record.objectives[0]
    if record.best is None:
        within = " within the study's bounds" if record.spec.where else ""
        missing = (
            f"No trial is complete{within}, so there is no best model, and parts that need one are left out below."
        )
        return [*lines, missing]
    value = number(record.best.values[first.name])
    which = f" ({record.best.params[ARCHITECTURE]})" if record.spec.one_study else ""
    lines.append(f"The best complete trial by {first.label} is trial {record.best.number}{which} with {value}.")
    if first.name in record.baseline:
        floor = number(record.baseline[first.name])
        lines.append(f"Always predicting the largest class scores {floor} (majority baseline).")
    if not record.front:
        lines.append("No complete trial is better, so the Pareto front is empty.")
    return lines


def options(values: Mapping[str, Any]) -> str:
    """Return options as text: `classes=10, image_size=48`."""
    return ", ".join(
        f"{name}={str(value).lower() if isinstance(value, bool) else value}" for name, value in values.items()
    )


def searched(spec: StudySpec) -> list[tuple[str, str, str]]:
    """Return each parameter: its name, its search range, and when it applies."""
    return [
        (
            name,
            describe(dimension),
            ", ".join(f"{parent} is {' or '.join(map(str, values))}" for parent, values in dimension.when.items()),
        )
        for name, dimension in spec.space.dimensions.items()
    ]


def _data(spec: StudySpec, data: Data | Absent) -> str:
    chosen = f" with {options(spec.dataset_options)}" if spec.dataset_options else ""
    start = f"Dataset: {spec.dataset}{chosen}."
    if isinstance(data, Absent):
        return f"{start} {data.why}"
    parts = ", ".join(f"{part['n']:,} {name}" for name, part in data.splits.items())
    colour = "grey" if data.channels == 1 else "RGB"
    size = f"{colour} images of {data.image_size}x{data.image_size} pixels"
    licence = f" Licence: {data.licence.rstrip('.')}." if data.licence else ""
    changed = (
        " The current dataset differs from the one that the best trial was trained on (its digest is different): "
        "counts and new evaluations use the current one."
        if data.changed
        else ""
    )
    return (
        f"{start} {plural(len(data.classes), 'class')} ({', '.join(data.classes)}); {size}; {parts}; "
        f"content digest {data.digest[:12]}.{licence}{changed}"
    )


def _split(protocol: Protocol) -> str:
    ratios = protocol.ratios or DEFAULT_RATIOS
    shares = "/".join(f"{100 * ratio:g}" for ratio in ratios)
    drawn = f"{BY[protocol.by]}, with seed {protocol.split_seed}"
    test_images = (
        f"; {100 * ratios[2]:g} % of all images are held out as the test split"
        if protocol.ratios
        else "; the dataset's own test images are held out"
    )
    texts = {
        "auto": f"Split: the dataset's own; what it leaves unassigned is drawn {shares} {drawn}.",
        "official": "Split: the dataset's official one.",
        "ratios": f"Split: train, valid and test drawn {shares} {drawn}.",
        "kfold": f"Split: {protocol.folds} folds drawn {drawn}; each validates once{test_images}.",
        "loso": f"Split: leave one subject out; each subject validates once{test_images}.",
    }
    dropped = {
        "drop": " Train images that also occur in valid or test (equal in every pixel) are dropped.",
        "near": " Train images that also occur in valid or test (equal or nearly equal) are dropped.",
    }
    return texts[protocol.split] + dropped.get(protocol.duplicates, "")


def _rounds(protocol: Protocol, data: Data | Absent) -> str:
    if not protocol.in_rounds:
        return "Each trial is trained once."
    count = f" ({data.rounds} rounds in all)" if isinstance(data, Data) and data.rounds > 1 else ""
    again = f", repeated {plural(protocol.repeats, 'time')} with different seeds" if protocol.repeats > 1 else ""
    what = "once for each fold" if protocol.folded else "several times"
    return (
        f"Each trial is trained {what}{again}{count}; "
        f"its values are means over the rounds ± standard deviation (n - 1)."
    )


def _limit(spec: StudySpec) -> str:
    if spec.limit is None:
        return "All train and valid images are used."
    return f"Train and valid together are limited to a stratified subset of {spec.limit:,} images."


def _search(spec: StudySpec) -> str:
    aims = ", ".join(f"{o.metric} ({o.direction})" for o in spec.objectives)
    budget = f"{plural(spec.budget.trials, 'trial')}" + (
        f" or {spec.budget.timeout:g} s" if spec.budget.timeout else ""
    )
    start = f" Networks start from weights {spec.weights}." if spec.weights else ""
    bounds = f"; bounds {listed([str(bound) for bound in spec.where])}" if spec.where else ""
    return (
        f"Search: objectives {aims}{bounds}; sampler {spec.sampler}, pruner {spec.pruner}, study seed {spec.seed}; "
        f"budget {budget}; precision {spec.precision}; memory format {spec.memory_format}. "
        f"The epoch that is kept of a trial is its best by {spec.objectives[0].metric} on validation, so validation "
        f"scores of the winner are optimistic.{start}"
    )


def _test(record: Record) -> str:
    own = [look for look in record.looks if look.dataset == record.spec.dataset and look.split == "test"]
    others = len(record.looks) - len(own)
    more = f" Other held-out data was evaluated {plural(others, 'time')}." if others else ""
    if not own:
        return f"Test: never opened. All scores in this report are on validation.{more}"
    scores = [score for look in own if (score := derive.finite(look.metrics, "accuracy")) is not None]
    accuracies = "; ".join(f"accuracy {number(score)}" for score in scores)
    gave = f" ({accuracies})" if accuracies else ""
    return f"Test: opened {plural(len(own), 'time')}{gave}. All other scores in this report are on validation.{more}"
