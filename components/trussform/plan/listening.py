"""The addresses that the server of a command listens on.

On Baseten a proxy in the container asks it at 127.0.0.1. Here probes and routes come by the pod's
address, so a known server gets the option or variable for it.
"""

import re
from typing import NamedTuple

from trussform.config import ConfigFolder
from trussform.plan.reserved import own_variables
from trussform.plan.servers import Server
from trussform.plan.started import Started, started
from trussform.problem import FieldPath, Problem

ANYWHERE = "0.0.0.0"
_COMMAND: FieldPath = ("docker_server", "start_command")
_HOSTS = ("--host", "--hostname", "--bind", "--listen", "--server-name", "-b")
"""The options that set the host in most servers."""
_FILES = ("--config", "-c")
"""The options that name a file, which may set the host."""
_WAITING = (
    "wait", "sleep", "tail", "tee", "cat", "true", ":", "exit", "cd", "set", "echo", "printf",
    "curl", "wget", "nc", "grpcurl", "redis-server", "redis-cli", "memcached", "esac", "trap",
)  # fmt: skip
"""Commands that may stand behind a server's, and are not what clients ask."""
_EXPANSION = re.compile(r"\$(?:(?P<bare>\w+)|\{(?P<name>\w+)(?::?-(?P<other>[^{}]*))?\})")
_LOOPBACK = re.compile(r"(https?://)?(127(\.[0-9]+){3}|localhost|\[?::1\]?)(:[0-9]+)?/?")
_PORT = re.compile(r"(?:https?://)?(?:[^:]*|\[[0-9a-f:]*\]):([0-9]+)/?")
_COME = "probes and routes use"
_WHY = f"listens on 127.0.0.1 by default, and not on the pod's address, which {_COME}"


class Listening(NamedTuple):
    argv: tuple[str, ...]
    """The command, changed where a server needs an option."""
    variables: dict[str, str]
    """Variables that the container needs, unless the config sets them."""
    servers: tuple[Server, ...]
    """The known servers that may answer at the config's port."""
    why: tuple[str, ...]
    problems: tuple[Problem, ...]


class _Change(NamedTuple):
    """The change that one server needs: a variable, an option, or one by its author."""

    variable: str | None = None
    option: tuple[str, str] | None = None
    problem: Problem | None = None


def listening(folder: ConfigFolder, argv: tuple[str, ...]) -> Listening:
    """Returns the command that listens on all addresses, or what its author must change."""
    running = started(argv, folder.folders)
    asked = [(one, one.server) for one in running if one.server and not _is_elsewhere(one, folder)]
    changes = [(one, server, _change(one, server, folder)) for one, server in asked]
    reasons = [_reason(server, change) for _, server, change in changes]
    problems = [
        change.problem
        for one, _, change in changes
        if change.problem and not _is_behind(one, running, folder)
    ]
    return Listening(
        _inserted(argv, [(one, change.option) for one, _, change in changes if change.option]),
        {change.variable: ANYWHERE for _, _, change in changes if change.variable},
        tuple(dict.fromkeys(server for _, server in asked)),
        tuple(dict.fromkeys(reason for reason in reasons if reason)),
        tuple(dict.fromkeys(problems or _unknown(running, folder))),
    )


def _is_elsewhere(one: Started, folder: ConfigFolder) -> bool:
    """Returns true if a server listens on another port than the one that probes and routes ask."""
    server = one.server
    assert server is not None
    ports = [_expanded(value, one, folder) for name, value in one.options() if name in server.ports]
    if server.port:
        named = _named(one, server, folder)
        found = [_PORT.fullmatch(value) for _, value in named]
        ports += [port[1] if port else str(server.port) for port in found]
    asked = folder.config.docker_server.server_port
    numbers = [int(port) for port in ports if port.isdecimal()]
    return bool(numbers) and asked not in numbers


def _is_behind(one: Started, running: list[Started], folder: ConfigFolder) -> bool:
    """Returns true if a server that names no port stands beside one that names the config's."""
    asked = str(folder.config.docker_server.server_port)
    names = {"--port", *(one.server.ports if one.server else ())}
    if any(name in names for name, _ in one.options()):
        return False
    return any(
        name in names and _expanded(value, other, folder) == asked
        for other in running
        if other is not one and other.server
        for name, value in other.options()
    )


Named = list[tuple[str, str]]
"""The option or variable that names the host, as it is written, and the host."""


def _named(one: Started, server: Server, folder: ConfigFolder) -> Named:
    """Returns the hosts that are set for a server: by its options, else by its variable."""
    if told := [(f"{name} {value}", _expanded(value, one, folder)) for name, value in one.options()
                if name in server.options]:  # fmt: skip
        return told
    variables = _variables(one, folder)
    if server.variable in variables:
        value = variables[server.variable]
        return [(f"{server.variable}={value}", _expanded(value, one, folder))]
    return []


def _variables(one: Started, folder: ConfigFolder) -> dict[str, str]:
    """Returns the config's variables and those that are exported where the server starts."""
    return {**own_variables(folder.config), **one.variables}


def _expanded(text: str, one: Started, folder: ConfigFolder) -> str:
    """Returns a text of a shell with the variables that are known there, or their defaults."""
    if one.text is None:
        return text
    port = str(folder.config.docker_server.server_port)
    variables = {"PORT": port, **own_variables(folder.config), **one.known}

    def value(found: re.Match[str]) -> str:
        name = found["bare"] or found["name"]
        return variables.get(name) or found["other"] or found.group()

    return _EXPANSION.sub(value, _EXPANSION.sub(value, text))


def _change(one: Started, server: Server, folder: ConfigFolder) -> _Change:
    if named := _named(one, server, folder):
        if not all(_is_loopback(host) for _, host in named):
            return _Change()
        return _Change(problem=_told_loopback(one, server.name, named[0][0], folder))
    if not server.loopback:
        return _Change()
    if {name for name, _ in one.options()} & set(server.instead) & set(_FILES):
        message = f"{_place(one)}{server.name} listens on 127.0.0.1 unless its file sets `bind`"
        fix = f"set `bind` to {ANYWHERE}:{server.port} in that file"
        return _Change(problem=Problem("config", _COMMAND, message, fix, "warning"))
    if _has_other_socket(one, server, folder):
        return _Change()
    if server.port not in (None, folder.config.docker_server.server_port):
        # Another program answers at the config's port, or the image sets the port.
        return _Change()
    if server.variable:
        return _Change(variable=server.variable)
    host = f"{ANYWHERE}:{server.port}" if server.port else ANYWHERE
    option = (server.options[0], host)
    if _can_insert(one):
        return _Change(option=option)
    message = f"{_place(one)}{server.name} {_WHY}"
    fix = f"add `{' '.join(option)}` there"
    return _Change(problem=Problem("config", _COMMAND, message, fix, "blocks-deploy"))


def _has_other_socket(one: Started, server: Server, folder: ConfigFolder) -> bool:
    variables = _variables(one, folder)
    options = {name for name, _ in one.options()}
    return bool(options & set(server.instead) or variables.keys() & set(server.others))


def _told_loopback(one: Started, name: str, told: str, folder: ConfigFolder) -> Problem:
    message = f"{_place(one)}`{told}` keeps {name} from the pod's address, which {_COME}"
    keys = _COMMAND
    variable = told.partition("=")[0]
    if variable in own_variables(folder.config) and variable not in one.variables:
        keys = ("environment_variables", variable)
    return Problem(
        "config", keys, message, f"write {ANYWHERE} there, or remove it", "blocks-deploy"
    )


def _is_loopback(host: str) -> bool:
    """Returns true if a host, or each of several between commas, is the container's own."""
    return bool(host) and all(_LOOPBACK.fullmatch(part.strip()) for part in host.split(","))


def _place(one: Started) -> str:
    """Returns the position in a script, as `data/do.sh:3: `; empty for the command itself."""
    if one.text is None or one.text.script is None:
        return ""
    line = one.text.text.count("\n", 0, one.words[0].end) + 1
    return f"{one.text.script}:{line}: "


def _can_insert(one: Started) -> bool:
    """Returns true if an option can stand behind the server's name: not in a script, nor in a word
    whose white space is escaped by backslashes."""
    if one.text is None:
        return True
    return one.text.script is None and one.text.quoted[one.words[one.last].end - 1]


def _inserted(
    argv: tuple[str, ...], options: list[tuple[Started, tuple[str, str]]]
) -> tuple[str, ...]:
    """Returns the command with each option behind the name of its server."""
    words = [[word] for word in argv]
    for one, option in reversed(options):
        name = one.words[one.last]
        if one.text is None:
            words[name.places[0]].extend(option)
            continue
        text = words[one.text.word][0]
        after = one.text.places[name.end - 1] + 1
        words[one.text.word][0] = f"{text[:after]} {' '.join(option)}{text[after:]}"
    return tuple(word for several in words for word in several)


def _reason(server: Server, change: _Change) -> str:
    if change.variable:
        return f"`{change.variable}={ANYWHERE}` is set, as {server.name} {_WHY}"
    if change.option:
        return f"`{' '.join(change.option)}` is added, as {server.name} {_WHY}"
    return ""


def _unknown(running: list[Started], folder: ConfigFolder) -> list[Problem]:
    """Returns the problem of an unknown server whose host is the container's own.

    It is the last command that does not merely wait, as clients and helpers stand before it.
    """
    serving = [one for one in running if one.words[0].text not in _WAITING]
    if not serving or any(one.server for one in running):
        return []
    one = serving[-1]
    options = [(name, value, _expanded(value, one, folder)) for name, value in one.options()]
    told = [(f"{name} {value}", host) for name, value, host in options if name in _HOSTS]
    ports = [port for name, _, port in options if name == "--port"]
    ports += [found[1] for _, value in told if (found := _PORT.fullmatch(value))]
    asked = str(folder.config.docker_server.server_port)
    if not told or not all(_is_loopback(host) for _, host in told):
        return []
    if ports and asked not in ports:
        return []
    return [_told_loopback(one, "the server", told[0][0], folder)]
