"""Webhooks of many projects: turns, and a share of a host's delivery threads for each."""
from __future__ import annotations

from datetime import timedelta

import pytest
from django.db.models.functions import Now

from gs2admin.engine.registry import DELIVERY_THREADS
from gs2admin.identity.actors import SYSTEM
from stages.models.webhooks import WebhookDelivery, WebhookEndpoint
from stages.webhooks import deliver as delivery
from stages.webhooks.services import save_webhook, send_test

pytestmark = pytest.mark.django_db
URL = "https://example.com/x"


@pytest.fixture
def endpoints():
    """endpoints(project, count) -> so many, each with a message that is due."""
    def act(project, count: int) -> list[WebhookEndpoint]:
        made = [save_webhook(actor=SYSTEM, project=project, name=f"h-{n}", url=URL) for n in range(count)]
        for endpoint in made:
            send_test(actor=SYSTEM, endpoint=endpoint)
            WebhookDelivery.objects.filter(endpoint=endpoint).update(due_at=Now() - timedelta(seconds=1))
        return made

    return act


def test_projects_take_turns_and_none_has_more_threads_than_its_share(endpoints, project, other_project):
    """Twenty endpoints of one project wait longer than another's one: that is second, and finds a thread though all of them hang."""
    many, [other] = endpoints(project, 20), endpoints(other_project, 1)
    for age, endpoint in enumerate(reversed(many)):
        WebhookDelivery.objects.filter(endpoint=endpoint).update(due_at=Now() - timedelta(seconds=100 + age))
    found = delivery.due()
    assert found == [many[0].pk, other.pk, *(one.pk for one in many[1 : delivery.OF_A_PROJECT])]
    busy = [one.pk for one in many[: delivery.OF_A_PROJECT]]
    WebhookEndpoint.objects.filter(pk__in=busy).update(busy_until=Now() + timedelta(seconds=20))
    assert delivery.due() == [other.pk], "no further one of the project whose receivers hang"
    WebhookEndpoint.objects.filter(pk=busy[0]).update(busy_until=Now() - timedelta(seconds=1))
    assert delivery.due() == [many[0].pk, other.pk], "one of them is free again"
    assert delivery.OF_A_PROJECT < delivery.AT_ONCE == DELIVERY_THREADS["stages.webhooks.deliver.deliver"].at_once


def test_an_innocents_message_goes_out_while_all_receivers_of_another_project_hang(endpoints, project, other_project):
    """The threads of a host, without the threads: what `due` says is begun, as many as are free."""
    endpoints(project, 12)
    [other] = endpoints(other_project, 1)
    begun: list[int] = []

    def begin(room: int) -> None:
        for pk in delivery.due()[:room]:
            begun.append(pk)
            WebhookEndpoint.objects.filter(pk=pk).update(busy_until=Now() + timedelta(seconds=20))

    begin(delivery.AT_ONCE)
    assert other.pk in begun[:2] and len(begun) == delivery.OF_A_PROJECT + 1
    begin(delivery.AT_ONCE - len(begun))
    assert len(begun) == delivery.OF_A_PROJECT + 1, "a thread stays free for the next project"
