"""Our own JSON API: what a build pipeline needs, with one curl line."""

from __future__ import annotations

import pytest

from tests.wire.server import Server


def call(server: Server, verb: str, path: str, who: str | None = "ours", **more):
    credential = server.credentials[who] if who else None
    auth = (credential["clientId"], credential["clientSecret"]) if credential else None
    return server.http.request(verb, f"{server.url}/api/v1{path}", auth=auth, **more)


def error(response, status: int) -> dict[str, str]:
    assert response.status_code == status, response.text
    assert response.headers["Content-Type"] == "application/json"
    body = response.json()
    assert set(body) == {"error"} and set(body["error"]) == {"code", "message"}
    assert body["error"]["message"].endswith(".")
    return body["error"]


def test_registering_is_repeatable(server):
    body = {"microservice": "payments", "version": "1.0.0", "note": "build 17"}
    first = call(server, "POST", "/versions", json=body)
    assert first.status_code == 201, first.text
    assert first.json()["registeredBy"] == "game" and first.json()["withdrawnAt"] is None
    again = call(server, "POST", "/versions", json=body | {"note": "another"})
    assert (again.status_code, again.json()) == (200, first.json())
    listed = call(server, "GET", "/versions?microservice=payments").json()
    assert listed == {"items": [first.json()], "nextPageToken": None}


def test_a_withdrawn_version_stays_withdrawn(server):
    call(server, "POST", "/versions", json={"microservice": "payments", "version": "0.9.0"})
    server.python(
        "from gs2admin.identity.actors import SYSTEM\nfrom stages.models import Version\n"
        "from stages.setup.versions import withdraw_version\n"
        "withdraw_version(actor=SYSTEM, version=Version.objects.get(microservice__name='payments', version='0.9.0'))"
    )
    refused = call(server, "POST", "/versions", json={"microservice": "payments", "version": "0.9.0"})
    assert "withdrawn" in error(refused, 409)["message"]


def test_versions_are_paged_newest_first(server):
    for number in range(5):
        call(server, "POST", "/versions", json={"microservice": "paged", "version": f"1.{number}"})
    found, token = [], ""
    while True:
        page = call(server, "GET", f"/versions?microservice=paged&limit=2{token and '&pageToken=' + token}").json()
        found += [item["version"] for item in page["items"]]
        token = page["nextPageToken"]
        if not token:
            break
    assert found == ["1.4", "1.3", "1.2", "1.1", "1.0"]
    assert error(call(server, "GET", "/versions?pageToken=x"), 400)["code"] == "freeze.microservice.pageToken.error.invalid"


@pytest.mark.parametrize(
    "body, code",
    [
        ({"version": "1"}, "freeze.microservice.name.error.require"),
        ({"microservice": "a"}, "freeze.microservice.version.error.require"),
        ({"microservice": "a" * 129, "version": "1"}, "freeze.microservice.name.error.tooLong"),
        ({"microservice": "a", "version": "1" * 33}, "freeze.microservice.version.error.tooLong"),
        ({"microservice": "null", "version": "1"}, "freeze.microservice.name.error.invalid"),
        ({"microservice": "a b", "version": "1"}, "freeze.microservice.name.error.invalid"),
        ([], "api.request.body.error.invalid"),
    ],
)
def test_bad_requests_are_told_in_a_sentence(server, body, code):
    assert error(call(server, "POST", "/versions", json=body), 400)["code"] == code


def test_promote_of_a_part(server):
    stage = call(server, "GET", "/stages/dev").json()
    other = {name: version for name, version in stage["sourceVersions"].items() if stage["versions"].get(name) != version}
    name = min(other)
    started = call(server, "POST", "/stages/dev/promote", json={"microservices": [name]})
    assert started.status_code == 202, started.text
    assert started.json()["toVersions"] == stage["versions"] | {name: other[name]}
    assert started.json()["part"] == ([name] if len(other) > 1 else None)
    assert call(server, "POST", f"/rollouts/{started.json()['number']}/cancel").json()["state"] == "canceled"
    refused = error(call(server, "POST", "/stages/stg/promote", json={"microservices": ["nobody"]}), 400)
    assert refused["code"] == "freeze.stage.microservices.error.notFound" and "nobody" in refused["message"]


def test_promote_follow_cancel_and_roll_back(server):
    stages = {item["name"]: item for item in call(server, "GET", "/stages").json()["items"]}
    assert stages["live"]["source"] == "stg"
    body = {"reason": "nightly", "requestKey": "build-18"}
    started = call(server, "POST", "/stages/dev/promote", json=body)
    assert started.status_code == 202, started.text
    rollout = started.json()
    assert (rollout["stage"], rollout["state"], rollout["reason"], rollout["requestedBy"]) == ("dev", "queued", "nightly", "game")
    assert call(server, "POST", "/stages/dev/promote", json=body).json()["number"] == rollout["number"]
    refused = error(call(server, "POST", "/stages/dev/promote"), 409)
    assert refused["code"] == "freeze.stage.updating" and str(rollout["number"]) in refused["message"]
    canceled = call(server, "POST", f"/rollouts/{rollout['number']}/cancel", json={"reason": "wrong build"})
    assert canceled.json()["state"] == "canceled" and canceled.json()["endedAt"]
    assert call(server, "GET", f"/rollouts/{rollout['number']}").json() == canceled.json()
    error(call(server, "POST", f"/rollouts/{rollout['number']}/cancel"), 409)
    assert call(server, "POST", "/stages/dev/rollback").status_code == 202
    server.finish_rollouts()
    dev = call(server, "GET", "/stages/dev").json()
    assert dev["status"] == "Active" and dev["versions"] and dev["sourceVersions"]
    assert call(server, "POST", "/stages/dev/promote").status_code == 202
    server.finish_rollouts()
    dev = call(server, "GET", "/stages/dev").json()
    assert dev["versions"] == dev["sourceVersions"]


def test_who_may_not_is_told_apart_from_who_is_nobody(server):
    assert error(call(server, "POST", "/stages/dev/promote", who="viewer"), 403)["message"]
    assert error(call(server, "POST", "/versions", who="viewer", json={"microservice": "a", "version": "1"}), 403)
    nobody = call(server, "GET", "/stages", who=None)
    assert error(nobody, 401) and nobody.headers["WWW-Authenticate"] == "Bearer"
    wrong = server.http.get(f"{server.url}/api/v1/stages", auth=("gs2a-nobody", "x"))
    assert "wrong" in error(wrong, 401)["message"]
    error(server.http.get(f"{server.url}/api/v1/stages", headers={"Authorization": "Basic !"}), 401)
    error(call(server, "GET", "/stages/dev", who="theirs"), 404)
    error(call(server, "GET", "/rollouts/1", who="theirs"), 404)


def test_a_project_token_does_as_well(server):
    response = server.call("GET", "/api/v1/stages")
    assert response.status_code == 200


@pytest.mark.parametrize("path", ["", "/", "/v1", "/v1/unknown", "/v2/stages", "/v1/rollouts/abc", "/v1/rollouts/99999999999"])
def test_other_paths_are_told_plainly(server, path):
    response = server.call("GET", "/api" + path)
    error(response, 400 if "rollouts" in path else 404)


def test_gs2_services_take_no_client_secrets(server):
    ours = server.credentials["ours"]
    response = server.http.get(f"{server.url}/freeze/", auth=(ours["clientId"], ours["clientSecret"]))
    assert response.status_code == 401


def test_a_client_id_with_a_nul_is_a_wrong_one(server):
    answer = server.http.get(f"{server.url}/api/v1/versions", auth=("gs2a-\0", "x"))
    assert error(answer, 401)
