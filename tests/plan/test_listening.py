"""A known server listens on all addresses; what cannot be told to is said before a deploy."""

import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.workspace import Workspace
from trussform.plan import Plan
from trussform.plan.reserved import RESERVED
from trussform.plan.servers import SERVERS, Server
from trussform.plan.shell import simple_commands
from trussform.problem import Problem

MakePlan = Callable[..., Plan]
SGLANG = "python3 -m sglang.launch_server"
ADDED = f"{SGLANG} --host 0.0.0.0"


def argv(plan: MakePlan, command: str, **server: object) -> tuple[str, ...]:
    return plan({"docker_server": {"start_command": command, **server}}).command.argv


def problems(workspace: Workspace, command: str, **config: object) -> list[Problem]:
    server = {"docker_server": {"start_command": command, "server_port": 8000}}
    found = workspace.plan({**server, "runtime": {"predict_concurrency": 64}, **config})[1]
    return [problem for problem in found if problem.level != "warning"]


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (f"{SGLANG} --tp 1", ["python3", "-m", "sglang.launch_server", "--host", "0.0.0.0"]),
        ("/usr/bin/env -u A mlx_lm.server --model m", ["mlx_lm.server", "--host", "0.0.0.0"]),
        ("uv run fastapi dev app.py", ["uv", "run", "fastapi", "dev", "--host", "0.0.0.0"]),
        ("trtllm-serve serve m --tp_size 2", ["trtllm-serve", "serve", "--host", "0.0.0.0", "m"]),
        ("trtllm-serve m --tp_size 2", ["trtllm-serve", "m", "--host", "0.0.0.0", "--tp_size"]),
        ("gunicorn app:app", ["gunicorn", "--bind", "0.0.0.0:8000", "app:app"]),
        ("python -u /ComfyUI/main.py", ["/ComfyUI/main.py", "--listen", "0.0.0.0"]),
    ],
)
def test_an_option_stands_behind_the_servers_name(
    plan: MakePlan, command: str, expected: list[str]
) -> None:
    made = shlex.join(argv(plan, command))
    assert shlex.join(expected) in made


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("trtllm-serve --backend a m", "trtllm-serve --host 0.0.0.0 --backend"),
        ("uv run --with gunicorn gunicorn a:a", "gunicorn gunicorn --bind 0.0.0.0:8000"),
        ("sudo -u gunicorn gunicorn a:a", "gunicorn gunicorn --bind 0.0.0.0:8000"),
        ("gosu gunicorn gunicorn a:a", "gunicorn gunicorn --bind 0.0.0.0:8000"),
        (f"torchrun --nproc 2 -m {SGLANG[11:]}", "sglang.launch_server --host"),
        (f"accelerate launch -m {SGLANG[11:]}", "sglang.launch_server --host"),
        (f"/opt/nvidia/nvidia_entrypoint.sh {SGLANG}", "sglang.launch_server --host"),
        (f"bash -eo pipefail -c '{SGLANG}'", "sglang.launch_server --host"),
        (f"su app -s /bin/sh -c '{SGLANG}'", "sglang.launch_server --host"),
        (f"sh -c 'eval \"{SGLANG} --tp 1\"'", "sglang.launch_server --host"),
        ("sh -c 'cd /opt/ComfyUI && python main.py'", "main.py --listen 0.0.0.0"),
    ],
)
def test_an_option_reaches_a_server_behind_what_starts_it(
    plan: MakePlan, command: str, expected: str
) -> None:
    assert expected in " ".join(argv(plan, command))


SCRIPTS = [
    "{}",
    "A=1 B=$(cat /secrets/b) {}",
    "truss-transfer-cli && {} --tp 1",
    "a; {} | tee log",
    "{} & wait",
    "exec {} --tp 1 > log 2>&1",
    "env A=1 timeout 60 {}",
    "if [ -f x ]; then {}; fi # {} in a comment",
    "cat <<EOF > f\nit's {}\nEOF\n{}",
    "bash -c '{} --tp 1' && true",
    'bash -c "exec {}"',
    "for i in 1 2; do {} --port 8000; done",
    'cd /app && {}  --json \'{{"a": "b"}}\'',
]


@pytest.mark.parametrize("no_build", [False, True])
@pytest.mark.parametrize("script", SCRIPTS)
def test_an_option_is_all_that_changes_in_a_shells_text(
    plan: MakePlan, script: str, no_build: bool
) -> None:
    count = script.count("{}")
    before = script.format(*[SGLANG] * count)
    after = script.format(*[SGLANG] * (count - 1), ADDED)
    if "comment" in script:
        after = script.format(ADDED, SGLANG)
    command = before if no_build else f"sh -c {shlex.quote(before)}"
    assert argv(plan, command, no_build=no_build) == ("sh", "-c", after)


@pytest.mark.parametrize(
    "command",
    [
        f"sh -c {shlex.quote(f'bash -c {shlex.quote(SGLANG)}; bash -c {shlex.quote(SGLANG)}')}",
        f'sh -c "bash -c \\"{SGLANG} --json \'{{}}\'\\""',
        f'sh -c \'sh -c "sh -c \\"{SGLANG} --tp 1\\""\'',
        "sh -c \"python3 -m 'sglang.launch_server' --tp 1\"",
        "sh -c 'python3 -m sglang.\"launch_server\"'",
        'sh -c "sh -c \'python3 -m \\"sglang.launch_server\\"\'"',
    ],
)
def test_an_option_reaches_a_server_however_deep_it_is_quoted(
    plan: MakePlan, tmp_path: Path, command: str
) -> None:
    """By the shells themselves, which run a `python3` that shows its words."""
    made = argv(plan, command)
    (tmp_path / "python3").write_text('#!/bin/sh\nIFS="|"; echo "$*"\n')
    (tmp_path / "python3").chmod(0o755)
    path = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    run = subprocess.run(made, env=path, capture_output=True, text=True, check=True)
    assert run.stdout.splitlines()
    for line in run.stdout.splitlines():
        assert line.startswith("-m|sglang.launch_server|--host|0.0.0.0")


@pytest.mark.parametrize(
    ("command", "port", "variable"),
    [
        ('sh -c "ollama serve & sleep 5 && ollama pull m && wait"', 11434, "OLLAMA_HOST"),
        ("/app/llama-server -m m.gguf --port 8000", 8000, "LLAMA_ARG_HOST"),
        ("python -m llama_cpp.server --model m", 8000, "HOST"),
        ("uvicorn app:app", 8000, "UVICORN_HOST"),
        ("python -m uvicorn app:app", 8000, "UVICORN_HOST"),
        ("granian --interface asgi app:app", 8000, "GRANIAN_HOST"),
        ("flask --app app run", 8000, "FLASK_RUN_HOST"),
        ("serve run app:app", 8000, "RAY_SERVE_DEFAULT_HTTP_HOST"),
        ("gradio app.py", 8000, "GRADIO_SERVER_NAME"),
    ],
)
def test_a_servers_variable_is_set_and_its_command_unchanged(
    plan: MakePlan, command: str, port: int, variable: str
) -> None:
    made = plan({"docker_server": {"start_command": command, "server_port": port}})
    assert made.variables.texts[variable] == "0.0.0.0"
    assert list(made.command.argv) == shlex.split(command)
    assert f"Trussform sets `{variable}=0.0.0.0`" in made.command.why


def command_of(server: Server) -> str:
    """A command that starts a server and says nothing of its host."""
    words = server.commands[0]
    folder = f"/{server.folder}/" if server.folder else ""
    return f"{folder}{' '.join(words)} model{server.marker or ''}"


@pytest.mark.parametrize("server", SERVERS, ids=lambda server: server.name)
def test_every_known_server_is_reached(plan: MakePlan, server: Server) -> None:
    made = plan(
        {
            "docker_server": {
                "start_command": f"sh -c '{command_of(server)}'",
                "server_port": server.port or 8000,
            }
        }
    )
    assert made.command.servers == (server,)
    told = "0.0.0.0" in " ".join([*made.command.argv, *made.command.variables.values()])
    assert told == server.loopback
    assert (server.name in made.command.why) == server.loopback


@pytest.mark.parametrize("server", SERVERS, ids=lambda server: server.name)
def test_every_known_server_that_names_127_0_0_1_is_an_error(
    workspace: Workspace, server: Server
) -> None:
    command = command_of(server)
    for option in server.options:
        (problem,) = problems(workspace, f"{command} {option} 127.0.0.1:8000".replace(
            ":8000", ":8000" if server.port else ""))  # fmt: skip
        assert problem.level == "blocks-deploy"
        assert f"`{option} 127.0.0.1" in problem.message
    if server.variable:
        value = "127.0.0.1:8000" if server.port else "localhost"
        (problem,) = problems(workspace, f"sh -c '{server.variable}={value} {command}'")
        assert f"`{server.variable}={value}`" in problem.message
        own = {"environment_variables": {server.variable: value}}
        found = [problem.field for problem in problems(workspace, command, **own)]
        # A reserved name is dropped, as Baseten does, so it sets no host.
        dropped = server.variable in RESERVED
        assert found == ([] if dropped else [f"environment_variables.{server.variable}"])


@pytest.mark.parametrize(
    "command",
    [
        f"{SGLANG} --host 0.0.0.0",
        f"{SGLANG} --host=::",
        f"sh -c '{SGLANG} --host $HOST'",
        "uvicorn app:app --uds /run/a.sock",
        "sh -c 'export UVICORN_HOST=10.0.0.1; uvicorn app:app'",
        "sh -c 'UVICORN_HOST=10.0.0.1; export UVICORN_HOST; uvicorn app:app'",
        "env UVICORN_HOST=:: uvicorn app:app",
        "gunicorn -b 0.0.0.0:8000 app:app",
        "gunicorn -b0.0.0.0:8000 app:app",
        "gunicorn -b 127.0.0.1:8000 -b 10.0.0.1:8000 app:app",
        "gunicorn --config gunicorn.conf.py app:app",
        "sh -c 'PORT=8000 gunicorn app:app'",
        f"sh -c 'nginx && {SGLANG} --port 30000'",
        f"sh -c 'front --port 8000 & {SGLANG} --host 127.0.0.1 --port 9000; wait'",
        "python /ComfyUI/main.py --listen",
        "pip install uvicorn",
        "sh -c 'pip install uvicorn && ollama pull m && echo uvicorn app:app'",
        "python main.py",
        "python /app/main.py --comfyui-dir /ComfyUI",
        "python /comfyui_wrapper/main.py",
        "uv run --with gunicorn python server.py",
        "conda run -n gunicorn python server.py",
        "trtllm-serve disaggregated -c file.yaml",
        "bash start.sh -c 'sglang serve'",
        "serve --help",
        "sh -c 'redis-server --bind 127.0.0.1 & python server.py'",
        "sh -c 'python server.py & redis-server --bind 127.0.0.1'",
        "sh -c 'python server.py & sleep 5; wget --bind 127.0.0.1; wait'",
        "sh -c 'uvicorn a:a --host 127.0.0.1 & uvicorn b:b --host 0.0.0.0 --port 8000'",
        "sh -c 'OLLAMA_HOST=127.0.0.1 ollama serve & python proxy.py'",
        f"sh -c 'HOST=0.0.0.0; {SGLANG} --host ${{HOST:-127.0.0.1}}'",
        "serve --host 127.0.0.1 --port 9000",
        "sh -c 'uvicorn \"app:app'",
    ],
)
def test_other_commands_are_left_alone(plan: MakePlan, workspace: Workspace, command: str) -> None:
    made = plan({"docker_server": {"start_command": command}})
    assert list(made.command.argv) == shlex.split(command)
    assert made.command.variables == {}
    assert problems(workspace, command) == []


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("python server.py --host 127.0.0.1", "--host 127.0.0.1"),
        ("serve --host=localhost --port 8000", "--host localhost"),
        ("sh -c 'sleep 1; serve --bind 127.0.0.1:8000 & wait'", "--bind 127.0.0.1:8000"),
        ("sh -c 'ready & exec ./serve --host ::1'", "--host ::1"),
    ],
)
def test_an_unknown_server_that_is_told_127_0_0_1_is_an_error(
    workspace: Workspace, command: str, told: str
) -> None:
    (problem,) = problems(workspace, command)
    assert problem.level == "blocks-deploy"
    assert problem.message.startswith(f"`{told}` makes ")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (f"{SGLANG} --host ${{HOST:-127.0.0.1}}", "--host ${HOST:-127.0.0.1}"),
        (f"H=localhost; {SGLANG} --host $H --port ${{PORT}}", "--host $H"),
        ('export H=127.0.0.1; serve --host "${H}" --port $PORT', "--host ${H}"),
        ("gunicorn a:a -b 127.0.0.1:${PORT:-9}", "-b 127.0.0.1:${PORT:-9}"),
    ],
)
def test_a_variable_that_is_127_0_0_1_is_an_error(
    workspace: Workspace, text: str, told: str
) -> None:
    (problem,) = problems(workspace, f"sh -c '{text}'")
    assert problem.message.startswith(f"`{told}` makes ")


def test_a_file_that_may_set_the_host_is_a_warning(workspace: Workspace) -> None:
    command = "gunicorn --config gunicorn.conf.py app:app"
    (problem,) = workspace.plan({"docker_server": {"start_command": command}})[1]
    assert problem.level == "warning"
    assert problem.fix == "set `bind` to 0.0.0.0:8000 in that file"


def test_a_config_that_sets_another_port_for_ollama_is_left_to_it(plan: MakePlan) -> None:
    """An image sets the port by OLLAMA_HOST, or another program stands in front."""
    assert plan({"docker_server": {"start_command": "ollama serve"}}).command.variables == {}


def script(workspace: Workspace, text: str, name: str = "do.sh") -> None:
    workspace.write_config()
    folder = workspace.config.parent / "data"
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(text)


@pytest.mark.parametrize(
    "command",
    [
        "sh -c /app/data/do.sh",
        "/app/data/do.sh",
        "bash /app/data/do.sh --fast",
        "sh -c 'chmod +x /app/data/do.sh && /app/data/do.sh'",
        "sh -c 'cd /app/data && . ./do.sh'",
        "bash -o pipefail -x /app/data/do.sh -c x",
        "sh -c /app/data/outer.sh",
        "/app/data/docker-entrypoint.sh",
    ],
)
def test_a_script_of_the_config_is_read(workspace: Workspace, command: str) -> None:
    script(workspace, f"#!/bin/bash\nset -e\n{SGLANG} --port 8000\n")
    script(workspace, "#!/bin/sh\nexec /app/data/do.sh\n", "outer.sh")
    script(workspace, "#!/bin/sh\nexec /app/data/do.sh\n", "docker-entrypoint.sh")
    (problem,) = problems(workspace, command)
    assert problem.level == "blocks-deploy"
    assert problem.message.startswith("data/do.sh:3: SGLang listens only on 127.0.0.1")
    assert problem.fix == "add `--host 0.0.0.0` to its command"


def test_a_script_gets_the_variable_of_its_server(workspace: Workspace) -> None:
    script(workspace, "#!/bin/bash\n/app/data/do.sh & uvicorn app:app --port 8000\n")
    made, found = workspace.plan({"docker_server": {"start_command": "sh -c /app/data/do.sh"}})
    assert made.variables.texts["UVICORN_HOST"] == "0.0.0.0"
    assert [problem for problem in found if problem.level != "warning"] == []


def test_a_script_that_says_127_0_0_1_is_an_error(workspace: Workspace) -> None:
    script(workspace, "export OLLAMA_HOST=127.0.0.1:8000\n\nollama serve\n")
    (problem,) = problems(workspace, "sh -c /app/data/do.sh")
    assert problem.message.startswith("data/do.sh:3: `OLLAMA_HOST=127.0.0.1:8000` makes Ollama")


def test_a_command_without_a_name_in_a_script_has_its_line(workspace: Workspace) -> None:
    script(workspace, '#!/bin/sh\n"" --host 127.0.0.1\n')
    (problem,) = problems(workspace, "/app/data/do.sh")
    assert problem.message.startswith("data/do.sh:2: `--host 127.0.0.1` makes")


def test_a_python_file_of_the_config_is_no_shells_script(workspace: Workspace) -> None:
    script(workspace, "#!/usr/bin/env python3\nuvicorn = 1\n", "app.py")
    assert problems(workspace, "/app/data/app.py") == []


@given(st.text("ab'\"\\ \n#;&|<>$(){}`=-", max_size=24))
def test_no_text_stops_the_reading_of_shells(text: str) -> None:
    for words in simple_commands(text):
        for word in words:
            assert "".join(text[place] for place in word.places) == word.text


@given(st.lists(st.text("ab '\"\\$&|;#", min_size=1), min_size=1, max_size=4))
def test_quoted_words_are_read_as_a_shell_reads_them(words: list[str]) -> None:
    (read,) = simple_commands("x " + shlex.join(words))
    assert [word.text for word in read[1:]] == words
