"""Ray Tune's side of a study: a searcher that hands out the search's trials, a scheduler that passes on epochs.

Both only pass words on, so Ray's loop never waits for the brain, nor the brain for Ray's loop.
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

LULL = 1.0  # seconds in which even a busy driver has the next trial ready: an actor that waits longer is started anew


class _Single:
    """A single object for Ray Tune's copies and no state for its files: a study resumes from its rows."""

    def __deepcopy__(self, _memo: dict[int, Any]) -> Self:
        return self

    def __getstate__(self) -> dict[str, Any]:
        return {}


class Orders(_Single, Searcher):
    """Suggests the trials that the search handed out, and reports how each Ray trial ended.

    `deliver(key, word)` takes a trial's words, None when its actor was lost.
    """

    def __init__(self, deliver: Callable[[str, dict[str, Any] | None], None]) -> None:
        super().__init__()
        self._deliver = deliver
        self._waiting: queue.SimpleQueue[dict[str, str] | None] = queue.SimpleQueue()
        self._running: dict[str, str] = {}
        self._freed = 0.0

    def put(self, order: dict[str, str] | None) -> None:
        """Queue a trial by its config; None says that no more will come."""
        self._waiting.put(order)

    def suggest(self, trial_id: str) -> dict[str, str] | str | None:  # type: ignore[override]  # as Ray documents
        """Return the next trial; wait for one while nothing runs, and briefly while an actor is free."""
        lull = max(0.0, self._freed + LULL - time.monotonic())
        try:
            order = self._waiting.get(timeout=lull if self._running else None)
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
            word = None if error or not result or "word" not in result else json.loads(result["word"])
            self._deliver(key, word or None)

    def save(self, checkpoint_path: str) -> None:
        """Save nothing: the study's rows are the truth."""

    def restore(self, checkpoint_path: str) -> None:
        """Restore nothing: a study resumes from its rows."""


class Courier(_Single, FIFOScheduler):
    """Passes each message of a trial to the search, whose answer goes straight to the trial's process."""

    _supports_buffered_results = False

    def __init__(self, deliver: Callable[[str, dict[str, Any] | None], None]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._deliver = deliver

    def on_trial_result(self, _controller: Any, trial: Any, result: dict[str, Any]) -> str:
        """Pass on a message; a trial that is to stop learns it from the search, and still hands over its checkpoint."""
        self._deliver(trial.config["key"], json.loads(result["word"]))
        return str(TrialScheduler.CONTINUE)


class TuneLoop:
    """Ray Tune's loop, in a thread of its own. `lost` is called when it ends, however it ends."""

    def __init__(
        self,
        orders: Orders,
        courier: Courier,
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
                search_alg=orders,
                scheduler=courier,
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
