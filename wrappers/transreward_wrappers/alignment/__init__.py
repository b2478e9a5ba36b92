"""Alignments of target sequences with a source's, and the rewards that they carry over."""

from transreward_wrappers.alignment.alignment import Alignment
from transreward_wrappers.alignment.batched import align_candidate, dtw_totals
from transreward_wrappers.alignment.distance import dtw_distance
from transreward_wrappers.alignment.methods import METHODS, MethodName, align
from transreward_wrappers.alignment.orca import coverage
from transreward_wrappers.alignment.reference import Reference, on_one_floor
from transreward_wrappers.alignment.rewards import Carry, increment, potential, progress, shaping, transport
from transreward_wrappers.alignment.rows import RowState, StreamingRows

__all__ = [
    "METHODS",
    "Alignment",
    "Carry",
    "MethodName",
    "Reference",
    "RowState",
    "StreamingRows",
    "align",
    "align_candidate",
    "coverage",
    "dtw_distance",
    "dtw_totals",
    "increment",
    "on_one_floor",
    "potential",
    "progress",
    "shaping",
    "transport",
]
