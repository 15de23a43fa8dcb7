"""Problems as annotations of a pull request, in the form of GitHub's workflow commands."""

from trussform.problem import Problem, one_line

_KINDS = {"error": "error", "blocks-deploy": "error", "warning": "warning"}


def annotation(problem: Problem) -> str:
    """Returns a problem as a workflow command: `::error file=…,line=3,col=1::message; fix`."""
    place = {"file": problem.location.path}
    if problem.location.line:
        place |= {"line": str(problem.location.line), "col": str(problem.location.column)}
    properties = ",".join(f"{name}={_property(text)}" for name, text in place.items())
    field = f"{problem.field}: " if problem.path else ""
    text = one_line(f"{field}{problem.message}; {problem.fix}")
    return f"::{_KINDS[problem.level]} {properties}::{_data(text)}"


def _data(text: str) -> str:
    """Returns text with the escapes of a workflow command."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
