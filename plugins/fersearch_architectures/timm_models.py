"""Every image model of timm (Wightman 2019, PyTorch Image Models), by name: `timm:resnet10t`."""

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from fersearch import Architecture, FersearchError, Task, hookimpl
from fersearch.errors import UnknownName
from fersearch.space import Params
from fersearch_architectures._pretrained import drop

if TYPE_CHECKING:
    from torch import nn

preload = ("fersearch_architectures._timm",)


class Timm(Architecture):
    """The family of timm's models: one of them is `timm:NAME`, where NAME may carry the tag of its weights."""

    name = "timm"
    summary = "timm:NAME, any image model of timm"
    stage_names = ("stem", "head")

    def variant(self, name: str) -> Architecture:
        if not name:
            raise UnknownName("timm is a family of networks, not one", "name one of its models, such as timm:resnet10t")
        return named(name)

    def build(self, params: Params, task: Task) -> "nn.Module":
        return self.variant("").build(params, task)

    def stages(self, model: "nn.Module") -> Sequence["nn.Module"]:
        return self.variant("").stages(model)


class TimmModel(Architecture):
    """One model of timm, for the task's classes, channels and image size.

    The recipe's dropout acts where the model has its own before the classifier. Stages end where
    the model's `feature_info` takes features and are named after the modules there; what follows
    the last is the neck, then comes the head. `imagenet` is what timm calls pretrained, for some
    models on other images; a grey first convolution becomes the sum of the RGB kernels.
    """

    name = ""

    def __init__(self, model: str) -> None:
        from fersearch_architectures import _timm

        self.model, self.name = model, f"timm:{model}"
        self.pretrained = _timm.config(model)
        self.own_size = int(self.pretrained.input_size[-1])
        self.summary = f"timm's {model}, made for {self.own_size}x{self.own_size}"
        self.weights = ("imagenet",) if self.pretrained.has_weights else ()
        sketch, self.refused = _timm.sketch(model, self.own_size)
        self.stage_names = tuple(_timm.stages_of(sketch))

    def build(self, params: Params, task: Task) -> "nn.Module":
        from fersearch_architectures._timm import try_out

        model = self.create(task, float(params["dropout"]))
        try_out(self.name, model, task.channels, task.image_size, self.own_size)
        return model

    def stages(self, model: "nn.Module") -> Sequence["nn.Module"]:
        from fersearch_architectures._timm import stages_of

        return list(stages_of(model).values())

    def create(self, task: Task, dropout: float, **more: Any) -> "nn.Module":
        """Return the model with new weights, or as the arguments in `more` make it.

        Raises:
            UsageError: it cannot be made for images of that size.
        """
        import timm

        from fersearch_architectures._timm import unfit

        all_options = {"img_size": task.image_size, "drop_rate": dropout}
        options = {option: value for option, value in all_options.items() if option not in self.refused}
        try:
            model: nn.Module = timm.create_model(
                self.model, num_classes=task.num_classes, in_chans=task.channels, **options, **more
            )
        except (AssertionError, ValueError, ZeroDivisionError) as error:
            raise unfit(self.name, task.image_size, self.own_size, error) from error
        if "drop_rate" in self.refused:
            for head in self.stages(model)[-1]:
                drop(head, dropout)
        return model

    def load_pretrained(self, model: "nn.Module", source: str, params: Params, task: Task) -> None:
        from fersearch.training.weights import fit
        from fersearch_architectures._timm import at_hand

        more = at_hand(self.name, self.pretrained)
        try:
            tensors = self.create(task, 0.0, pretrained=True, **more).state_dict()
        except (OSError, RuntimeError) as error:
            raise FersearchError(
                f"cannot load the weights of {self.name}: {error}", "give a file of them: --weights FILE"
            ) from error
        head = self.stages(model)[-1]
        new = {id(tensor) for tensor in head.state_dict(keep_vars=True).values()}
        loaded = [name for name, tensor in model.state_dict(keep_vars=True).items() if id(tensor) not in new]
        fit(model, {name: tensors[name] for name in loaded}, head, source)


@cache
def named(model: str) -> TimmModel:
    """Return the model of that name, made once."""
    return TimmModel(model)


@hookimpl
def register_architectures(register):
    """Register the family `timm`."""
    register(Timm())
