"""The search of a study: it proposes trials, decides after every epoch, and assigns each trial its final state.

Engines run trials and call three verbs: `ask`, `record`, `finish`. The brain owns the sampler,
the pruner and the retry table, and it alone writes records.
"""

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from fersearch.components import Metric
from fersearch.formatting import settings
from fersearch.search.aggregation import max_epochs, mean_of_rounds, planned_epochs, sampler_values
from fersearch.search.bounds import Allowance, projected_to_break, sampler_excesses, stop_reason
from fersearch.search.enqueue import Enqueue
from fersearch.search.flat import Flat
from fersearch.search.front import FrontMembers, Keeper, front
from fersearch.search.history import History, reached
from fersearch.search.interfaces import StudyLike, Writer
from fersearch.search.pruner import Verdict
from fersearch.search.results import Results
from fersearch.search.retries import messages_about, next_state
from fersearch.search.samplers import make_pruner, make_sampler
from fersearch.space import Params
from fersearch.trial import Attempt, Decision, Enqueued, Epoch, Lost, Outcome, Reason, Trial, TrialState, of_data


class Search:
    """A study's search, rebuilt from its rows.

    Of the values of `trials` only those of `StudySpec.compared` are needed. `history` holds all epochs of trials that
    have not ended, and of the others at least the objectives of the epochs that `judged_epochs` names, which the
    pruner needs.

    Trials that a driver left running when it died have their open attempt ended as interrupted by its loss, and
    run again. `baseline` holds the majority class's score by metric; `rounds` is the number of trainings per trial
    under the protocol. `discard` is called with the digest of each checkpoint that the study no longer keeps, after
    the writer got that record; `note` with messages for users. Trials on other data than that of `data_digest` are
    counted and otherwise ignored: the sampler and the pruner do not get them, they are on no front, and they keep
    their values and checkpoints; those that have not ended begin again.
    """

    def __init__(
        self,
        study: StudyLike,
        trials: Sequence[Trial],
        history: Mapping[int, Sequence[Epoch]],
        writer: Writer,
        metrics: Mapping[str, Metric],
        baseline: Mapping[str, float],
        rounds: int = 1,
        discard: Callable[[str], None] = lambda _: None,
        data_digest: str = "",
        note: Callable[[str], None] = lambda _: None,
        prior: Iterable[Trial] = (),
    ) -> None:
        self.spec = study.spec
        self._space = self.spec.space.to_json()
        self._max_epochs = max_epochs(self.spec.space)
        self._writer = writer
        self._metrics = metrics
        self._baseline = baseline
        self._history = History(self.spec.objectives[0])
        self._rounds = rounds
        self._results = Results(self.spec, metrics, self._history, rounds)
        self._discard = discard
        self._data_digest = data_digest
        self._note = note
        self._keeper = Keeper(self.spec, baseline)
        self._pruner = make_pruner(self.spec, metrics, rounds)
        self._trials: dict[int, Trial] = {}
        self._next = 0
        self._allowance = Allowance(self.spec)
        self._numbers: dict[TrialState, set[int]] = {state: set() for state in TrialState}
        for trial in sorted(trials, key=lambda trial: trial.number):
            self._restore(trial, history.get(trial.number, ()))
            if trial.state.ended:
                self._allowance.count(trial)
        self._discard_released(
            self._release_checkpoints(trial.number for trial in self._compared_trials() if trial.state.ended)
        )
        self._interrupt_orphans()
        self._sampler = make_sampler(self.spec, map(self._as_sampled, self._trials.values()), metrics, prior)
        self._enqueued = Enqueue(self._trials.values())
        self._members, self._flat = FrontMembers(self.spec, baseline), Flat(self.spec, baseline)
        for trial in self._compared_trials():
            self._flat.join(trial)
        for trial in self.front():
            self._members.join(trial)

    def ask(self) -> Trial | None:
        """Return a trial, set to running: a waiting one first, else a new one; None if there is nothing to run now."""
        if self._counted + len(self.running) >= self.spec.budget.trials:
            return None
        self._add_enqueued()
        trial = self._trials[min(waiting)] if (waiting := self._numbers[TrialState.WAITING]) else self._new()
        if trial is None:
            return None
        attempt = Attempt(number=len(trial.attempts) + 1)
        if not trial.saw(self._data_digest):
            trial = self._restarted(trial, attempt)
        trial = replace(trial, state=TrialState.RUNNING, attempts=(*trial.attempts, attempt))
        self._set(trial)
        self._writer.start_attempt(trial.number, attempt)
        return trial

    def begin_with(self, configurations: Iterable[Params]) -> None:
        """Add configurations of the space as waiting trials, each once, to run before any that the sampler proposes."""
        for params in configurations:
            if any(trial.params == params for trial in self._trials.values()):
                continue
            trial = Trial(self._next, dict(params), space=self._space, data_digest=self._data_digest)
            self._sampler.add(trial)
            self._writer.add_trial(trial)
            self._set(trial)

    def enqueue(self, configuration: Enqueued) -> None:
        """Add a configuration to try next: as a waiting trial, as soon as the budget has room."""
        if self._enqueued.put(configuration):
            self._add_enqueued()
        else:
            self._writer.withdraw(configuration)

    def started(self, number: int, pid: int, log: str) -> None:
        """Record which process runs a trial's attempt, and its log file."""
        trial = self._trials[number]
        attempt = replace(trial.attempts[-1], pid=pid, log=log)
        self._set(replace(trial, attempts=(*trial.attempts[:-1], attempt)))
        self._writer.start_attempt(number, attempt)

    def saved(self, number: int) -> None:
        """Record that a trial's attempt has saved a state to resume from."""
        self.record_facts(number, {"saved": True})

    def record_facts(self, number: int, facts: Mapping[str, Any]) -> None:
        """Record facts of a trial's attempt while it runs, unless they are recorded already."""
        trial = self._trials[number]
        if trial.state is not TrialState.RUNNING or facts.items() <= trial.attempts[-1].facts.items():
            return
        attempt = replace(trial.attempts[-1], facts={**trial.attempts[-1].facts, **facts})
        self._set(replace(trial, attempts=(*trial.attempts[:-1], attempt)))
        self._writer.start_attempt(number, attempt)

    def record(self, number: int, epoch: Epoch) -> Decision:
        """Record an epoch and decide whether the trial continues."""
        trial = self._trials[number]
        if trial.state is not TrialState.RUNNING:
            return Decision.STOP
        attempt = reached(trial.attempts[-1], epoch.number)
        self._writer.record(number, attempt.number, epoch)
        self._history.add(number, epoch)
        trial = replace(trial, epochs=epoch.number, attempts=(*trial.attempts[:-1], attempt))
        compared = self._compared(epoch, self._history.of(number))
        verdict = self._judge(trial, compared) if compared else Verdict()
        if verdict.rung is not None:
            trial = replace(trial, verdict=verdict.to_json())
            self._writer.update_trial(trial)
        self._set(trial)
        over = epoch.last and epoch.round >= self._rounds
        return Decision.STOP if verdict.stop and not over else Decision.CONTINUE

    def finish(self, number: int, outcome: Outcome, seconds: float) -> Trial:
        """End a trial's attempt after `seconds` of wall time; return the trial in its new state."""
        trial = self._close(self._trials[number], outcome, seconds)
        if trial.state.ended:
            in_rounds = self.spec.protocol.in_rounds
            values = sampler_values(trial, self.spec.objectives, self._metrics, in_rounds)
            self._sampler.tell(number, values, sampler_excesses(trial, self.spec, self._metrics))
            self._allowance.count(trial)
            self._flat.join(trial)
            if self.done and self.end_reason:
                self._note(f"the search ends: {self.end_reason}")
        return trial

    @property
    def trials(self) -> list[Trial]:
        """Every trial in its current state, by number."""
        return list(self._trials.values())

    @property
    def running(self) -> set[int]:
        """The numbers of the running trials."""
        return set(self._numbers[TrialState.RUNNING])

    @property
    def ended(self) -> int:
        """The number of trials that will never run again."""
        return sum(len(numbers) for state, numbers in self._numbers.items() if state.ended)

    @property
    def _counted(self) -> int:
        """The number of ended trials that count for the budget: all but those that broke a bound before training."""
        return self.ended - self._allowance.untrained

    @property
    def exhausted(self) -> bool:
        """Whether a new trial was requested and every configuration of the space had been tried."""
        return self._sampler.exhausted

    @property
    def done(self) -> bool:
        """Whether no trial runs and none will: the budget's trials have ended, or the space is exhausted."""
        if self._numbers[TrialState.RUNNING]:
            return False
        over = bool(self.end_reason) and not self._numbers[TrialState.WAITING]
        return over or self._counted >= self.spec.budget.trials

    @property
    def end_reason(self) -> str:
        """One line with the reason why no new trial will be tried before the budget is used up; empty otherwise."""
        if self._counted >= self.spec.budget.trials:
            return ""
        if self._allowance.used_up:
            return stop_reason(self._allowance, self.spec.where, self._trials.values())
        return self._flat.why or ("every configuration of the space was tried" if self.exhausted else "")

    def front(self) -> list[Trial]:
        """Return the Pareto front so far."""
        return front(self._compared_trials(), self.spec.objectives, self._baseline, self.spec.where)

    def _compared_trials(self) -> list[Trial]:
        """Return the trials with comparable values: those on the study's present data."""
        return of_data(self._trials.values(), self._data_digest)

    def _as_sampled(self, trial: Trial) -> Trial:
        """Return a trial as the sampler gets it: one that ended on other data has only its parameters."""
        is_foreign = trial.state.ended and not trial.saw(self._data_digest)
        return Trial(trial.number, {}, TrialState.FAILED) if is_foreign else trial

    def _restarted(self, trial: Trial, attempt: Attempt) -> Trial:
        """Return a waiting trial reset for other data, with its attempts kept, and store it."""
        self._history.forget(trial.number)
        trial = replace(trial, data_digest=self._data_digest, epochs=0, kept_epoch=None, values={}, verdict={})
        self._writer.update_trial(trial)
        self._writer.forget_epochs(trial.number, attempt.number)
        return trial

    @property
    def _has_room(self) -> bool:
        """Whether the budget allows another trial."""
        tried = len(self._trials) - self._allowance.untrained
        return not self._allowance.used_up and tried < self.spec.budget.trials

    def _add_enqueued(self) -> None:
        """Turn enqueued configurations into waiting trials, as far as the budget has room."""
        while self._has_room and (configuration := self._enqueued.take()):
            label = f"the enqueued configuration ({settings(configuration.given)})"
            if trial := self._new(configuration):
                self._set(trial)
                self._note(f"{label} is trial {trial.number}")
            else:
                self._note(f"{label} is not tried again: earlier trials cover it")
            self._writer.withdraw(configuration)

    def _new(self, configuration: Enqueued | None = None) -> Trial | None:
        """Return a new waiting trial, of the enqueued `configuration` if given; None if budget or space are used up."""
        if not self._has_room or (self._flat.why and configuration is None):
            return None
        number = self._next
        proposal = self._sampler.ask(number, configuration.given if configuration else {})
        if proposal is None:
            return None
        params, state = proposal
        state = {**state, "enqueued": asdict(configuration)} if configuration else state
        trial = Trial(number, params, space=self._space, sampler_state=state, data_digest=self._data_digest)
        self._writer.add_trial(trial)
        return trial

    def _close(self, trial: Trial, outcome: Outcome, seconds: float | None) -> Trial:
        """Close the trial's open attempt, store it and return the trial."""
        outcome = self._results.sound(trial, outcome)
        attempt = replace(
            trial.attempts[-1],
            reason=outcome.reason,
            message=outcome.message,
            traceback=outcome.traceback,
            seconds=seconds,
            facts={**trial.attempts[-1].facts, **outcome.facts},
        )
        attempts = (*trial.attempts[:-1], attempt)
        trial = replace(trial, state=next_state(attempts), attempts=attempts)
        for line in messages_about(trial, self.spec.name):
            self._note(line)
        if trial.state.ended:
            trial = self._results.final(trial, outcome)
            self._history.forget(trial.number)
        self._set(trial)
        released = self._release_checkpoints([trial.number]) if trial.state.ended else {}
        trial = self._trials[trial.number]
        self._writer.end_attempt(trial, attempt, attempt.facts)
        self._discard_released(released, written={trial.number})
        if trial.state is TrialState.COMPLETE:
            self._join_front(trial)
        return trial

    def _judge(self, trial: Trial, epoch: Epoch) -> Verdict:
        """Return the pruner's verdict; at its rungs it also stops a trial whose costs will break a bound."""
        planned = self._planned(trial)
        verdict = self._pruner.judge(trial.number, epoch, planned)
        if verdict.rung is None or epoch.number >= planned:
            return verdict
        ends = epoch.number if self._rounds > 1 else planned
        if breaks := projected_to_break(self.spec.where, self._metrics, epoch, ends):
            place = f"{'round' if self._rounds > 1 else 'epoch'} {epoch.number}"
            return replace(verdict, stop=True, reason=f"stopped at {place}: at its end {breaks}")
        return verdict

    def _join_front(self, trial: Trial) -> None:
        """Compare a complete trial with those on the front, and record the changed front if the trial joins it."""
        self._members.join(trial)
        if trial.number in (numbers := self._members.numbers):
            self._writer.front_changed(numbers)

    def _release_checkpoints(self, ended: Iterable[int]) -> dict[int, str]:
        """Remove the checkpoints of trials that must release them; return the digests by trial."""
        released = self._keeper.released(self._trials, ended)
        digests = {trial.number: self._trials[trial.number].checkpoint or "" for trial in released}
        for trial in released:
            self._set(trial)
        return digests

    def _discard_released(self, released: Mapping[int, str], written: Container[int] = ()) -> None:
        """Store the trials that released their checkpoints, unless already stored; then discard the files."""
        for number in released:
            if number not in written:
                self._writer.release(self._trials[number])
        for digest in filter(None, released.values()):
            self._discard(digest)

    def _compared(self, epoch: Epoch, history: Mapping[int, Epoch]) -> Epoch | None:
        """Return the epoch that the pruner compares, at the end of a round the mean of the rounds so far."""
        if self._rounds == 1:
            return epoch
        return mean_of_rounds(epoch, history, self.spec.objectives[0], self._metrics) if epoch.last else None

    def _planned(self, trial: Trial) -> int:
        return self._rounds if self._rounds > 1 else planned_epochs(trial.params, self._max_epochs)

    def _set(self, trial: Trial) -> None:
        before = self._trials.get(trial.number)
        if before is not None:
            self._numbers[before.state].discard(trial.number)
        self._trials[trial.number] = trial
        self._numbers[trial.state].add(trial.number)
        self._next = max(self._next, trial.number + 1)

    def _restore(self, trial: Trial, epochs: Sequence[Epoch]) -> None:
        """Load a trial's rows: the pruner gets its epochs, and those of an unfinished trial are held in memory.

        Epochs of a trial on other data are not compared.
        """
        if not trial.saw(self._data_digest):
            self._set(trial if trial.state.ended else replace(trial, epochs=0))
            return
        counted = [epoch for epoch in epochs if not trial.state.ended or epoch.number <= trial.epochs]
        for place, epoch in enumerate(counted, 1):
            before = {earlier.number: earlier for earlier in counted[:place]} if epoch.last else {}
            if compared := self._compared(epoch, before):
                self._pruner.vote(trial.number, compared, self._planned(trial))
        if not trial.state.ended:
            self._history.load(trial.number, counted)
            trial = replace(trial, epochs=max((epoch.number for epoch in counted), default=0))
        self._set(trial)

    def _interrupt_orphans(self) -> None:
        """End the open attempts of trials that a dead driver left running."""
        message = "the driver ended while the trial was running"
        outcome = Outcome(Reason.INTERRUPTED, message, facts={"lost": Lost.DRIVER.value})
        for number in sorted(self.running):
            trial = self._trials[number]
            if trial.attempts and trial.attempts[-1].reason is None:
                self._close(trial, outcome, seconds=None)
            else:
                self._set(replace(trial, state=TrialState.WAITING))
                self._writer.update_trial(self._trials[number])
