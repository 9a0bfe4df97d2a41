"""The home folder and the database, each with an environment variable of its own."""

import hashlib
import os
from pathlib import Path
from urllib.parse import quote

from platformdirs import user_data_path


def home() -> Path:
    """Return the folder of the database, prepared data, artifacts, runs and logs.

    `FERSEARCH_HOME`, else the user's data directory.
    """
    folder = os.environ.get("FERSEARCH_HOME")
    return Path(folder).expanduser().absolute() if folder else user_data_path("fersearch")


def own_database() -> Path:
    """Return the path of the default database."""
    return home() / "fersearch.db"


def database_url(storage: str | None = None) -> str:
    """Return the URL of the database: the one given, else `FERSEARCH_STORAGE`, else SQLite in the home folder."""
    url = storage or os.environ.get("FERSEARCH_STORAGE")
    return url or f"sqlite:///{quote(str(own_database()))}"


def databases_folder() -> Path:
    """Return the folder that records which databases have files in this home."""
    return home() / "databases"


def prepared_folder() -> Path:
    """Return the folder of prepared datasets."""
    return home() / "prepared"


def artifacts_folder(artifacts: str | None = None) -> Path | str:
    """Return the folder or URL of finished checkpoints, stored by digest.

    It is the one given, else `FERSEARCH_ARTIFACTS`, else a folder in the home.
    """
    artifacts = artifacts or os.environ.get("FERSEARCH_ARTIFACTS")
    if not artifacts:
        return home() / "artifacts"
    return artifacts if "://" in artifacts else Path(artifacts).expanduser().absolute()


def states_url(study_uid: str, number: int, artifacts: Path | str) -> str:
    """Return the URL of the states of an unfinished trial, for other nodes; empty for artifacts in a folder."""
    return f"{artifacts.rstrip('/')}/runs/{study_uid}/{number}" if isinstance(artifacts, str) else ""


def cache_folder(url: str) -> Path:
    """Return the folder of copies of artifacts from a URL."""
    return home() / "cache" / hashlib.sha256(url.rstrip("/").encode()).hexdigest()[:16]


def exported_folder() -> Path:
    """Return the folder of the models that a service exported."""
    return home() / "service" / "models"


def runs_folder() -> Path:
    """Return the folder of all studies' scratch folders, each study's under its random id."""
    return home() / "runs"


def run_folder(study_uid: str, number: int) -> Path:
    """Return the scratch folder of a trial: its best and last states while it is unfinished."""
    return runs_folder() / study_uid / str(number)


def quiet_folder() -> Path:
    """Return the folder of the locks by which trials of several drivers pause for each other."""
    return home() / "quiet"


def log_folder(study_uid: str) -> Path:
    """Return the folder of the logs of a study's attempts, one file each."""
    return home() / "logs" / study_uid


def pulled_folder(study: str, trial: int) -> Path:
    """Return the default folder of a pulled trial: `STUDY-trial-N`."""
    return Path(f"{study.replace('/', '-')}-trial-{trial}")
