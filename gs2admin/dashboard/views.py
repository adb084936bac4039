"""Home, theme, sign-in and sign-out."""
from __future__ import annotations

import hashlib
import secrets
import unicodedata
from typing import Any

from django.conf import settings
from django.contrib.auth import views as auth
from django.core import signing
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_GET, require_POST

from gs2admin.caller import client_of
from gs2admin.dashboard.pages import LAST_PROJECT, actor_of, signed_in
from gs2admin.errors import Unavailable
from gs2admin.identity import throttle
from gs2admin.identity.models import Project
from gs2admin.identity.services import sign_ins

# The cookie of a browser with which somebody signed in; it survives signing out, and lets nobody in.
KNOWN = "gs2admin_known"
KNOWN_S = 180 * 86_400


@require_GET
@signed_in
def home(request: HttpRequest) -> HttpResponse:
    """The board of the project looked at last, else of the first one; a page that says so when there is none."""
    mine = Project.objects.all() if request.user.is_superuser else Project.objects.filter(memberships__user=request.user)
    last = request.session.get(LAST_PROJECT)
    project = (mine.filter(name=last).first() if last else None) or mine.order_by("name").first()
    if project is None:
        return render(request, "no_project.html")
    return redirect("board", project=project.name)


@require_POST
def theme(request: HttpRequest) -> HttpResponse:
    """Switch between light and dark without script; with script the page does it alone (static/js/shell.js)."""
    now = request.COOKIES.get("theme")
    back = request.POST.get("next", "/")
    # A path alone: redirect() would take anything else for the name of a page.
    if not back.startswith("/") or not url_has_allowed_host_and_scheme(back, allowed_hosts={request.get_host()}):
        back = "/"
    response = HttpResponseRedirect(back)
    response.set_cookie("theme", "light" if now == "dark" else "dark", max_age=31_536_000, samesite="Lax",
                        secure=request.is_secure())
    return response


class SignIn(auth.LoginView):
    """The sign-in page; a person who is signed in is sent to the board. Guesses are limited (identity/throttle.py).

    A browser that a person has signed in with carries a cookie that says so, and then a budget of its own.
    """

    template_name = "registration/login.html"
    redirect_authenticated_user = True

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """After too many wrong passwords none is checked for a while; the answer says for how long."""
        self.name = unicodedata.normalize("NFKC", request.POST.get("username", "")[:150]).casefold()
        self.browser = known_browser(request, self.name)
        try:
            self.attempt = throttle.begin("person", self.name, client_of(request), own=self.browser)
        except Unavailable as slowed:
            form = self.form_class(request)  # unbound: the password is not looked at
            seconds = slowed.extra["retry_after_s"]
            return self.render_to_response(
                self.get_context_data(form=form, slowed=seconds), status=429, headers={"Retry-After": str(seconds)}
            )
        return super().post(request, *args, **kwargs)

    def form_invalid(self, form: Any) -> HttpResponse:
        """The guess was wrong, and has been counted."""
        sign_ins.sign_in_failed(
            username=self.request.POST.get("username", "")[:150], ip=client_of(self.request),
            request_id=str(getattr(self.request, "request_id", "") or ""),
        )
        return super().form_invalid(form)

    def form_valid(self, form: Any) -> HttpResponse:
        """The guess was right: sign in, with a line in the log, and know the browser from now on."""
        self.attempt.right()
        response = super().form_valid(form)
        sign_ins.signed_in(actor=actor_of(self.request))
        mark = [_digest(self.name), self.browser or secrets.token_urlsafe(16)]
        response.set_cookie(KNOWN, signing.dumps(mark, salt=KNOWN), max_age=KNOWN_S, httponly=True, samesite="Lax",
                            secure=settings.SESSION_COOKIE_SECURE)
        return response


def known_browser(request: HttpRequest, name: str) -> str:
    """The id of a browser with which this name has signed in before; "" for any other."""
    try:
        whose, browser = signing.loads(request.COOKIES.get(KNOWN, ""), salt=KNOWN, max_age=KNOWN_S)
    except (signing.BadSignature, ValueError):
        return ""
    return browser if whose == _digest(name) else ""


def _digest(name: str) -> str:
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()


class SignOut(auth.LogoutView):
    """Sign out by POST only, with a line in the log."""

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        actor = actor_of(request) if request.user.is_authenticated else None
        response = super().post(request, *args, **kwargs)
        if actor is not None:
            sign_ins.signed_out(actor=actor)
        return response
