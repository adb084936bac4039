"""What clients of each door may send in vain, as raw requests; and what they must read then."""
from __future__ import annotations

import json
from typing import NamedTuple

from gs2admin.wire.failures import KNOWN
from gs2admin.wire.table import GS2_SERVICES

# The modules of the SDKs, as their REST clients spell them; written out, so that a name lost in the server's list is noticed.
OTHERS = [
    "account", "ad-reward", "buff", "chat", "datastore", "deploy", "dictionary", "distributor", "enchant", "enhance", "exchange",
    "experience", "formation", "friend", "grade", "guard", "guild", "idle", "inbox", "inventory", "key", "limit", "log",
    "login-reward", "lottery", "matchmaking", "mega-field", "mission", "money", "money2", "news", "project", "quest", "ranking",
    "ranking2", "realtime", "schedule", "season-rating", "serial-key", "showcase", "skill-tree", "stamina", "state-machine", "version",
]  # fmt: skip
SERVICES = (*GS2_SERVICES, *OTHERS)
REGIONS = ("ap-northeast-1", "us-east-1", "eu-west-1", "ap-southeast-1", "anywhere")
VERBS = ("GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "TRACE", "BREW")
SDK = ("Authorization: Bearer x.y.z", "X-GS2-CLIENT-ID: gs2a-x")
BROWSER = ("Accept: text/html,application/xhtml+xml,*/*;q=0.8", "User-Agent: Mozilla/5.0")
PREFLIGHT = (
    "Origin: https://game.example", "Access-Control-Request-Method: POST",
    "Access-Control-Request-Headers: authorization,content-type,x-gs2-client-id", "Accept: */*",
)  # fmt: skip


class Case(NamedTuple):
    """A request. form: gs2, api, sourcedeploy, asm, page. target: of the request line."""

    form: str
    target: str
    verb: str = "GET"
    host: str = "127.0.0.1"
    headers: tuple[str, ...] = ()
    version: str = "HTTP/1.1"

    def raw(self) -> bytes:
        """The bytes to send; the connection closes behind the answer."""
        lines = [f"{self.verb} {self.target} {self.version}", f"Host: {self.host}", "Connection: close", *self.headers]
        lines += ["Content-Length: 2"] if self.verb in {"POST", "PUT", "PATCH"} else []
        return ("\r\n".join(lines) + "\r\n\r\n" + ("{}" if self.verb in {"POST", "PUT", "PATCH"} else "")).encode("latin-1")


def _misspelt(root: str) -> list[str]:
    """A root that is nearly written right."""
    head, tail = root[:2], root[2:]
    return [
        root.upper(), head.upper() + tail, f"/{root}", root.replace("/", "//"), f"/.{root}", f"/..{root}", f"/x/..{root}",
        root[0] + f"%{ord(root[1]):02x}".upper() + root[2:], root.replace("/", "\\", 1).replace("\\", "/\\"),
    ]  # fmt: skip


def of_unserved_services(every: int = 1) -> list[Case]:
    """Services by path and by host, in every spelling, and however they are asked for. every: n-th name has all of them."""
    found = []
    for number, name in enumerate(OTHERS):
        camel = "".join(part.title() for part in name.split("-"))
        host = f"{name}.{REGIONS[number % len(REGIONS)]}.gen2.gs2io.com"
        found += [Case("gs2", f"/{root}/ns/user/u") for root in {name, name.replace("-", "_"), camel[0].lower() + camel[1:]}]
        found += [Case("gs2", f"/{name}/", "POST", headers=SDK), Case("gs2", f"/{name}/ns", "OPTIONS", headers=PREFLIGHT)]
        found += [Case("gs2", "/ns/user/u", host=host), Case("gs2", f"http://{host}/ns"), Case("gs2", "/", "POST", host)]
        if number % every == 0:
            found += _in_every_way(name)
    return found


def _in_every_way(name: str) -> list[Case]:
    found = [Case("gs2", f"{root}/ns/user/u") for root in _misspelt(f"/{name}")]
    found += [Case("gs2", f"/{name}{rest}") for rest in (
        "", "/", "//", "/.", "/..", "/../admin/", "/x/../../login", "%2Fns", "/ns%2Fuser", "/ns.", "/%ff", "/%", "?limit=1", "/a?b=%00",
    )]  # fmt: skip
    found += [Case("gs2", f"/{name}/", verb, headers=SDK) for verb in VERBS]
    found.append(Case("gs2", f"/{name}/", headers=(*SDK, *BROWSER)))
    hosts = [f"{name}.{region}.gen2.gs2io.com" for region in REGIONS]
    found += [case for host in hosts for case in (Case("gs2", "/", host=host), Case("gs2", f"http://{host}/ns/u"))]
    host = hosts[0]
    found += [Case("gs2", "/", host=spelt) for spelt in (host.upper(), f"{host}:443", f"{host}.", f"{host}.:8000")]
    found += [Case("gs2", path, host=host, headers=BROWSER) for path in ("/", "/login", "/admin/", "/static/x.css", "/p/default/", "*")]
    found += [Case("gs2", "/ns", "OPTIONS", host, PREFLIGHT), Case("gs2", f"HTTPS://u:p@{host}:443/ns", host="127.0.0.1")]
    return [*found, Case("gs2", "/x", host=f"{name}.eu-west-1.games.example")]


def of_served_services() -> list[Case]:
    """Paths that are nearly ours, below services that are served."""
    found = []
    for name in GS2_SERVICES:
        found += [Case("gs2", f"{root}/nowhere/at/all/x/y") for root in _misspelt(f"/{name}")]
        found += [Case("gs2", f"/{name}{rest}") for rest in (
            "//", "/./x/y/z/w", "/..", "/../admin/", "/../../login", "%2Fns", "/ns%2Fuser/x/y/z", "/a/b/c/d/e/f.", "/A/B/C/D/E/F/",
        )]  # fmt: skip
        found += [Case("gs2", "/no/such/path/at/all", verb, headers=SDK, host=f"{name}.x.gen2.gs2io.com") for verb in VERBS]
        found += [Case("gs2", f"/{name}/no/such/path/at/all", verb) for verb in VERBS]
        found += [Case("gs2", f"http://{name}.eu-west-1.gen2.gs2io.com/a/b/c/d/e"), Case("gs2", f"http://h/{name}/a/b/c/d/e")]
        found += [Case("gs2", f"/{name}/x/y", "OPTIONS", headers=PREFLIGHT), Case("gs2", "/login", host=f"{name}.q.gen2.gs2io.com")]
        found += [Case("gs2", f"/{name}/x y/z"), Case("gs2", f"/{name}/x", version="HTTP/9.9"), Case("gs2", f"/{name}/\xe9")]
    return found


def of_nothing_known() -> list[Case]:
    """What only a header or a host shows to be a client's."""
    paths = ("/", "/nowhere", "/login", "/admin/", "/p/default/", "/account/password", "/projects/", "/static/none.css", "//", "/%2e%2e/x")
    found = [Case("gs2", path, verb, headers=(one,)) for path in paths for verb in ("GET", "POST") for one in SDK]
    found += [Case("gs2", path, host=host) for path in paths for host in ("gen2.gs2io.com", "x.gen2.gs2io.com", "a.b.c.gen2.gs2io.com")]
    found += [Case("gs2", "/nowhere", "OPTIONS", headers=PREFLIGHT), Case("gs2", "http://127.0.0.1/distributor/x", headers=SDK)]
    return found


def of_other_doors() -> list[Case]:
    """Our own API, SourceDeploy and ASM, each in its form."""
    roots = {"api": "/api/v1", "sourcedeploy": "/sourcedeploy/api/v1", "asm": "/v2/meshes"}
    found = []
    for form, root in roots.items():
        found += [Case(form, f"{spelt}/nowhere/at/all") for spelt in _misspelt(root)]
        found += [Case(form, f"{root}{rest}") for rest in ("/", "//", "/..", "/%ff", "/nowhere/", "%2Fx/y", "/x?%")]
        found += [Case(form, f"{root}/nowhere", verb) for verb in VERBS]
        found += [Case(form, f"http://h{root}/nowhere"), Case(form, f"{root}/nowhere", "OPTIONS", headers=PREFLIGHT)]
        found += [Case(form, f"{root}/x y/z"), Case(form, f"{root}/x", version="HTTP/9.9"), Case(form, f"{root}/\xe9")]
        found += [Case(form, f"{root}/x", headers=("Expect: miracles",)), Case(form, f"{root}/x", "POST", headers=("Transfer-Encoding: odd",))]
        found += [Case(form, f"{root}/x", headers=("Accept: text/xml", "Content-Type: text/xml")), Case(form, f"{root}/x", headers=SDK[1:])]
        found += [Case(form, f"{root}/x", headers=("Forwarded: for=1.1.1.1;for=2.2.2.2",))]
    host = "vpcsourcedeploy.apigw.ntruss.com"
    return [*found, Case("sourcedeploy", f"http://{host}/api/v1/nowhere"), Case("sourcedeploy", "/login", host=host)]


def of_people() -> list[Case]:
    """What a browser reads is a page."""
    paths = ("/nowhere", "/inventory/", "/distributor/x", "/Freeze/x", "//freeze/", "/project/", "/v2/mesh", "/account/password")
    return [Case("page", path, headers=BROWSER) for path in paths]


ALL = {"unserved services": of_unserved_services, "served services": of_served_services, "nothing known": of_nothing_known,
       "other doors": of_other_doors, "people": of_people}  # fmt: skip


def wrong(case: Case, answer: bytes) -> str:
    """What is wrong with the bytes that came back; empty when nothing is."""
    head, _, body = answer.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    if not lines[0].startswith("HTTP/1."):
        return "no answer"
    status = int(lines[0].split()[1])
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
    kind = headers.get("content-type", "")
    if case.form == "page":
        return "" if kind.startswith("text/html") or status == 302 else f"{status} {kind}"
    if status < 400 or status >= 500 and (case.form, status) != ("api", 501) or not kind.startswith("application/json") or "location" in headers or "set-cookie" in headers:
        return f"{status} {kind}"
    if case.verb == "HEAD":
        return "a body" if body else ""
    try:
        return _FORMS[case.form](status, json.loads(body))
    except (ValueError, KeyError, TypeError) as problem:
        return f"{type(problem).__name__}: {body[:80]!r}"


def _gs2(status: int, body: dict) -> str:
    first = json.loads(body["message"])[0]
    fine = set(first) == {"component", "message", "code"} and all(isinstance(text, str) and text for text in first.values())
    return "" if fine and status in KNOWN and set(body) <= {"message", "sentence"} else f"{status} {body}"


def _asm(status: int, body: dict) -> str:
    return "" if set(body) == {"errorCode", "errorMsg"} and body["errorCode"].startswith("ASM.") and status in {400, 401, 404} else f"{status} {body}"


def _sourcedeploy(status: int, body: dict) -> str:
    return "" if set(body["error"]) == {"errorCode", "message", "details"} and status in {400, 401, 404} else f"{status} {body}"


def _api(status: int, body: dict) -> str:
    return "" if set(body["error"]) == {"code", "message"} else f"{status} {body}"


_FORMS = {"gs2": _gs2, "asm": _asm, "sourcedeploy": _sourcedeploy, "api": _api}
