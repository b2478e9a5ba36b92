"""Benchmark suites: one file each, from which the table of pairs is made."""
