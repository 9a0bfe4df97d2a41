"""Whatever is sent to the API, as any role, no route fails: only a service that cannot reach its database may."""

from typing import Any

import pytest
import schemathesis
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, seed, settings

from fersearch.service import jobs
from fersearch.service.problems import ProblemError
from tests.service.conftest import HOST, token_of

EXAMPLES = 6  # requests for each operation and role


@pytest.mark.slow
@pytest.mark.parametrize("role", ["read", "run", "admin"])
def test_nothing_that_is_sent_fails_the_service(
    anonymous: TestClient, role: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refused(verb: str, storage: str | None, **arguments: object) -> object:
        raise ProblemError(422, f"'{verb}' is refused here", "children are tested elsewhere")

    monkeypatch.setattr(jobs, "run", refused)
    anonymous.headers.update(token_of("tester", role))
    schema = schemathesis.openapi.from_dict(anonymous.app.openapi())  # type: ignore[attr-defined]
    operations = [found.ok() for found in schema.get_all_operations()]
    operations = [operation for operation in operations if not operation.path.endswith("/events")]  # it has no end
    assert len(operations) > 25
    for operation in operations:
        send_all(operation, anonymous)


def send_all(operation: Any, client: TestClient) -> None:
    """Send some generated requests of an operation."""

    @seed(7)
    @settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy())
    def send(case: Any) -> None:
        request = case.as_transport_kwargs(base_url=HOST)
        request["headers"] = {name: value for name, value in request["headers"].items() if name != "Authorization"}
        data = request.pop("data", None)
        content = {"content": data} if isinstance(data, str | bytes) else {"data": data}
        known = ("method", "url", "headers", "params", "json", "files")
        answer = client.request(**{name: request[name] for name in known if name in request}, **content)
        assert answer.status_code < 500, (request["method"], request["url"], answer.text)

    send()
