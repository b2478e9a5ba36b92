"""DARA's table of offline algorithms, made again: ``transreward benchmark --table dara``."""
