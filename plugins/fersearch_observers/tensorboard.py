"""TensorBoard: a run for each trial, with its metrics by epoch, its parameters, and its values at the end."""

import math
from importlib.util import find_spec
from pathlib import Path

from fersearch import FersearchError, StudyObserver, hookimpl
from fersearch.home import home

FLUSH_SECONDS = 10
WELL = ("complete", "pruned", "infeasible")


class TensorBoard(StudyObserver):
    """Writes event files that TensorBoard shows while the study runs.

    A trial's run is FOLDER/STUDY-ID/trial-N: metrics by epoch under their own names, the values of the ended trial
    under `trial/`, and its parameters for the tab HPARAMS.
    """

    name = "tensorboard"
    summary = "a TensorBoard run for each trial: metrics by epoch, parameters, values"
    options = {"folder": "where the runs go; default tensorboard/ in FERSEARCH_HOME"}

    def check(self, options):
        if find_spec("tensorboardX") is None:
            raise FersearchError("observer 'tensorboard' needs tensorboardX", "install it: pip install tensorboardX")

    def study_started(self, study, options):
        folder = Path(options["folder"]).expanduser() if "folder" in options else home() / "tensorboard"
        self.folder = folder / f"{study.name.replace('/', '-')}-{study.uid[:8]}"
        self.objectives = [f"trial/{objective.metric}" for objective in study.spec.objectives]
        self.writers = {}

    def trial_started(self, trial):
        self._close(trial.number)
        writer = self._writer(trial)
        for summary in self._hparams(trial)[:2]:
            writer.file_writer.add_summary(summary)

    def epoch_ended(self, trial, epoch):
        self._scalars(self._writer(trial), epoch.values, epoch.number)

    def trial_ended(self, trial):
        writer = self._writer(trial)
        if trial.state.ended:
            values = {f"trial/{name}": value for name, value in trial.values.items()}
            self._scalars(writer, values, trial.kept_epoch or trial.epochs)
            writer.add_text("trial/state", f"{trial.state.value}: {trial.reason or ''}")
        if trial.state.value in WELL:
            writer.file_writer.add_summary(self._hparams(trial)[2])
        self._close(trial.number)

    def study_ended(self, state):
        for number in list(self.writers):
            self._close(number)

    def _writer(self, trial):
        """Return the open writer of a trial: one file per attempt, and a later attempt replaces the epochs from its
        first on."""
        from tensorboardX import SummaryWriter

        if trial.number not in self.writers:
            attempt = len(trial.attempts)
            again = {"purge_step": trial.epochs + 1} if attempt > 1 else {}
            self.writers[trial.number] = SummaryWriter(
                str(self.folder / f"trial-{trial.number}"),
                filename_suffix=f".{attempt}",
                flush_secs=FLUSH_SECONDS,
                **again,
            )
        return self.writers[trial.number]

    def _hparams(self, trial):
        """Return three summaries: the parameters' names and the objectives, the trial's parameters, its successful
        end."""
        from tensorboardX.summary import hparams

        return hparams(dict(trial.params), dict.fromkeys(self.objectives, 0.0))

    @staticmethod
    def _scalars(writer, values, step):
        for name, value in values.items():
            if math.isfinite(value):
                writer.add_scalar(name, value, step)

    def _close(self, number):
        if writer := self.writers.pop(number, None):
            writer.close()


@hookimpl
def register_observers(register):
    """Register `tensorboard`."""
    register(TensorBoard())
