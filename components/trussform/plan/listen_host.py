"""The addresses that the servers of a command listen on.

On Baseten a proxy in the container connects to 127.0.0.1. Here probes and routes connect to the
pod's address, so a known server gets an option or a variable that makes it listen there.
"""

import re
from typing import NamedTuple

from trussform.config import ConfigFolder
from trussform.plan.programs import Program, find_programs
from trussform.plan.reserved import own_variables
from trussform.plan.servers import Server
from trussform.problem import FieldPath, Problem

ALL_ADDRESSES = "0.0.0.0"
_COMMAND: FieldPath = ("docker_server", "start_command")
_HOSTS = ("--host", "--hostname", "--bind", "--listen", "--server-name", "-b")
"""The options that set the host in most servers, for a server that is not a known one."""
_FILES = ("--config", "-c")
"""The options that name a configuration file, which may set the host."""
_SHELL_COMMANDS = (
    *("wait", "sleep", "tail", "tee", "cat", "true", ":", "exit", "cd", "set", "echo", "printf"),
    *("esac", "trap"),
)
_CLIENTS = ("curl", "wget", "nc", "grpcurl", "redis-server", "redis-cli", "memcached")
_NOT_SERVERS = (*_SHELL_COMMANDS, *_CLIENTS)
"""Commands that may follow a server's and do not serve clients."""
_EXPANSION = re.compile(r"\$(?:(?P<bare>\w+)|\{(?P<name>\w+)(?::?-(?P<other>[^{}]*))?\})")
_LOOPBACK = re.compile(r"(https?://)?(127(\.[0-9]+){3}|localhost|\[?::1\]?)(:[0-9]+)?/?")
_PORT = re.compile(r"(?:https?://)?(?:[^:]*|\[[0-9a-f:]*\]):([0-9]+)/?")
_WHY = "listens only on 127.0.0.1 by default, where probes and routes cannot reach it"


class ListenHost(NamedTuple):
    """The changes that make the servers of a command listen on all addresses."""

    argv: tuple[str, ...]
    """The command, with the options that its servers need."""
    variables: dict[str, str]
    """Variables that its servers need; the config's take precedence."""
    servers: tuple[Server, ...]
    """The known servers that may listen on the config's port."""
    why: tuple[str, ...]
    """The reason for each option and variable."""
    problems: tuple[Problem, ...]


class _Change(NamedTuple):
    """The change that a server needs: a variable, an option, or a fix by the config's author."""

    variable: str | None = None
    option: tuple[str, str] | None = None
    problem: Problem | None = None


def listen_on_all_addresses(folder: ConfigFolder, argv: tuple[str, ...]) -> ListenHost:
    """Returns the changes for a command, with a problem for each that its author must make."""
    programs = find_programs(argv, folder.folders)
    servers = [
        (program, program.server)
        for program in programs
        if program.server and not _has_other_port(program, program.server, folder)
    ]
    changes = [(program, server, _change(program, server, folder)) for program, server in servers]
    reasons = [_reason(server, change) for _, server, change in changes]
    problems = [
        change.problem
        for program, _, change in changes
        if change.problem and not _other_has_port(program, programs, folder)
    ]
    return ListenHost(
        _insert(
            argv, [(program, change.option) for program, _, change in changes if change.option]
        ),
        {change.variable: ALL_ADDRESSES for _, _, change in changes if change.variable},
        tuple(dict.fromkeys(server for _, server in servers)),
        tuple(dict.fromkeys(reason for reason in reasons if reason)),
        tuple(dict.fromkeys(problems or _unknown_server_problems(programs, folder))),
    )


def _has_other_port(program: Program, server: Server, folder: ConfigFolder) -> bool:
    """Returns true if a server is known to listen on another port than the config's."""
    ports = [
        _expand(value, program, folder) for name, value in program.options() if name in server.ports
    ]
    if server.port:
        found = [_PORT.fullmatch(host) for _, host in _hosts(program, server, folder)]
        ports += [port[1] if port else str(server.port) for port in found]
    numbers = [int(port) for port in ports if port.isdecimal()]
    return bool(numbers) and folder.config.docker_server.server_port not in numbers


def _other_has_port(program: Program, programs: list[Program], folder: ConfigFolder) -> bool:
    """Returns true if a program names no port, and another server names the config's port."""
    port = str(folder.config.docker_server.server_port)
    names = {"--port", *(program.server.ports if program.server else ())}
    if any(name in names for name, _ in program.options()):
        return False
    return any(
        name in names and _expand(value, other, folder) == port
        for other in programs
        if other is not program and other.server
        for name, value in other.options()
    )


Hosts = list[tuple[str, str]]
"""Each option or variable that sets the host, as the command writes it, and the host."""


def _hosts(program: Program, server: Server, folder: ConfigFolder) -> Hosts:
    """Returns the hosts that a server's options set, or else its variable."""
    hosts = [
        (f"{name} {value}", _expand(value, program, folder))
        for name, value in program.options()
        if name in server.options
    ]
    if hosts:
        return hosts
    variables = _variables(program, folder)
    if server.variable in variables:
        value = variables[server.variable]
        return [(f"{server.variable}={value}", _expand(value, program, folder))]
    return []


def _variables(program: Program, folder: ConfigFolder) -> dict[str, str]:
    """Returns the config's variables and those that the command exports to the program."""
    return {**own_variables(folder.config), **program.variables}


def _expand(text: str, program: Program, folder: ConfigFolder) -> str:
    """Returns a shell's text with its known variables and defaults expanded."""
    if program.text is None:
        return text
    port = str(folder.config.docker_server.server_port)
    variables = {"PORT": port, **own_variables(folder.config), **program.known}

    def value(found: re.Match[str]) -> str:
        name = found["bare"] or found["name"]
        return variables.get(name) or found["other"] or found.group()

    return _EXPANSION.sub(value, _EXPANSION.sub(value, text))


def _change(program: Program, server: Server, folder: ConfigFolder) -> _Change:
    """Returns the change that a known server needs; it is empty if none is needed."""
    if hosts := _hosts(program, server, folder):
        if not all(_is_loopback(host) for _, host in hosts):
            return _Change()
        return _Change(problem=_loopback_problem(program, server.name, hosts[0][0], folder))
    if not server.loopback:
        return _Change()
    if {name for name, _ in program.options()} & set(server.instead) & set(_FILES):
        message = (
            f"{_place(program)}{server.name} listens only on 127.0.0.1 unless its file sets `bind`"
        )
        fix = f"set `bind` to {ALL_ADDRESSES}:{server.port} in that file"
        return _Change(problem=Problem("config", _COMMAND, message, fix, "warning"))
    if _has_other_socket(program, server, folder):
        return _Change()
    if server.port not in (None, folder.config.docker_server.server_port):
        # Another program listens on the config's port, or the image sets the port.
        return _Change()
    if server.variable:
        return _Change(variable=server.variable)
    host = f"{ALL_ADDRESSES}:{server.port}" if server.port else ALL_ADDRESSES
    option = (server.options[0], host)
    if _can_insert(program):
        return _Change(option=option)
    message = f"{_place(program)}{server.name} {_WHY}"
    fix = f"add `{' '.join(option)}` to its command"
    return _Change(problem=Problem("config", _COMMAND, message, fix, "blocks-deploy"))


def _has_other_socket(program: Program, server: Server, folder: ConfigFolder) -> bool:
    """Returns true if other options or variables may set the server's socket."""
    variables = _variables(program, folder)
    options = {name for name, _ in program.options()}
    return bool(options & set(server.instead) or variables.keys() & set(server.others))


def _loopback_problem(program: Program, name: str, setting: str, folder: ConfigFolder) -> Problem:
    """Returns the problem of a setting that makes a server listen only on 127.0.0.1."""
    message = (
        f"{_place(program)}`{setting}` makes {name} listen only on the container's own address, "
        "where probes and routes cannot reach it"
    )
    path = _COMMAND
    variable = setting.partition("=")[0]
    if variable in own_variables(folder.config) and variable not in program.variables:
        path = ("environment_variables", variable)
    fix = f"write {ALL_ADDRESSES} instead, or remove it"
    return Problem("config", path, message, fix, "blocks-deploy")


def _is_loopback(host: str) -> bool:
    """Returns true if every host of a comma-separated list is a loopback address."""
    return bool(host) and all(_LOOPBACK.fullmatch(part.strip()) for part in host.split(","))


def _place(program: Program) -> str:
    """Returns the script and line of a program, as `data/do.sh:3: `; empty without a script."""
    if program.text is None or program.text.script is None:
        return ""
    line = program.text.text.count("\n", 0, program.words[0].end) + 1
    return f"{program.text.script}:{line}: "


def _can_insert(program: Program) -> bool:
    """Returns true if an option can be inserted after the server's name.

    Trussform does not change scripts, or words whose spaces have backslashes.
    """
    if program.text is None:
        return True
    return program.text.script is None and program.text.quoted[program.words[program.last].end - 1]


def _insert(
    argv: tuple[str, ...], options: list[tuple[Program, tuple[str, str]]]
) -> tuple[str, ...]:
    """Returns the command with each option after the name of its server."""
    words = [[word] for word in argv]
    for program, option in reversed(options):
        name = program.words[program.last]
        if program.text is None:
            words[name.places[0]].extend(option)
            continue
        text = words[program.text.word][0]
        after = program.text.places[name.end - 1] + 1
        words[program.text.word][0] = f"{text[:after]} {' '.join(option)}{text[after:]}"
    return tuple(word for several in words for word in several)


def _reason(server: Server, change: _Change) -> str:
    """Returns the reason for a variable or an option; empty for other changes."""
    if change.variable:
        return f"Trussform sets `{change.variable}={ALL_ADDRESSES}`, because {server.name} {_WHY}"
    if change.option:
        return f"Trussform adds `{' '.join(change.option)}`, because {server.name} {_WHY}"
    return ""


def _unknown_server_problems(programs: list[Program], folder: ConfigFolder) -> list[Problem]:
    """Returns the problem of an unknown server that listens only on 127.0.0.1.

    The server is taken to be the last command that is not in `_NOT_SERVERS`.
    """
    serving = [program for program in programs if program.words[0].text not in _NOT_SERVERS]
    if not serving or any(program.server for program in programs):
        return []
    program = serving[-1]
    options = [(name, value, _expand(value, program, folder)) for name, value in program.options()]
    hosts = [(f"{name} {value}", host) for name, value, host in options if name in _HOSTS]
    ports = [port for name, _, port in options if name == "--port"]
    ports += [found[1] for _, host in hosts if (found := _PORT.fullmatch(host))]
    if not hosts or not all(_is_loopback(host) for _, host in hosts):
        return []
    if ports and str(folder.config.docker_server.server_port) not in ports:
        return []
    return [_loopback_problem(program, "the server", hosts[0][0], folder)]
