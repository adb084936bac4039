"""Stages, targets, scenarios and versions: made and edited."""
