"""`python -m bench [ROW…]`: measures the rows, all of them by default, and writes the page.

A row without its programs is left out, and its figures stay as they were, with their date.
"""

import sys
import time

from bench import figures, page
from bench.processes import Failed
from bench.rows import ROWS


def main(names: list[str]) -> None:
    if unknown := [name for name in names if name not in ROWS]:
        sys.exit(f"bench: no row {', '.join(unknown)}; the rows are {', '.join(ROWS)}")
    failed = False
    for name in names or ROWS:
        if reason := ROWS[name].missing():
            print(f"{name}: left out: {reason}", flush=True)
            continue
        failed |= not measure(name)
    page.write()
    if failed:
        sys.exit(1)


def measure(name: str) -> bool:
    """Measures a row and keeps its figures; returns false and says why if it fails."""
    begun = time.monotonic()
    found: list[figures.Figure] = []
    try:
        for figure in ROWS[name].measure():
            found.append(figure)
            spread = f"{min(figure.values):,.3g} to {max(figure.values):,.3g}"
            print(f"{name}: {figure.what}: {figure.who}: {figure.median:,.3g} {figure.unit} "
                  f"({spread})", flush=True)  # fmt: skip
    except Failed as error:
        print(f"{name}: failed: {error}", flush=True)
        return False
    finally:
        figures.keep(name, found)
        print(f"{name}: {time.monotonic() - begun:.0f} s", flush=True)
    return True


if __name__ == "__main__":
    main(sys.argv[1:])
