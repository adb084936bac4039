"""Addresses that nobody types by hand: they find nothing, and never break a page."""
from __future__ import annotations

import pytest

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("path", [
    "/p/%00/versions/", "/p/isles/versions/%00/", "/p/isles/stages/%00", "/p/isles/stages/dev/targets/%00/edit",
    "/p/isles/credentials/99999999999999999999999/revoke", "/p/isles/members/99999999999999999999/role",
    "/p/isles/rollouts/99999999999999999999", "/p/isles/versions/auth/99999999999999999999/withdraw",
])
def test_names_and_numbers_that_cannot_be_are_not_found(client, owner, path):
    client.force_login(owner)
    answer = client.get(path)
    assert answer.status_code == 404 and "<h1" in answer.content.decode()


@pytest.mark.parametrize("query", [
    "versions/?q=%00&after=%00", "versions/?after=%FF", "credentials/?before=999999999999999999", "credentials/?before=-1",
    "credentials/?before=%D9%A3", "rollouts?by=%00", "members/?after=9e9", "activity/?before=99999999999999999999",
])
def test_cursors_and_words_that_cannot_be_are_ignored(client, owner, project, query):
    client.force_login(owner)
    assert client.get(f"/p/{project.name}/{query}").status_code == 200
