"""What may be added to the engine: hooks, their registry, and what comes bundled."""
