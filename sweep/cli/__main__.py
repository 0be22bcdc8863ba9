"""``python -m sweep.cli``: the `sweep` command of this interpreter."""

from sweep.cli import main

main()
