"""Whatever is sent to the API, as any role: the answer is one that OpenAPI declares, and the service does not fail."""

import functools
import itertools
import json
from collections import defaultdict
from collections.abc import AsyncIterator
from typing import Any

import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, seed, settings
from hypothesis.strategies import SearchStrategy

from fersearch.service import jobs, reruns
from fersearch.service.problems import ProblemError
from tests.service.conftest import HOST, token_of

EXAMPLES = 6  # requests for each operation and role
THERE = {"name": "small", "trial": 0, "number": 0}  # half of the requests are about something that there is
BY_CHILDREN = ("importance", "onnx", "card", "/datasets/{name}", "/plugins/{name}", "report", "sweep", "comparison")
BY_CHILDREN += (".zip", "/export")


@pytest.mark.slow
@pytest.mark.parametrize("role", ["read", "run", "admin"])
def test_every_answer_is_one_that_openapi_declares(
    anonymous: TestClient, role: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refused(verb: str, storage: str | None, **arguments: object) -> object:
        raise ProblemError(422, f"'{verb}' is refused here", "children are tested elsewhere")

    async def over(*_: object) -> AsyncIterator[tuple[str, object]]:
        yield "problem", {}

    monkeypatch.setattr(jobs, "run", refused)
    monkeypatch.setattr(reruns, "events", over)
    anonymous.headers.update(token_of("tester", role))
    operations = operations_of(json.dumps(anonymous.app.openapi()))  # type: ignore[attr-defined]
    assert len(operations) > 25
    answered = defaultdict(set)
    for operation, requests in sorted(operations, key=lambda one: one[0].method == "delete"):
        answered[operation.label] |= send_all(requests, anonymous)
    shown = [one.label for one, _ in operations if one.method == "get" and not one.path.endswith(BY_CHILDREN)]
    unseen = [label for label in shown if not answered[label] & {200, 206}]
    assert unseen == ([] if role == "admin" else ["GET /api/v1/tokens"])


@functools.cache
def operations_of(document: str) -> list[tuple[Any, SearchStrategy[Any]]]:
    """Return the operations of a description, each with a strategy for its requests, which is slow to make."""
    import schemathesis  # here, for it takes seconds in every process that collects this file

    schema = schemathesis.openapi.from_dict(json.loads(document))
    operations = [result.ok() for result in schema.get_all_operations()]
    return [(one, one.as_strategy()) for one in operations if not one.path.endswith("/events")]  # that has no end


def send_all(requests: SearchStrategy[Any], client: TestClient) -> set[int]:
    """Send some generated requests of an operation, check each answer, and return their statuses."""
    from schemathesis.specs.openapi import checks

    conforms = [checks.status_code_conformance, checks.content_type_conformance, checks.response_schema_conformance]
    statuses = set()
    of_what_is_there = itertools.cycle((True, False))

    @seed(7)
    @settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(case=requests)
    def send(case: Any) -> None:
        if next(of_what_is_there):
            case.path_parameters = {name: THERE.get(name, value) for name, value in case.path_parameters.items()}
        request = case.as_transport_kwargs(base_url=HOST)
        request["headers"] = {name: value for name, value in request["headers"].items() if name != "Authorization"}
        data = request.pop("data", None)
        content = {"content": data} if isinstance(data, str | bytes) else {"data": data}
        known = ("method", "url", "headers", "params", "json", "files")
        answer = client.request(**{name: request[name] for name in known if name in request}, **content)
        answer.request.read()  # a form of generated files is a stream, which the checks want to show
        assert answer.status_code < 500, (request["method"], request["url"], answer.text)
        case.validate_response(answer, checks=conforms)
        statuses.add(answer.status_code)

    send()
    return statuses
