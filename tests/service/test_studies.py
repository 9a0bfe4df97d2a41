"""Studies over HTTP: created from a study file's data, listed by pages, queued, paused, stopped, deleted."""

from dataclasses import replace
from pathlib import Path

import pytest
from fastapi import Request
from fastapi.testclient import TestClient

from fersearch import api
from fersearch.api import records
from fersearch.api.records import StudyStop
from fersearch.home import log_folder
from fersearch.service import jobs, trial_logs
from fersearch.service.app import PREFIX
from fersearch.service.context import Service
from fersearch.service.response_cache import ResponseCache
from fersearch.service.verbs import VERBS
from fersearch.trial import Attempt, Epoch, Reason, Trial
from tests.service.conftest import token_of

STUDIES = f"{PREFIX}/studies"
BODY = {"model": "cnn", "dataset": "faces", "trials": 3, "epochs": 2}


def test_records_equal_the_command_lines(admin: TestClient):
    assert admin.get(STUDIES).json() == [records.plain(records.Study.of(one)) for one in api.list_studies()]
    shown = records.plain(records.StudyDetail.of_view(api.show_study("small")))
    assert admin.get(f"{STUDIES}/small").json() == shown
    front = records.plain(records.FrontTrial.of_front(api.front("small")))
    assert admin.get(f"{STUDIES}/small/front").json() == front
    trial = records.plain(records.TrialDetail.of_view(api.show_trial("small", 0)))
    assert admin.get(f"{STUDIES}/small/trials/0").json() == trial
    explanation = records.plain(records.Explanation.of(api.explain_trial("small", 3)))
    assert admin.get(f"{STUDIES}/small/trials/3/explanation").json() == explanation


def test_a_study_is_created_and_queued_and_everything_is_reported_of_its_place(admin: TestClient):
    answer = admin.post(STUDIES, json=BODY)
    assert answer.status_code == 201
    (study,) = answer.json()
    assert (study["name"], study["state"], study["owner"]) == ("cnn-faces", "queued", "admin")
    queue = admin.get(f"{PREFIX}/queue").json()
    assert queue["slots"] == 2
    (entry,) = queue["queue"]
    assert (entry["study"], entry["place"], entry["state"], entry["trials_left"]) == ("cnn-faces", 1, "queued", 3)
    assert admin.post(f"{STUDIES}/cnn-faces/pause").json()["state"] == "paused"
    assert admin.post(f"{STUDIES}/cnn-faces/resume", json={"trials": 5}).json()["state"] == "queued"
    assert admin.post(f"{STUDIES}/cnn-faces/stop").json() == {"schema": 1, "name": "cnn-faces", "stopping": True}
    assert admin.get(f"{STUDIES}/cnn-faces").json()["state"] == "idle"
    assert admin.post(f"{STUDIES}/cnn-faces/pause").status_code == 409
    assert admin.delete(f"{STUDIES}/cnn-faces").status_code == 204
    assert admin.get(f"{STUDIES}/cnn-faces").status_code == 404


def test_several_architectures_are_one_study_on_request(admin: TestClient):
    body = {
        **BODY,
        "model": ["cnn", "sanet"],
        "run": False,
        "space": {"cnn": {"width": [1, 2]}, "sanet.variant": "recurrent"},
    }
    answer = admin.post(STUDIES, json={**body, "one_study": True})
    assert answer.status_code == 201, answer.text
    (study,) = answer.json()
    assert (study["name"], study["model"]) == ("cnn+sanet-faces", "cnn,sanet")
    assert study["architectures"] == ["cnn", "sanet"]
    shown = admin.get(f"{STUDIES}/cnn+sanet-faces").json()
    assert shown["parameters"]["cnn.width"] == {
        "kind": "choice",
        "low": None,
        "high": None,
        "log": False,
        "options": [1, 2],
        "when": {"architecture": ["cnn"]},
    }
    assert {one["name"]: one["architectures"] for one in admin.get(STUDIES).json()}["small"] == ["cnn"]
    problem = admin.post(STUDIES, json={**body, "one_study": True, "space": {"freeze": "none"}}).json()
    assert problem["mistakes"] == [
        "space.freeze: 2 architectures have it, each its own; write cnn.freeze or sanet.freeze"
    ]
    assert admin.delete(f"{STUDIES}/cnn+sanet-faces").status_code == 204


def test_a_configuration_is_enqueued(admin: TestClient):
    answer = admin.post(f"{STUDIES}/small/enqueue", json={"settings": {"learning_rate": 0.0123}})
    assert answer.status_code == 201, answer.text
    enqueued = {key: answer.json()[key] for key in ("given", "running", "waiting")}
    assert enqueued == {"given": {"learning_rate": 0.0123}, "running": False, "waiting": 1}
    assert admin.get(f"{STUDIES}/small").json()["enqueued"] == [{"learning_rate": 0.0123}]
    refused = admin.post(f"{STUDIES}/small/enqueue", json={"settings": {"learning_rate": 5}})
    assert (refused.status_code, refused.json()["detail"]) == (422, "learning_rate: 5 is not offered")


def test_a_study_is_extended(admin: TestClient):
    answer = admin.post(f"{STUDIES}/small/extend", json={"trials": 30, "space": {"learning_rate": "0.001..0.2"}})
    assert answer.status_code == 200, answer.text
    changes = {one["name"]: one["after"] for one in answer.json()["changes"]}
    assert changes == {"trials": "30", "learning_rate": "0.001..0.2 (log)"}
    assert admin.post(f"{STUDIES}/small/extend", json={"trial": 40}).status_code == 422
    refused = admin.post(f"{STUDIES}/small/extend", json={"space": {"learning_rate": "50"}})
    assert (refused.status_code, refused.json()["detail"]) == (422, "learning_rate: 50 is not offered")


def test_all_mistakes_come_at_once_with_the_messages_of_the_command_line(admin: TestClient):
    answer = admin.post(STUDIES, json={"model": "cnm", "dataset": "faces", "trials": 0, "sampler": "tpee"})
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    problem = answer.json()
    assert problem["detail"] == "study: 3 mistakes"
    assert sorted(line.partition(":")[0] for line in problem["mistakes"]) == ["model", "sampler", "trials"]
    assert "did you mean 'cnn'?" in "".join(problem["mistakes"])


@pytest.mark.parametrize(
    ("extra", "key"),
    [
        ({"plugins": ["evil.py"]}, "plugins"),
        ({"data": "/etc"}, "data"),
        ({"data": "{root}/../../etc"}, "data"),
        ({"weights": "/etc/passwd"}, "weights"),
        ({"weights": "https://example.org/w.pt"}, "weights"),
        ({"unseen": ["jaffe=/etc"]}, "unseen"),
        ({"dataset": {"name": "manifest", "data": "~/x.csv"}}, "dataset.data"),
        ({"dataset": {"name": "merged", "options": {"parts": "faces=/etc"}}}, "dataset.options.parts"),
    ],
)
def test_code_and_paths_outside_the_roots_are_refused(admin: TestClient, roots: Path, extra: dict, key: str):
    extra = {name: value.format(root=roots) if isinstance(value, str) else value for name, value in extra.items()}
    answer = admin.post(STUDIES, json={**BODY, **extra})
    assert answer.status_code == 422
    assert [line.partition(":")[0] for line in answer.json()["mistakes"]] == [key]


def test_a_link_out_of_the_root_is_followed_before_it_is_judged(admin: TestClient, roots: Path):
    (roots / "link").symlink_to("/etc")
    assert admin.post(STUDIES, json={**BODY, "data": f"{roots}/link"}).status_code == 422


def test_the_service_decides_about_slots_itself(admin: TestClient):
    answer = admin.post(f"{STUDIES}/small/resume", json={"slots": 64})
    assert (answer.status_code, answer.json()["detail"]) == (422, "a service sets slots itself")


@pytest.mark.parametrize(
    "body",
    [{"trials": "many"}, {"trials": 0}, {"timeout": -1}, {"hung_after": 0.5}, {"keep": "everything"}, {"grace": True}],
)
def test_options_of_a_run_are_checked_before_it_is_queued(admin: TestClient, body: dict):
    assert admin.post(f"{STUDIES}/small/resume", json=body).status_code == 422
    assert admin.get(f"{PREFIX}/queue").json()["queue"] == []


def test_a_value_that_is_measured_later_is_seen_at_once(admin: TestClient, service: Service):
    best = admin.get(f"{STUDIES}/small/front").json()[0]["number"]
    service.store.set_value(service.store.study("small").id, best, "exclusive_train_seconds", 7.5)
    assert admin.get(f"{STUDIES}/small/front").json()[0]["values"]["exclusive_train_seconds"] == 7.5


def test_lists_come_by_pages(admin: TestClient):
    first = admin.get(f"{STUDIES}/small/trials", params={"limit": 3})
    assert ([one["number"] for one in first.json()], first.headers["x-total-count"]) == ([0, 1, 2], "4")
    following = first.headers["link"].partition(">")[0].removeprefix("<")
    assert [one["number"] for one in admin.get(following).json()] == [3]
    assert admin.get(STUDIES, params={"limit": 0}).status_code == 422


def test_an_answer_that_the_client_has_is_not_sent_again(admin: TestClient):
    first = admin.get(f"{STUDIES}/small/front")
    tag = first.headers["etag"]
    again = admin.get(f"{STUDIES}/small/front", headers={"If-None-Match": tag})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert admin.get(f"{STUDIES}/small/front", headers={"If-None-Match": 'W/"other"'}).status_code == 200


def test_an_answer_that_the_client_has_is_not_even_made(admin: TestClient, monkeypatch: pytest.MonkeyPatch):
    tag = {"If-None-Match": admin.get(f"{STUDIES}/small/chart").headers["etag"]}
    monkeypatch.setattr(ResponseCache, "_renewed", None)
    assert admin.get(f"{STUDIES}/small/chart", headers=tag).status_code == 304
    assert admin.get(f"{STUDIES}/small/front", headers=tag).status_code == 500


def test_a_changed_study_has_another_etag(admin: TestClient, service: Service):
    tag = admin.get(f"{STUDIES}/small/front").headers["etag"]
    service.store.set_value(service.store.study("small").id, 0, "latency_ms", 7.5)
    again = admin.get(f"{STUDIES}/small/front", headers={"If-None-Match": tag})
    assert (again.status_code, again.headers["etag"] == tag) == (200, False)


def test_a_front_is_computed_anew_when_a_trial_ends_and_not_after_each_epoch(
    admin: TestClient, service: Service, monkeypatch: pytest.MonkeyPatch
):
    computed = []
    front = api.front
    monkeypatch.setattr(api, "front", lambda name, **how: computed.append(name) or front(name, **how))
    first = admin.get(f"{STUDIES}/small/front")
    study = service.store.study("small")
    best = service.store.trial(study.id, first.json()[0]["number"])
    with service.store.writer(study.id) as writer:
        writer.add_trial(Trial(9, best.params))
        writer.start_attempt(9, Attempt(1))
        writer.record(9, 1, Epoch(1, best.values, 1.0))
    after_epoch = admin.get(f"{STUDIES}/small/front")
    assert (after_epoch.json(), computed) == (first.json(), ["small"])
    assert after_epoch.headers["etag"] != first.headers["etag"]
    attempt = Attempt(1, Reason.DONE, first_epoch=1, last_epoch=1, seconds=1.0)
    with service.store.writer(study.id) as writer:
        writer.end_attempt(replace(best, number=9, attempts=(attempt,)), attempt, {})
    after_end = admin.get(f"{STUDIES}/small/front").json()
    assert ([one["number"] for one in after_end if one["number"] == 9], computed) == ([9], ["small", "small"])
    service.store.set_value(study.id, 0, "latency_ms", 7.5)
    admin.get(f"{STUDIES}/small/front")
    assert len(computed) == 3


def test_the_least_recently_requested_responses_make_room(service: Service, admin: TestClient):
    made = []
    cache = ResponseCache(service.store, most=2500)

    def ask(what: str) -> bytes:
        request = Request({"type": "http", "path_params": {"name": "small"}, "headers": []})
        record = StudyStop(name=what * 1000, stopping=True)
        return cache.of(request, [what], lambda: made.append(what) or record).body

    first = ask("a")
    assert (ask("b") == first, ask("a"), made) == (False, first, ["a", "b"])
    ask("c")
    assert (ask("a"), made) == (first, ["a", "b", "c"])
    ask("b")
    assert made == ["a", "b", "c", "b"]


def test_the_end_of_a_trials_log_is_sent(admin: TestClient, service: Service, monkeypatch: pytest.MonkeyPatch):
    study = service.store.study("small")
    log = service.store.trial(study.id, 0).attempts[-1].log
    assert log is not None
    file = log_folder(study.uid) / Path(log).name
    file.write_text("first\nlast \u00e9\n")
    whole = admin.get(f"{STUDIES}/small/trials/0/log")
    assert (whole.text, whole.headers["content-type"]) == ("first\nlast \u00e9\n", "text/plain; charset=utf-8")
    monkeypatch.setattr(trial_logs, "MOST", 9)
    assert admin.get(f"{STUDIES}/small/trials/0/log").text == "last \u00e9\n"
    file.unlink()
    missing = admin.get(f"{STUDIES}/small/trials/0/log")
    assert (missing.status_code, missing.json()["hint"]) == (404, f"it was written to {log}")


@pytest.mark.parametrize(
    "path",
    ["/studies/smal", "/studies/small/trials/99", "/studies/smal/front", "/nothing", "/studies/../../etc/passwd"],
)
def test_what_is_not_there_is_404_with_the_nearest_name(admin: TestClient, path: str):
    answer = admin.get(f"{PREFIX}{path}")
    assert answer.status_code == 404
    if "smal/" in path or path.endswith("smal"):
        assert "did you mean 'small'?" in answer.json()["hint"]


@pytest.mark.parametrize("name", ["../../etc/passwd", "a\nb"])
def test_a_name_that_leads_elsewhere_is_refused(admin: TestClient, name: str):
    answer = admin.post(STUDIES, json={**BODY, "name": name, "run": False})
    assert answer.status_code == 422, answer.text
    assert "name" in answer.json()["mistakes"][0]


def test_a_report_comes_from_a_child(admin: TestClient, monkeypatch: pytest.MonkeyPatch):
    async def run(verb: str, storage: str | None, **arguments: object) -> str:
        return f"<p>{verb} of {arguments['study']}</p>"

    monkeypatch.setattr(jobs, "run", run)
    report = admin.get(f"{STUDIES}/small/report")
    assert report.headers["content-type"].startswith("text/html")
    assert report.text == "<p>report of small</p>"


def test_importance_comes_from_a_child(admin: TestClient):
    assert admin.get(f"{STUDIES}/small/importance").json() == {
        "schema": 1,
        "method": "",
        "needed": 10,
        "objectives": {},
    }


def test_what_studies_are_made_of_is_listed(admin: TestClient):
    assert "faces" in {one["name"] for one in admin.get(f"{PREFIX}/datasets").json()}
    assert admin.get(f"{PREFIX}/plugins/cnn").json()["parameters"]["total"] > 100_000
    assert admin.get(f"{PREFIX}/schema").json() == api.study_schema()
    assert admin.get(f"{PREFIX}/datasets/nothing").status_code == 404


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("datasets/faces?option=train=80", 403),
        ("datasets/faces?data=/etc", 403),
        ("plugins/cnn?set=width", 422),
        ("plugins/cnn?image_size=99999", 422),
    ],
)
def test_who_may_only_look_does_not_have_data_prepared_anew(anonymous: TestClient, path: str, status: int):
    anonymous.headers.update(token_of("reader", "read"))
    assert anonymous.get(f"{PREFIX}/{path}").status_code == status


def test_a_check_creates_nothing_and_needs_who_may_create(admin: TestClient):
    answer = admin.post(f"{STUDIES}/check", json=BODY)
    assert answer.status_code == 200, answer.text
    (plan,) = answer.json()
    assert plan["name"] == "cnn-faces"
    assert [one["name"] for one in admin.get(STUDIES).json()] == ["small"]
    admin.headers.update(token_of("reader", "read"))
    assert admin.post(f"{STUDIES}/check", json=BODY).status_code == 403


def test_five_gauges_are_reported(admin: TestClient):
    text = admin.get("/metrics").text
    assert [line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")] == [
        "fersearch_studies",
        "fersearch_slots",
        "fersearch_slots_used",
        "fersearch_trials_running",
        "fersearch_event_listeners",
    ]
    assert 'fersearch_studies{state="complete"} 1' in text


def test_owners_are_set_by_an_administrator(admin: TestClient):
    assert admin.put(f"{PREFIX}/owners/ada", json={"weight": 2, "max_slots": 1}).status_code == 200
    assert admin.get(f"{PREFIX}/owners").json() == [{"schema": 1, "name": "ada", "weight": 2.0, "max_slots": 1}]
    assert admin.put(f"{PREFIX}/owners/ada", json={"weight": -1}).status_code == 422


def test_a_finish_trains_the_finalists_in_the_queue_and_then_opens_test_once(
    admin: TestClient, monkeypatch: pytest.MonkeyPatch, warm_fork_server: None
):
    async def here(verb: str, _storage: str | None, **arguments: object) -> object:
        return VERBS[verb](**arguments)

    monkeypatch.setattr(jobs, "run", here)
    body = {"finalists": 1, "seeds": 1}
    unknown = admin.post(f"{STUDIES}/small/finish", json={**body, "unseen": ["jafe"]})
    assert (unknown.status_code, unknown.json()["detail"]) == (404, "unknown dataset 'jafe'")
    begun = {"schema": 1, "study": "small", "trained": "finish/small", "finish": None}
    assert admin.post(f"{STUDIES}/small/finish", json=body).json() == begun
    assert admin.post(f"{STUDIES}/small/finish", json=body).json() == begun
    (entry,) = admin.get(f"{PREFIX}/queue").json()["queue"]
    assert (entry["study"], entry["trials_left"]) == ("finish/small", 1)
    assert admin.get(f"{STUDIES}/small").json()["looks"] == []
    assert "finish/small" not in [one["name"] for one in admin.get(STUDIES).json()]
    assert "finish/small" in [one["name"] for one in admin.get(STUDIES, params={"all": True}).json()]
    api.run_study("finish/small", slots=1)
    finished = admin.post(f"{STUDIES}/small/finish", json=body).json()["finish"]
    assert finished == admin.get(f"{STUDIES}/small").json()["finish"]
    assert len(finished["seeds"]) == 1
    assert admin.post(f"{STUDIES}/small/finish", json={"seeds": 9}).json()["finish"] == finished
    assert len(admin.get(f"{STUDIES}/small").json()["looks"]) == 1


def test_a_finish_is_refused_with_the_message_of_the_command_line(admin: TestClient):
    assert admin.post(f"{STUDIES}/small/finish", json={"seeds": 0}).status_code == 422
    answer = admin.post(f"{STUDIES}/small/finish", json={"unseen": ["jaffe=/etc"]})
    assert (answer.status_code, answer.json()["detail"]) == (422, "the study cannot be finished")
    assert answer.json()["mistakes"][0].startswith("unseen: '/etc' is not below a data root; ")
    admin.post(STUDIES, json={**BODY, "run": False})
    answer = admin.post(f"{STUDIES}/cnn-faces/finish", json={})
    assert (answer.status_code, answer.json()["hint"][:17]) == (422, "run it first: fer")
    assert admin.post(f"{STUDIES}/nobody/finish", json={}).status_code == 404
