"""The `sweep` command: what it is made of, and how it ends."""

from __future__ import annotations

import typer
from rich.console import Console

from sweep.cli import keeping, reading, running

# Dask, xarray and all that works on a study are imported by the command that needs them, so that Ctrl-C during their
# seconds of loading ends quietly, and --help answers at once.
REFUSED, INTERRUPTED = 2, 130

COMMANDS = (
    running.plan,
    running.run,
    running.screen,
    running.refine,
    reading.status,
    reading.verify,
    reading.rates,
    reading.figures,
    keeping.core,
    keeping.transfer,
    reading.report,
    keeping.export,
    keeping.merge,
    keeping.clean,
    reading.hypotheses,
    reading.advise,
)

application = typer.Typer(
    help="Measure how machine-learned interatomic potentials generalise to dislocation simulations.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@application.callback()
def sweep() -> None:
    """Measure how machine-learned interatomic potentials generalise to dislocation simulations."""


for _command in COMMANDS:
    application.command()(_command)


def main() -> None:
    """Run the command.

    Exit status: 0 done, 1 done with failed points, 2 bad input (nothing written), 3 stopped by the machine, 130
    interrupted; after the last two, running again goes on.
    """
    try:
        application()
    except KeyboardInterrupt:
        raise SystemExit(INTERRUPTED) from None
    except ValueError as error:
        from sweep.refusals import RefusedError

        if not isinstance(error, RefusedError):
            raise
        Console(stderr=True, soft_wrap=True, highlight=False).print(f"sweep: {error}", markup=False)
        raise SystemExit(REFUSED) from None
