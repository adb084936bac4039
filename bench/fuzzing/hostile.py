"""Addresses, bodies, headers and verbs that nobody should send."""
from __future__ import annotations

import gzip
import json
from urllib.parse import urlencode

VERBS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "BREW")
# Pieces of a path, still encoded.
PIECES = (
    "null", "0", "-1", "1", "9" * 25, "1.5", "true", "%00", "%ff", "%zz", "%", "%2F", "%2e%2e", "..", ".", "a" * 300, "a" * 3_000,
    "~", "*", "%F0%9F%92%A9", "%E2%80%AE", "%D9%A3", "%C2%B2", "%27%20OR%201=1--", "%3Cscript%3E", "%7B0%7D", "$(id)", ";", "+",
    "%20", "%0d%0aX:%201", "me", "system", "progress", "login", "new", "00000000-0000-0000-0000-000000000000", "%ED%A0%80",
)  # fmt: skip
DEEP = b'{"a":' * 20_000 + b"1" + b"}" * 20_000
MANY = json.dumps(dict.fromkeys(map(str, range(3_000)), "x" * 50)).encode()
FIELDS = (
    "name", "namespaceName", "userId", "description", "script", "args", "jobs", "config", "spec", "metadata", "limit",
    "type", "weight", "pageToken", "transactionId", "ttl", "version", "microservice", "reason", "grayWeight",
    "scriptId", "stampSheet",
)  # fmt: skip
# What is no JSON object, what is one that no shape expects, what is no form.
BODIES = (
    b"", b"{", b"}", b"[]", b"null", b"1", b'"x"', b"\xff\xfe", b"\0", b'{"a":1,"a":2}', b'{"a":NaN}', b"{'a':1}",
    b'{"a":Infinity}', b"[" * 100_000, DEEP, MANY, b'{"":1}', b'{"\\ud800":1}', b'{"\\u0000":"\\u0000"}', b"\xef\xbb\xbf{}",
    "{}".encode("utf-16"), b"a=1&b=2", b"<a/>", b"--x\r\n\r\n--x--", b" " * 5_000, b'{"a":' + b"9" * 5_000 + b"}",
    gzip.compress(b"{}"), gzip.compress(b'{"a":"' + b"0" * 20_000_000 + b'"}'), b"{}" + b"x" * 400_000, b"!!!",
    b"csrfmiddlewaretoken=x&name=%00&x=" + b"&x=1" * 3_000,
    *(json.dumps(dict.fromkeys(FIELDS, value)).encode() for value in (
        None, True, 0, -1, 1.5, 2**31, 2**63, 2**64, 10**400, 1e308, "", " ", "null", "x" * 2_000, "\ud800", "\0", "\u202e\x1b",
        "٣", "9" * 25, [], {}, [[]], [None], [{}], {"": ""}, ["x"] * 2_000, "' OR 1=1 --", "../../etc/passwd", "{",
    )),
)  # fmt: skip
# Of forms on pages.
INPUTS = (
    "name", "description", "reason", "role", "username", "password", "user", "source", "stage", "sort_number", "kind",
    "config", "url", "key", "starts_at", "ends_at", "days", "zone", "weights", "strategy", "batch_size", "script",
    "args", "count", "user_id", "version", "microservice", "digest", "request_key", "override", "weight",
    "old_password", "new_password1", "new_password2", "next", "theme", "q", "id", "form-TOTAL_FORMS",
    "form-INITIAL_FORMS", "form-0-name", "action", "project", "namespace", "confirm",
)  # fmt: skip
FORMS = tuple(urlencode(dict.fromkeys(INPUTS, value)).encode() for value in (
    "", "x", "-1", "9" * 400, "%00", "\0", "\u202e", "x" * 5_000, "٣", "[]", "2026-13-41T99:99", "javascript:1",
    "//evil.example", "on",
))  # fmt: skip
TYPES = (
    "application/json", "", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain; charset=utf-7",
    "x" * 300, "*/*", "\xff", "application/x-www-form-urlencoded; charset=nothing",
)  # fmt: skip
QUERIES = (
    "", "?", "?a=%ff", "?limit=", "?limit=-1", "?limit=1e9", "?limit=" + "9" * 400, "?pageToken=%00", "?pageToken=x",
    "?" + "x=1&" * 300, "?a=1&a=2", "?&&=", "?envelope=result", "?action=finish", "?q=%25%27", "?after=x&seq=y", "?id=%00",
    "?page=0", "?userId=%F0%9F%92%A9", "?pageNo=0&pageSize=99999", "?key=%00", "?key=1.2.x", "?id=" + "x" * 2_000,
)  # fmt: skip
# Beside good authorization: what a client or a proxy may say wrongly.
HEADERS = (
    {}, {"Content-Encoding": "gzip"}, {"Content-Encoding": "br"}, {"Accept": "text/html"}, {"Accept-Encoding": "gzip;q=0, x"},
    {"X-GS2-ACCESS-TOKEN": "x"}, {"X-GS2-TIME-OFFSET-TOKEN": "a.b.c"}, {"X-GS2-DUPLICATION-AVOIDER": "x" * 500},
    {"X-GS2-DUPLICATION-AVOIDER": "\xff"}, {"X-GS2-DRY-RUN": "maybe"}, {"X-GS2-CLIENT-ID": "\xff" * 200},
    {"X-Request-ID": "\xff" * 100}, {"If-None-Match": '"x", W/"y"'}, {"Range": "bytes=-1"}, {"Host": "evil.example"},
    {"Host": "freeze.ap-northeast-1.gen2.gs2io.com"}, {"Cookie": "sessionid=x; csrftoken=y; theme=\xff; =;;"},
    {"HX-Request": "true", "HX-Current-URL": "//x"}, {"X-HTTP-Method-Override": "DELETE"}, {"Forwarded": 'for="[::1'},
    {"Referer": "javascript:1"}, {"Authorization": "Negotiate \xff"}, {"If-Modified-Since": "x"}, {"Accept-Language": "\xff;q=x"},
)  # fmt: skip
