"""Agents, training, evaluation and reports for the suite."""
