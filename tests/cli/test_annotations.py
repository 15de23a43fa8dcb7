"""`trussform check --format github`: problems as annotations of a pull request."""

from support.workspace import Workspace
from trussform.cli.annotations import annotation
from trussform.cli.app import app
from trussform.problem import Location, Problem
from typer.testing import CliRunner


def test_each_problem_is_an_annotation_at_its_line(workspace: Workspace) -> None:
    file = workspace.write_config("docker_server: {server_prot: 1}\nlive_reload: true\n")
    result = CliRunner().invoke(app, ["check", str(file), "--format", "github"])
    lines = result.stdout.splitlines()
    assert f"::error file={file},line=1,col=17::docker_server.server_prot: unknown field; " in (
        "\n".join(lines)
    )
    assert {line.partition(" ")[0] for line in lines} <= {"::error", "::warning"}
    assert result.exit_code == 1


def test_a_file_and_a_message_cannot_end_the_command() -> None:
    place = Location("a:b,c%d", 3, 1)
    problem = Problem(None, ("f",), "100% of\nit", "fix it", "blocks-deploy", place)
    assert annotation(problem) == (
        "::error file=a%3Ab%2Cc%25d,line=3,col=1::f: 100%25 of\\nit; fix it"
    )


def test_a_problem_of_a_whole_file_has_no_line() -> None:
    problem = Problem(None, (), "no such file", "create it", "warning", Location("a"))
    assert annotation(problem) == "::warning file=a::no such file; create it"
