"""ResNet-18 and VGG-19 as one network, as document 002 has them: stacked, averaged, or by vote."""

from abc import abstractmethod
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from fersearch import Architecture, Task, hookimpl
from fersearch.space import Dimension, Params
from fersearch_architectures.resnet import ResNet18
from fersearch_architectures.vgg import Vgg19

if TYPE_CHECKING:
    from torch import nn

preload = ("fersearch_architectures._beside", "torchvision.models.resnet", "torchvision.models.vgg")


class Ensemble(Architecture):
    """Parallel networks that see the same images and are trained together.

    Each is built by its own architecture, whose dimensions and ImageNet weights are the ensemble's
    too; the recipe's dropout is theirs. To join networks that were trained apart, see
    `fersearch ensemble`.
    """

    bases: ClassVar[tuple[Architecture, ...]] = (ResNet18(), Vgg19())
    space: ClassVar[Mapping[str, Dimension]] = {**Vgg19.space, **ResNet18.space}
    weights = ("imagenet",)

    def build(self, params: Params, task: Task) -> "nn.Module":
        from torch import nn

        from fersearch_architectures._beside import Beside

        networks = Beside([base.build(params, task) for base in self.bases])
        return nn.Sequential(OrderedDict(bases=networks, head=self.head(task.num_classes)))

    @abstractmethod
    def head(self, classes: int) -> "nn.Module":
        """Return the module that reduces all logits (n, networks * classes) to one prediction (n, classes)."""

    def load_pretrained(self, model: "nn.Module", source: str, params: Params, task: Task) -> None:
        for base, network in zip(self.bases, model.bases.networks, strict=True):
            base.load_pretrained(network, source, params, task)


class EnsembleStack(Ensemble):
    """The concatenated logits of both networks and one linear layer on them: 105 weights for seven classes.

    `freeze=all_but_last` trains only this layer, as document 002 does on networks that are trained
    already (Wolpert 1992, stacked generalization).
    """

    name = "ensemble_stack"
    summary = "ResNet-18 and VGG-19 under one linear layer (document 002's ensemble)"
    stage_names = ("bases", "head")

    def head(self, classes: int) -> "nn.Module":
        from torch import nn

        return nn.Linear(len(self.bases) * classes, classes)

    def stages(self, model: "nn.Module") -> Sequence["nn.Module"]:
        return list(model.children())


class EnsembleMean(Ensemble):
    """The mean class share of both networks (soft vote), whose log it returns.

    Its last stage is both networks' classifiers.
    """

    name = "ensemble_mean"
    summary = "the mean prediction of ResNet-18 and VGG-19 (soft vote)"
    stage_names = ("features", "classifiers")

    def head(self, classes: int) -> "nn.Module":
        from fersearch_architectures._beside import MeanShare

        return MeanShare(classes)

    def stages(self, model: "nn.Module") -> Sequence["nn.Module"]:
        from torch import nn

        parts = [base.stages(network) for base, network in zip(self.bases, model.bases.networks, strict=True)]
        features = nn.ModuleList([stage for stages in parts for stage in stages[:-1]])
        return [features, nn.ModuleList([stages[-1] for stages in parts])]


class EnsembleVote(EnsembleMean):
    """The share of networks that call each class (majority vote), ties broken by the mean share; returns its log.

    A vote has no gradient: it is trained as `ensemble_mean` is, and evaluated by votes.
    """

    name = "ensemble_vote"
    summary = "the majority of ResNet-18 and VGG-19, ties broken by their mean"

    def head(self, classes: int) -> "nn.Module":
        from fersearch_architectures._beside import Vote

        return Vote(classes)


@hookimpl
def register_architectures(register):
    """Register `ensemble_stack`, `ensemble_mean` and `ensemble_vote`."""
    for kind in (EnsembleStack, EnsembleMean, EnsembleVote):
        register(kind())
