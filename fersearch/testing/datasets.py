"""What every dataset must do: a suite to inherit.

class TestMine(DatasetSuite):
    dataset = Mine()

    def make_source(self, folder):
        ...write a few images of each class...
        return folder
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from fersearch.components import Dataset, Labels, Raw
from fersearch.data import options as dataset_options
from fersearch.data.arrays import Prepared, load, prepare
from fersearch.data.depth import OwnDepth
from fersearch.data.images import upright
from fersearch.data.pictures import steps_of
from fersearch.data.splits import LEFT_OUT, TO_DRAW
from fersearch.data.step_lists import declared, describe
from fersearch.data.steps import Transform
from fersearch.data.views import check_labels
from fersearch.errors import DataError
from fersearch.space import Choice, Value

SOME = 8


class DatasetSuite:
    """The contract of a dataset. Give `dataset`, and `make_source` unless it needs no data.

    `options` are used throughout: give some if the defaults are slow.
    """

    dataset: Dataset
    options: Mapping[str, Value] = {}

    def make_source(self, folder: Path) -> Path | None:
        """Write a small source of this dataset into an empty folder; return the path that a user would give.

        A few images of each class are enough. None for a dataset that needs no data.
        """
        if self.dataset.needs_data:
            raise NotImplementedError(f"{type(self).__name__} must write a small source for {self.dataset.name}")
        return None

    def test_it_says_what_it_is(self) -> None:
        dataset = self.dataset
        assert dataset.name
        assert not any(c.isspace() for c in dataset.name)
        assert dataset.summary, "summary is what `dataset list` shows"
        assert dataset.licence, "licence is one line that travels with every checkpoint"
        assert dataset.expected or not dataset.needs_data, "expected tells the user which files are needed"
        assert dataset.version >= 1
        assert dataset.targets
        assert len(set(dataset.targets)) == len(dataset.targets)

    def test_every_default_is_offered(self) -> None:
        for name, dimension in {**self.dataset.decoding, **self.dataset.options}.items():
            assert dimension.search, f"{name} needs a default: the `search` text of its dimension"
            assert dimension.contains(dimension.parse(dimension.search)), f"{name}: its default is not offered"

    def test_its_files_are_there(self, tmp_path: Path) -> None:
        source = self.make_source(tmp_path)
        files = self.dataset.files(source or Path())
        assert len(set(files)) == len(files), "files names a file twice"
        assert all(path.is_file() for path in files)
        assert bool(files) == self.dataset.needs_data

    def test_a_missing_source_is_an_error_that_names_it(self, tmp_path: Path) -> None:
        if self.dataset.needs_data:
            missing = tmp_path / "nowhere"
            assert str(missing) in self._refusal(missing)

    def test_an_empty_folder_is_an_error_that_names_it(self, tmp_path: Path) -> None:
        if self.dataset.needs_data:
            assert str(tmp_path) in self._refusal(tmp_path)

    def test_images_come_in_the_size_and_channels_asked_for(self, tmp_path: Path) -> None:
        source = self.make_source(tmp_path)
        for size, channels in ((48, 1), (32, 3)):
            raw = self._read(source, image_size=size, channels=channels)
            images = list(raw.images)
            assert len(images) == raw.count > 0
            assert {image.shape for image in images} == {(channels, size, size)}
            assert {image.dtype for image in images} == {np.dtype(np.uint8)}

    def test_its_steps_make_of_a_file_what_it_reads(self, tmp_path: Path) -> None:
        """What `predict` does to a photograph must be what was done to the training images."""
        source = self.make_source(tmp_path)
        for decoding in self._decodings():
            try:
                raw = self._read(source, **decoding)
                images = list(raw.images)
            except DataError:
                continue  # an option that this source does not go with
            steps = steps_of(raw.images) or declared(self.dataset, self._chosen(decoding))
            assert steps is not None, (
                f"{self.dataset.name} has decoding options of its own and declares no `steps` for them"
            )
            assert json.loads(json.dumps(steps)) == steps
            transform, known = Transform.of(steps), getattr(raw.images, "annotations", None) or [None] * raw.count
            for row, path in self._pictures(source, raw):
                image = transform(upright(path, OwnDepth(transform.bits)), known[row], path)
                assert np.array_equal(image, images[row]), f"{path} is not what `steps` make of it: {describe(steps)}"

    def test_columns_have_a_row_for_each_image(self, tmp_path: Path) -> None:
        raw = self._read(self.make_source(tmp_path))
        assert {name: len(column) for name, column in raw.columns.items()} == dict.fromkeys(raw.columns, raw.count)
        assert len(set(raw.class_names)) == len(raw.class_names) > 1

    def test_reading_twice_gives_the_same(self, tmp_path: Path) -> None:
        source = self.make_source(tmp_path)
        first, second = self._read(source), self._read(source)
        assert all(np.array_equal(a, b) for a, b in zip(first.images, second.images, strict=True))
        assert all(np.array_equal(first.columns[name], second.columns[name]) for name in first.columns)
        assert first.class_names == second.class_names

    def test_labels_fit_the_images_under_every_option_and_target(self, tmp_path: Path) -> None:
        prepared = self._prepared(tmp_path)
        for params in self._loadings():
            labels = self.dataset.label(prepared.columns, prepared.class_names, params)
            check_labels(self.dataset.name, labels, prepared.count)
            assert set(np.unique(labels.split)) <= {0, 1, 2, LEFT_OUT, TO_DRAW}, params
            self._check_soft(labels, params)

    def test_preparing_twice_makes_one_copy(self, tmp_path: Path) -> None:
        source = self.make_source(_folder(tmp_path / "source"))
        copies = {prepare(self.dataset, source, self.options, tmp_path / "prepared").folder for _ in range(2)}
        assert len(copies) == 1

    def test_it_loads_with_something_to_train_and_to_validate_on(self, tmp_path: Path) -> None:
        loaded = load(self.dataset, self._prepared(tmp_path), self.options)
        train, valid = (set(loaded.indices[part].tolist()) for part in ("train", "valid"))
        assert train
        assert valid
        assert not train & valid
        assert loaded.hard[sorted(train | valid)].min() >= 0

    def test_no_person_is_in_two_drawn_parts(self, tmp_path: Path) -> None:
        prepared = self._prepared(tmp_path)
        params = dataset_options.loading(self.dataset, self.options)
        labels = self.dataset.label(prepared.columns, prepared.class_names, params)
        if labels.subject is None or not (np.asarray(labels.split) == TO_DRAW).all():
            return
        loaded = load(self.dataset, prepared, self.options)
        people = [set(np.asarray(labels.subject)[rows].tolist()) - {""} for rows in loaded.indices.values()]
        assert not set.intersection(*people)

    def _read(self, source: Path | None, **options: Value) -> Raw:
        return self.dataset.read(source or Path(), self._chosen(options))

    def _chosen(self, options: Mapping[str, Value]) -> dict[str, Value]:
        return dataset_options.decoding(self.dataset, {**self.options, **options})

    def _prepared(self, folder: Path) -> Prepared:
        source = self.make_source(_folder(folder / "source"))
        return prepare(self.dataset, source, self.options, folder / "prepared")

    def _refusal(self, source: Path) -> str:
        """Return the message of the DataError that `files` must raise."""
        try:
            self.dataset.files(source)
        except DataError as error:
            return error.message
        raise AssertionError(f"files({source}) raised no DataError")

    def _decodings(self) -> Iterator[dict[str, Value]]:
        """Yield grey and RGB, and every value of each of the dataset's own decoding options."""
        yield {}
        yield {"image_size": 32, "channels": 3}
        for name, dimension in self.dataset.decoding.items():
            for value in dimension.options if isinstance(dimension, Choice) and name not in Dataset.decoding else ():
                yield {name: value, "image_size": 32}

    def _pictures(self, source: Path | None, raw: Raw) -> Iterator[tuple[int, Path]]:
        """Yield the first and the last row whose `name` is a file below the source, with its path."""
        names = raw.columns.get("name")
        if source is None or names is None:
            return
        top = source if source.is_dir() else source.parent
        rows = range(raw.count)
        for row in dict.fromkeys([*rows[:SOME], *rows[-SOME:]]):
            name = str(names[row])
            path = next((path for path in (top / name, *top.glob(f"*/{name}")) if path.is_file()), None)
            if path is not None:
                yield row, path

    def _loadings(self) -> Iterator[dict[str, Value]]:
        """Yield every target with the options as given, and every value of each option with the first target."""
        for target in self.dataset.targets:
            yield dataset_options.loading(self.dataset, {**self.options, "target": target})
        for name, dimension in self.dataset.options.items():
            for value in dimension.options if isinstance(dimension, Choice) else ():
                yield dataset_options.loading(self.dataset, {**self.options, name: value})

    def _check_soft(self, labels: Labels, params: Mapping[str, Value]) -> None:
        if labels.soft is None:
            return
        soft, included = labels.soft, np.asarray(labels.split) != LEFT_OUT
        assert np.isfinite(soft).all(), params
        assert soft.min() >= 0, params
        assert (soft[included].max(1) > 0).all(), f"an image that is not left out has no target: {params}"
        assert (soft[included].max(1) <= 1 + 1e-6).all(), params


def _folder(path: Path) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    return path
