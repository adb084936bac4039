"""Home, theme, sign-in and sign-out."""
from __future__ import annotations

from typing import Any

from django.contrib.auth import views as auth
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_GET, require_POST

from gs2admin.dashboard.pages import LAST_PROJECT, actor_of, signed_in
from gs2admin.identity import throttle
from gs2admin.identity.models import Project
from gs2admin.identity.services import sign_ins


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
    if not url_has_allowed_host_and_scheme(back, allowed_hosts={request.get_host()}):
        back = "/"
    response = redirect(back)
    response.set_cookie("theme", "light" if now == "dark" else "dark", max_age=31_536_000, samesite="Lax",
                        secure=request.is_secure())
    return response


class SignIn(auth.LoginView):
    """The sign-in page; a person who is signed in is sent to the board. Guesses are limited, per name and address."""

    template_name = "registration/login.html"
    redirect_authenticated_user = True

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """After too many wrong passwords none is checked for the rest of the minute, not even the right one."""
        # The key of a counter: 150 characters are the longest name that anybody has.
        self.who = (f"person:{request.POST.get('username', '')[:150].lower()}", request.META.get("REMOTE_ADDR", ""))
        if throttle.exhausted(*self.who):
            form = self.form_class(request)  # unbound: the password is not looked at
            return self.render_to_response(self.get_context_data(form=form, slowed=True), status=400)
        return super().post(request, *args, **kwargs)

    def form_invalid(self, form: Any) -> HttpResponse:
        """Count the wrong guess."""
        throttle.note_failure(*self.who)
        sign_ins.sign_in_failed(
            username=self.request.POST.get("username", "")[:150], ip=self.who[1],
            request_id=str(getattr(self.request, "request_id", "") or ""),
        )
        return super().form_invalid(form)

    def form_valid(self, form: Any) -> HttpResponse:
        """Sign in, with a line in the log."""
        response = super().form_valid(form)
        sign_ins.signed_in(actor=actor_of(self.request))
        return response


class SignOut(auth.LogoutView):
    """Sign out by POST only, with a line in the log."""

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        actor = actor_of(request) if request.user.is_authenticated else None
        response = super().post(request, *args, **kwargs)
        if actor is not None:
            sign_ins.signed_out(actor=actor)
        return response
