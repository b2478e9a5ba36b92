"""Which joint of one robot is which of another, so that what one does means something to the other."""

from transreward_envs.correspondence.control import PermutationControl, beats_permutation
from transreward_envs.correspondence.correspondence import Correspondence, common_joints
from transreward_envs.correspondence.domain_map import DomainMap, EntryMap
from transreward_envs.correspondence.layout import Entry, Layout, layout_of
from transreward_envs.correspondence.of_pair import (
    CorrespondenceLike,
    map_of_pair,
    pair_layouts,
    require_correspondence,
)

__all__ = [
    "Correspondence",
    "CorrespondenceLike",
    "DomainMap",
    "Entry",
    "EntryMap",
    "Layout",
    "PermutationControl",
    "beats_permutation",
    "common_joints",
    "layout_of",
    "map_of_pair",
    "pair_layouts",
    "require_correspondence",
]
