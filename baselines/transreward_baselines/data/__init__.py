"""Offline datasets: built on the user's machine from the shipped policies."""

from transreward_baselines.data.builder import QUALITIES, BuildArgs, Quality, build

__all__ = ["QUALITIES", "BuildArgs", "Quality", "build"]
