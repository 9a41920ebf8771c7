"""What ours is compared with: small, honest, by default. Run by the interpreter of ``.tools/bench``."""
