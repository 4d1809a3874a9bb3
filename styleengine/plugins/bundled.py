"""What the engine brings along, registered through the same hooks as anybody's plug-in.

torch is imported only when one of these is used, so that listing plug-ins is quick.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from styleengine.plugins.hookspecs import (
    RegisterExtractor,
    RegisterPostprocessor,
    RegisterStyleLoss,
    hookimpl,
)
from styleengine.weights.vgg_layout import CONTENT_LAYER, STYLE_LAYERS

if TYPE_CHECKING:
    import numpy as np

    from styleengine.loss.style_losses import StyleLoss
    from styleengine.networks.base import Network
    from styleengine.networks.extractor import ExtractorRequest


def _gram() -> StyleLoss:
    from styleengine.loss.style_losses import GramLoss

    return GramLoss()


def _gram_moments() -> StyleLoss:
    from styleengine.loss.style_losses import GramMomentsLoss

    return GramMomentsLoss()


def _covariance() -> StyleLoss:
    from styleengine.loss.style_losses import CovarianceLoss

    return CovarianceLoss()


def _vgg19(request: ExtractorRequest) -> Network:
    from styleengine.networks import vgg
    from styleengine.weights import store

    given = store.resolve(request.weights)
    return vgg.vgg19(request.layers, given, request.pooling, replicated=True)


def _draft(request: ExtractorRequest) -> Network:
    from styleengine.networks import draft

    return draft.load(request.layers, request.pooling, replicated=True)


@hookimpl
def register_style_losses(register: RegisterStyleLoss) -> None:
    """Covariances with means; Gram matrices, with and without the moments terms."""
    register("covariance", _covariance, "Means and covariances")
    register("gram", _gram, "Gram matrices")
    register("gram-moments", _gram_moments, "Gram matrices, means and deviations")


@hookimpl
def register_extractors(register: RegisterExtractor) -> None:
    """VGG19 and the draft network."""
    register("vgg19", _vgg19, STYLE_LAYERS, CONTENT_LAYER, "Pretrained VGG19")
    register("draft", _draft, STYLE_LAYERS, CONTENT_LAYER, "Draft network")


@hookimpl
def register_postprocessors(register: RegisterPostprocessor) -> None:
    """Finishing touches at full size."""
    register("contrast", stretch_contrast, "Stretch contrast")
    register("sharpen", sharpen, "Sharpen")


def stretch_contrast(result: np.ndarray, content: np.ndarray) -> np.ndarray:
    """``result`` stretched so that 0.5 % of all values are black and 0.5 % white."""
    import numpy as np

    low, high = np.percentile(result[::4, ::4] if result.size > 1e6 else result, (0.5, 99.5))
    stretched: np.ndarray = np.clip((result - low) / max(high - low, 1e-3), 0, 1)
    return stretched.astype(np.float32)


def sharpen(result: np.ndarray, content: np.ndarray) -> np.ndarray:
    """``result`` plus half its difference to its 3×3 mean (unsharp masking)."""
    import numpy as np

    padded = np.pad(result, ((1, 1), (1, 1), (0, 0)), mode="edge")
    rows = padded[:-2] + padded[1:-1] + padded[2:]
    mean = (rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:]) / 9
    sharpened: np.ndarray = np.clip(result + 0.5 * (result - mean), 0, 1)
    return sharpened.astype(np.float32)
