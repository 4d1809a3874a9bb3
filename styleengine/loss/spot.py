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

    The loss is that of the whole picture, as far as the samples tell it. It is a function of the
    sheet (1, 3, h, w) times ``root``: there every pixel counts in inner products for as many as it
    stands for, so that a minimiser takes the steps that it takes on the whole picture. Pixels of no
    weight stay.
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
        self.root = torch.where(weights > 0, weights, torch.ones_like(weights)).sqrt()

    def evaluate(self, image: Tensor, dtype: torch.dtype | None = None) -> Evaluation:
        """As in `Objective`, of the sheet times ``root``."""
        loss, gradient = yield from super().evaluate(image / self.root, dtype)
        return loss, gradient / self.root.to(gradient.dtype)
