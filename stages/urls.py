"""Addresses inside one project, below /p/<project>/."""
from django.urls import path

from stages import live
from stages.views import board, moves, rollouts, stage

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
    path("rollouts/<int:number>/retry", moves.retry, name="rollout-retry"),
]
