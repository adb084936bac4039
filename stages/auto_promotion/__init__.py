"""Stages that follow their source by themselves."""
