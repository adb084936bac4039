"""A control room for the live operations of a game: stages, rollouts, and the protocols their clients speak."""

__version__ = "0.1.0"
