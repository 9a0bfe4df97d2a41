"""Send requests to a service, and raise its errors as local ones."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import httpx

from fersearch.errors import FersearchError, StoreUnavailable, StudyBusy, StudyFileError, UnknownName, UsageError

TIMEOUT = httpx.Timeout(600.0, connect=10.0)  # creating a study may decode a dataset first
ERRORS: dict[int, type[FersearchError]] = {404: UnknownName, 409: StudyBusy, 413: UsageError, 422: UsageError}
PIECE = 2**20


class Connection:
    """A connection to the service at a URL, authorised by a token."""

    def __init__(self, url: str, token: str | None) -> None:
        if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
            raise UsageError(f"'{url}' is not the address of a service", "write it as http://HOST:PORT")
        self.url = url.rstrip("/")
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._client = httpx.Client(base_url=f"{self.url}/api/v1/", headers=headers, timeout=TIMEOUT)

    def close(self) -> None:
        """Close the HTTP connections."""
        self._client.close()

    def get(self, path: str, **params: Any) -> Any:
        """Return the JSON of a path below `/api/v1/`."""
        return self._send("GET", path, params=params).json()

    def pages(self, path: str, limit: int = 10_000, **query: Any) -> list[Any]:
        """Return a whole list, fetched page by page."""
        rows: list[Any] = []
        while True:
            page = self.get(path, limit=limit, offset=len(rows), **query)
            rows += page
            if len(page) < limit:
                return rows

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Send JSON and return that of the response."""
        return self._send("POST", path, json={} if body is None else body).json()

    def delete(self, path: str) -> None:
        """Send a DELETE request for a path."""
        self._send("DELETE", path)

    def download(self, path: str, file: Path, digest: str) -> None:
        """Download a path to a file and check its SHA-256.

        Raises:
            FersearchError: the digest differs.
        """
        sha = hashlib.sha256()
        with file.open("wb") as out:
            for piece in self.pieces(path):
                sha.update(piece)
                out.write(piece)
        if sha.hexdigest() != digest:
            raise FersearchError(f"what {self.url} sent is not the file {digest[:12]}", "try again")

    def pieces(self, path: str, **params: Any) -> Iterator[bytes]:
        """Yield the body at a path in chunks, for large responses.

        Raises:
            StoreUnavailable: the service does not respond, or the response is cut off.
        """
        with self._answering(), self._client.stream("GET", path, params=params) as answer:
            if answer.is_error:
                answer.read()
                raise self._error(answer)
            yield from answer.iter_bytes(PIECE)

    def events(self, path: str, body: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
        """Send JSON and yield the kind and the data of each event of the response as it arrives.

        Raises:
            StoreUnavailable: the service does not respond, or the response is cut off.
        """
        with self._answering(), self._client.stream("POST", path, json=body) as answer:
            if answer.is_error:
                answer.read()
                raise self._error(answer)
            kind = ""
            for line in answer.iter_lines():
                name, _, value = line.partition(": ")
                if name == "event":
                    kind = value
                elif name == "data":
                    yield kind, json.loads(value)

    def _send(self, method: str, path: str, **options: Any) -> httpx.Response:
        with self._answering():
            answer = self._client.request(method, path, **options)
        if answer.is_error:
            raise self._error(answer)
        return answer

    @contextmanager
    def _answering(self) -> Iterator[None]:
        try:
            yield
        except httpx.HTTPError as error:
            hint = "see that it runs (fersearch serve), and that --server or FERSEARCH_SERVER names it"
            raise StoreUnavailable(f"the service at {self.url} does not answer: {error}", hint) from None

    def _error(self, answer: httpx.Response) -> FersearchError:
        """Return the error that the service reported, as the type that it had there."""
        try:
            return self.error_of({**answer.json(), "status": answer.status_code})
        except (ValueError, KeyError, TypeError):
            return FersearchError(f"{self.url} answered {answer.status_code}", "is it a service of fersearch?")

    def error_of(self, problem: Mapping[str, Any]) -> FersearchError:
        """Return a problem reported by the service as an error of the type that it had there."""
        status, detail, mistakes = problem["status"], problem["detail"], problem.get("mistakes", ())
        if status == 401:
            return UsageError(f"{self.url}: {detail}", "set FERSEARCH_TOKEN; fersearch token new NAME makes one there")
        if mistakes:
            return StudyFileError(detail.partition(":")[0], mistakes)
        return ERRORS.get(status, FersearchError)(detail, problem.get("hint", ""))


def study_path(name: str, rest: str = "") -> str:
    """Return the path of a study, or of `rest` below it."""
    return f"studies/{quote(name)}{rest}"


def refuse_storage(storage: str | None) -> None:
    """Raise UsageError if a database is given while connected to a service."""
    if storage is not None:
        raise UsageError("--storage was given with --server", "leave out one of them")
