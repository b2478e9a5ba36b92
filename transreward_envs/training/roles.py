"""How ``info`` names what training tells."""

from __future__ import annotations

from transreward_envs.pairs import Role

DOMAIN_INDEX: dict[Role, int] = {"source": 0, "target": 1}
"""Values of ``info["domain"]``."""

STATISTICS_KEY = "episode_env"
"""Of the environment's own return in ``info``; ``episode`` is left to the agent's library, which insists on it."""
