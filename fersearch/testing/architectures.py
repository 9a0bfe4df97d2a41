"""What every architecture must do: a suite to inherit.

class TestMine(ArchitectureSuite):
    architecture = Mine()
"""

import copy
import itertools
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar

import torch
from safetensors.torch import load, save
from torch import nn

from fersearch.components import Architecture, Task
from fersearch.recipe import OPTIMISATION, REGULARISATION, freeze_rules
from fersearch.space import Choice, Dimension, Float, Int, Params, Space, Value
from fersearch.training.freezing import freeze
from fersearch.training.memory_format import arrange, arranged
from fersearch.training.summary import count_on_meta

LARGE = 30_000_000  # weights
CACHED_WEIGHTS = 100_000_000  # weights that a class keeps in memory, 400 MB; models beyond are built at each use
SHARED = {*OPTIMISATION, *REGULARISATION, "target", "freeze", "frozen_batch_norm"}
CANDIDATES = 400
Pair = tuple[tuple[str, Value], tuple[str, Value]]


@dataclass
class _Case:
    """A configuration on a task, whether it is too large to run, and its model once it was built."""

    params: Params
    task: Task
    large: bool
    weights: int
    model: nn.Module | None = None


class ArchitectureSuite:
    """The contract of an architecture, on at most eight configurations that cover pairs of its values.

    `tasks` are the tasks of the tests: give others if it needs other images. A network of more than
    `large` weights is built on the meta device and not run. Each configuration is built once for the class;
    a test that changes a model changes a copy.
    """

    architecture: Architecture
    large: int = LARGE
    tasks: Sequence[Task] = (Task(tuple("abcdefgh"), 1, 48), Task(("yes", "no"), 3, 48))
    _cases: ClassVar[list[_Case]]

    @classmethod
    def teardown_class(cls) -> None:
        """Release the models that the class kept."""
        if "_cases" in vars(cls):
            del cls._cases

    def test_it_says_what_it_is(self) -> None:
        assert self.architecture.name
        assert self.architecture.summary, "summary is what `plugin list` shows"
        names = self.architecture.stage_names
        assert len(set(names)) == len(names) > 1, "stage_names are what `freeze` counts: two or more, each once"

    def test_its_space_stands_beside_that_of_the_recipe(self) -> None:
        redefined = SHARED & set(self.architecture.space)
        assert not redefined, f"the recipe has these already: {', '.join(sorted(redefined))}"
        Space(self.architecture.space).narrowed({})

    def test_it_builds_and_gives_finite_logits(self) -> None:
        for model, task, params in self._models():
            images = _images(task)
            logits = _logits(model, images)
            assert tuple(logits.shape) == (len(images), task.num_classes), f"{params}: {tuple(logits.shape)}"
            if not logits.is_meta:
                assert torch.isfinite(logits).all(), f"{params}: logits are not finite"

    def test_the_logits_of_an_image_do_not_depend_on_its_batch(self) -> None:
        for model, task, params in self._models(real=True):
            images = _images(task)
            alone, together = _logits(model, images[:1]), _logits(model, images)[:1]
            assert torch.allclose(alone, together, atol=1e-3, rtol=1e-3), f"{params}: evaluation mode mixes images"

    def test_it_computes_the_same_in_both_memory_formats(self) -> None:
        for model, task, params in self._models(real=True):
            images = _images(task)
            contiguous = _logits(model, images)
            try:
                last = _logits(arrange(model, "channels_last"), arranged(images, "channels_last"))
            except RuntimeError as error:
                raise AssertionError(f"{params}: {error}; in channels_last, flatten and reshape, never view") from error
            finally:
                arrange(model, "contiguous")
            assert torch.allclose(contiguous, last, atol=1e-3, rtol=1e-3), (
                f"{params}: channels_last gives other logits: address an image by its dimensions, not by its memory"
            )

    def test_its_stages_are_all_its_weights_each_once(self) -> None:
        for model, _, params in self._models():
            stages = self.architecture.stages(model)
            assert len(stages) == len(self.architecture.stage_names), f"{params}: a stage for every name"
            weight_ids = [id(weight) for stage in stages for weight in stage.parameters()]
            assert len(weight_ids) == len(set(weight_ids)), f"{params}: two stages share a weight"
            assert set(weight_ids) == {id(weight) for weight in model.parameters()}, f"{params}: a weight in no stage"

    def test_gradients_reach_every_stage(self) -> None:
        for built, task, params in self._models(real=True):
            model = copy.deepcopy(built)
            _backward(model, task)
            for name, weights in self._stages(model):
                assert any(weight.grad is not None for weight in weights), f"{params}: none reaches {name}"
                gradients = [weight.grad for weight in weights if weight.grad is not None]
                assert all(bool(torch.isfinite(grad).all()) for grad in gradients), f"{params}: {name}: not finite"

    def test_it_freezes_and_unfreezes_by_every_rule(self) -> None:
        built, task, params = next(self._models())
        model = copy.deepcopy(built)
        for rule in freeze_rules(len(self.architecture.stage_names)):
            freeze(self.architecture, model, {**params, "freeze": rule})
            still = [weight for weight in model.parameters() if not weight.requires_grad]
            assert bool(still) is (rule != "none"), f"freeze={rule}"
            if not next(model.parameters()).is_meta:
                model.zero_grad()
                _backward(model, task)
                assert all(weight.grad is None for weight in still), f"freeze={rule}"
        freeze(self.architecture, model, {**params, "freeze": "none"})
        assert all(weight.requires_grad for weight in model.parameters())

    def test_it_saves_and_loads(self) -> None:
        for built, task, params in self._models(real=True):
            model = copy.deepcopy(built)
            _backward(model, task)  # moves the running statistics
            state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
            again = self._build(params, task, seed=1)
            again.load_state_dict(load(save(state)))
            images = _images(task)
            assert torch.equal(_logits(again, images), _logits(model, images)), f"{params}"

    def test_the_same_seed_gives_the_same_weights(self) -> None:
        for model, task, params in self._models(real=True):
            again = self._build(params, task)
            pairs = zip(model.parameters(), again.parameters(), strict=True)
            assert all(torch.equal(one, other) for one, other in pairs), f"{params}"

    def _models(self, real: bool = False) -> Iterator[tuple[nn.Module, Task, Params]]:
        """Yield every configuration on every task, built; `real` leaves out those that are too large to run."""
        cls = type(self)
        with _one_thread():
            if "_cases" not in vars(cls):
                cls._cases = [self._case(params, task) for params, task in self._configurations()]
            for case in cls._cases:
                if not (case.large and real):
                    yield self._model(case), case.task, case.params

    def _configurations(self) -> Iterator[tuple[Params, Task]]:
        configurations: list[Params] = [{"dropout": 0.1, **config} for config in pairwise(self.architecture.space)]
        return itertools.product(configurations, self.tasks)

    def _case(self, params: Params, task: Task) -> _Case:
        weights = count_on_meta(self.architecture, params, task)["total"]
        return _Case(params, task, weights > self.large, weights)

    def _model(self, case: _Case) -> nn.Module:
        """Return the model of a case in the state in which it was built."""
        if case.model is not None:
            return case.model
        model = self._build(case.params, case.task, device="meta" if case.large else "cpu")
        loaded = sum(other.weights for other in self._cases if other.model is not None and not other.large)
        if case.large or loaded + case.weights <= CACHED_WEIGHTS:
            case.model = model
        return model

    def _build(self, params: Params, task: Task, seed: int = 0, device: str = "cpu") -> nn.Module:
        torch.manual_seed(seed)
        with torch.device(device):
            return self.architecture.build(params, task)

    def _stages(self, model: nn.Module) -> Iterator[tuple[str, list[nn.Parameter]]]:
        """Yield the stages that have weights."""
        for name, stage in zip(self.architecture.stage_names, self.architecture.stages(model), strict=True):
            weights = list(stage.parameters())
            if weights:
                yield name, weights


@contextmanager
def _one_thread() -> Iterator[None]:
    """Use one thread: small batches are slower on many threads, much slower beside other processes."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _images(task: Task, count: int = 4) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(count, task.channels, task.image_size, task.image_size, generator=generator)


def _logits(model: nn.Module, images: torch.Tensor) -> torch.Tensor:
    """Return the logits in evaluation mode, on the model's device."""
    model.eval()
    device = next(model.parameters()).device
    with torch.inference_mode():
        logits: torch.Tensor = model(images.to(device))
    return logits


def _backward(model: nn.Module, task: Task) -> None:
    model.train()
    classes = torch.arange(4) % task.num_classes
    loss: Callable[..., torch.Tensor] = nn.functional.cross_entropy
    loss(model(_images(task)), classes).backward()  # type: ignore[no-untyped-call]


def pairwise(space: Mapping[str, Dimension], limit: int = 8) -> list[dict[str, Value]]:
    """Return at most `limit` configurations that cover the pairs of values greedily; a range counts by its two ends.

    The first is made of each dimension's first value. The same space gives the same list.
    """
    ends = Space({name: _ends(dimension) for name, dimension in space.items()})
    chance = random.Random(0)
    candidates = [next(ends.configurations()), *(_draw(ends, chance) for _ in range(CANDIDATES))]
    covered = set(_pairs(candidates[0]))
    chosen = candidates[:1]
    while len(chosen) < limit:
        best = max(candidates, key=lambda candidate: len(_pairs(candidate) - covered))
        if not _pairs(best) - covered:
            break
        chosen.append(best)
        covered |= _pairs(best)
    return chosen


def _ends(dimension: Dimension) -> Choice:
    if isinstance(dimension, Float | Int):
        ends = dict.fromkeys((dimension.low, dimension.high))
        return Choice(*ends, when=dimension.when)
    return Choice(*dimension.options, when=dimension.when)


def _draw(space: Space, chance: random.Random) -> dict[str, Value]:
    params: dict[str, Value] = {}
    for name, dimension in space.active(params):
        params[name] = chance.choice(dimension.options) if isinstance(dimension, Choice) else dimension.low
    return params


def _pairs(params: Mapping[str, Value]) -> set[Pair]:
    alone = {(item, item) for item in params.items()}
    return alone | set(itertools.combinations(params.items(), 2))
