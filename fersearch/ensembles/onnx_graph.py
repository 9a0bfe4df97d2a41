"""An ensemble as one ONNX graph: maps raw images to the combined class shares of its members."""

from collections.abc import Sequence
from typing import Self

import numpy as np
import torch
from torch import Tensor, nn

from fersearch.ensembles.combination import LEAST, Combination, Stacker
from fersearch.ensembles.model import RestoredEnsemble
from fersearch.errors import UsageError
from fersearch.training.checkpoint import Restored
from fersearch.training.onnx_graph import Graph


def graph_of(restored: Restored | RestoredEnsemble, temperature: float = 1.0) -> nn.Module:
    """Return the graph of a model, its logits divided by the temperature, or of an ensemble.

    Raises:
        UsageError: the members of an ensemble do not take the same input.
    """
    if isinstance(restored, RestoredEnsemble):
        return EnsembleGraph.of(restored)
    return Graph.of(restored, temperature)


class EnsembleGraph(nn.Module):
    """Maps uint8 images (n, height, width, channels) to the combined class shares of all members.

    It computes the same as `Combination.shares`, also in float64.
    """

    def __init__(self, members: Sequence[Graph], combination: Combination) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        self.combine = Stacking(combination.stacker) if combination.stacker else Averaging(combination)

    @classmethod
    def of(cls, restored: RestoredEnsemble) -> Self:
        """Return the graph of a restored ensemble.

        Raises:
            UsageError: its members do not take the same input.
        """
        for member, entry in zip(restored.members, restored.card["members"], strict=True):
            if member.task != restored.task:
                seen, common = member.task, restored.task
                raise UsageError(
                    f"the members of the ensemble take different inputs: {entry['file']} takes {seen.channels} x "
                    f"{seen.image_size} x {seen.image_size} of {seen.num_classes} classes, the ensemble "
                    f"{common.channels} x {common.image_size} x {common.image_size} of {common.num_classes}",
                    "export each of its members",
                )
        return cls([Graph.of(member) for member in restored.members], restored.combination)

    def forward(self, images: Tensor) -> Tensor:
        """Return class shares, float32."""
        answers = torch.stack([member(images) for member in self.members])
        shares: Tensor = self.combine(answers).float()
        return shares


class Averaging(nn.Module):
    """The weighted mean of the members' shares; under `vote` the shares of their votes, the mean deciding ties."""

    def __init__(self, combination: Combination) -> None:
        super().__init__()
        self.is_vote = combination.method == "vote"
        self.weights: Tensor
        self.register_buffer("weights", torch.tensor(combination.weights, dtype=torch.float64).reshape(-1, 1, 1))
        self.total = float(sum(combination.weights))

    def forward(self, answers: Tensor) -> Tensor:
        """Return class shares (n, classes) of answers (members, n, classes)."""
        mean: Tensor = (answers.double() * self.weights).sum(0) / self.total
        if not self.is_vote:
            return mean
        called = answers.argmax(2, keepdim=True) == torch.arange(answers.shape[2])
        votes = (called.double() * self.weights).sum(0)
        return (votes + mean / 2) / (self.total + 0.5)


class Stacking(nn.Module):
    """The logistic regression on the logarithms of the members' shares."""

    def __init__(self, stacker: Stacker) -> None:
        super().__init__()
        self.coefficients: Tensor
        self.intercepts: Tensor
        self.known: Tensor
        self.register_buffer("coefficients", torch.from_numpy(np.array(stacker.coefficients.T)))
        self.register_buffer("intercepts", torch.from_numpy(np.array(stacker.intercepts)))
        self.register_buffer("known", torch.from_numpy(np.array(stacker.known)))

    def forward(self, answers: Tensor) -> Tensor:
        """Return class shares (n, classes) of answers (members, n, classes)."""
        logs = answers.double().clamp(min=LEAST).log()
        scores = logs.permute(1, 0, 2).flatten(1) @ self.coefficients + self.intercepts
        places = (self.known.unsqueeze(1) == torch.arange(answers.shape[2])).double()
        shares: Tensor = scores.softmax(1) @ places
        return shares
