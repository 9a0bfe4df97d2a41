"""The stories of studies/stories.md, typed line by line."""

import re
import shlex
from pathlib import Path

import pytest
from PIL import Image

from fersearch import cli

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "studies" / "stories.md").read_text(encoding="utf-8")
STORIES = {
    title: re.findall(r"^\$ fersearch (.*)$", body, re.MULTILINE)
    for title, body in re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL)
}


def test_there_are_five_stories_with_commands() -> None:
    assert len(STORIES) == 5
    assert all(len(lines) >= 3 for lines in STORIES.values())


@pytest.mark.long
@pytest.mark.parametrize("story", STORIES)
def test_a_story_can_be_typed(
    story: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, warm_fork_server: object
) -> None:
    monkeypatch.setenv("FERSEARCH_HOME", str(tmp_path / "home"))
    (tmp_path / "studies").symlink_to(ROOT / "studies")
    Image.new("L", (48, 48), 128).save(tmp_path / "face.png")
    monkeypatch.chdir(tmp_path)
    for line in STORIES[story]:
        assert cli.run(shlex.split(line)) == 0, line
