"""Rewards where the target has none: the source's, carried over an alignment, backed by a learned world model."""

from transreward_wrappers.dtw.dtw import DTW
from transreward_wrappers.dtw.references import load_reference, save_reference

__all__ = ["DTW", "load_reference", "save_reference"]
