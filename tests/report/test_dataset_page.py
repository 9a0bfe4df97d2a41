"""A dataset's report, on images made by hand."""

from datetime import UTC, datetime

import numpy as np
import pytest

from fersearch.report import dataset_page
from fersearch.report.dataset_page import Portrait, duplicates, intensities, samples
from fersearch.report.plots import style
from fersearch.training.augment import previews

CLASSES = ("anger", "joy", "fear")


def part(*counts: int) -> dict[str, object]:
    return {"n": sum(counts), "per_class": dict(zip(CLASSES, counts, strict=True)), "baseline": counts[0] / sum(counts)}


def portrait(channels: int = 1, **changes: object) -> Portrait:
    """Six images of 8 pixels: three anger, two joy, no fear, one left out."""
    images = np.zeros((6, channels, 8, 8), np.uint8)
    images[1], images[2], images[3:5] = 30, 60, 100
    defaults = {
        "name": "mine",
        "summary": "Drawings",
        "licence": "",
        "files": "none needed",
        "options": {"image_size": 8},
        "target": "majority",
        "classes": CLASSES,
        "splits": {"train": part(2, 1, 0), "valid": part(1, 1, 0)},
        "checks": [("images", "6")],
        "findings": ["valid has no image of fear"],
        "images": images,
        "hard": np.array([0, 0, 0, 1, 1, 2]),
        "part": np.array([0, 0, 1, 0, 1, -1]),
        "written": datetime(2026, 3, 1, tzinfo=UTC),
        "version": "1.2.3",
        "columns": ["Image", "Label", "Split"],
        "head": [["0", "anger", "train"]],
        "shown": [0, 3],
        "augmented": previews(images[[0, 3]]),
    }
    return Portrait(**{**defaults, **changes})  # type: ignore[arg-type]


def test_samples_come_from_train_first_and_never_from_what_is_left_out():
    result = samples(portrait().hard, portrait().part, 3, 3)
    assert [sorted(rows) for rows in result] == [[0, 1, 2], [3, 4], []]
    assert [rows[-1] for rows in result[:2]] == [2, 4]
    assert all(len(rows) <= 1 for rows in samples(portrait().hard, portrait().part, 3, 1))


def test_intensities_are_shares_of_each_class():
    result = intensities(portrait())
    assert result.shape == (3, 256)
    assert result[0, [0, 30, 60]] == pytest.approx(1 / 3)
    assert result[1, 100] == 1
    assert result[2].sum() == 0


def test_the_distribution_has_totals_shares_and_baselines():
    table = dataset_page.distribution(portrait())
    assert table.columns == ["Class", "train", "valid", "All", "Share"]
    assert table.rows[0] == ["anger", 2, 1, 3, "60.0 %"]
    assert table.rows[-2] == ["all", 3, 2, 5, "100.0 %"]
    assert table.rows[-1][1:3] == ["66.7 %", "50.0 %"]


def test_where_sources_are_known_their_composition_is_shown():
    sources = {
        "a": {"n": 3, "per_class": dict.fromkeys(CLASSES, 1)},
        "b": {"n": 2, "per_class": dict.fromkeys(CLASSES, 0)},
    }
    assert dataset_page.composition(sources, CLASSES).rows[0] == ["anger", 1, 0]
    with style.styled():
        page = dataset_page.dataset(portrait(sources=sources))
    assert "sources" in {plot.name for plot in page.plots()}


@pytest.mark.parametrize("channels", [1, 3])
def test_the_whole_page(channels):
    with style.styled():
        page = dataset_page.dataset(portrait(channels))
        for plot in page.plots():
            style.render(plot.figure)
    wanted = ["class-distribution", "class-shares", "sample-each-1", "samples", "intensities", "augmentation"]
    assert [plot.name for plot in page.plots()] == wanted
    assert [table.name for table in page.tables()] == ["head", "checks", "distribution", "duplicates"]


def test_previews_change_images_and_nothing_else():
    images = np.random.default_rng(0).integers(0, 256, (4, 3, 16, 16), dtype=np.uint8)
    result = previews(images)
    assert list(result) == ["flip", "light", "standard", "strong"]
    assert all(made.shape == images.shape and made.dtype == np.uint8 for made in result.values())
    for image, flipped in zip(images, result["flip"], strict=True):
        nearest = min(abs(flipped.astype(int) - other).max() for other in (image, image[:, :, ::-1]))
        assert nearest <= 1
    assert (result["strong"] != images).any()


def test_duplicates_with_conflicting_labels_come_first():
    images = portrait().images.copy()
    images[2] = images[0]
    images[5] = images[0]
    result = portrait(images=images)
    assert duplicates(result) == [[0, 2], [3, 4]]
    relabelled = portrait(images=images, hard=np.array([0, 0, 0, 1, 2, 2]))
    assert duplicates(relabelled) == [[3, 4], [0, 2]]
    with style.styled():
        page = dataset_page.dataset(relabelled)
    assert "contradictory-1" in [plot.name for plot in page.plots()]
    table = next(table for table in page.tables() if table.name == "duplicates")
    assert table.rows[0] == [1, 2, "joy, fear", "train, valid", "3, 4"]
