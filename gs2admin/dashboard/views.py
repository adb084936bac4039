"""Home, theme, sign-in and sign-out."""
from __future__ import annotations

from django.contrib.auth import views as auth
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_GET, require_POST

from gs2admin.dashboard.pages import LAST_PROJECT, signed_in
from gs2admin.identity.models import Project


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
    """The sign-in page; who is signed in already goes on to the board."""

    template_name = "registration/login.html"
    redirect_authenticated_user = True


class SignOut(auth.LogoutView):
    """Sign out by POST only."""
