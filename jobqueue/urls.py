"""Addresses of queues, jobs and scripts inside one project, below /p/<project>/."""
from django.urls import path

from jobqueue.pages.views import given_up, jobs, namespaces, pausing, player, push, runs, script, scripts, search, user_data

urlpatterns = [
    path("queues/", namespaces.queues, name="queues"),
    # Not queues/new: that is the page of a namespace called new.
    path("new-queue-namespace", namespaces.create, name="queues-new"),
    path("queues/<str:namespace>/", namespaces.namespace, name="queues-namespace"),
    path("queues/<str:namespace>/live", namespaces.live, name="queues-live"),
    path("queues/<str:namespace>/settings", namespaces.edit, name="queues-edit"),
    path("queues/<str:namespace>/delete", namespaces.delete, name="queues-delete"),
    path("queues/<str:namespace>/pause", pausing.pause, name="queues-pause"),
    path("queues/<str:namespace>/resume", pausing.resume, name="queues-resume"),
    path("queues/<str:namespace>/push", push.push, name="queues-push"),
    path("queues/<str:namespace>/given-up", given_up.given_up, name="queues-given-up"),
    path("queues/<str:namespace>/given-up/replay", given_up.replay, name="queues-replay"),
    path("queues/<str:namespace>/given-up/delete", given_up.delete, name="queues-given-up-delete"),
    # A player's id may hold anything, slashes too, so it stands in the query: ?id=…
    path("queues/<str:namespace>/user", player.player, name="queues-user"),
    path("queues/<str:namespace>/user/live", player.live, name="queues-user-live"),
    path("queues/<str:namespace>/user/run", runs.run, name="queues-run"),
    path("queues/<str:namespace>/user/run-all", runs.run_all, name="queues-run-all"),
    path("queues/<str:namespace>/user/try-now", runs.try_now, name="queues-try-now"),
    path("jobs", search.search, name="queues-search"),
    path("jobs/<uuid:job>", jobs.job, name="queues-job"),
    path("jobs/<uuid:job>/live", jobs.live, name="queues-job-live"),
    path("jobs/<uuid:job>/arguments", jobs.arguments, name="queues-job-args"),
    path("jobs/<uuid:job>/results/<int:number>", jobs.result, name="queues-job-result"),
    path("jobs/<uuid:job>/output/<int:number>", jobs.output, name="queues-job-output"),
    path("jobs/<uuid:job>/delete", jobs.delete, name="queues-job-delete"),
    path("jobs/<uuid:job>/replay", jobs.replay, name="queues-job-replay"),
    path("player/export", user_data.dump, name="player-dump"),
    path("player/erase", user_data.erase, name="player-erase"),
    path("player/import", user_data.prepare, name="player-import"),
    path("player/data/<int:pk>", user_data.run, name="player-run"),
    path("player/data/<int:pk>/live", user_data.live, name="player-run-live"),
    path("player/data/<int:pk>/start", user_data.start, name="player-run-start"),
    path("scripts/", scripts.scripts, name="scripts"),
    path("new-script-namespace", scripts.create, name="scripts-new"),
    path("scripts/<str:namespace>/", scripts.namespace, name="scripts-namespace"),
    path("scripts/<str:namespace>/settings", scripts.edit, name="scripts-edit"),
    path("scripts/<str:namespace>/delete", scripts.delete, name="scripts-delete"),
    path("scripts/<str:namespace>/new", script.create, name="scripts-script-new"),
    # One level deeper, because a script may be called settings.
    path("scripts/<str:namespace>/script/<str:script>", script.script, name="scripts-script"),
    path("scripts/<str:namespace>/script/<str:script>/text", script.text, name="scripts-text"),
    path("scripts/<str:namespace>/script/<str:script>/versions", script.versions, name="scripts-versions"),
    path("scripts/<str:namespace>/script/<str:script>/versions/<int:revision>/restore", script.restore, name="scripts-restore"),
    path("scripts/<str:namespace>/script/<str:script>/delete", script.delete, name="scripts-script-delete"),
]
