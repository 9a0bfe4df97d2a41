"""The files of docker/, without an engine: what they say is consistent, and the commands they run are run."""

import json
import os
import re
import shutil
import signal
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

from tests.postgres import Server, Unavailable

ROOT = Path(__file__).parent.parent
DOCKER = ROOT / "docker"
COMPOSE = yaml.safe_load((DOCKER / "compose.yml").read_text())
SERVICES = COMPOSE["services"]
OURS = [name for name in SERVICES if name != "postgres"]


def enter(*arguments, **env):
    command = ["sh", str(DOCKER / "entrypoint.sh"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, **env}, check=False)


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_says_how_it_lives(name):
    service = SERVICES[name]
    assert service["restart"] in ("no", "on-failure", "unless-stopped")
    assert service["healthcheck"]["test"][0] == "CMD"
    named = {volume.partition(":")[0] for volume in service["volumes"]}
    assert ("postgres" if name == "postgres" else "home") in named & set(COMPOSE["volumes"])


@pytest.mark.parametrize("name", OURS)
def test_no_service_of_ours_has_more_rights_than_it_needs(name):
    assert SERVICES[name]["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in SERVICES[name]["security_opt"]


def test_only_the_services_for_gpus_ask_for_them():
    assert [name for name in SERVICES if "deploy" in SERVICES[name]] == ["local-gpu", "worker-gpu"]
    assert (SERVICES["worker"]["profiles"], SERVICES["worker-gpu"]["profiles"]) == (["cpu"], ["gpu"])


def test_no_password_is_in_the_files():
    text = (DOCKER / "compose.yml").read_text() + (DOCKER / "env.example").read_text()
    assert set(re.findall(r"(?:PASSWORD|TOKEN)[=:] ?(.*)", text)) == {
        "",
        "${POSTGRES_PASSWORD:?copy env.example to .env and set it there}",
        "${RAY_AUTH_TOKEN:?copy env.example to .env and set it there}",
    }


def test_every_node_of_ray_has_the_token():
    nodes = [name for name, one in SERVICES.items() if "ray" in str(one.get("command"))]
    assert nodes == ["head", "worker", "worker-gpu", "driver"]
    assert [name for name in nodes if SERVICES[name]["environment"].get("RAY_AUTH_MODE") != "token"] == []


def test_ray_knows_every_flag_that_starts_it():
    ray = shutil.which("ray") or pytest.skip("ray is not installed")
    help_text = subprocess.run([ray, "start", "--help"], capture_output=True, text=True, check=True).stdout
    lines = re.findall(r"ray start .*", "".join(path.read_text() for path in DOCKER.iterdir()))
    flags = {flag for line in lines for flag in re.findall(r"--[a-z-]+", line)}
    assert "--head" in flags
    assert {flag for flag in flags if f"{flag} " not in help_text} == set()


def test_every_dependency_is_pinned():
    pins = [line.partition("==")[0].lower() for line in (DOCKER / "constraints.txt").read_text().splitlines()]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    needed = [*project["project"]["dependencies"], *project["build-system"]["requires"]]
    assert {re.match(r"[\w-]+", name)[0] for name in needed} - set(pins) == set()
    assert "latest" not in (DOCKER / "Dockerfile").read_text()


def test_the_entrypoint_becomes_fersearch(tmp_path):
    done = enter("study", "list", "--json", FERSEARCH_HOME=str(tmp_path), FERSEARCH_STORAGE="")
    assert (done.returncode, json.loads(done.stdout)) == (0, [])


def test_the_entrypoint_makes_the_tables_of_a_server_first():
    try:
        server = Server()
    except Unavailable as reason:
        pytest.skip(str(reason))
    try:
        done = enter("study", "list", "--json", FERSEARCH_STORAGE=server.create())
    finally:
        server.close()
    assert (done.returncode, done.stdout) == (0, "[]\n"), done.stderr


def test_the_entrypoint_gives_up_on_a_server_that_stays_away():
    done = enter("study", "list", FERSEARCH_STORAGE="postgresql://a@127.0.0.1:1/b", FERSEARCH_WAIT="0")
    assert done.returncode == 1
    assert "127.0.0.1" in done.stderr


def test_every_check_of_the_database_goes_through_the_entrypoint():
    checks = [SERVICES[name]["healthcheck"]["test"][1:] for name in OURS]
    image = json.loads(re.findall(r"^HEALTHCHECK .* CMD (.*)$", (DOCKER / "Dockerfile").read_text(), re.MULTILINE)[0])
    doctors = [check for check in [*checks, image] if "doctor" in check]
    assert doctors == [["entrypoint.sh", "doctor", "--json"]] * 4


@pytest.mark.parametrize(("command", "joins"), [("study", True), ("doctor", False)])
def test_the_entrypoint_reads_the_password_and_joins_ray_for_studies_alone(tmp_path, command, joins):
    for name, text in {"ray": "touch joined", "fersearch": 'echo "$PGPASSWORD"'}.items():
        (tmp_path / name).write_text(f"#!/bin/sh\ncd {tmp_path}\n{text}\n")
        (tmp_path / name).chmod(0o755)
    (tmp_path / "password").write_text("secret\n")
    env = {"PGPASSWORD_FILE": str(tmp_path / "password"), "RAY_HEAD": "head:6379", "FERSEARCH_STORAGE": ""}
    done = enter(command, **env, PATH=f"{tmp_path}:{os.environ['PATH']}")
    assert (done.returncode, done.stdout) == (0, "secret\n"), done.stderr
    assert (tmp_path / "joined").exists() == joins


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("hadolint", ["Dockerfile"]),
        ("shellcheck", ["entrypoint.sh"]),
        ("docker-compose", ["--file", "compose.yml", "--profile", "cpu", "--profile", "gpu", "config"]),
    ],
)
def test_the_tools_find_nothing(tool, arguments):
    result = shutil.which(tool) or pytest.skip(f"{tool} is not installed")
    env = {**os.environ, "POSTGRES_PASSWORD": "x", "RAY_AUTH_TOKEN": "y"}
    done = subprocess.run([result, *arguments], cwd=DOCKER, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def traps(pid: int, number: int) -> bool:
    """Whether a process catches a signal; true where that cannot be read."""
    status = Path(f"/proc/{pid}/status")
    if not status.exists():
        return True
    caught = re.search(r"SigCgt:\s*([0-9a-f]+)", status.read_text())
    return caught is None or bool(int(caught[1], 16) >> (number - 1) & 1)


@pytest.mark.parametrize(("code", "queued"), [(130, True), (0, False), (1, False)])
def test_the_slurm_job_hands_on_the_signal_and_queues_itself_again(tmp_path, code, queued):
    (script,) = re.findall(r"```bash\n(.*?)```", (DOCKER / "README.md").read_text(), re.DOTALL)
    fakes = {
        "fersearch": f"#!/bin/bash\ntrap 'sleep 0.3; exit {code}' TERM\ntouch up\nwhile :; do sleep 0.05; done\n",
        "scontrol": '#!/bin/bash\necho "$@" > queued\n',
    }
    for name, text in fakes.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    env = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "SLURM_JOB_ID": "7"}
    with subprocess.Popen(["bash", "-c", script, "job", "mine"], cwd=tmp_path, env=env) as job:
        while not ((tmp_path / "up").exists() and traps(job.pid, signal.SIGTERM)):
            assert job.poll() is None
        job.send_signal(signal.SIGTERM)
        assert job.wait(20) == code
    assert (tmp_path / "queued").exists() == queued
