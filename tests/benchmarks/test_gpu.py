"""The benchmark of a GPU runs, on a CPU and at a size that says nothing of speed, with the training room alone."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.long]
ROOT = Path(__file__).parents[2]
ALONE = """
import sys
sys.modules |= dict.fromkeys(("optuna", "sqlalchemy", "alembic", "ray"))
from tests.benchmarks.gpu import main
main(["--device", "cpu", "--small"])
"""


def test_every_table_is_printed_without_optuna_sqlalchemy_and_ray(tmp_path):
    env = {**os.environ, "PYTHONPATH": str(ROOT), "FERSEARCH_HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", ALONE], cwd=tmp_path, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    timed = re.findall(r"^(\w+, \w+), batches", done.stdout, re.MULTILINE)
    assert timed == ["cnn, float32", "cnn, bf16", "resnet18, float32", "vgg19, float32"]
    rows = re.findall(r"^(cnn|resnet18|vgg19) +([\d,]+) +([\d,]+)$", done.stdout, re.MULTILINE)
    assert [name for name, *_ in rows] == ["cnn", "resnet18", "vgg19"]
    assert all(int(driver.replace(",", "")) > 0 for _, _, driver in rows)
    assert len(re.findall(r"^[12] +[\d,]+ +[\d.]+$", done.stdout, re.MULTILINE)) == 2
    assert len(re.findall(r"^(?:float32|bf16) +0\.\d{4}", done.stdout, re.MULTILINE)) == 2
