"""How the picture comes down the loss: minimisers, scales, pace."""
