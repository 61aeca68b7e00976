"""Fuzzing: `python tests/fuzzing 100000` (docs/fuzzing.md)."""
