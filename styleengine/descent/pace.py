"""Progress, time left, and when a preview is due."""

from __future__ import annotations

PREVIEW_INTERVAL_S = 0.4

STYLED_STEPS, STYLED_S = 8, 1.0
"""When the first preview comes: after so many steps, before which it would be hardly more than the
recoloured photo, or after so many seconds, if steps take long; then of the third step at least."""

SURE_STEPS = 3
"""Steps after which the time left is told from the time they took, if nothing else tells it."""
TELLING = 100_000
"""Pixels from which on the time of a step tells that of larger ones."""
