"""gs2admin.wire.router: which entry answers to a path, and the paths that are answered in front of Django's stack."""

from __future__ import annotations

import pytest

from gs2admin.wire.direct import DIRECT
from gs2admin.wire.router import Router, pieces


def made(*paths: str, empty: bool = False) -> Router[str]:
    router: Router[str] = Router(empty=empty)
    for path in paths:
        verb, _, path = path.partition(" ")
        router.add(verb, path, path)
    return router


@pytest.mark.parametrize("paths", [
    ("GET /a/{+rest}", "GET /a/{+rest}/end", "GET /a/{one}", "GET /a/fixed"),
    ("GET /a/fixed", "GET /a/{one}", "GET /a/{+rest}/end", "GET /a/{+rest}"),
])
@pytest.mark.parametrize("path, target, values", [
    ("/a/fixed", "/a/fixed", ()),
    ("/a/x", "/a/{one}", ("x",)),
    ("/a/x/y", "/a/{+rest}", ("x/y",)),
    ("/a/x/y/end", "/a/{+rest}/end", ("x/y",)),
])
def test_the_most_special_path_wins_in_whatever_order_they_were_added(paths, path, target, values):
    found = made(*paths).find("GET", path)
    assert (found.target, found.values) == (target, values)


def test_a_piece_is_empty_only_where_the_router_says_so():
    assert made("GET /a/{one}/b").find("GET", "/a//b") is None
    assert made("GET /a/{one}/b", empty=True).find("GET", "/a//b").pieces == {"one": ""}


@pytest.mark.parametrize("path, fits", [("/n/1", True), ("/n/123456789", True), ("/n/1234567890", False), ("/n/x", False), ("/n/", False)])
def test_a_number_is_of_digits_and_not_too_long(path, fits):
    assert (made("GET /n/{number:int}").find("GET", path) is not None) is fits


def test_a_piece_may_be_a_part_of_a_segment_and_other_signs_mean_themselves():
    router = made("GET /a/v{number}.json")
    assert router.find("GET", "/a/v2.json").pieces == {"number": "2"}
    assert router.find("GET", "/a/v2xjson") is None


def test_what_is_missing_is_said():
    router = made("GET /a/{one}", "POST /a/{one}", "DELETE /a/b")
    assert router.find("PUT", "/a/b") is None
    assert router.missing("/a/b") == "This path answers to DELETE, GET, POST only."
    assert router.missing("/c") == "There is no such path."


def test_two_entries_for_the_same_paths_are_refused():
    router = made("GET /a/{one}")
    router.add("POST", "/a/{other}", "fine")
    with pytest.raises(ValueError, match="declared twice"):
        router.add("GET", "/a/{other}", "x")


def test_pieces_are_named_in_their_order():
    assert pieces("/{a}/x{b:int}/{+c}") == ("a", "b", "c")


def test_the_live_answer_of_a_rollout_is_direct_for_get_alone():
    path = "/p/isles/rollouts/7/live"
    assert DIRECT.find("GET", path).pieces == {"project": "isles", "number": "7"}
    assert DIRECT.find("HEAD", path) is None
