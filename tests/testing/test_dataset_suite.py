"""The suite that dataset authors inherit finds what is wrong with a dataset."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fersearch import Choice, DataError, Dataset, Int, Labels, Raw
from fersearch.space import Value
from fersearch.testing import DatasetSuite


class Greys(Dataset):
    """One file whose bytes are grey levels; dark ones are one class, bright ones the other."""

    name = "greys"
    summary = "grey levels"
    licence = "none"
    expected = "greys.bin"

    def files(self, source: Path) -> Sequence[Path]:
        path = source / "greys.bin"
        if not path.is_file():
            raise DataError(f"no greys in {source}", "expected greys.bin")
        return [path]

    def read(self, source: Path, options: Mapping[str, Value]) -> Raw:
        levels = np.frombuffer((source / "greys.bin").read_bytes(), np.uint8)
        shape = (int(options["channels"]), int(options["image_size"]), int(options["image_size"]))
        columns: dict[str, Any] = {"label": (levels > 127).astype(np.int64)}
        return Raw(len(levels), [np.full(shape, level, np.uint8) for level in levels], columns, ("dark", "bright"))

    def label(self, columns: Mapping[str, Any], class_names: Sequence[str], params: Mapping[str, Value]) -> Labels:
        return Labels(tuple(class_names), columns["label"], np.full(len(columns["label"]), -2, np.int8))


class Suite(DatasetSuite):
    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset

    def make_source(self, folder: Path) -> Path:
        (folder / "greys.bin").write_bytes(bytes(range(0, 256, 8)))
        return folder


def failures(dataset: Dataset, folder: Path) -> set[str]:
    """The names of the suite's tests that a dataset fails."""
    suite, failed = Suite(dataset), set()
    for name in (name for name in dir(suite) if name.startswith("test_")):
        test = getattr(suite, name)
        needs_folder = "tmp_path" in test.__code__.co_varnames[: test.__code__.co_argcount]
        (folder / name).mkdir()
        try:
            test(folder / name) if needs_folder else test()
        except Exception:
            failed.add(name)
    return failed


def test_a_sound_dataset_fails_nothing(tmp_path: Path) -> None:
    assert failures(Greys(), tmp_path) == set()


def test_steps_that_tell_the_truth_pass(tmp_path: Path) -> None:
    suite = Suite(Squeezed())
    suite.test_its_steps_make_of_a_file_what_it_reads(tmp_path)


class Unlicensed(Greys):
    licence = ""


class Undecided(Greys):
    options = {"bright": Int(0, 255)}


class Silent(Greys):
    def files(self, source: Path) -> Sequence[Path]:
        return [source / "greys.bin"]


class AlwaysGrey(Greys):
    def read(self, source: Path, options: Mapping[str, Value]) -> Raw:
        return super().read(source, {**options, "channels": 1})


class Forgetful(Greys):
    def read(self, source: Path, options: Mapping[str, Value]) -> Raw:
        raw = super().read(source, options)
        raw.columns["subject"] = np.array(["a"])
        return raw


class Restless(Greys):
    def read(self, source: Path, options: Mapping[str, Value]) -> Raw:
        raw = super().read(source, options)
        np.random.default_rng().shuffle(raw.columns["label"])
        return raw


class Overflowing(Greys):
    def label(self, columns: Mapping[str, Any], class_names: Sequence[str], params: Mapping[str, Value]) -> Labels:
        labels = super().label(columns, class_names, params)
        labels.hard = labels.hard + 1
        return labels


class Untaught(Greys):
    targets = ("majority", "crossentropy")

    def label(self, columns: Mapping[str, Any], class_names: Sequence[str], params: Mapping[str, Value]) -> Labels:
        labels = super().label(columns, class_names, params)
        labels.soft = np.zeros((len(labels.hard), 2), np.float32)
        return labels


class Pictures(Greys):
    """Files that are no squares, decoded by itself: the whole of each is squeezed."""

    decoding = {**Dataset.decoding, "crop": Choice("none", search="none")}

    def files(self, source: Path) -> Sequence[Path]:
        super().files(source)
        for level in range(0, 256, 8):
            pixels = np.random.default_rng(level).integers(max(level - 9, 0), level + 1, (20, 30), np.uint8)
            Image.fromarray(pixels).save(source / f"{level:03d}.png")
        return sorted(source.glob("*.png"))

    def read(self, source: Path, options: Mapping[str, Value]) -> Raw:
        raw, paths = super().read(source, options), self.files(source)
        raw.columns["name"] = np.array([path.name for path in paths], str)
        mode, side = "L" if options["channels"] == 1 else "RGB", (int(options["image_size"]),) * 2
        whole = [Image.open(path).resize(side, Image.Resampling.BILINEAR).convert(mode) for path in paths]
        raw.images = [np.atleast_3d(np.asarray(image)).transpose(2, 0, 1) for image in whole]
        return raw


class Squeezed(Pictures):
    def steps(self, options: Mapping[str, Value]) -> list[dict[str, Any]]:
        size, channels = int(options["image_size"]), int(options["channels"])
        return [{"step": "squeeze", "size": size}, {"step": "colour", "channels": channels}]


class Mistaken(Pictures):
    def steps(self, options: Mapping[str, Value]) -> list[dict[str, Any]] | None:
        return super().steps(options)


@pytest.mark.parametrize(
    ("dataset", "name"),
    [
        (Pictures(), "test_its_steps_make_of_a_file_what_it_reads"),
        (Mistaken(), "test_its_steps_make_of_a_file_what_it_reads"),
        (Unlicensed(), "test_it_says_what_it_is"),
        (Undecided(), "test_every_default_is_offered"),
        (Silent(), "test_a_missing_source_is_an_error_that_names_it"),
        (Silent(), "test_an_empty_folder_is_an_error_that_names_it"),
        (AlwaysGrey(), "test_images_come_in_the_size_and_channels_asked_for"),
        (Forgetful(), "test_columns_have_a_row_for_each_image"),
        (Restless(), "test_reading_twice_gives_the_same"),
        (Overflowing(), "test_it_loads_with_something_to_train_and_to_validate_on"),
        (Untaught(), "test_labels_fit_the_images_under_every_option_and_target"),
    ],
)
def test_a_flaw_is_detected(dataset: Dataset, name: str, tmp_path: Path) -> None:
    assert name in failures(dataset, tmp_path)


def test_a_suite_without_a_source_says_what_is_missing(tmp_path: Path) -> None:
    class Incomplete(DatasetSuite):
        dataset = Greys()

    with pytest.raises(NotImplementedError, match="Incomplete must write a small source for greys"):
        Incomplete().make_source(tmp_path)
