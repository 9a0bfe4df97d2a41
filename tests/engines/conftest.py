"""One Ray of this machine for all tests, and engines that run scripted trials."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from fersearch.components import Metric
from fersearch.engines.devices import Slot
from fersearch.engines.local import Callbacks, LocalEngine
from fersearch.engines.processes import Pool
from fersearch.engines.shutdown import Stop
from fersearch.home import artifacts_folder
from fersearch.observer import Observer
from fersearch.search import Search
from fersearch.space import Choice, Space
from fersearch.study import Budget, Keep, Objective, StudySpec
from fersearch.training.request import TrialRequest
from tests.search.fakes import F1, Rows, Study

METRICS: dict[str, Metric] = {"f1_macro": F1()}
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def ray_here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A Ray of two CPUs in this process, quiet, its files removed in the end."""
    ray = pytest.importorskip("ray")
    from fersearch.engines.ray import cluster

    with pytest.MonkeyPatch.context() as patch, ExitStack() as left:
        for name, value in cluster.QUIET.items():
            patch.setenv(name, value)
        patch.setenv("PYTHONPATH", str(ROOT))
        folder = cluster.temporary_folder(left)
        ray.init(
            address="local",
            num_cpus=2,
            num_gpus=0,
            include_dashboard=False,
            log_to_driver=False,
            logging_level="ERROR",
            _temp_dir=str(folder),
        )
        left.callback(ray.shutdown)
        yield


class OnRay:
    """Two slots on Ray and the pool that the studies of a file share, for each new actor imports Ray Tune: 3 s of CPU.

    One that finds hung trials after another time ends the one before, whose actors hold the CPUs.
    """

    def __init__(self, home: Path) -> None:
        self._home, self._left = home, ExitStack()
        self._places: list[Slot] = []
        self._pools: dict[float, Pool] = {}

    def slots(self, count: int) -> list[Slot]:
        """Return the first slots."""
        from fersearch.engines.ray.pool import on_ray

        if not self._places:
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("FERSEARCH_HOME", str(self._home))
                backend = on_ray("local", 2, None, None, artifacts_folder())
                self._places, self._make_pool = self._left.enter_context(backend)
        return self._places[:count]

    def pool(self, preload: list[str], hung_after: float) -> Pool:
        """Return the pool of which actors find hung trials after so many seconds."""
        if hung_after not in self._pools:
            self._end_pools()
            self._pools[hung_after] = self._make_pool(preload, hung_after=hung_after)
        return self._pools[hung_after]

    def _end_pools(self) -> None:
        while self._pools:
            self._pools.popitem()[1].close()

    def end(self) -> None:
        """End the pool, its actors and what they run, and leave Ray."""
        self._end_pools()
        self._left.close()


class Bench:
    """Runs a study of scripted trials on an engine, as often as a test likes, over the same rows."""

    def __init__(self, engine: str, folder: Path, behaviours: tuple[str, ...], on_ray: OnRay) -> None:
        self.engine, self.folder, self.rows, self.on_ray = engine, folder, Rows(), on_ray
        self.prepared = folder / "prepared"
        self.prepared.mkdir()
        (self.prepared / "meta.json").write_text("{}")
        self.spec = StudySpec(
            "s",
            "cnn",
            "faces",
            (Objective("f1_macro", "max"),),
            Space({"behaviour": Choice(*behaviours), "epochs": Choice(8)}),
            budget=Budget(len(behaviours)),
            sampler="grid",
            pruner="pareto",
            keep=Keep("all"),
        )

    def run(
        self, slots: int = 1, observer: Observer | None = None, stop: Stop | None = None, hung_after=60.0, **options
    ):
        search = Search(
            Study(self.spec), self.rows.read_trials(), self.rows.read_history(), self.rows, METRICS, {"f1_macro": 0.0}
        )
        with ExitStack() as left:
            places, make_pool = self._backend(slots)
            pool = make_pool(["tests.engines._scripted"], hung_after=hung_after)
            if self.engine == "local":
                left.callback(pool.close)
            LocalEngine(
                search,
                places,
                pool,
                Callbacks(self._request, self._log),
                observer or Observer(),
                stop or Stop(),
                **options,
            ).run()

    def _log(self, trial) -> Path:
        return self.folder / "logs" / f"{trial.number}-{len(trial.attempts)}.log"

    def _backend(self, slots: int) -> tuple[list[Slot], Callable[..., Pool]]:
        if self.engine == "local":
            return [Slot(i, "cpu", (), 1) for i in range(slots)], Pool
        return self.on_ray.slots(slots), self.on_ray.pool

    def _request(self, trial, slot: Slot) -> TrialRequest:
        return TrialRequest(
            study_uid="0" * 32,
            study="s",
            number=trial.number,
            attempt=len(trial.attempts),
            params=dict(trial.params),
            architecture="cnn",
            dataset="faces",
            prepared=str(self.prepared),
            dataset_options={},
            objective=self.spec.objectives[0],
            seed=0,
            scratch=str(self.folder / "scratch"),
            artifacts=str(self.folder / "artifacts"),
            device=slot.device,
            recorded=trial.epochs,
        )


@pytest.fixture(scope="module")
def bench(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Callable[[str, tuple[str, ...]], Bench]]:
    """Makes a bench for an engine, in a home of its own."""
    on_ray = OnRay(tmp_path_factory.mktemp("ray") / "home")
    with pytest.MonkeyPatch.context() as patch, ExitStack() as left:
        left.callback(on_ray.end)
        patch.setenv("PYTHONPATH", str(ROOT) + os.pathsep + os.environ.get("PYTHONPATH", ""))

        def make(engine: str, behaviours: tuple[str, ...]) -> Bench:
            if engine == "ray":
                request.getfixturevalue("ray_here")
            folder = tmp_path_factory.mktemp(engine)
            patch.setenv("FERSEARCH_HOME", str(folder / "home"))
            return Bench(engine, folder, behaviours, on_ray)

        yield make
