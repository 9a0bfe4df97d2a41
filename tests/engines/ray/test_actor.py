"""A prepared dataset reaches a node that does not see the driver's copy, once."""

import json
import shutil
import threading
import zipfile

import pytest

from fersearch.engines.ray.board import pack


@pytest.fixture(scope="module")
def actor():
    """What runs on nodes, which brings in Ray Tune: not at collection, as each test process collects all tests."""
    from fersearch.engines.ray import actor

    return actor


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A prepared copy in the driver's home; the node's home is another."""
    monkeypatch.setenv("FERSEARCH_HOME", str(tmp_path / "node"))
    folder = tmp_path / "driver" / "prepared" / "faces" / "key"
    (folder / "columns").mkdir(parents=True)
    (folder / "meta.json").write_text("{}")
    (folder / "columns" / "label.npy").write_bytes(b"labels")
    return folder


def test_a_copy_that_is_seen_is_used_where_it_is(actor, folder):
    assert actor.ensure_prepared(folder, lambda _: pytest.fail("nothing is to be fetched")) == folder


def test_a_copy_that_is_not_seen_is_fetched_whole(actor, folder, tmp_path):
    archive = pack(folder)
    folder.rename(tmp_path / "unseen")
    copy = actor.ensure_prepared(folder, lambda wanted_folder: archive if wanted_folder == folder else b"")
    assert copy == tmp_path / "node" / "prepared" / "faces" / "key"
    assert (copy / "columns" / "label.npy").read_bytes() == b"labels"


def test_trials_that_start_together_fetch_once(actor, folder, tmp_path):
    archive, fetched = pack(folder), []
    folder.rename(tmp_path / "unseen")

    def fetch(wanted_folder):
        fetched.append(wanted_folder)
        return archive

    together = [threading.Thread(target=actor.ensure_prepared, args=(folder, fetch)) for _ in range(4)]
    for thread in together:
        thread.start()
    for thread in together:
        thread.join()
    assert fetched == [folder]


def test_a_broken_archive_leaves_nothing(actor, folder, tmp_path):
    folder.rename(tmp_path / "unseen")
    with pytest.raises(zipfile.BadZipFile):
        actor.ensure_prepared(folder, lambda _: b"no archive at all")
    left = [path.name for path in (tmp_path / "node" / "prepared" / "faces").iterdir()]
    assert left == ["key.lock"]


def test_a_copy_of_the_nodes_own_serves_only_with_the_same_content(actor, tmp_path, monkeypatch):
    monkeypatch.setenv("FERSEARCH_HOME", str(tmp_path / "node"))
    driven, own = tmp_path / "driver" / "faces" / "key", tmp_path / "node" / "prepared" / "faces" / "key"
    for folder, digest in ((driven, "d" * 64), (own, "e" * 64)):
        folder.mkdir(parents=True)
        names = ("name", "licence", "source")
        meta = {**dict.fromkeys(names, ""), **dict.fromkeys(("count", "image_size", "channels", "files"), 1)}
        meta |= {"class_names": [], "findings": [], "options": {}, "digest": digest}
        (folder / "meta.json").write_text(json.dumps(meta))
    archive = pack(driven)
    shutil.rmtree(driven)
    assert actor.ensure_prepared(driven, lambda _: b"", "e" * 64) == own
    copy = actor.ensure_prepared(driven, lambda _: archive, "d" * 64)
    assert copy == own.with_name("key-dddddddddddd")
    assert json.loads((copy / "meta.json").read_text())["digest"] == "d" * 64
    assert actor.ensure_prepared(driven, lambda _: b"", "d" * 64) == copy
