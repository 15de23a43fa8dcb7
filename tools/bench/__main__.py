"""`python -m bench [ROW…]`: measures rows, by default all but those at length, and writes the page.

A row that does not run keeps its figures, with their date.
"""

import sys
import time

from bench import figures, page
from bench.processes import Failed
from bench.rows import AT_LENGTH, ROWS, Row


def main(names: list[str]) -> None:
    rows = ROWS | AT_LENGTH
    if unknown := [name for name in names if name not in rows]:
        sys.exit(f"bench: no row {', '.join(unknown)}; the rows are {', '.join(rows)}")
    failed = False
    for name in names or ROWS:
        if reason := rows[name].missing():
            print(f"{name}: left out: {reason}", flush=True)
            continue
        failed |= not measure(name, rows[name])
    if not names:
        print(f"left out, because it takes long: make bench ROWS='{' '.join(AT_LENGTH)}'")
    page.write()
    if failed:
        sys.exit(1)


def measure(name: str, row: Row) -> bool:
    """Measures a row and keeps its figures; returns false and says why if it fails."""
    begun = time.monotonic()
    found: list[figures.Figure] = []
    try:
        for figure in row.measure():
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
