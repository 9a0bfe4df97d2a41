"""Every dataset of folders, with what drives and systems leave there, and through links: the same images as without."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from fersearch import registry
from fersearch.data.arrays import prepare
from tests.plugins.datasets import test_ckplus as ckplus
from tests.plugins.datasets import test_fer2013 as fer2013
from tests.plugins.datasets import test_ferplus as ferplus
from tests.plugins.datasets import test_imagefolder as imagefolder
from tests.plugins.datasets import test_jaffe as jaffe
from tests.plugins.datasets import test_kdef as kdef
from tests.plugins.datasets import test_layouts as layouts
from tests.plugins.datasets import test_nhfi as nhfi
from tests.plugins.datasets import test_rafdb as rafdb

Write = Callable[[Path], Path]
TREES: dict[str, tuple[str, Write]] = {
    "fer2013": ("fer2013", lambda root: fer2013.write_folders(root, *fer2013.OFFICIAL)),
    "ferplus": ("ferplus", ferplus.write_folders),
    "imagefolder": ("imagefolder", lambda root: imagefolder.write_classes(root, n=3)),
    "jaffe": ("jaffe", jaffe.write),
    "kdef": ("kdef", kdef.write),
    "nhfi": ("nhfi", nhfi.write),
    "ckplus": ("ckplus", ckplus.write_original),
    "ck48": ("ckplus", lambda root: ckplus.write_ck48(root / "CK+48").parent),
    "rafdb": ("rafdb", rafdb.write_published),
    "mirror": ("rafdb", rafdb.write_mirror),
    **{name: (name, write) for name, write in layouts.WRITERS.items()},
}


def content(name: str, source: Path, shelf: Path) -> tuple[int, str]:
    prepared = prepare(registry.load().dataset(name), source, {"image_size": 8}, shelf)
    return prepared.count, prepared.digest


@pytest.mark.parametrize("tree", TREES)
def test_thumbnails_and_recycled_images_are_not_read(tmp_path: Path, tree: str) -> None:
    name, write = TREES[tree]
    source = write(tmp_path / "source")
    before = content(name, source, tmp_path / "before")
    for image in [path for path in source.rglob("*") if path.suffix.lower() in (".png", ".jpg", ".tiff", ".jpeg")]:
        for junk in (image.parent / "@eaDir" / image.name, source / "#recycle" / image.parent.name, image.parent):
            junk.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(image, junk / f"SYNOFILE_THUMB_M{image.suffix}")
            shutil.copyfile(image, junk / f"._{image.name}")
            if junk != image.parent:
                shutil.copyfile(image, junk / image.name)
    assert content(name, source, tmp_path / "after") == before


@pytest.mark.parametrize("tree", TREES)
def test_a_tree_of_links_with_a_loop_is_read_like_the_folders(tmp_path: Path, tree: str) -> None:
    name, write = TREES[tree]
    source = write(tmp_path / "source")
    before = content(name, source, tmp_path / "before")
    linked = tmp_path / "linked"
    linked.mkdir()
    for path in source.iterdir():
        (linked / path.name).symlink_to(path)
    (linked / "loop").symlink_to(linked)
    assert content(name, linked, tmp_path / "after") == before
