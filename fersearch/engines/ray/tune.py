"""Ray Tune's side of a study: a searcher that suggests the search's trials, a scheduler that passes on epochs.

Both only pass messages on, so that Ray's loop never waits for the search, nor the search for Ray's loop.
"""

import contextlib
import json
import queue
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from ray import tune
from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher

from fersearch.engines.ray.actor import TrialActor

IDLE_SECONDS = 1.0  # seconds in which even a busy driver has the next trial ready; a longer wait would restart an actor


class _Shared:
    """A single object for Ray Tune's copies and no state for its files: a study resumes from its rows."""

    def __deepcopy__(self, _memo: dict[int, Any]) -> Self:
        return self

    def __getstate__(self) -> dict[str, Any]:
        return {}


class TrialSearcher(_Shared, Searcher):
    """A searcher that suggests the search's trials, and reports how each Ray trial ended.

    `deliver(key, message)` is called with each message of a trial, None if its actor was lost.
    """

    def __init__(self, deliver: Callable[[str, dict[str, Any] | None], None]) -> None:
        super().__init__()
        self._deliver = deliver
        self._waiting: queue.SimpleQueue[dict[str, str] | None] = queue.SimpleQueue()
        self._running: dict[str, str] = {}
        self._freed = 0.0

    def put(self, order: dict[str, str] | None) -> None:
        """Queue a trial by its config; None if no more will come."""
        self._waiting.put(order)

    def suggest(self, trial_id: str) -> dict[str, str] | str | None:  # type: ignore[override]  # as Ray documents
        """Return the next trial; wait for one while no trial runs, and briefly while an actor is free."""
        remaining = max(0.0, self._freed + IDLE_SECONDS - time.monotonic())
        try:
            order = self._waiting.get(timeout=remaining if self._running else None)
        except queue.Empty:
            return None
        if order is None:
            self._waiting.put(None)
            return str(Searcher.FINISHED)
        self._freed = 0.0
        self._running[trial_id] = order["key"]
        return order

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Pass on the last message of a Ray trial; an error means that its actor is lost."""
        self._freed = time.monotonic()
        key = self._running.pop(trial_id, None)
        if key is not None:
            message = None if error or not result or "message" not in result else json.loads(result["message"])
            self._deliver(key, message or None)

    def save(self, checkpoint_path: str) -> None:
        """Save nothing: a study resumes from its rows."""

    def restore(self, checkpoint_path: str) -> None:
        """Restore nothing: a study resumes from its rows."""


class MessageScheduler(_Shared, FIFOScheduler):
    """A scheduler that passes messages of trials to the search, whose answers go straight to the trials' processes."""

    _supports_buffered_results = False

    def __init__(self, deliver: Callable[[str, dict[str, Any] | None], None]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._deliver = deliver

    def on_trial_result(self, _controller: Any, trial: Any, result: dict[str, Any]) -> str:
        """Pass on a message and continue: the search's answer stops a trial, which still delivers its checkpoint."""
        self._deliver(trial.config["key"], json.loads(result["message"]))
        return str(TrialScheduler.CONTINUE)


class TuneLoop:
    """Ray Tune's loop, in a thread of its own; `lost` is called when it ends for any reason."""

    def __init__(
        self,
        searcher: TrialSearcher,
        scheduler: MessageScheduler,
        resources: dict[str, float],
        slots: int,
        folder: Path,
        lost: Callable[[], None],
    ) -> None:
        self.error: BaseException | None = None
        self._lost = lost
        self._tuner = tune.Tuner(
            tune.with_resources(TrialActor, resources),
            tune_config=tune.TuneConfig(
                search_alg=searcher,
                scheduler=scheduler,
                num_samples=-1,
                max_concurrent_trials=slots,
                reuse_actors=True,
                trial_name_creator=lambda trial: trial.trial_id,
                trial_dirname_creator=lambda trial: trial.trial_id,
            ),
            run_config=tune.RunConfig(
                name="study",
                storage_path=str(folder),
                verbose=0,
                failure_config=tune.FailureConfig(max_failures=0),
                checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
            ),
        )
        self._thread = threading.Thread(target=self._run, name="ray-tune", daemon=True)
        self._thread.start()

    def join(self, seconds: float) -> None:
        """Wait for the loop's end, at most `seconds`."""
        self._thread.join(seconds)

    def _run(self) -> None:
        try:
            self._tuner.fit()
        except BaseException as error:
            self.error = error
        finally:
            with contextlib.suppress(Exception):
                self._lost()
