"""What a run will do: recipe, scales, and the tiles and precision that fit the memory."""
