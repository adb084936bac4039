"""Addresses inside one project, below /p/<project>/."""
from django.urls import path

from stages import live
from stages.views import approvals, auto, board, gates, manage, moves, rollouts, stage, targets, versions

urlpatterns = [
    path("", board.board, name="board"),
    path("live", board.board_live, name="board-live"),
    path("stages/<str:stage>", stage.stage, name="stage"),
    path("stages/<str:stage>/promote", moves.promote, name="stage-promote"),
    path("stages/<str:stage>/rollback", moves.rollback, name="stage-rollback"),
    path("rollouts", rollouts.rollouts, name="rollouts"),
    path("rollouts/<int:number>", rollouts.rollout, name="rollout"),
    path("rollouts/<int:number>/live", live.rollout_live, name="rollout-live"),
    path("rollouts/<int:number>/lines", rollouts.rollout_lines, name="rollout-lines"),
    path("rollouts/<int:number>/output.txt", rollouts.rollout_text, name="rollout-text"),
    path("rollouts/<int:number>/cancel", moves.cancel, name="rollout-cancel"),
    path("rollouts/<int:number>/approve", approvals.approve, name="rollout-approve"),
    path("rollouts/<int:number>/reject", approvals.reject, name="rollout-reject"),
    path("stages/<str:stage>/auto", auto.settings, name="stage-auto"),
    path("stages/<str:stage>/let-go", auto.release, name="stage-let-go"),
    path("stages/<str:stage>/approval", approvals.rule, name="stage-approval"),
    path("rollouts/<int:number>/retry", moves.retry, name="rollout-retry"),
    # Not stages/new: that is the page of a stage called new.
    path("new-stage", manage.create, name="stage-new"),
    path("stages/<str:stage>/edit", manage.edit, name="stage-edit"),
    path("stages/<str:stage>/delete", manage.delete, name="stage-delete"),
    path("stages/<str:stage>/targets", targets.targets, name="stage-targets"),
    path("stages/<str:stage>/targets/new", targets.create, name="target-new"),
    path("stages/<str:stage>/targets/<str:target>/edit", targets.edit, name="target-edit"),
    path("stages/<str:stage>/targets/<str:target>/move", targets.move, name="target-move"),
    path("stages/<str:stage>/targets/<str:target>/rotate", targets.rotate, name="target-rotate"),
    path("stages/<str:stage>/targets/<str:target>/delete", targets.delete, name="target-delete"),
    path("freezes", gates.freezes, name="freezes"),
    path("freezes.ics", gates.feed, name="freeze-feed"),
    path("freezes/new", gates.create, name="freeze-new"),
    path("freezes/<int:pk>", gates.edit, name="freeze-edit"),
    path("freezes/<int:pk>/delete", gates.delete, name="freeze-delete"),
    path("line/stop", gates.stop, name="line-stop"),
    path("line/resume", gates.resume, name="line-resume"),
    path("versions/", versions.versions, name="versions"),
    path("versions/register", versions.register, name="version-register"),
    path("versions/<str:service>/", versions.service, name="version-service"),
    path("versions/<str:service>/<int:pk>/withdraw", versions.withdraw, name="version-withdraw"),
]
