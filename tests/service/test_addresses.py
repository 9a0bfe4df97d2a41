"""A service over HTTPS and below a path: its link, the examples of its README, a class, a log without secrets."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from fersearch import service
from tests.service.served import Served, kill_all

pytestmark = pytest.mark.slow
README = Path(service.__file__).with_name("README.md").read_text(encoding="utf-8")
CERTIFICATE = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=127.0.0.1"


@pytest.fixture(scope="module")
def served(small_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A service with a certificate that clients trust, on a copy of the home that has the finished study `small`."""
    folder = tmp_path_factory.mktemp("address")
    certificate, key = folder / "c.pem", folder / "k.pem"
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl here")
    names = ("-addext", "subjectAltName=IP:127.0.0.1", "-out", str(certificate), "-keyout", str(key))
    subprocess.run([*CERTIFICATE.split(), *names], check=True, capture_output=True)
    home = shutil.copytree(small_home, folder / "home")
    flags = ("--root-path", "/fersearch", "--tls-cert", str(certificate), "--tls-key", str(key))
    with pytest.MonkeyPatch.context() as patch:
        for client in ("SSL_CERT_FILE", "CURL_CA_BUNDLE"):
            patch.setenv(client, str(certificate))
        served = Served(home, flags=flags)
        patch.setenv("FERSEARCH_SERVER", served.address)
        patch.setenv("FERSEARCH_TOKEN", served.token)
        yield served
    kill_all(home)


def test_the_link_signs_in_over_https_below_the_path(served: Served):
    assert re.fullmatch(r"https://127\.0\.0\.1:\d+/fersearch", served.address)
    (cookie,) = served.client.cookies.jar
    assert (cookie.secure, cookie.path) == (True, "/fersearch")
    assert served.get("/studies").json()[0]["name"] == "small"
    with pytest.raises(httpx.TransportError):
        httpx.get(served.address.replace("https", "http"))


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl here")
def test_the_readmes_examples_for_curl_create_a_study_and_show_it(served: Served):
    (example,) = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    done = subprocess.run(["bash", "-ec", example], capture_output=True, text=True, check=True)
    created, end = json.JSONDecoder().raw_decode(done.stdout)
    shown = json.loads(done.stdout[end:])
    assert [one["name"] for one in created] == [shown["name"]] == ["cnn-faces"]
    assert (shown["state"], shown["budget"]["trials"]) == ("idle", 4)


def test_the_readmes_example_for_httpx_lists_studies(served: Served, capsys: pytest.CaptureFixture[str]):
    (example,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    exec(compile(example, "README.md", "exec"), {})
    assert capsys.readouterr().out.splitlines()[0] == "small complete {'complete': 4}"


def test_a_link_for_a_class_reads_alone_and_no_secret_is_logged(served: Served):
    link = served.client.post("/api/v1/tokens", json={"name": "class", "role": "read"}).json()["token"]
    with httpx.Client(base_url=served.address, follow_redirects=True) as pupil:
        pupil.get(f"/?token={link}")
        assert pupil.get("/api/v1/studies/small/front").status_code == 200
        assert pupil.post("/api/v1/studies", json={}).status_code == 403
        assert pupil.get("/?token=fer_wrong").status_code == 401
    log = served.log.read_text()
    assert log.count(served.token) == log.count(f"/?token={served.token}") == 1
    assert "fer_" not in log.replace(served.token, "")
