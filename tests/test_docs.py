"""The documents are true: commands and hooks are documented and tested, links are alive, nothing heavy is imported."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from PIL import Image

from fersearch import cli, hookspecs, study_options, templates
from fersearch.studyfile import reading
from fersearch.studyfile.schema import DatasetSection

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCUMENTS = sorted(
    path
    for path in [
        *ROOT.glob("*.md"),
        *(p for name in ("plugins", "studies", "docker", "tests") for p in ROOT.glob(f"{name}/**/*.md")),
    ]
)
HOOKS = sorted(name for name in vars(hookspecs) if name.startswith("register_"))
HEAVY = (
    *("torch", "torchvision", "optuna", "ray", "sqlalchemy", "alembic", "sklearn", "numpy", "timm", "PIL", "cv2"),
    "pandas",
)


def commands() -> list[str]:
    """Every command that the console script has, as it is typed."""
    group = typer.main.get_command(cli.app)
    result = []
    for name, command in group.commands.items():
        below = getattr(command, "commands", None)
        result += [f"fersearch {name} {verb}" for verb in below] if below else [f"fersearch {name}"]
    return sorted(result)


def test_every_command_is_in_the_readme():
    assert [command for command in commands() if f"`{command}`" not in README] == []


def test_every_command_line_of_the_documents_exists():
    known = commands()
    for document in DOCUMENTS:
        for line in re.findall(r"(?:^|[`$] ?| {4})(fersearch [a-z][^`\n]*)", document.read_text(), re.MULTILINE):
            assert any(line == command or line.startswith(f"{command} ") for command in known), (document, line)


def test_every_flag_of_the_documents_exists():
    group = typer.main.get_command(cli.app)
    verbs = [
        *group.commands.values(),
        *(v for c in group.commands.values() for v in getattr(c, "commands", {}).values()),
    ]
    known = {flag for command in [group, *verbs] for parameter in command.params for flag in parameter.opts}
    for document in DOCUMENTS:
        for line in re.findall(r"fersearch [a-z][^`\n]*", document.read_text()):
            flags = re.findall(r"(?<!\S)--[a-z-]+", line.partition("#")[0])
            assert set(flags) <= known | {"--help"}, (document, line)


def test_the_two_lines_of_the_readme_come_first_and_do_all_the_set_up():
    lines = [line.strip() for line in README.splitlines() if line.startswith("    ")]
    assert lines[:2] == [
        "python3 -m venv .venv && . .venv/bin/activate && pip install . && "
        "fersearch study create --model cnn --dataset faces",
        "python3 -m venv .venv && . .venv/bin/activate && pip install -e '.[dev]' && pytest",
    ]


def test_the_readme_stays_under_220_lines():
    assert len(README.splitlines()) < 220


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_is_alive(document):
    targets = re.findall(r"\]\(([^)\s]+)\)", document.read_text(encoding="utf-8"))
    local = [target for target in targets if not target.startswith(("http:", "https:", "#"))]
    assert [target for target in local if not (document.parent / target.partition("#")[0]).exists()] == []


def test_every_hook_is_taught_and_tested():
    guide = (ROOT / "plugins" / "README.md").read_text(encoding="utf-8")
    assert [hook for hook in HOOKS if f"`{hook}(register)`" not in guide] == []
    assert [f"register_{kind}s" for kind in templates.KINDS] == HOOKS, "test_templates.py loads a plugin of each kind"


def test_the_python_of_the_readme_works(warm_fork_server, tmp_path, monkeypatch, capsys):
    (example,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FERSEARCH_HOME", str(tmp_path / "home"))
    Image.new("L", (48, 48), 128).save(tmp_path / "face.png")
    exec(compile(example, "example.py", "exec"), {"__name__": "__main__"})
    assert capsys.readouterr().out.splitlines()[-1].startswith("[Prediction(image='face.png', label='")


def test_every_room_is_on_the_map():
    rooms = {path.name for path in (ROOT / "fersearch").iterdir() if not path.name.startswith(("_", "."))}
    assert sorted(room for room in rooms - {"py.typed", "templates"} if f"(fersearch/{room})" not in README) == []


@pytest.mark.parametrize("file", sorted(ROOT.glob("studies/*.toml")), ids=lambda path: path.name)
def test_every_study_file_reads_without_a_mistake(file):
    assert reading.read(file)[1] == []


def test_every_study_file_is_in_its_readme():
    guide = (ROOT / "studies" / "README.md").read_text(encoding="utf-8")
    assert [file.name for file in ROOT.glob("studies/*.toml") if f"`{file.name}`" not in guide] == []


def test_every_key_of_a_study_file_is_in_its_readme():
    guide = (ROOT / "studies" / "README.md").read_text(encoding="utf-8")
    assert study_options.documentation("") in guide
    assert study_options.documentation("protocol") in guide
    assert [key for key in DatasetSection.model_fields if f"`{key}`" not in guide] == []


def test_the_example_of_the_plugin_guide_works(tmp_path):
    from fersearch import registry

    guide = (ROOT / "plugins" / "README.md").read_text(encoding="utf-8")
    example = re.search(r"```python\n(.*?)```", guide, re.DOTALL)
    (tmp_path / "plain.py").write_text(example[1])
    plain = registry.load([tmp_path / "plain.py"]).architecture("plain")
    from fersearch import Task

    model = plain.build({"width": 16, "dropout": 0.1}, Task(("anger", "joy")))
    assert len(plain.stages(model)) == len(plain.stage_names)


def test_the_observer_of_the_plugin_guide_works(tmp_path):
    from fersearch import registry
    from fersearch.testing import ObserverSuite

    guide = (ROOT / "plugins" / "README.md").read_text(encoding="utf-8")
    (example,) = (text for text in re.findall(r"```python\n(.*?)```", guide, re.DOTALL) if "StudyObserver" in text)
    (tmp_path / "best.py").write_text(example)
    suite = type("Suite", (ObserverSuite,), {"observer": registry.load([tmp_path / "best.py"]).observer("best")})()
    suite.test_it_observes_a_whole_study(tmp_path)
    assert (tmp_path / "best.txt").read_text() == "trial 1\n"


@pytest.mark.parametrize(
    "code",
    [
        "import fersearch",
        "import fersearch.api",
        "from fersearch import cli; assert cli.run(['--help']) == 0",
        "from fersearch import cli; assert cli.run(['study', 'create', '--help']) == 0",
    ],
)
def test_nothing_heavy_comes_in_before_it_is_needed(code):
    probe = f"{code}\nimport sys; sys.stderr.write(' '.join(m for m in {HEAVY} if m in sys.modules))"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stderr == ""


def test_the_service_stays_small():
    heavy = set(HEAVY) - {"sqlalchemy", "numpy"} | {"matplotlib", "scipy"}
    probe = f"import sys, fersearch.service.app; sys.stderr.write(' '.join({heavy} & {{*sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stderr == ""


def test_rich_and_typer_stay_in_their_room():
    pattern = re.compile(r"^\s*(?:from|import) (rich|typer)\b", re.MULTILINE)
    result = {
        path.relative_to(ROOT / "fersearch"): pattern.findall(path.read_text())
        for path in ROOT.glob("fersearch/**/*.py")
    }
    assert {str(path.parent) for path, libraries in result.items() if libraries} == {"cli"}
    drawing = {
        "render.py",
        "progress.py",
        "parts.py",
        "render_models.py",
        "render_search.py",
        "render_study.py",
        "compared.py",
        "listing.py",
    }
    assert {path.name for path, libraries in result.items() if "rich" in libraries} == drawing


def test_the_core_names_no_dataset_and_no_document():
    """But for examples of commands, prose about sources, and values that files of earlier versions hold."""
    names = re.compile(
        r"document 0|kirkvik|mehendale|umoru|s003|fer2013|raf-?db|affectnet|jaffe|\bkdef|nhfi|[\"\']ferplus[\"\']",
        re.IGNORECASE,
    )
    result = [
        f"{path.relative_to(ROOT)}: {match[0]}"
        for path in sorted((ROOT / "fersearch").rglob("*.py"))
        for match in names.finditer(path.read_text(encoding="utf-8"))
        if path.name != "former_names.py"
    ]
    assert result == []
