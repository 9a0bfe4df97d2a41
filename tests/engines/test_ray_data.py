"""A prepared dataset reaches a node that does not see the driver's copy, once."""

import tarfile
import threading

import pytest

from fersearch.engines.ray_data import bring, pack


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A prepared copy in the driver's home; the node's home is another."""
    monkeypatch.setenv("FERSEARCH_HOME", str(tmp_path / "node"))
    folder = tmp_path / "driver" / "prepared" / "faces" / "key"
    (folder / "columns").mkdir(parents=True)
    (folder / "meta.json").write_text("{}")
    (folder / "columns" / "label.npy").write_bytes(b"labels")
    return folder


def test_a_copy_that_is_seen_is_used_where_it_is(folder):
    assert bring(folder, lambda _: pytest.fail("nothing is to be fetched")) == folder


def test_a_copy_that_is_not_seen_is_fetched_whole(folder, tmp_path):
    archive = pack(folder)
    folder.rename(tmp_path / "unseen")
    copy = bring(folder, lambda asked: archive if asked == folder else b"")
    assert copy == tmp_path / "node" / "prepared" / "faces" / "key"
    assert (copy / "columns" / "label.npy").read_bytes() == b"labels"


def test_trials_that_start_together_fetch_once(folder, tmp_path):
    archive, fetched = pack(folder), []
    folder.rename(tmp_path / "unseen")

    def fetch(asked):
        fetched.append(asked)
        return archive

    together = [threading.Thread(target=bring, args=(folder, fetch)) for _ in range(4)]
    for thread in together:
        thread.start()
    for thread in together:
        thread.join()
    assert fetched == [folder]


def test_a_broken_archive_leaves_nothing(folder, tmp_path):
    folder.rename(tmp_path / "unseen")
    with pytest.raises(tarfile.ReadError):
        bring(folder, lambda _: b"no archive at all")
    left = [path.name for path in (tmp_path / "node" / "prepared" / "faces").iterdir()]
    assert left == ["key.lock"]
