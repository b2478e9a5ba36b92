"""The source's reward, moved to the target: reward transfer."""

from transreward_wrappers.reward_transfer.reward_transfer import RewardTransfer

__all__ = ["RewardTransfer"]
