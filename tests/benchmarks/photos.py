"""What memory a slot keeps to itself on 20,000 RGB images of 224x224 (3 GB).

python -m tests.benchmarks.photos [--images 20000] [--model resnet18] [--steps 60]
"""

import argparse
import tempfile
import time
from pathlib import Path

from fersearch import registry
from fersearch.data import arrays
from fersearch.engines.driver import PRELOAD
from fersearch.engines.processes import Pool
from fersearch.plugins import PluginFile
from fersearch.study import Objective
from fersearch.training.request import TrialRequest
from tests.benchmarks.startup import mapped_mb
from tests.benchmarks.trainer import PARAMS
from tests.processes import anonymous_mb

PLUGIN = Path(__file__).with_name("_photos.py")


def request(folder: Path, images: int, model: str, batch: int) -> TrialRequest:
    """One epoch over all images, with augmentation."""
    file = PluginFile.read(PLUGIN)
    loaded = registry.load([file])
    options = {"count": images}
    prepared = arrays.prepare(loaded.dataset("photos"), None, options, folder / "prepared")
    arrays.load(loaded.dataset("photos"), prepared, options)
    params = {**PARAMS, "epochs": 1, "batch_size": batch, "augmentation": "standard", "target": "majority"}
    params |= {"activation": "relu", "batch_norm": True, "convolutions": 2, "width": 1, "first_conv": "sum"}
    return TrialRequest(
        *(1, "photos", 0, 1, params, model, "photos", str(prepared.folder), options, Objective("accuracy", "max"), 0),
        scratch=str(folder / "run"),
        artifacts=str(folder / "artifacts"),
        plugins=(file,),
        threads=2,
    )


def main() -> None:
    """Train for some seconds, or one epoch, and print the highest memory that was seen."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--model", default="cnn")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=600.0)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        request_json = request(folder, chosen.images, chosen.model, chosen.batch).to_json()
        pool = Pool([*PRELOAD, f"fersearch_architectures.{chosen.model.rstrip('0123456789')}"])
        process = pool.start(folder / "trial.log", {"CUDA_VISIBLE_DEVICES": ""})
        try:
            process.pid = int((process.receive() or {})["pid"])
            process.send({"request": request_json})
            private, mapped, dirty, ended, started = 0.0, 0.0, 0.0, "still in its first epoch", time.monotonic()
            while time.monotonic() - started < chosen.seconds:
                if process.connection.poll(0.2):
                    message = process.receive() or {}
                    if "beat" in message:
                        continue
                    ended = message.get("outcome", {}).get("reason", "epoch over")
                    if "epoch" not in message:
                        break
                    process.send({"decision": "continue"})
                private = max(private, anonymous_mb(process.pid))
                resident, written = mapped_mb(process.pid, "images.npy")
                mapped, dirty = max(mapped, resident), max(dirty, written)
        finally:
            process.kill()
            pool.close()
        size = sum(path.stat().st_size for path in folder.rglob("images.npy")) / 2**20
    print(
        f"{chosen.model}, {chosen.images:,} images ({size:,.0f} MB), batches of {chosen.batch}: {ended}"
        f" after {time.monotonic() - started:.0f} s\n"
        f"highest private memory of the trial  {private:8.0f} MB\n"
        f"mapped images resident, shared       {mapped:8.0f} MB\n"
        f"of them written                      {dirty:8.0f} MB"
    )


if __name__ == "__main__":
    main()
