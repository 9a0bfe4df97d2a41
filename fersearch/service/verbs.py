"""The verbs that run in children of the service, with JSON arguments and results."""

from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fersearch.api.results import Written
    from fersearch.trial import Epoch

Verb = Callable[..., Any]


def create(body: Mapping[str, Any], owner: str, observe: list[str]) -> list[str]:
    """Create the studies that a study file's data describe, and return their names."""
    from fersearch import api

    return [spec.name for spec in api.create_from_data(body, owner=owner, observe=observe)]


def check(body: Mapping[str, Any]) -> Any:
    """Return the planned studies of a study file's data without creating them."""
    from fersearch import api
    from fersearch.api import records

    return records.plain([records.PlannedStudy.of(spec) for spec in api.check_from_data(body)])


def export(study: str, trial: int | None, folder: str) -> dict[str, Any]:
    """Pull a trial's checkpoint into a folder and export it there."""
    from fersearch import api

    pulled = api.pull_checkpoint(study, trial=trial, out=Path(folder), force=True, format="onnx")
    return {"path": str(pulled.path), "trial": pulled.trial}


def begin_finish(study: str, unseen: list[str], **retraining: Any) -> dict[str, Any]:
    """Begin the finish of a study: return the study that trains its finalists, and whether that has ended."""
    from fersearch.api.finishing import begin_finish as begin
    from fersearch.engines.finishing import Retraining

    begun = begin(study, Retraining(**retraining), unseen)
    return {"trained": begun.trained, "ended": begun.ended}


def finish(study: str, **options: Any) -> Any:
    """Open the test split for the pick of a study whose finalists have been trained."""
    from fersearch import api
    from fersearch.api import records

    return records.plain(records.Finish.of(api.finish_study(study, **options)))


def extend(study: str, change: dict[str, Any]) -> None:
    """Change a study that does not run."""
    from fersearch import api

    api.extend_study(study, settings=change.pop("space"), **change)


def importance(study: str) -> Any:
    """Return how much each parameter decides about each objective."""
    from fersearch import api

    return api.importance(study)


def report(study: str, trials: int) -> str:
    """Return the study's report, one HTML page."""
    from fersearch import api

    with TemporaryDirectory() as folder:
        written = api.write_report(study, Path(folder) / "report", trials=trials)
        return written.page.read_text(encoding="utf-8")


def show_dataset(name: str, data: str | None, options: dict[str, str], target: str | None) -> Any:
    """Return the record of a dataset."""
    from fersearch import api
    from fersearch.api import records

    folder = Path(data) if data else None
    return records.plain(records.DatasetDetail.of(api.show_dataset(name, data=folder, options=options, target=target)))


def show_plugin(name: str, **configuration: Any) -> Any:
    """Return the record of a component."""
    from fersearch import api
    from fersearch.api import records

    return records.plain(records.PluginDetail.of(api.show_plugin(name, **configuration)))


def report_archive(study: str, trials: int, file: str) -> None:
    """Write a study's report, its page, plots and tables, into a zip file."""
    from fersearch import api

    _packed(file, lambda out: api.write_report(study, out, trials=trials))


def compare(studies: list[str], metrics: list[str], by: str, trials: list[str], shown: bool) -> Any:
    """Return the record of a comparison; with `shown` it includes the tables for display."""
    from fersearch import api
    from fersearch.api import records
    from fersearch.api.comparing import chosen_trials
    from fersearch.api.records.comparisons import shown_of

    done = api.compare_studies(studies, metrics=metrics, by=by, trials=chosen_trials(trials))
    record = records.Comparison.of(done.result, None)
    return records.plain(record.model_copy(update={"shown": shown_of(done.shown())}) if shown else record)


def comparison_archive(studies: list[str], metrics: list[str], by: str, trials: list[str], file: str) -> None:
    """Write the page, plots and tables of a comparison into a zip file."""
    from fersearch import api
    from fersearch.api.comparing import chosen_trials

    chosen = chosen_trials(trials)
    _packed(file, lambda out: api.compare_studies(studies, metrics=metrics, by=by, trials=chosen, out=out).written)


def rerun(
    study: str,
    trial: int,
    *,
    place: dict[str, Any],
    out: str | None,
    data: str | None,
    say: Callable[[Any], None],
    **how: Any,
) -> Any:
    """Train a trial again in one of this machine's slots, and compare; each epoch is passed to `say`."""
    from dataclasses import replace

    from fersearch.api import records
    from fersearch.api.records.trials import Epoch as EpochRecord
    from fersearch.context import open_store
    from fersearch.engines import devices
    from fersearch.engines.rerun import RerunRequest
    from fersearch.engines.rerun import rerun as again
    from fersearch.formatting import finite

    number = place.pop("number")
    out_folder, data_folder = (None if path is None else Path(path) for path in (out, data))
    options = RerunRequest(**how, out=out_folder, data=data_folder, slot=devices.slots(**place)[number])

    def report(epoch: "Epoch") -> None:
        say({"epoch": finite(EpochRecord.of(epoch).model_dump(mode="json"))})

    with open_store() as store:
        done = again(store, store.study(study), trial, options, report)
    return records.plain(records.Rerun.of(replace(done, path=None)))  # the service sends the model


def sweep(study: str, factor: str, metrics: list[str], shown: bool) -> Any:
    """Return the record of a sweep; with `shown` it includes the tables for display."""
    from fersearch import api
    from fersearch.api import records
    from fersearch.api.records.comparisons import shown_of

    done = api.sweep_study(study, factor, metrics=metrics)
    record = records.Sweep.of(done.result, None)
    return records.plain(record.model_copy(update={"shown": shown_of(done.shown())}) if shown else record)


def sweep_archive(study: str, factor: str, metrics: list[str], file: str) -> None:
    """Write the page, plots and tables of a sweep into a zip file."""
    from fersearch import api

    _packed(file, lambda out: api.sweep_study(study, factor, metrics=metrics, out=out).written)


def study_export(study: str, format: str, file: str) -> None:
    """Write a study's trials as text into a file."""
    from fersearch import api

    with Path(file).open("w", encoding="utf-8", newline="") as out:
        api.write_export(out, study, format)


def _packed(file: str, write: "Callable[[Path], Written | None]") -> None:
    from fersearch.report.folder import pack

    with TemporaryDirectory() as folder:
        written = write(Path(folder) / "report")
        assert written is not None  # because a folder was given
        pack(written, Path(file))


VERBS: dict[str, Verb] = {
    verb.__name__: verb
    for verb in (
        begin_finish,
        check,
        compare,
        comparison_archive,
        create,
        export,
        extend,
        finish,
        importance,
        report,
        report_archive,
        rerun,
        show_dataset,
        show_plugin,
        study_export,
        sweep,
        sweep_archive,
    )
}
REPORTING = ("rerun",)
"""Verbs that report while they work."""
