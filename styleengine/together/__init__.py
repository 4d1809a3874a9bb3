"""Several processes at one picture, on torch.distributed: who holds what, and how it is joined."""
