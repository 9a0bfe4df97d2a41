"""Nobody gets in without a token, from a foreign page, by a foreign name, or with more than their role."""

from dataclasses import replace
from datetime import timedelta

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select, update

from fersearch import api
from fersearch.errors import UnknownName, UsageError
from fersearch.service.app import PREFIX, create_app
from fersearch.service.context import Service
from fersearch.service.security import COOKIE, Gate
from fersearch.service.server import check
from fersearch.service.settings import ServiceSettings
from fersearch.store.tables import now, tokens
from tests.service.conftest import token_of

OPEN = {("GET", "/healthz")}


def routes(client: TestClient) -> list[tuple[str, str]]:
    result = []
    for path, methods in client.app.openapi()["paths"].items():  # type: ignore[attr-defined]
        result += [(method.upper(), path) for method in methods]
    return result


def filled(path: str) -> str:
    values = {"{name}": "small", "{trial}": "0", "{number}": "0", "{file}": "x.js"}
    for key, value in values.items():
        path = path.replace(key, value)
    return path


def test_every_route_but_the_health_asks_for_a_token(anonymous: TestClient):
    protected = [one for one in routes(anonymous) if one not in OPEN]
    assert len(protected) > 25
    for method, path in protected:
        answer = anonymous.request(method, filled(path))
        assert answer.status_code == 401, (method, path)
        assert answer.headers["content-type"] == "application/problem+json"
    assert anonymous.get("/healthz").json() == {"status": "ok"}
    assert anonymous.get("/").status_code == anonymous.get("/web/main.js").status_code == 401
    assert anonymous.get("/openapi.json").status_code == 401
    for wrong in ("Bearer fer_wrong", "Bearer", "Basic YTpi", "Bearer \u00e9"):
        assert anonymous.get(f"{PREFIX}/me", headers={"Authorization": wrong.encode()}).status_code == 401, wrong


def test_a_reader_changes_nothing_and_a_runner_administers_nothing(anonymous: TestClient):
    reader, runner = token_of("reader", "read"), token_of("runner", "run")
    assert anonymous.get(f"{PREFIX}/studies/small", headers=reader).status_code == 200
    for method, path in (("POST", "/studies"), ("POST", "/studies/small/pause"), ("DELETE", "/studies/small")):
        assert anonymous.request(method, PREFIX + path, headers=reader, json={}).status_code == 403
    for method, path in (("GET", "/tokens"), ("POST", "/tokens"), ("PUT", "/owners/ada"), ("DELETE", "/tokens/reader")):
        answer = anonymous.request(method, PREFIX + path, headers=runner, json={"name": "x"})
        assert answer.status_code == 403
        assert answer.json()["hint"] == "it needs the role admin"


def test_a_study_is_changed_by_its_owner_and_by_administrators_alone(anonymous: TestClient, gate: Gate):
    ada, bob = token_of("ada", "run"), token_of("bob", "run")
    body = {"model": "cnn", "dataset": "faces", "name": "hers", "run": False}
    assert anonymous.post(f"{PREFIX}/studies", headers=ada, json=body).status_code == 201
    refused = anonymous.delete(f"{PREFIX}/studies/hers", headers=bob)
    assert (refused.status_code, refused.json()["detail"]) == (403, "study 'hers' belongs to ada")
    assert anonymous.delete(f"{PREFIX}/studies/hers", headers=ada).status_code == 204


def test_the_link_of_the_start_signs_a_browser_in_as_often_as_one_likes(anonymous: TestClient, gate: Gate):
    for _ in range(2):
        anonymous.cookies.clear()
        answer = anonymous.get(f"/?token={gate.start_token}")
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        assert "httponly" in answer.headers["set-cookie"].lower()
        assert "samesite=lax" in answer.headers["set-cookie"].lower()
        assert anonymous.get(f"{PREFIX}/me").json()["role"] == "admin"
    assert anonymous.post("/sign-out", headers={"Origin": "http://127.0.0.1"}).status_code == 204
    assert anonymous.get(f"{PREFIX}/me").status_code == 401
    assert anonymous.get("/?token=fer_wrong").status_code == 401


def test_tokens_and_sessions_are_stored_as_digests_and_end_when_they_are_revoked(
    anonymous: TestClient, service: Service
):
    secret = api.new_token("class", "read")
    anonymous.get(f"/?token={secret}")
    session = anonymous.cookies[COOKIE]
    with service.store.database.read() as connection:
        rows = [tuple(map(str, row)) for row in connection.execute(select(tokens))]
    assert len(rows) == 2
    assert not any(text in value for row in rows for value in row for text in (secret, session))
    assert anonymous.get(f"{PREFIX}/me").json()["name"] == "class"
    api.revoke_token("class")
    assert anonymous.get(f"{PREFIX}/me").status_code == 401
    assert anonymous.get(f"{PREFIX}/me", headers={"Authorization": f"Bearer {secret}"}).status_code == 401
    with pytest.raises(UnknownName, match="unknown token 'class'"):
        api.revoke_token("class")


def test_behind_a_proxy_that_removes_the_path_every_link_has_it(service: Service):
    settings = replace(service.settings, root_path="/fersearch")
    gate = Gate(settings, service.store)
    app = create_app(replace(service, settings=settings), gate)
    with TestClient(app, base_url="https://127.0.0.1", follow_redirects=False) as client:
        signed_in = client.get(f"/?token={gate.start_token}")
        assert signed_in.headers["location"] == "/fersearch/"
        cookie = signed_in.headers["set-cookie"].lower()
        assert "path=/fersearch;" in cookie
        assert "secure" in cookie
        client.headers["Authorization"] = f"Bearer {gate.start_token}"
        assert client.get("/openapi.json").json()["servers"] == [{"url": "/fersearch"}]
        for prefix in ("", "/fersearch"):  # other proxies leave it in
            first = client.get(f"{prefix}{PREFIX}/studies/small/trials", params={"limit": 3})
            following = "/fersearch/api/v1/studies/small/trials?limit=3&offset=3"
            assert first.headers["link"] == f'<{following}>; rel="next"'


def test_a_session_ends_after_its_time(anonymous: TestClient, service: Service, gate: Gate):
    anonymous.get(f"/?token={gate.start_token}")
    with service.store.database.write() as connection:
        connection.execute(update(tokens).values(expires_at=now() - timedelta(seconds=1)))
    assert anonymous.get(f"{PREFIX}/me").status_code == 401


def test_a_name_is_used_once(service: Service):
    api.new_token("ada")
    with pytest.raises(UsageError, match="token 'ada' already exists"):
        api.new_token("ada")
    with pytest.raises(UnknownName, match="unknown role 'root'"):
        api.new_token("eve", "root")


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "10.0.0.1:8765"])
def test_a_foreign_host_is_refused(admin: TestClient, host: str):
    assert admin.get("/healthz", headers={"Host": host}).status_code == 421


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost"])
def test_a_foreign_page_changes_nothing(admin: TestClient, origin: str):
    answer = admin.post(f"{PREFIX}/studies/small/stop", headers={"Origin": origin})
    assert answer.status_code == 403
    assert admin.post(f"{PREFIX}/studies/small/stop", headers={"Origin": "http://127.0.0.1"}).status_code == 200


def test_too_large_a_request_is_refused_whether_it_says_so_or_not(admin: TestClient, service: Service):
    most = service.settings.max_upload
    response = admin.post(f"{PREFIX}/studies", content=b"x" * 10, headers={"Content-Length": str(most + 1)})
    assert response.status_code == 413
    unsaid = admin.post(f"{PREFIX}/studies", content=(b"x" * 2**20 for _ in range(most // 2**20 + 1)))
    assert unsaid.status_code == 413
    image = {"images": ("large.png", b"x" * (most + 1))}
    assert admin.post(f"{PREFIX}/studies/small/checkpoints/0/predict", files=image).status_code == 413


def test_answers_have_the_headers_of_safety(admin: TestClient):
    headers = admin.get(f"{PREFIX}/studies").headers
    assert headers["x-content-type-options"] == "nosniff"
    assert "default-src 'self'" in headers["content-security-policy"]
    assert headers["x-frame-options"] == "DENY"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (ServiceSettings(host="0.0.0.0", tokens=False), "--no-token would open 0.0.0.0 to everybody"),
        (ServiceSettings(tls_key="k.pem"), "--tls-cert and --tls-key belong together"),
        (ServiceSettings(engine="ray"), "--engine ray needs --slots"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: ServiceSettings, message: str):
    with pytest.raises(UsageError, match=message):
        check(settings)


def test_without_tokens_everybody_is_an_administrator_on_a_loopback_address(service: Service):
    assert Gate(ServiceSettings(tokens=False), service.store).token(None).may("admin")
