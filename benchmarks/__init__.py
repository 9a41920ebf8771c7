"""Benchmarks of the pair, beside what one would use otherwise and beside the practical limit. See README.md."""
