"""Dump, clean and import by the official client and over the links that it is given, against the running server."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time

import httpx
import pytest
from gs2 import core, job_queue

from tests.wire.players import Players
from tests.wire.server import ROOT

WORK = "from jobqueue.models import UserDataRun\nfrom jobqueue.userdata.tasks import perform\n" + (
    "for pk in list(UserDataRun.objects.filter(state='waiting').values_list('pk', flat=True)): perform(pk)"
)


@pytest.fixture(scope="module")
def players(server) -> Players:
    return Players(server)


def test_dump_clean_and_import(players, server):
    namespace, user = players.namespace(), players.name("user")
    pushed = players.push(namespace, *[("nowhere", {"n": n}, 1) for n in range(5)], user=user).items
    players.run(namespace, user)
    waiting = [job.to_dict() for job in players.waiting(namespace, user)]
    dead = server.call("GET", f"/job-queue/{namespace}/user/{user}/dead").json()
    assert len(waiting) == 4 and len(dead["items"]) == 1

    client = players.jobs
    check = job_queue.CheckDumpUserDataByUserIdRequest().with_user_id(user)
    with pytest.raises(core.NotFoundException) as nothing:
        client.check_dump_user_data_by_user_id(check)
    assert nothing.value.errors[0].component == "userData"
    client.dump_user_data_by_user_id(job_queue.DumpUserDataByUserIdRequest().with_user_id(user))
    with pytest.raises(core.ConflictException) as early:
        client.check_dump_user_data_by_user_id(check)
    assert early.value.errors[0].code == "jobQueue.userData.unfinished"
    with pytest.raises(core.ConflictException):
        client.clean_user_data_by_user_id(job_queue.CleanUserDataByUserIdRequest().with_user_id(user))
    server.python(WORK)
    url = client.check_dump_user_data_by_user_id(check).url
    assert url.startswith(server.url + "/user-data/file/")
    answer = httpx.get(url)
    assert answer.status_code == 200 and answer.headers["Content-Type"] == "application/zip"
    assert answer.headers["Cache-Control"] == "no-store" and "attachment" in answer.headers["Content-Disposition"]

    client.clean_user_data_by_user_id(job_queue.CleanUserDataByUserIdRequest().with_user_id(user))
    server.python(WORK)
    client.check_clean_user_data_by_user_id(job_queue.CheckCleanUserDataByUserIdRequest().with_user_id(user))
    assert players.waiting(namespace, user) == []
    with pytest.raises(core.NotFoundException):
        result = job_queue.GetJobResultByUserIdRequest().with_namespace_name(namespace).with_user_id(user)
        client.get_job_result_by_user_id(result.with_job_name(pushed[0].name))

    prepared = client.prepare_import_user_data_by_user_id(
        job_queue.PrepareImportUserDataByUserIdRequest().with_user_id(user)
    )
    start = job_queue.ImportUserDataByUserIdRequest().with_user_id(user).with_upload_token(prepared.upload_token)
    with pytest.raises(core.BadRequestException):
        client.import_user_data_by_user_id(start)
    data = answer.content
    assert httpx.put(prepared.upload_url, content=data).text == "Uploaded.\n"
    # Again, in pieces whose sum nobody told.
    assert httpx.post(prepared.upload_url, content=iter([data[:100], data[100:]])).status_code == 200
    client.import_user_data_by_user_id(start)
    client.import_user_data_by_user_id(start)
    done = job_queue.CheckImportUserDataByUserIdRequest().with_user_id(user).with_upload_token(prepared.upload_token)
    with pytest.raises(core.ConflictException):
        client.check_import_user_data_by_user_id(done)
    server.python(WORK)
    log = httpx.get(client.check_import_user_data_by_user_id(done).url)
    assert log.headers["Content-Type"].startswith("text/plain") and log.text.endswith("Done.\n")
    assert [job.to_dict() for job in players.waiting(namespace, user)] == waiting
    assert server.call("GET", f"/job-queue/{namespace}/user/{user}/dead").json() == dead
    assert httpx.put(prepared.upload_url, content=data).status_code == 400, "it has begun"


def prepare(server, user: str = "somebody", who: str = "ours") -> dict:
    return server.call("POST", f"/job-queue/system/import/user/{user}/prepare", who=who, json={}).json()


def test_a_refused_file_is_told_in_the_log(players, server):
    made = prepare(server)
    assert httpx.put(made["uploadUrl"], content=b"not a zip").status_code == 200
    server.call("POST", "/job-queue/system/import/user/somebody", json={"uploadToken": made["uploadToken"]})
    server.python(WORK)
    url = server.call("GET", f"/job-queue/system/import/user/somebody/{made['uploadToken']}").json()["url"]
    assert "This is not a zip file that can be read" in httpx.get(url).text


def test_links_open_only_what_they_were_made_for(server):
    url = prepare(server)["uploadUrl"]
    for bad in (
        url[:-1] + ("A" if url[-1] != "A" else "B"),
        url.replace("/upload/", "/file/"),
        url.replace("/upload/", "/log/"),
        url + "x",
    ):
        for verb in ("GET", "PUT", "POST"):
            answer = httpx.request(verb, bad, content=b"x" if verb != "GET" else None)
            assert answer.status_code in {403, 404, 405}
    assert httpx.get(url).status_code == 405
    for user, who, status in (("somebody else", "ours", 404), ("somebody", "theirs", 404)):
        body = {"uploadToken": url.rpartition("/")[2]}
        assert server.call("POST", f"/job-queue/system/import/user/{user}", who=who, json=body).status_code == status
    assert server.call("POST", "/job-queue/system/dump/user/somebody", who="viewer", json={}).status_code == 401


def test_links_end(server):
    url = prepare(server)["uploadUrl"]
    code = f"""
from unittest import mock
from django.conf import settings
from gs2admin.db import clock
from jobqueue.userdata import files
token = {url.rpartition("/")[2]!r}
print(files.run_of(token, files.Link.UPLOAD) is not None)
with mock.patch.object(clock, "seconds", lambda real=clock.seconds: real() + settings.USER_DATA_LINK_S + 2):
    print(files.run_of(token, files.Link.UPLOAD) is not None)
"""
    assert server.python(code).split() == ["True", "False"]


def test_an_upload_has_a_cap_and_must_arrive_whole(server):
    url = prepare(server)["uploadUrl"]
    path = url.removeprefix(server.url)
    for head, body in (
        (f"Content-Length: {300 * 1024 * 1024}", b""),
        ("Content-Length: 0", b""),
        ("Content-Length: many", b""),
    ):
        raw = server.raw(
            f"PUT {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{head}\r\n\r\n".encode() + body
        )
        assert raw.split()[1] == b"400", raw[:300]
    state = "from jobqueue.models import UserDataRun\nprint(UserDataRun.objects.order_by('-pk').first().state)"
    assert server.python(state).strip() == "prepared"


def test_workers_are_killed_during_an_import(players, server):
    """kill -9 at random moments of a real import: the old jobs or the new ones, never a mixture, and new at last."""
    namespace, user = players.namespace(), players.name("user")
    rows = (
        "from jobqueue.models import *\nfrom jobqueue.services import *\nfrom gs2admin.identity.actors import SYSTEM\n"
        f"n = Namespace.objects.get(name={namespace!r})\n"
    )
    server.python(
        rows
        + f"for i in range(300): push_jobs(actor=SYSTEM, namespace=n, user_id={user!r}, entries=[Entry('s', str(i))] * 10)"
    )
    server.call("POST", f"/job-queue/system/dump/user/{user}", json={})
    server.python(WORK)
    data = httpx.get(server.call("GET", f"/job-queue/system/dump/user/{user}").json()["url"]).content
    count = (
        "SELECT count(*) FROM jobqueue_job WHERE queue_id IN (SELECT q.id FROM jobqueue_queue q"
        f" JOIN jobqueue_namespace n ON n.id = q.namespace_id WHERE n.name = '{namespace}' AND q.user_id = '{user}')"
    )
    server.python(
        rows
        + f"mine = Job.objects.filter(queue__user_id={user!r})\n"
        + "mine.filter(id__gt=mine.order_by('id')[6].id).delete()"
    )
    made = prepare(server, user)
    assert httpx.put(made["uploadUrl"], content=data).status_code == 200
    server.call("POST", f"/job-queue/system/import/user/{user}", json={"uploadToken": made["uploadToken"]})
    again = f"UserDataRun.objects.filter(token={made['uploadToken']!r}).update(lease_until=None, attempts=0)\n"
    work = (
        "import django\ndjango.setup()\n"
        + rows
        + again
        + WORK.replace("state='waiting'", "state__in=['waiting', 'running']")
    )
    state = "SELECT state FROM jobqueue_userdatarun ORDER BY id DESC LIMIT 1"
    seen, kills, chance = set(), 0, random.Random(7)
    path = f"/job-queue/system/import/user/{user}/{made['uploadToken']}"
    deadline = time.monotonic() + 150
    while server.call("GET", path).status_code != 200:
        assert time.monotonic() < deadline
        process = subprocess.Popen([sys.executable, "-c", work], cwd=ROOT, env=server.env)
        while kills < 5 and process.poll() is None and server.sql(state)[0][0] != "running":
            assert time.monotonic() < deadline
        try:
            process.wait(timeout=chance.uniform(0.0, 0.4) if kills < 5 else 60)
        except subprocess.TimeoutExpired:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
            kills += 1
        seen.add(server.sql(count)[0][0])
    assert seen <= {7, 3000} and server.sql(count)[0][0] == 3000 and kills >= 2
    left = rows + "print(Queue.objects.filter(user_id__startswith='\\x7f').count())"
    assert server.python(left).strip() == "0"
    first = players.waiting(namespace, user)
    assert [json.loads(job.args) for job in first] == [n // 10 for n in range(1000)], "in their order"
