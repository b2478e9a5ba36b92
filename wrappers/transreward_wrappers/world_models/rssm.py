"""A recurrent state-space model as a world model, for observations that hide or blur the state."""

from __future__ import annotations

from typing import ClassVar

from transreward_wrappers.world_models.descent import Stage
from transreward_wrappers.world_models.model import LearnedModel
from transreward_wrappers.world_models.rssm_network import RSSMNetwork
from transreward_wrappers.world_models.rssm_settings import RSSMSettings


class RSSM(LearnedModel[RSSMSettings, RSSMNetwork]):
    """A :class:`LearnedModel` by a recurrent state-space model; see :mod:`.rssm_network`.

    Its ``network`` has what agents that learn in imagination need: ``step``, ``decode``, ``rewards`` and ``continues``.
    """

    kind: ClassVar[str] = "rssm"

    def _build(self) -> RSSMNetwork:
        return RSSMNetwork(self.observation_size, self.action_size, self.settings)

    def _stages(self, updates: int) -> list[Stage]:
        return [Stage(updates=updates, length=self.settings.length)]

    @property
    def _batch(self) -> tuple[int, ...]:
        return (self.settings.batch_size,)
