"""The random people behind a block of 64 drawn faces, and their expressions.

A face is moved by action units after the Facial Action Coding System (Ekman and Friesen, 1978). Each class is a
prototype: for every unit a mean intensity and the probability that it shows. Block b of a split has a random
stream of its own, so face i is the same however many are drawn.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[Any]
Ints = npt.NDArray[np.int64]

BLOCK = 64
SIZE = 48
SUBJECTS = 400
SPLITS = {"train": 0, "valid": 1, "test": 2}
UNITS = (
    *("au1", "au2", "au4", "au5", "au6", "au7", "au9", "au10", "au12"),
    *("au15", "au17", "au20", "au23", "au25", "au26", "au14", "au2_one_sided"),
)
PROTOTYPES: dict[str, dict[str, tuple[float, float]]] = {
    "neutral": {},
    "happiness": {"au6": (0.7, 0.8), "au12": (1.0, 1.0), "au25": (0.6, 0.6), "au26": (0.25, 0.3)},
    "surprise": {"au1": (0.9, 1.0), "au2": (0.9, 1.0), "au5": (0.8, 0.9), "au26": (0.9, 0.9), "au25": (0.6, 0.9)},
    "sadness": {"au1": (0.9, 0.9), "au4": (0.35, 0.6), "au15": (0.9, 0.95), "au17": (0.6, 0.7), "au7": (0.3, 0.5)},
    "anger": {"au4": (1.0, 1.0), "au5": (0.5, 0.5), "au7": (0.7, 0.8), "au23": (0.9, 0.9), "au17": (0.3, 0.4)},
    "disgust": {"au9": (1.0, 0.95), "au10": (0.9, 0.8), "au4": (0.5, 0.6), "au15": (0.4, 0.5), "au6": (0.4, 0.5)},
    "fear": {
        "au1": (0.9, 0.95),
        "au2": (0.6, 0.8),
        "au4": (0.5, 0.7),
        "au5": (0.9, 0.95),
        "au20": (0.9, 0.95),
        "au25": (0.6, 0.9),
    },
    "contempt": {"au14": (1.0, 1.0), "au7": (0.2, 0.4)},
    "confusion": {"au4": (0.6, 0.9), "au2_one_sided": (1.0, 1.0), "au15": (0.25, 0.4)},
    "concentration": {"au4": (0.55, 0.9), "au7": (0.8, 1.0), "au23": (0.35, 0.6)},
}
CLASSES = tuple(PROTOTYPES)
TRAITS = (
    *("face_width", "face_height", "skin", "hair", "hair_length", "fringe", "fringe_tilt"),
    *("eye_x", "eye_y", "eye_width", "brow_thickness", "brow_height", "eye_opening", "iris"),
    *("nostril_x", "nostril_y", "mouth_width", "mouth_y", "lip_thickness", "lip_colour"),
)
POSE = ("roll", "scale", "shift_x", "shift_y", "yaw", "pitch", "gamma", "contrast", "brightness")
SCENE = (
    *("background", "light_angle", "light_strength", "gradient_x", "gradient_y", "gaze", "mouth_side"),
    *("occluded", "bar_angle", "bar_offset", "bar_colour", "blur", "noise"),
)


def _prototype_table(part: int) -> Floats:
    table = [[PROTOTYPES[name].get(unit, (0.0, 0.0))[part] for unit in UNITS] for name in CLASSES]
    return np.array(table, np.float32)


MEAN, PRESENCE = _prototype_table(0), _prototype_table(1)


@dataclass(frozen=True)
class Block:
    """64 people, ready to be drawn.

    `labels`, `subjects` (int64, 64) and `votes` (uint8, 64 x 10) describe them. The other tables map a name to one
    figure a face, shaped (64, 1, 1) to meet pixels: action `units` (0 absent, 1 full), `traits` of the person (0..1),
    `pose` (standard normal) and `scene` (0..1). `noise` is one standard normal a pixel.
    """

    labels: Ints
    subjects: Ints
    votes: npt.NDArray[np.uint8]
    units: Mapping[str, Floats]
    traits: Mapping[str, Floats]
    pose: Mapping[str, Floats]
    scene: Mapping[str, Floats]
    noise: Floats
    hardness: float

    def trait(self, name: str, low: float, high: float) -> Floats:
        """Return a trait of each person, between two measures."""
        return low + (high - low) * self.traits[name]


def block(seed: int, split: str, index: int, hardness: float = 1.0) -> Block:
    """Draw the figures of one block; equal arguments give equal figures."""
    random = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, SPLITS[split], index])))
    labels = random.integers(0, len(CLASSES), BLOCK)
    subjects = random.integers(0, SUBJECTS, BLOCK) + SPLITS[split] * SUBJECTS
    units = _shown_units(random, labels, hardness)
    pose = random.normal(0, 1, (BLOCK, 12)).astype(np.float32)
    scene = random.random((BLOCK, 16)).astype(np.float32)
    votes = _votes(random, units)
    noise = random.standard_normal((BLOCK, SIZE, SIZE), dtype=np.float32)
    traits = np.stack([_identity(seed, int(subject)) for subject in subjects])
    tables = (_table(UNITS, units), _table(TRAITS, traits), _table(POSE, pose), _table(SCENE, scene))
    return Block(labels, subjects, votes, *tables, noise, hardness)


def _shown_units(random: np.random.Generator, labels: Ints, hardness: float) -> Floats:
    """Return the units of each face: its class's, more or less intense, and a few at random."""
    intensity = (0.35 + 0.65 * random.beta(2.2, 1.3, BLOCK)).astype(np.float32)[:, None]
    shape = (BLOCK, len(UNITS))
    intended = MEAN[labels] * (random.random(shape) < PRESENCE[labels]) * intensity * random.uniform(0.7, 1.25, shape)
    stray = np.abs(random.normal(0, 0.07 * hardness, shape)) * (random.random(shape) < 0.5)
    shown: Floats = np.clip(intended + stray, 0, 1.3).astype(np.float32)
    return shown


def _votes(random: np.random.Generator, units: Floats, voters: int = 10) -> npt.NDArray[np.uint8]:
    """Return what ten people would call each face: the nearer a prototype, the likelier its name."""
    prototypes = MEAN * PRESENCE
    distance = ((units[:, None, :] - prototypes[None]) ** 2).mean(-1)
    chance = np.exp(-(distance - distance.min(1, keepdims=True)) / (0.22 * 0.08))
    chance /= chance.sum(1, keepdims=True)
    chance = 0.94 * chance + 0.06 / len(CLASSES)
    drawn = random.random((len(chance), voters, 1))
    called = (drawn > chance.cumsum(1)[:, None, :]).sum(-1)
    return np.stack([(called == k).sum(1) for k in range(len(CLASSES))], 1).astype(np.uint8)


@lru_cache(maxsize=4096)
def _identity(seed: int, subject: int) -> Floats:
    """Return the traits of one person, the same in every block."""
    return np.random.Generator(np.random.PCG64([seed, 977, subject])).random(len(TRAITS), dtype=np.float32)


def _table(names: Sequence[str], figures: Floats) -> dict[str, Floats]:
    return {name: figures[:, k, None, None] for k, name in enumerate(names)}
