"""Proof that a pair is what it says: what the simulator does, measured in both domains."""

from transreward_envs.verification.report import Check, Verification
from transreward_envs.verification.verify import verify

__all__ = ["Check", "Verification", "verify"]
