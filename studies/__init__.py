"""Experiments whose figures the docs quote."""
