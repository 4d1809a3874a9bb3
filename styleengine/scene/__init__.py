"""The pictures of a run as tensors, at every scale."""
