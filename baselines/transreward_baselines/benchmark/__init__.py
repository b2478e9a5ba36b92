"""Benchmarks: contenders on equal terms, over pairs, agents and seeds, with tables, statistics and figures."""
