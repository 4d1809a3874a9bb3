"""The loss of a picture of which only a spot and some samples are looked at."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from styleengine.loss.objective import Evaluation
from styleengine.loss.painting import PaintObjective
from styleengine.loss.style_losses import StyleLoss
from styleengine.networks.extractor import Extractor
from styleengine.planning.recipes import Recipe
from styleengine.scene.scene import StyleTarget


class SpotObjective(PaintObjective):
    """That of a sheet of patches, whose pixels stand for so many of the whole as ``weights`` says.

    The loss is that of the whole picture, as far as the samples tell it; the gradient is what each
    pixel has there, whether it stands for itself or for many. Pixels of no weight stay.
    """

    def __init__(
        self,
        extractor: Extractor,
        recipe: Recipe,
        style_loss: StyleLoss,
        content: Tensor,
        styles: Sequence[StyleTarget],
        weights: Tensor,
        factors: tuple[float, float],
        side: int | None = None,
        hold: Tensor | None = None,
        faces: Tensor | None = None,
    ) -> None:
        """``content`` is the sheet (1, 3, h, w), ``weights``, ``hold`` and ``faces`` (h, w) as it;
        ``factors`` are those of content and smoothness."""
        super().__init__(
            extractor,
            recipe,
            style_loss,
            content,
            styles,
            weights,
            *factors,
            side=side,
            hold=hold,
            faces=faces,
            smoothed=weights,
        )
        self._share = torch.where(weights > 0, 1 / weights.clamp_min(1e-6), weights)

    def evaluate(self, image: Tensor, dtype: torch.dtype | None = None) -> Evaluation:
        """As in `Objective`."""
        loss, gradient = yield from super().evaluate(image, dtype)
        return loss, gradient * self._share.to(gradient.dtype)
