"""Benchmarks: our circuits beside those of other compilers, in one run. `python -m benchmarks --help`."""
