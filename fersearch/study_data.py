"""Locate and prepare the data of a study, and compare it with the study's first data."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from fersearch.artifacts import Artifacts
from fersearch.components import Dataset
from fersearch.data import arrays
from fersearch.data.identity import Identity, difference
from fersearch.data.locate import locate, look_for
from fersearch.data.prepared import has_copy
from fersearch.errors import FersearchError
from fersearch.formatting import short
from fersearch.home import artifacts_folder, prepared_folder
from fersearch.registry import Registry
from fersearch.space import values_of
from fersearch.store import StudyRow
from fersearch.study import StudySpec
from fersearch.training.card import read_card
from fersearch.trial import Trial

Progress = Callable[[int, int], None]
WAITS = "1 trial that had not ended begins again"


@dataclass(frozen=True)
class StudyData:
    """A study's prepared dataset with its identity, in every round and for every target of a trial.

    `loaded` is what the first round of the protocol sees under the dataset's first target; `rounds()` yields what
    each round sees that is split in a way of its own.
    """

    prepared: arrays.Prepared
    loaded: arrays.Loaded
    rounds: Callable[[], Iterator[arrays.Loaded]]
    identity: Identity


@dataclass(frozen=True)
class Settled:
    """The outcome of comparing data with a study's record: `record` is the new one.

    `renamed` maps digests that trials carry to the one that stands for the same data now. `baseline` is what is known
    of the majority class on data that takes the place of the study's; None if the study's own stays. `notes` are for
    a person.
    """

    record: Mapping[str, Any]
    renamed: Mapping[str, str]
    notes: Sequence[str] = ()
    baseline: Mapping[str, float] | None = None


def open_study_data(
    registry: Registry, study: StudyRow, path: Path | None = None, progress: Progress | None = None
) -> StudyData:
    """Locate the data of a study, prepare it if needed, and identify it; `path` is used instead of the known one.

    Raises:
        DataError: the data is missing or broken.
    """
    spec = study.spec
    dataset, prepared, source = prepared_data(registry, study, path, progress)

    def rounds(target: str = dataset.targets[0]) -> Iterator[arrays.Loaded]:
        params = {**spec.dataset_options, "target": target}
        first = arrays.load(dataset, prepared, params, spec.protocol, spec.limit)
        yield first
        for round in range(2, first.rounds + 1) if spec.protocol.folded else ():
            yield arrays.load(dataset, prepared, params, spec.protocol, spec.limit, round=round)

    loaded = next(rounds())
    seen = [each.identity.seen for target in _targets(spec, dataset) for each in rounds(target)]
    place = "" if source is None else str(source)
    return StudyData(prepared, loaded, rounds, replace(loaded.identity, seen=arrays.together(seen), path=place))


def prepared_data(
    registry: Registry, study: StudyRow, path: Path | None = None, progress: Progress | None = None
) -> tuple[Dataset, arrays.Prepared, Path | None]:
    """Return a study's dataset, its prepared copy, created if needed, and the path of its files (None: no files).

    Raises:
        DataError: the data is missing or broken.
    """
    spec = study.spec
    dataset = registry.dataset(spec.dataset)
    recorded = study.data.get("path") or spec.data
    is_prepared = partial(has_copy, dataset, options=spec.dataset_options, root=prepared_folder())
    source = locate(dataset, path) if path is not None else look_for(dataset, recorded, is_prepared)
    source = source.absolute() if source is not None else None
    prepared = arrays.prepare(dataset, source, spec.dataset_options, prepared_folder(), progress)
    return dataset, prepared, source


def recorded_data(study: StudyRow, digest: str = "") -> Identity:
    """Return the recorded data of a study, or of a trial that carries `digest`.

    It is empty if none was recorded.
    """
    records = [study.data, *study.data.get("earlier", ())]
    matching = [each for each in records if not digest or each.get("seen", {}).get("digest") == digest]
    return Identity.from_json(matching[0]) if matching else Identity()


def settle(study: StudyRow, now: Identity, read_trials: Callable[[], Sequence[Trial]], accept: bool) -> Settled:
    """Compare the data located `now` with the study's own; with `accept` other data takes its place.

    A study without a record takes the data of now. `read_trials` gives its trials, where they matter.

    Raises:
        DataError: it is other data, and that was not accepted.
    """
    then, seen = recorded_data(study), study.data.get("seen", {}).get("digest", "")
    if not then.agrees(now):
        if not accept:
            raise refusal(study, then, now)
        return _replaced(study, then, now, read_trials())
    record = {**study.data, **now.to_json()}
    notes: list[str] = []
    if not seen and (trials := [trial for trial in read_trials() if trial.attempts]):
        notes += _adopted(study, now, trials)
    if seen and then.files and now.files and then.files != now.files:
        notes.append(
            f"the files differ from those of the run before ({short(then.files)}, now {short(now.files)}), "
            "but all that trials and the test split see is the same"
        )
    renamed = {} if seen == now.seen else {seen: now.seen}
    return Settled(record, renamed, notes)


def refusal(study: StudyRow, then: Identity, now: Identity) -> Exception:
    """Return the error that a study's data is not its first data; the hint has both ways out."""
    name = study.name
    return difference(
        f"the data of study '{name}' is not what it began with",
        then,
        now,
        (
            f"restore it, or give the folder that holds it: fersearch study run {name} --data PATH",
            f"or continue with the data as it is now: fersearch study run {name} --accept-data-change",
        ),
    )


def _adopted(study: StudyRow, now: Identity, trials: Sequence[Trial]) -> Iterator[str]:
    yield (
        f"study {study.name} was made before its data was recorded; the data found now is recorded: {now.describe()}"
    )
    trained = _trained_arrays(trials)
    if trained not in ("", now.arrays):
        yield (
            f"but its checkpoints were trained on images or labels that were read otherwise (arrays {short(trained)}, "
            f"now {short(now.arrays)}): check what has changed before you compare"
        )


def _trained_arrays(trials: Sequence[Trial]) -> str:
    """Return the digest of the arrays that the newest kept checkpoint was trained on; empty without a checkpoint."""
    artifacts = Artifacts(artifacts_folder())
    for trial in reversed(trials):
        with suppress(FersearchError):
            if trial.checkpoint:
                return str(read_card(artifacts.open(trial.checkpoint))["dataset"]["digest"])
    return ""


def _replaced(study: StudyRow, then: Identity, now: Identity, trials: Sequence[Trial]) -> Settled:
    before = {name: value for name, value in study.data.items() if name != "earlier"}
    earlier = [*study.data.get("earlier", ()), {**before, "baseline": dict(study.baseline)}]
    known = [each.get("baseline") for each in earlier if each.get("seen", {}).get("digest") == now.seen]
    notes = [f"study {study.name} continues with other data", f"then: {then.describe()}", f"now:  {now.describe()}"]
    notes += _notes_on_trials(trials, now, study.spec.budget.trials)
    return Settled({**now.to_json(), "earlier": earlier}, {}, notes, next(filter(None, reversed(known)), {}))


def _notes_on_trials(trials: Sequence[Trial], now: Identity, budget: int) -> Iterator[str]:
    others = [trial for trial in trials if not trial.saw(now.seen)]
    ended = sum(trial.state.ended for trial in others)
    waiting = len(others) - ended
    if ended:
        yield (
            f"trials that saw the earlier data: {ended} of {len(trials)}. They stay listed and count as tried, "
            "but are not compared with new ones and not on the front"
        )
    if waiting:
        yield f"{waiting} trials that had not ended begin again" if waiting > 1 else WAITS
    if ended and sum(trial.state.ended for trial in trials) >= budget:
        yield f"all {budget} trials of the budget were tried: give more with --trials"


def _targets(spec: StudySpec, dataset: Dataset) -> list[str]:
    """Return every training target that a trial of a study may have."""
    return [str(value) for value in values_of(spec.space["target"])] if "target" in spec.space else [dataset.targets[0]]
