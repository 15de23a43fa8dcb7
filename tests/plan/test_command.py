import shlex
import subprocess
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.workspace import Workspace
from trussform.plan import Plan
from trussform.plan.command import _read  # pyright: ignore[reportPrivateUsage]


def argv(plan: Callable[..., Plan], command: str) -> tuple[str, ...]:
    return plan({"docker_server": {"start_command": command}}).command.argv


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("serve --port 8000", ("serve", "--port", "8000")),
        ('serve --name "two words"', ("serve", "--name", "two words")),
        ("serve \\\n  --port 8000", ("serve", "--port", "8000")),
        ("serve \\\r\n  --port 8000\n", ("serve", "--port", "8000")),
        ('serve --json \'{"a": "$b"}\'', ("serve", "--json", '{"a": "$b"}')),
        ('sh -c "a && b | c > $D"', ("sh", "-c", "a && b | c > $D")),
        ('sh -c "a \\\n b"', ("sh", "-c", "a  b")),
        ("serve a$'x'b", ("serve", "a$xb")),
    ],
)
def test_a_command_is_split_as_a_shell_would(
    plan: Callable[..., Plan], command: str, expected: tuple[str, ...]
) -> None:
    assert argv(plan, command) == expected


@pytest.mark.parametrize(
    ("command", "syntax"),
    [
        ("a && b", "&"),
        ("a | b", "|"),
        ("a; b", ";"),
        ("a > log", ">"),
        ("serve --token $TOKEN", "$T"),
        ("serve --token $(cat f)", "$("),
        ("serve `hostname`", "`"),
    ],
)
def test_shell_syntax_without_a_shell_is_an_error_that_shows_what_to_write(
    workspace: Workspace, command: str, syntax: str
) -> None:
    _, (problem,) = workspace.plan({"docker_server": {"start_command": command}})
    assert problem.level == "error"
    assert problem.message.startswith(f"`{syntax}` needs a shell")
    assert problem.fix == f"write sh -c {shlex.quote(command)}"


def test_a_variable_in_front_of_the_command_is_an_error(workspace: Workspace) -> None:
    _, (problem,) = workspace.plan({"docker_server": {"start_command": "A=1 serve"}})
    assert problem.message == "`A=…` before a command needs a shell"


@pytest.mark.parametrize("command", ["serve 'x", 'serve "x', 'serve "x\\"', "serve \\"])
def test_an_open_end_is_an_error(workspace: Workspace, command: str) -> None:
    _, (problem,) = workspace.plan({"docker_server": {"start_command": command}})
    assert problem.message == "a quote is not closed, or the command ends with a backslash"


def test_no_build_runs_the_command_by_a_shell(plan: Callable[..., Plan]) -> None:
    made = plan({"docker_server": {"no_build": True, "start_command": "a && b"}})
    assert made.command.argv == ("sh", "-c", "a && b")


def test_no_build_without_a_command_leaves_the_images_own(plan: Callable[..., Plan]) -> None:
    made = plan({"docker_server": {"no_build": True, "start_command": None}})
    assert made.command.argv == ()


@given(st.lists(st.text(st.characters(exclude_characters="\0\r", codec="utf-8")), min_size=1))
def test_what_is_quoted_comes_back_word_for_word(words: list[str]) -> None:
    read = _read(shlex.join(words))
    assert read is not None
    assert list(read.words) == words


@given(st.text("ab'\"\\ \t\n$|", max_size=12).filter(lambda text: "\\\n" not in text))
def test_words_are_those_of_shlex(text: str) -> None:
    """Returns the words as Supervisor reads them; it knows no continuations."""
    read = _read(text)
    try:
        words = shlex.split(text)
    except ValueError:
        assert read is None
    else:
        assert read is not None
        assert list(read.words) == words


@given(st.text("ab'\"\\ \n#", max_size=12))
def test_continuations_and_comments_mean_what_they_mean_to_a_shell(text: str) -> None:
    """`sh` and the plan read the same words in a text that both can split."""
    read = _read(text)
    if read is None or "\n" in read.unquoted:
        return  # A newline ends a command for a shell, and is white space to Truss.
    run = subprocess.run(
        ["sh", "-c", f"printf '%s\\0' x {text}"], capture_output=True, text=True, check=True
    )
    assert tuple(run.stdout.split("\0")[1:-1]) == read.words


def test_two_percent_signs_are_one_to_supervisor(plan: Callable[..., Plan]) -> None:
    assert argv(plan, "serve --format %%d") == ("serve", "--format", "%d")
    made = plan({"docker_server": {"no_build": True, "start_command": "date +%%d"}})
    assert made.command.argv == ("sh", "-c", "date +%%d")


def test_supervisors_own_variables_are_refused(workspace: Workspace) -> None:
    _, (problem,) = workspace.plan({"docker_server": {"start_command": "serve %(ENV_HOME)s"}})
    assert problem.message == "`%(` is Supervisor's syntax, which Trussform does not read"


def test_comments_are_left_out(plan: Callable[..., Plan]) -> None:
    assert argv(plan, "serve # the server\n# more\n--port 1") == ("serve", "--port", "1")
    assert argv(plan, "serve a#b '# c'") == ("serve", "a#b", "# c")


@pytest.mark.parametrize("command", ["TOKEN={token} serve", "serve --api-key {token} && true"])
def test_a_token_in_a_command_is_not_repeated(workspace: Workspace, command: str) -> None:
    token = "hf_" + "aB3" * 8
    text = command.format(token=token)
    _, (problem,) = workspace.plan({"docker_server": {"start_command": text}})
    assert token not in str(problem)
