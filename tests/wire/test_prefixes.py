"""namePrefix means letters as they are, on either database."""

from __future__ import annotations

import pytest

LISTS = ["/job-queue/", "/lock/", "/script/", "/script/script-ns/script"]


@pytest.mark.parametrize("listing", LISTS)
def test_a_beginning_is_taken_with_its_case_and_its_wildcards(server, listing):
    for name in ("Case-one", "case-two", "case_two", "caseXtwo"):
        answer = server.call("POST", listing, json={"name": name, "script": "result = {}"})
        assert answer.status_code == 200, answer.text

    def found(start: str) -> list[str]:
        return [item["name"] for item in server.call("GET", f"{listing}?namePrefix={start}").json()["items"]]

    assert found("Case") == ["Case-one"]
    assert found("case_") == ["case_two"]
    assert found("case-two") == ["case-two"] and found("case-twoo") == []
