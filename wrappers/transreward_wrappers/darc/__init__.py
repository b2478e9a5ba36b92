"""Off-dynamics rewards from domain classifiers: DARC and DARA."""

from transreward_wrappers.darc.classifiers import DomainClassifiers
from transreward_wrappers.darc.darc import DARA, DARC

__all__ = ["DARA", "DARC", "DomainClassifiers"]
