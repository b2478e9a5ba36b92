"""Iterative refinement of reward transfer: train in the target, look at what the source would pay there, fit anew."""
