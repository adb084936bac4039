"""Our own JSON API of stages, for build pipelines, scripts and monitors, below /api/v1: one file per kind of thing."""

from stages.api.own import canaries, gates, rollouts, stages, versions

METHODS = versions.METHODS + stages.METHODS + rollouts.METHODS + canaries.METHODS + gates.METHODS
