"""`fersearch study compare`: studies side by side, or one study by the values of a parameter."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fersearch.cli.flags import AsJson, Storage, TrustStored
from fersearch.errors import UsageError

if TYPE_CHECKING:
    from fersearch.report.comparison.entries import Comparison
    from fersearch.report.comparison.sweep import Sweep
    from fersearch.report.writer import Written

Names = Annotated[list[str], typer.Argument(metavar="STUDY...", help="Names of studies; 'NAME/*' means all that fit.")]


def compare(
    names: Names,
    metric: Annotated[
        list[str] | None, typer.Option("--metric", help="Compare by this; repeatable, the first leads.")
    ] = None,
    by: Annotated[
        str, typer.Option("--by", metavar="trial|front", help="Each study's best trial, or all of its front.")
    ] = "trial",
    trial: Annotated[
        list[str] | None, typer.Option("--trial", metavar="STUDY=N", help="The trial that stands for a study.")
    ] = None,
    factor: Annotated[
        str | None, typer.Option("--factor", metavar="PARAMETER", help="Group one study's trials by a parameter.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="DIR", help="Also write a page, plots and tables.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the report in the folder.")] = False,
    trust_plugin: TrustStored = False,  # noqa: ARG001
    storage: Storage = None,
    as_json: AsJson = False,
) -> None:
    """Compare studies: scores, time, memory, and paired tests over folds or repeats."""
    from fersearch import api
    from fersearch.cli import compared as drawn

    if force and out is None:
        raise UsageError("--force without -o", "give the folder to replace: -o DIR")
    if factor is not None:
        name = _only(names, by, trial)
        swept = api.sweep_study(name, factor, metrics=metric or (), out=out, force=force, storage=storage)
        _tell(drawn.sweep(swept.found), _sweep_record(swept.found), swept.written, as_json)
        return
    done = api.compare_studies(
        names, metrics=metric or (), by=by, trials=_trials(trial or ()), out=out, force=force, storage=storage
    )
    _tell(drawn.comparison(done.found), _record(done.found), done.written, as_json)


def _only(names: Sequence[str], by: str, trial: Sequence[str] | None) -> str:
    if len(names) != 1 or "*" in names[0]:
        raise UsageError(f"--factor looks into one study, and {', '.join(names)} may be several", "name one study")
    if by != "trial" or trial:
        raise UsageError("--factor takes every complete trial", "leave out --by and --trial")
    return names[0]


def _trials(given: Sequence[str]) -> dict[str, int]:
    found = {}
    for text in given:
        name, sign, number = text.rpartition("=")
        if not (sign and name and number.isdecimal()):
            raise UsageError(f"--trial {text} is no choice of a trial", "write STUDY=NUMBER, as --trial mine/cnn=3")
        found[name] = int(number)
    return found


def _tell(items: Sequence[Any], record: Mapping[str, Any], written: "Written | None", as_json: bool) -> None:
    from fersearch.cli import as_json as records
    from fersearch.cli import render

    if as_json:
        records.dump({**record, "page": str(written.page) if written else None})
        return
    render.show(*items)
    if written:
        render.show("", f"wrote {written.page}, {len(written.plots)} plots and {len(written.tables)} tables")


def _record(found: "Comparison") -> dict[str, Any]:
    from fersearch.report.comparison import paired_tests, prose

    return {
        "metrics": [f"{measure.name}:{measure.direction}" for measure in found.metrics],
        "studies": [
            {
                "study": entry.record.spec.name,
                "trial": entry.trial.number,
                "model": entry.spec.model,
                "dataset": entry.spec.dataset,
                "classes": list(entry.classes),
                "n_valid": entry.judged,
                "protocol": prose.protocol(entry),
                "values": dict(entry.trial.values),
                "rounds": {str(number): dict(values) for number, values in entry.rounds.items()},
            }
            for entry in found.entries
        ],
        "comparable": [[entry.label for entry in group] for group in found.groups],
        "tests": {m.name: _tests(*paired_tests.tests(found, m)) for m in found.metrics},
        "warnings": prose.warnings(found),
    }


def _tests(pairs: Sequence[Any], others: Sequence[Any]) -> dict[str, Any]:
    fields = ("n", "difference", "low", "high", "wilcoxon", "t", "corrected")
    return {
        "tested": [
            {"a": test.a.label, "b": test.b.label}
            | {name: getattr(test.result, name) for name in fields}
            | {"holm": test.holm, "notes": list(test.result.notes)}
            for test in pairs
        ],
        "untested": [{"a": pair.a.label, "b": pair.b.label, "why": pair.why} for pair in others],
    }


def _sweep_record(found: "Sweep") -> dict[str, Any]:
    from fersearch.report.comparison import sweep

    return {
        "study": found.record.spec.name,
        "factor": found.factor,
        "metrics": [f"{measure.name}:{measure.direction}" for measure in found.metrics],
        "values": [{"value": name, "trials": [trial.number for trial in trials]} for name, trials in sweep.bins(found)],
        "equal_elsewhere": [trial.number for trial in sweep.equal_elsewhere(found)],
    }
