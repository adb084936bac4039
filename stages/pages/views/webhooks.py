"""Webhooks: endpoints, the messages that were sent with each attempt, and sending a message again."""
from __future__ import annotations

from django import forms
from django.contrib import messages
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from gs2admin.dashboard.forms import PageForm, ReasonForm, reason_field
from gs2admin.dashboard.pages import project_page
from gs2admin.dashboard.posting import attempt, confirm_page, form_page, link, never_kept, number_of, text_of
from gs2admin.db import clock
from gs2admin.errors import Conflict, NotFound
from gs2admin.identity.models import Project
from stages.models.webhooks import DeliveryState, WebhookDelivery, WebhookEndpoint
from stages.webhooks.deliver import key_of
from stages.webhooks.services import remove_webhook, replay_delivery, rotate_webhook_key, save_webhook, send_test

get_and_post = require_http_methods(["GET", "POST"])
PAGE = 50
SHOW_KEY = "show_webhook_key"


class WebhookForm(PageForm):
    """The URL of an endpoint, and whether messages are sent to it."""

    name = forms.CharField(max_length=128, help_text="Who receives the messages, such as chat-bot or metrics.")
    url = forms.CharField(label="URL", max_length=2000, widget=forms.TextInput(attrs={
        "inputmode": "url", "autocomplete": "off", "spellcheck": "false", "placeholder": "https://…"}),
        help_text="Gets a signed POST for every change of a rollout's state. Private addresses have to be allowed by the "
                  "server's administrator (GS2ADMIN_HTTP_ALLOW).")
    active = forms.BooleanField(label="Send", required=False, initial=True,
                                help_text="While this is off, nothing is sent; messages that wait are sent when it is on again.")
    reason = reason_field()


class KeyForm(ReasonForm):
    """Whether the old key still counts for a while."""

    at_once = forms.BooleanField(label="The old key got out: sign nothing more with it", required=False)


def _list(project: Project) -> str:
    return reverse("webhooks", kwargs={"project": project.name})


def _page(endpoint: WebhookEndpoint, name: str = "webhook") -> str:
    return reverse(name, kwargs={"project": endpoint.project.name, "pk": endpoint.pk})


def _endpoint(project: Project, pk: int) -> WebhookEndpoint:
    row = WebhookEndpoint.objects.filter(project=project, pk=pk).first()
    if row is None:
        raise NotFound("There is no such webhook. It may have been removed.", component="webhook")
    row.project = project
    return row


@require_GET
@project_page("webhook.manage")
def webhooks(request: HttpRequest, project: Project) -> HttpResponse:
    """All endpoints, with the number of messages that wait and that were given up."""
    rows = list(WebhookEndpoint.objects.filter(project=project).order_by("name"))
    undelivered = WebhookDelivery.objects.filter(endpoint__in=rows).exclude(state=DeliveryState.DELIVERED)
    groups = undelivered.order_by().values_list("endpoint_id", "state").annotate(Count("id"))
    counts = {(pk, state): count for pk, state, count in groups}
    return render(request, "stages/webhooks.html", {
        "rows": [(row, counts.get((row.pk, DeliveryState.PENDING), 0),
                  counts.get((row.pk, DeliveryState.GIVEN_UP), 0)) for row in rows],
        "title": "Webhooks", "crumbs": [("Webhooks", "")],
        "text": "Every change of a rollout's state is posted to these URLs, signed, and sent again until it arrives.",
    })


@get_and_post
@project_page("webhook.manage")
def create(request: HttpRequest, project: Project) -> HttpResponse:
    """A new endpoint; its signing key is shown once."""
    return _editor(request, project, None, title="New webhook", button="Create webhook")


@get_and_post
@project_page("webhook.manage")
def edit(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Change an endpoint."""
    row = _endpoint(project, pk)
    return _editor(request, project, row, title=f"Edit {row.name}", button="Save")


def _editor(request: HttpRequest, project: Project, row: WebhookEndpoint | None, *, title: str, button: str) -> HttpResponse:
    initial = {"name": row.name, "url": row.url, "active": row.active} if row else {}
    form = WebhookForm(request.POST if request.method == "POST" else None, initial=initial)
    if request.method == "POST" and form.is_valid():
        saved = attempt(form, lambda: save_webhook(actor=request.actor, project=project, endpoint=row, **form.cleaned_data))
        if saved:
            if row is None:
                request.session[SHOW_KEY] = [str(saved.uid), saved.rotation]
            messages.success(request, f"{saved.name} is saved.")
            return redirect("webhook", project=project.name, pk=saved.pk)
    back = _page(row) if row else _list(project)
    crumbs = [("Webhooks", _list(project)), *([(row.name, back)] if row else []), ("Edit" if row else "New", "")]
    return form_page(request, form, title=title, button=button, back=back, crumbs=crumbs)


@require_GET
@project_page("webhook.manage")
def webhook(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """One endpoint and its messages, newest first; ?state= filters them."""
    row = _endpoint(project, pk)
    state = text_of(request, "state")
    rows = WebhookDelivery.objects.filter(endpoint=row).order_by("-id")
    if state in DeliveryState.values:
        rows = rows.filter(state=state)
    before = number_of(request)
    if before:
        rows = rows.filter(id__lt=before)
    found = list(rows.select_related("rollout").prefetch_related("attempts")[: PAGE + 1])
    key = ""
    if request.session.get(SHOW_KEY) == [str(row.uid), row.rotation]:
        del request.session[SHOW_KEY]
        key = key_of(row)
    response = render(request, "stages/webhook.html", {
        "endpoint": row, "old_key": bool(row.old_key_until and row.old_key_until > clock.now()),
        "deliveries": found[:PAGE], "key": key, "state": state, "states": DeliveryState.choices,
        "older": link(state=state, before=found[PAGE - 1].pk) if len(found) > PAGE else "",
        "newer": link(state=state) if before else "",
        "title": row.name, "crumbs": [("Webhooks", _list(project)), (row.name, "")],
    })
    return never_kept(response) if key else response


@get_and_post
@project_page("webhook.manage")
def rotate(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Ask for confirmation, then make a new signing key and show it once."""
    row = _endpoint(project, pk)
    form = KeyForm(request.POST) if request.method == "POST" else KeyForm()
    if request.method == "POST" and form.is_valid():
        new = rotate_webhook_key(actor=request.actor, endpoint=row, **form.cleaned_data)
        request.session[SHOW_KEY] = [str(new.uid), new.rotation]
        return redirect("webhook", project=project.name, pk=row.pk)
    return confirm_page(
        request, form, title=f"New signing key for {row.name}", button="Make a new key", back=_page(row),
        crumbs=[("Webhooks", _list(project)), (row.name, _page(row)), ("New key", "")],
        points=["The new key is shown once, on the next page.",
                "All messages that are sent from now on are signed with it, also those that wait.",
                "For 24 hours they carry a second signature by the old key, so that the receiver can change in its own time."],
    )


@get_and_post
@project_page("webhook.manage")
def delete(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Ask for confirmation, then remove an endpoint."""
    row = _endpoint(project, pk)
    form = ReasonForm(request.POST) if request.method == "POST" else ReasonForm()
    if request.method == "POST" and form.is_valid():
        remove_webhook(actor=request.actor, endpoint=row, reason=form.cleaned_data["reason"])
        messages.success(request, f"The webhook {row.name} is removed.")
        return redirect(_list(project))
    return confirm_page(
        request, form, title=f"Remove {row.name}", button="Remove webhook", back=_page(row),
        crumbs=[("Webhooks", _list(project)), (row.name, _page(row)), ("Remove", "")],
        points=["Nothing more is sent to it; messages that wait are dropped.", "Its messages are no longer listed."],
    )


@require_POST
@project_page("webhook.manage")
def test(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Send a test message."""
    row = _endpoint(project, pk)
    send_test(actor=request.actor, endpoint=row)
    messages.success(request, "A test message is sent." if row.active else "The test message waits until the webhook is on.")
    return redirect(_page(row))


@require_POST
@project_page("webhook.manage")
def replay(request: HttpRequest, project: Project, pk: int, delivery: int) -> HttpResponse:
    """Send one message again."""
    row = _endpoint(project, pk)
    found = WebhookDelivery.objects.filter(endpoint=row, pk=delivery).first()
    if found is None:
        raise NotFound("That message is no longer kept.", component="webhook")
    try:
        replay_delivery(actor=request.actor, delivery=found)
        messages.success(request, f"{found.event} is sent again.")
    except Conflict as refusal:
        messages.warning(request, refusal.sentence)
    return redirect(_page(row) + link(state=text_of(request, "state")))
