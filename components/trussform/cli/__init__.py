"""The command `trussform`."""

import atexit
import gc
import os


def main() -> None:
    """Run the command line as a process of its own."""
    start_lean()
    from trussform.cli.app import app  # Imported here, as all that it needs comes with it.

    app(prog_name="trussform")


def start_lean() -> None:
    """Turns off Python's garbage collector: a short process ends before there is garbage worth a
    collection, and pydantic would read every installed package in search of plugins."""
    gc.disable()
    atexit.register(gc.freeze)  # The interpreter collects once more at its end, whatever is set.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
