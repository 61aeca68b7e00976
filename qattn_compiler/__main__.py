"""`python -m qattn_compiler` is `qattn`."""

from qattn_compiler.cli import main

main()
