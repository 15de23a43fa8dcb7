"""Checks files with little memory and time: a program for the tests of files that want more.

It reads one line of JSON for each check, `{"config": PATH}` or `{"stack": PATH}`, and answers by
one: the problems, the memory that the check took besides what it found, and its seconds. What
does not get by with `MEMORY` and `SECONDS` ends, and the answer says so.
"""

import gc
import json
import os
import resource
import sys
import traceback
from pathlib import Path
from typing import Any

from trussform import planning, stack_file
from trussform.problem import Problem, ProblemError

MEMORY = 50 << 20
SECONDS = 2
"""Of the processor; twice what is promised, as another's work on the same one slows it."""

_STATM = Path("/proc/self/statm")


def check(wanted: dict[str, str]) -> list[Problem]:
    try:
        if "stack" in wanted:
            return planning.plan_stack(stack_file.read_stack(Path(wanted["stack"]))).problems
        path = Path(wanted["config"])
        return planning.plan_stack(planning.without_stage(path), [path]).problems
    except ProblemError as error:
        return list(error.problems)


def bound() -> None:
    """Take away all memory and time but the bounds."""
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    if _STATM.exists():  # Linux alone says how much there is already.
        size = int(_STATM.read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE") + MEMORY
        resource.setrlimit(resource.RLIMIT_AS, (size, size))


def checked(wanted: dict[str, str]) -> dict[str, Any]:
    """Returns the child's answer about its check."""
    bound()
    try:
        problems = check(wanted)
    except BaseException as error:  # Each of them is what the tests look for.
        at = traceback.extract_tb(error.__traceback__)[-1]
        return {"failed": f"{type(error).__name__} at {Path(at.filename).name}:{at.lineno}"}
    used = resource.getrusage(resource.RUSAGE_SELF)
    texts = [str(problem)[:300] for problem in problems[:3]]
    return {"problems": texts, "count": len(problems), "seconds": used.ru_utime + used.ru_stime}


def in_a_child(wanted: dict[str, str]) -> dict[str, Any]:
    readable, writable = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(readable)
        with os.fdopen(writable, "w") as answer:
            json.dump(checked(wanted), answer)
        os._exit(0)
    os.close(writable)
    with os.fdopen(readable) as answer:
        text = answer.read()
    _, status = os.waitpid(child, 0)
    return json.loads(text) if text else {"failed": f"ended by signal {status & 127}"}


def main() -> None:
    gc.disable()  # As the command line does: what is not freed at once is not freed at all.
    check({"config": sys.argv[1]})  # The first check builds the models.
    for line in sys.stdin:
        print(json.dumps(in_a_child(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
