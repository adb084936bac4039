"""Addresses of the shell."""
from django.urls import path

from gs2admin.dashboard import player_page, search_page, views

urlpatterns = [
    path("", views.home, name="home"),
    path("login", views.SignIn.as_view(), name="login"),
    path("logout", views.SignOut.as_view(), name="logout"),
    path("theme", views.theme, name="theme"),
    path("p/<str:project>/search", search_page.search, name="search"),
    path("p/<str:project>/players", player_page.players, name="players"),
    # A player's id may hold anything, slashes too, so it stands in the query: ?id=…
    path("p/<str:project>/player", player_page.player, name="player"),
    path("p/<str:project>/player/live", player_page.live, name="player-live"),
    path("p/<str:project>/player/part/<slug:part>", player_page.part, name="player-part"),
]
