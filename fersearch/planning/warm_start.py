"""Start a study from another one: enqueue its front, and give its trials to the sampler."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from uuid import uuid4

from fersearch.components import Metric
from fersearch.errors import UsageError
from fersearch.search.aggregation import undefined, values_at_end
from fersearch.search.fitting import filled, is_learnable
from fersearch.space import Dimension, Params, Space, Value, single
from fersearch.store import StudyRow
from fersearch.store.prior import WarmStart
from fersearch.study import ARCHITECTURE, Origin, StudySpec
from fersearch.study_front import front_of
from fersearch.trial import Enqueued, Trial, TrialState, of_data

LEARNERS = ("tpe", "gp")
"""The samplers that learn from trials that they did not propose."""


def started_from(
    spec: StudySpec, source: StudyRow, trials: Sequence[Trial], metrics: Mapping[str, Metric]
) -> tuple[StudySpec, WarmStart]:
    """Return a spec that names its source study, and the trials and configurations taken over from it.

    A trial counts if its values of shared parameters are in the new space; parameters fixed to one value in each
    study may differ, and so may the data.

    Raises:
        UsageError: the two have no parameter in common, or no trial counts.
    """
    theirs = {_ours(spec, source.spec, one, name) for one in source.spec.architectures for name in source.spec.space}
    if not any(name in theirs for name in _searched(spec.space)):
        raise UsageError(
            f"study '{source.name}' has no parameter in common with this one",
            f"this one searches {', '.join(_searched(spec.space)) or 'none'}; start from one that shares some",
        )
    compared = of_data(trials, source.data_digest)
    prior = [_prior(trial, source, metrics, params) for trial, params in _inside(spec, source, compared)]
    prior = [trial for trial in prior if not undefined(trial.values, spec.objectives)]
    if not prior:
        raise UsageError(
            f"study '{source.name}' has no trial to start from",
            "none ended with values of this study's objectives inside its space; run that study, or leave out --from",
        )
    prior = [trial for trial in prior if _is_learnt_from(spec, trial)]
    enqueued = list(_enqueued(spec, source, front_of(source, trials).trials))
    origin = Origin(source.name, source.data_digest, len(prior), len(enqueued))
    return replace(spec, origin=origin), WarmStart(prior, enqueued)


def _is_learnt_from(spec: StudySpec, trial: Trial) -> bool:
    """Return whether the sampler of a study learns from a trial of another one; most samplers learn from none."""
    return spec.sampler in LEARNERS and is_learnable(spec, filled(spec.space, trial.params))


def _searched(space: Space) -> list[str]:
    return [name for name in space if single(space[name]) is None]


def _inside(spec: StudySpec, source: StudyRow, trials: Iterable[Trial]) -> Iterator[tuple[Trial, Params]]:
    """Yield the trials that count, each with its values of the parameters that the study searches."""
    for trial in trials:
        theirs = Space.from_json(trial.space) if trial.space else source.spec.space
        if trial.state in (TrialState.COMPLETE, TrialState.PRUNED) and (
            params := _shared(spec.space, *_translated(spec, source.spec, theirs, trial.params))
        ):
            yield trial, params


def _translated(
    ours: StudySpec, theirs: StudySpec, space: Space, params: Params
) -> tuple[Mapping[str, Dimension], dict[str, Value]]:
    """Return a space and a trial's parameters by the names that they have in our study."""
    architecture, _ = theirs.chosen(params)
    named = {_ours(ours, theirs, architecture, name): value for name, value in params.items()}
    if ours.one_study and architecture in ours.architectures:
        named[ARCHITECTURE] = architecture
    return {_ours(ours, theirs, architecture, name): dimension for name, dimension in space.dimensions.items()}, named


def _ours(ours: StudySpec, theirs: StudySpec, architecture: str, name: str) -> str:
    """Return the name that a parameter of an architecture in their study has in ours, `cnn.width` or `width`."""
    bare = name.removeprefix(f"{architecture}.") if theirs.one_study else name
    full = f"{architecture}.{bare}"
    return full if ours.one_study and full in ours.space else bare


def _shared(ours: Space, theirs: Mapping[str, Dimension], params: Params) -> dict[str, Value]:
    """Return the parameters that our space searches and that apply in it; empty if one is outside it."""
    known = {name: value for name, value in params.items() if name in ours and ours[name].contains(value)}
    for name in params.keys() - known.keys():
        if name in ours and not (
            single(ours[name]) is not None and name in theirs and single(theirs[name]) is not None
        ):
            return {}
    searched = _searched(ours)
    return {name: value for name, value in filled(ours, known).items() if name in searched}


def _prior(trial: Trial, source: StudyRow, metrics: Mapping[str, Metric], params: Params) -> Trial:
    """Return a trial as the sampler sees it: the costs of one that was stopped early are projected to its end."""
    values = values_at_end(trial, metrics, source.spec.protocol.in_rounds)
    return Trial(trial.number, params, TrialState.COMPLETE, values)


def _enqueued(spec: StudySpec, source: StudyRow, front: Iterable[Trial]) -> Iterator[Enqueued]:
    """Yield the configurations of a front, each once."""
    seen: set[frozenset[tuple[str, Value]]] = set()
    for trial, params in _inside(spec, source, front):
        if frozenset(params.items()) not in seen:
            seen.add(frozenset(params.items()))
            yield Enqueued(uuid4().hex, params, f"{source.name} trial {trial.number}")
