"""Domain classifiers as a reward: DARC."""

from transreward_wrappers.darc.classifiers import DomainClassifiers
from transreward_wrappers.darc.darc import DARC

__all__ = ["DARC", "DomainClassifiers"]
