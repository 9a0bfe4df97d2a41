"""Render the results of verbs: each function takes what a verb returned and returns something that rich prints."""

import os
import shlex
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from rich.console import Console, Group, RenderableType
from rich.padding import Padding

from fersearch import formatting
from fersearch import formatting as durations
from fersearch.cli.listing import Listing
from fersearch.cli.parts import Cell, SafeConsole, Text, moment
from fersearch.cli.parts import facts as _facts
from fersearch.cli.parts import table as _table
from fersearch.cli.parts import title as _title
from fersearch.cli.render_study import spec as spec
from fersearch.cli.render_study import study as study
from fersearch.formatting import short
from fersearch.study import Keep, Objective
from fersearch.trial import EXCLUSIVE, HIGH, LATENCY, LOW, STD, Attempt, Epoch, Trial, TrialState

if TYPE_CHECKING:
    from fersearch.api.results import (
        CheckpointRow,
        DatasetRow,
        DatasetView,
        Front,
        Layer,
        PluginRow,
        PluginView,
        Report,
        StudySummary,
        Token,
        TrialView,
    )

PIPE_WIDTH = 1000
"""Width in characters without a terminal: each row stays on one line, so that grep finds it whole."""
TIED = "≈"
DISTURBED, ROUGH = "*", "~"
STYLES = {"complete": "green", "running": "cyan", "pruned": "yellow", "failed": "red", "infeasible": "red"}


class _Console(SafeConsole):
    """A console that raises BrokenPipeError to its caller, where rich would exit the process."""

    def on_broken_pipe(self) -> NoReturn:
        raise BrokenPipeError


def console(stderr: bool = False) -> Console:
    """Return a console as wide as the terminal, or `PIPE_WIDTH` without a terminal and without COLUMNS."""
    stream = sys.stderr if stderr else sys.stdout
    wide = None if stream.isatty() or "COLUMNS" in os.environ else PIPE_WIDTH
    return _Console(file=stream, width=wide, highlight=False, markup=False, emoji=False)


def show(*items: RenderableType) -> None:
    """Print on standard output; without a terminal, trailing spaces are removed."""
    out = console()
    for item in items:
        renderable = Text(item) if isinstance(item, str) else item
        if out.is_terminal:
            out.print(renderable, soft_wrap=isinstance(item, str))
            continue
        with out.capture() as printed:
            out.print(renderable, soft_wrap=isinstance(item, str))
        sys.stdout.write("".join(f"{line.rstrip()}\n" for line in printed.get().split("\n")[:-1]))


def studies(summaries: "Sequence[StudySummary]") -> RenderableType:
    """Return a table of studies."""
    if not summaries:
        return Text("no studies yet; try: fersearch study create --model cnn --dataset faces")
    rows = [
        (
            study.name,
            study.model,
            study.dataset,
            study.state.value,
            formatting.counts(study.counts),
            moment(study.created),
            " ".join(o.metric for o in study.objectives),
        )
        for study in summaries
    ]
    return Listing(("study", "model", "dataset", "state", "trials", "created", "objectives"), rows)


def tokens(rows: "Sequence[Token]") -> RenderableType:
    """Return a table of a service's tokens."""
    if not rows:
        return Text("no tokens yet; make one: fersearch token new NAME --role run")
    cells = [(one.name, one.role, one.owner, moment(one.created) if one.created else "") for one in rows]
    return Listing(("token", "role", "owner", "created"), cells)


def trials(trials: Sequence[Trial], objectives: Sequence[Objective]) -> RenderableType:
    """Return a table of a study's trials, with notes on marked values."""
    if not trials:
        return Text("no trials yet")
    shown = formatting.varying(trials)
    several = len({t.data_digest for t in trials if t.data_digest}) > 1
    rows: list[Sequence[Cell]] = [
        (
            str(t.number),
            _state(t.state),
            str(t.reason or ""),
            str(t.epochs),
            *((short(t.data_digest),) if several else ()),
            *_values(t, objectives),
            formatting.settings(t.params, shown),
        )
        for t in trials
    ]
    data, values = ("data",) if several else (), (f">{formatting.heading(o)}" for o in objectives)
    listing = Listing((">trial", "state", "reason", ">epochs", *data, *values, "parameters"), rows)
    notes = _about_disturbed(trials, objectives)
    return Group(listing, *notes) if notes else listing


def front(view: "Front") -> RenderableType:
    """Return the Pareto front as a table with ties marked, and its notes."""
    if not view.trials:
        within = f" that keeps {' and '.join(map(str, view.constraints))}" if view.constraints else ""
        return Group(
            Text(f"the front of {view.study} is empty: no complete trial{within} is better than the baseline"),
            *_notes(view),
        )
    tied, shown = formatting.ties(view.trials, view.objectives, view.tolerances), formatting.varying(view.trials)
    alone = any(EXCLUSIVE in t.values for t in view.trials)
    several, first = len(view.trials) > 1, view.objectives[0].metric
    sure = any(first in t.intervals for t in view.trials)
    rows = [
        (
            str(t.number),
            *_values(t, view.objectives[:1], tied),
            *((formatting.interval(t.intervals.get(first)),) if sure else ()),
            *_values(t, view.objectives[1:], tied),
            *((formatting.measured(t.values, EXCLUSIVE),) if alone else ()),
            str(t.epochs),
            *((", ".join(view.picked(t)),) if several else ()),
            formatting.settings(t.params, shown),
        )
        for t in view.trials
    ]
    timed = (">train_seconds alone",) if alone else ()
    picked = ("pick",) if several else ()
    best, *others = (f">{formatting.heading(o)}" for o in view.objectives)
    interval = (">95 % interval",) if sure else ()
    titles = (">trial", best, *interval, *others, *timed, ">epochs", *picked, "parameters")
    title = f"Pareto front of {view.study}: {formatting.plural(len(view.trials), 'trial')}"
    near = {view.tolerances.get(metric, formatting.TIE) for _, metric in tied}
    share = " or ".join(f"{100 * one:.3g}%" for one in sorted(near))
    note = f"{TIED} within {share} of another trial here: equal within the accuracy of the measurement"
    notes = [Text(note, style="dim")] if tied else []
    notes += _about_disturbed(view.trials, view.objectives)
    return Group(_title(title), Listing(titles, rows), *notes, *_notes(view))


def trial(view: "TrialView", objectives: Sequence[Objective]) -> RenderableType:
    """Return tables of one trial: parameters, values, why it stopped, its attempts and epochs."""
    one = view.trial
    facts: dict[str, Cell] = {"state": _state(one.state)}
    if view.pid:
        facts["process"] = str(view.pid)
    if one.enqueued:
        facts["enqueued"] = formatting.settings(one.enqueued.given) + _source(one.enqueued.source)
    if one.verdict:
        facts["last rung"] = verdict(one)
    if one.kept_epoch:
        facts["kept epoch"] = f"{one.kept_epoch} of {one.epochs}"
    if one.checkpoint:
        facts["checkpoint"] = one.checkpoint
    elif one.released:
        facts["checkpoint"] = f"released: the study kept only {Keep.parse(one.released).description}"
    if view.log:
        facts["log"] = view.log
    parts: list[RenderableType] = [_title(f"trial {one.number}"), _facts(facts), Text()]
    parts.append(_table(("parameter", ">value"), [(name, formatting.setting(v)) for name, v in one.params.items()]))
    if one.values:
        names = [name for name in one.values if not (name.endswith(STD) and name.removesuffix(STD) in one.values)]
        names = [name for name in names if not name.endswith((LOW, HIGH))]
        ends = {name: f" (95 % interval {formatting.interval(pair)})" for name, pair in one.intervals.items()}
        values = [(name, formatting.measured(one.values, name) + ends.get(name, "")) for name in names]
        parts += [Text(), _table(("metric", ">value"), values)]
    parts += [Text(), attempts(one.attempts), *_histories(view.history, objectives)]
    return Group(*parts)


def _source(source: str) -> str:
    return f" ({source})" if source else ""


def verdict(one: Trial) -> str:
    """Return why the pruner stopped a trial or let it go on, from the stored verdict."""
    verdict = one.verdict
    if verdict.get("reason"):
        return str(verdict["reason"])
    if verdict.get("rank") is None:
        return f"epoch {verdict.get('rung')}: no trials to compare with yet"
    stopped = "stopped" if verdict.get("stop") else "went on"
    rank = f"rank {verdict['rank']} of {verdict['peers']} trials"
    return f"epoch {verdict['rung']}: {rank}, the best {verdict['kept']} go on; {stopped}"


def attempts(attempts: Sequence[Attempt]) -> RenderableType:
    """Return a table of a trial's attempts and why each ended, with tracebacks below."""
    rows = []
    for attempt in attempts:
        span = f"{attempt.first_epoch}-{attempt.last_epoch}" if attempt.first_epoch else ""
        spent = durations.brief(attempt.seconds) if attempt.seconds is not None else ""
        rows.append((str(attempt.number), str(attempt.reason or "running"), span, spent, attempt.message))
    table = _table((">attempt", "ended", "epochs", ">time", "message"), rows)
    tracebacks: list[RenderableType] = [
        Padding(Text(attempt.traceback.rstrip()), (1, 0, 0, 2)) for attempt in attempts if attempt.traceback
    ]
    ran = [
        Text(f"attempt {attempt.number} ran with {formatting.facts(attempt.facts)}", style="dim")
        for attempt in attempts
        if attempt.facts
    ]
    return Group(table, *ran, *tracebacks)


def checkpoints(rows: "Sequence[CheckpointRow]", objectives: Sequence[Objective]) -> RenderableType:
    """Return a table of a study's checkpoints."""
    if not rows:
        return Text("no checkpoints yet: they come with complete trials")
    titles = (">trial", *(f">{formatting.heading(o)}" for o in objectives), ">MB", "digest")
    cells = [
        (
            str(row.trial),
            *(formatting.number(row.values.get(o.metric)) for o in objectives),
            formatting.number(row.megabytes),
            row.digest[:12],
        )
        for row in rows
    ]
    return _table(titles, cells)


def datasets(rows: "Sequence[DatasetRow]") -> RenderableType:
    """Return a table of datasets and where their files are."""
    cells = [(row.name, row.summary, row.source or Text("not here; give --data", style="dim")) for row in rows]
    return _table(("dataset", "what it is", "found"), cells)


def dataset(view: "DatasetView") -> RenderableType:
    """Return tables of one dataset: its facts, its class counts by split and by source, its findings."""
    facts: dict[str, Cell] = {
        "what it is": view.summary,
        "licence": view.licence,
        "files": view.source or "none needed",
    }
    facts |= {"options": formatting.settings(view.options), "target": view.target}
    counts: list[RenderableType] = [Text(), splits(view.classes, view.splits)]
    if view.sources:
        counts += [Text(), splits(view.classes, view.sources)]
    return Group(_title(f"dataset {view.name}"), _facts(facts), *counts, *_findings(view.findings))


def splits(classes: Sequence[str], parts: Mapping[str, Mapping[str, Any]]) -> RenderableType:
    """Return a table of image counts per class and split (or source), with the accuracy of the largest class alone."""
    rows: list[tuple[Cell, ...]] = []
    for name in classes:
        rows.append((name, *(f"{part['per_class'][name]:,}" for part in parts.values())))
    rows.append(("all", *(f"{part['n']:,}" for part in parts.values())))
    rows.append(("majority baseline", *(f"{part['baseline']:.1%}" for part in parts.values())))
    return _table(("class", *(f">{name}" for name in parts)), rows)


def report(view: "Report") -> RenderableType:
    """Return the result of verifying a dataset."""
    return Group(_title(f"dataset {view.dataset}"), _facts(view.rows), *_findings(view.findings))


def plugins(rows: "Sequence[PluginRow]") -> RenderableType:
    """Return a table of the plugins' components, with the file of each that is not from an installed module."""
    files = [row.module if row.module.endswith(".py") else "" for row in rows]
    titles = ("kind", "name", "what it is", *(("file",) if any(files) else ()))
    cells = [(row.kind, row.name, row.summary, file) for row, file in zip(rows, files, strict=True)]
    return _table(titles, [cell[: len(titles)] for cell in cells])


def plugin(view: "PluginView") -> RenderableType:
    """Return tables of one component: its facts, its search space, its layers."""
    facts: dict[str, Cell] = {"what it is": view.summary, **view.details, "module": view.module}
    if view.parameters:
        facts["parameters"] = f"{view.parameters['total']:,} ({view.parameters['trainable']:,} trainable)"
    offers = _table(("parameter", "offered"), [(name, offer) for name, offer in view.space.items()])
    below: list[RenderableType] = [Text(), offers] if view.space else []
    if view.layers:
        below += [Text(), _layers(view.layers)]
    return Group(_title(f"{view.kind} {view.name}"), _facts(facts), *below)


def _layers(layers: "Sequence[Layer]") -> RenderableType:
    cells = [
        (layer.name, layer.kind, "x".join(map(str, layer.shape)), f"{layer.parameters:,}", f"{layer.trainable:,}")
        for layer in layers
    ]
    return _table(("layer", "kind", ">output", ">parameters", ">trainable"), cells)


def commands(lines: Iterable[Sequence[str]], title: str = "next") -> RenderableType:
    """Return commands to type, quoted for a shell, under a title."""
    return Group(Text(f"{title}:", style="bold"), *(Text(f"  {shlex.join(line)}", style="cyan") for line in lines))


def _state(state: TrialState) -> Text:
    return Text(state.value, style=STYLES.get(state.value, ""))


def _values(one: Trial, objectives: Sequence[Objective], tied: Iterable[tuple[int, str]] = ()) -> list[str]:
    marks = set(tied)
    cells = []
    for metric in (objective.metric for objective in objectives):
        mark = TIED if (one.number, metric) in marks else ""
        after = DISTURBED if one.disturbed and metric == "train_seconds" else ""
        after = ROUGH if metric == LATENCY and one.rough_latency else after
        cells.append(mark + formatting.measured(one.values, metric) + after)
    return cells


def _about_disturbed(trials: Sequence[Trial], objectives: Sequence[Objective]) -> list[Text]:
    """Return notes that explain the marks of disturbed trials and rough latencies, if any trial has them."""
    shown, notes = {each.metric for each in objectives}, []
    if "train_seconds" in shown and any(one.disturbed for one in trials):
        notes.append(
            f"{DISTURBED} slowed by other work: over a quarter more wall time than CPU time per thread; see cpu_seconds"
        )
    if LATENCY in shown and any(one.rough_latency for one in trials):
        notes.append(f"{ROUGH} measured next to other work; the front is measured again, alone, at the end")
    return [Text(note, style="dim") for note in notes]


def _notes(view: "Front") -> list[Text]:
    return [Text(note, style="dim") for note in view.notes]


def _histories(history: Sequence[Epoch], objectives: Sequence[Objective]) -> list[RenderableType]:
    if not history:
        return []
    names = [o.metric for o in objectives]
    rounds = any(epoch.round > 1 for epoch in history)
    rows = [
        (
            *((str(e.round),) if rounds else ()),
            str(e.number),
            *(formatting.number(e.values.get(name)) for name in names),
            durations.brief(e.seconds),
        )
        for e in history
    ]
    titles = (*((">round",) if rounds else ()), ">epoch", *(f">{name}" for name in names), ">time")
    return [Text(), _table(titles, rows)]


def _findings(lines: Sequence[str]) -> list[RenderableType]:
    if not lines:
        return []
    return [Text(), *(Text(f"! {line}", style="yellow") for line in lines)]
