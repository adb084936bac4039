"""One's own password."""
from __future__ import annotations

from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.forms import PasswordChangeForm
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from gs2admin.audit.services import record
from gs2admin.dashboard.pages import signed_in
from gs2admin.dashboard.posting import form_page
from gs2admin.identity import throttle


@sensitive_post_parameters()
@require_http_methods(["GET", "POST"])
@signed_in
def password(request: HttpRequest) -> HttpResponse:
    """Change it; other browsers that are signed in with the old one are signed out. Raises Unavailable."""
    form = PasswordChangeForm(request.user, request.POST if request.method == "POST" else None)
    for field in form.fields.values():
        field.widget.attrs["class"] = "form-control"
        field.help_text = ""
    form.fields["new_password1"].help_text = "At least 10 characters, and none of the common ones."
    if request.method == "POST":
        # Who found an open session must not guess on.
        attempt = throttle.begin("old password", "", "", own=str(request.user.pk))
    if request.method == "POST" and form.is_valid():
        attempt.right()
        with transaction.atomic():
            update_session_auth_hash(request, form.save())
            record(actor=request.actor, action="person.password", obj=request.user)
        messages.success(request, "Your password is changed. Other browsers were signed out.")
        return redirect("projects")
    return form_page(
        request, form, title="Change my password", button="Change password", back="/", crumbs=[("Password", "")],
        text=f"You are signed in as {request.user.get_username()}.",
    )
