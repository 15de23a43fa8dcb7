"""The programs that a command starts, itself or through shells and scripts of the config."""

import re
from collections.abc import Iterator
from itertools import pairwise, zip_longest
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from trussform.config.image_folders import Folder
from trussform.plan.servers import SERVERS, Server
from trussform.plan.shell import Word, simple_commands

_SHELLS = ("sh", "ash", "bash", "dash", "zsh", "ksh", "su", "runuser")
_RUNNERS = {
    **dict.fromkeys(("uv", "poetry", "pipenv", "pdm", "rye", "hatch", "pixi"), "run"),
    **dict.fromkeys(("conda", "mamba", "micromamba"), "run"),
    **dict.fromkeys(("env", "command", "exec", "nice", "ionice", "nohup", "setsid", "stdbuf"), ""),
    **dict.fromkeys(("time", "timeout", "taskset", "numactl", "chrt", "uvx", "sudo", "gosu"), ""),
    **dict.fromkeys(("su-exec", "setpriv", "tini", "dumb-init", "catatonit", "nsys", "xargs"), ""),
    **dict.fromkeys(("ddtrace-run", "opentelemetry-instrument", "mpirun", "mpiexec"), ""),
    **dict.fromkeys(("torchrun", "nvidia_entrypoint.sh", "docker-entrypoint.sh", "py-spy"), ""),
    "accelerate": "launch",
    "coverage": "run",
    "newrelic-admin": "run-program",
    "dotenv": "run",
}
"""Programs that start the command in their arguments, with the subcommand that does so."""
_UV = ("--with", "--with-editable", "--extra", "--group", "--package", "--project", "--directory")
_VALUES = {
    "uv": (*_UV, "--python", "-p"),
    "uvx": (*_UV, "--from", "--python", "-p"),
    **dict.fromkeys(("conda", "mamba", "micromamba"), ("-n", "--name", "-p", "--prefix", "--cwd")),
    "sudo": ("-u", "--user", "-g", "--group", "-D"),
    "env": ("-u", "--unset", "-C", "--chdir"),
    "exec": ("-a",),
    "nsys": ("-o", "--output"),
    "setpriv": ("--reuid", "--regid"),
}
"""Options of these programs whose values may look like names of servers."""
_USER_FIRST = ("gosu", "su-exec")
"""Runners that name a user before the command."""
_BY_MODULE = ("torchrun", "accelerate", "coverage")
"""Runners that start a Python module with `-m`."""
_TOOLS = ("pip", "pip3", "apt", "apt-get", "echo", "which", "pkill", "killall", "cp", "mv", "ls")
"""Programs whose arguments may look like names of servers."""
_ASSIGNMENT = re.compile(r"(\w+)=(.*)", re.DOTALL)
_PYTHON = re.compile(r"(python|pypy)[0-9.]*")
_COMMAND_OPTION = re.compile(r"-[a-zA-Z]*c")
_SHELL_VALUES = re.compile(r"[-+][a-zA-Z]*[oO]|--rcfile|--init-file")
"""Options of shells that take a value."""
_MOST_SCRIPTS = 20
_MOST_CHARACTERS = 32_768
"""The longest command or script that is read."""

Options = list[tuple[str, str]]
"""The options of a command, each with the next word or its value: `--port 8000`, `--port=8000`."""


class Text(NamedTuple):
    """The text that a shell runs: a word of the container's command, or a script."""

    text: str
    word: int
    """The index of the word; 0 for a script."""
    places: tuple[int, ...]
    """The position of each character in that word."""
    quoted: tuple[bool, ...]
    """For each character, true if a space can follow it without a backslash."""
    script: str | None = None
    """The path of the script relative to the config; None: the text is a word."""


class Program(NamedTuple):
    """A program that the command starts."""

    words: tuple[Word, ...]
    """The program and its arguments. The only place of a word of the container's command is its
    index."""
    text: Text | None
    """The text that contains the words; None: the container's command itself."""
    variables: dict[str, str]
    """The exported variables."""
    known: dict[str, str]
    """All variables of the shell, exported or not."""
    server: Server | None
    """The known server; None: another program."""
    last: int
    """The index of the last word that names the server; its options follow."""

    def options(self) -> Options:
        """Returns the options that follow the program's name."""
        pairs: Options = []
        rest = [word.text for word in self.words[self.last + 1 :]]
        for word, after in zip_longest(rest, rest[1:], fillvalue=""):
            name, equals, value = word.partition("=")
            if not word.startswith("-"):
                continue
            if word[1] != "-" and len(word) > 2 and not equals:
                pairs.append((word[:2], word[2:]))  # As in `-b0.0.0.0:8000`.
            pairs.append((name, value if equals else after))
        return pairs


class _Shell(NamedTuple):
    """The state of a shell at one point of its text."""

    text: Text | None
    exported: dict[str, str]
    plain: dict[str, str]
    """The variables that are not exported."""
    scripts: list[Path]
    """The scripts that have been read."""


def find_programs(argv: tuple[str, ...], folders: tuple[Folder, ...]) -> list[Program]:
    """Returns the programs that a container's command starts, in the order of its text.

    A command of more than 32,768 characters is not read.
    """
    if sum(map(len, argv)) > _MOST_CHARACTERS:
        return []
    words = tuple(Word(word, (i,), (True,)) for i, word in enumerate(argv))
    everything = " ".join(argv).lower()
    reader = _Reader(folders, everything)
    return list(reader.command(words, _Shell(None, {}, {}, [])))


class _Reader(NamedTuple):
    """Reads commands, shells' texts and scripts of the config's folders."""

    folders: tuple[Folder, ...]
    everything: str
    """The whole command in lower case, for the markers of servers."""

    def text(self, text: Text, shell: _Shell) -> Iterator[Program]:
        """Yields the programs of a shell's text."""
        inner = shell._replace(text=text)
        for words in simple_commands(text.text):
            yield from self.command(tuple(words), inner)

    def command(self, words: tuple[Word, ...], shell: _Shell) -> Iterator[Program]:
        """Yields the programs of one simple command."""
        words, assigned = _assignments(words)
        if not words:
            shell.plain.update(assigned)
            return
        name = _name(words[0])
        if name == "export":
            _export(words[1:], shell)
            return
        shell = shell._replace(exported={**shell.exported, **assigned})
        if name in (".", "source"):
            yield from self.script(words[1:2], shell)
        elif name == "eval" and len(words) == 2:
            yield from self.text(_text_of_word(words[1], shell.text), shell)
        elif name in _SHELLS:
            yield from self.shell(words, shell)
        elif name in _RUNNERS and not self.file(words[0]):
            yield from self.run(words, shell)
        elif _PYTHON.fullmatch(name) and (module := _python_program(words)):
            yield self.program(module, shell)
        elif self.file(words[0]):
            yield from self.script(words[:1], shell)
        else:
            yield self.program(words, shell)

    def program(self, words: tuple[Word, ...], shell: _Shell) -> Program:
        """Returns the program, with its server if it is a known one."""
        known = {**shell.plain, **shell.exported}
        for server in SERVERS:
            if server.marker and server.marker not in self.everything:
                continue
            if server.folder and not self.is_in(words[0], server.folder):
                continue
            for command in server.commands:
                if (last := _last_of_name(words, command)) is not None:
                    for word in words[last + 1 : last + 1 + server.skips]:
                        last += not word.text.startswith("-")
                    return Program(words, shell.text, shell.exported, known, server, last)
        return Program(words, shell.text, shell.exported, known, None, 0)

    def is_in(self, script: Word, folder: str) -> bool:
        """Returns true if a script is in a folder: its path or a `cd` of the command says so."""
        folder = rf"{folder}(-(main|master|[0-9.]+))?"
        if parent := PurePosixPath(script.text).parent.name:
            return re.fullmatch(folder, parent.lower()) is not None
        entered = rf"\bcd\s+(\S*[/\"'])?{folder}/?[\"']?([\s;&|)]|$)"
        return re.search(entered, self.everything) is not None

    def shell(self, words: tuple[Word, ...], shell: _Shell) -> Iterator[Program]:
        """Yields the programs of `sh -c TEXT` and `sh SCRIPT`."""
        own = shell._replace(exported=dict(shell.exported), plain={})
        names_user = _name(words[0]) in ("su", "runuser")
        for option, word in pairwise(words):
            if _COMMAND_OPTION.fullmatch(option.text):
                yield from self.text(_text_of_word(word, shell.text), own)
                return
            is_value = names_user or _SHELL_VALUES.fullmatch(option.text)
            if not is_value and not word.text.startswith(("-", "+")):
                yield from self.script((word,), own)
                return

    def run(self, words: tuple[Word, ...], shell: _Shell) -> Iterator[Program]:
        """Yields the programs of commands such as `env A=1 PROGRAM` and `timeout 60 PROGRAM`."""
        runner = _name(words[0])
        subcommand = _RUNNERS[runner]
        texts = [word.text for word in words]
        if subcommand and subcommand not in texts:
            return
        first = texts.index(subcommand) + 1 if subcommand in texts else 1
        first += runner in _USER_FIRST
        exported = dict(shell.exported)
        for at in range(first, len(words)):
            if texts[at - 1] in _VALUES.get(runner, ()):
                continue
            if _name(words[at]) in _TOOLS:
                return
            if runner in _BY_MODULE and texts[at - 1] == "-m":
                yield self.program(words[at:], shell._replace(exported=exported))
                return
            if found := _ASSIGNMENT.fullmatch(words[at].text):
                exported[found[1]] = found[2]
            elif self.is_known(words[at:], shell):
                yield from self.command(words[at:], shell._replace(exported=exported))
                return
        yield self.program(words, shell)

    def is_known(self, words: tuple[Word, ...], shell: _Shell) -> bool:
        """Returns true if the words start a program that can be read."""
        name = _name(words[0])
        known = name in _SHELLS or name in _RUNNERS or _PYTHON.fullmatch(name) is not None
        return known or bool(self.file(words[0]) or self.program(words, shell).server)

    def script(self, words: tuple[Word, ...], shell: _Shell) -> Iterator[Program]:
        """Yields the programs of a shell script, if it is in the config's folders."""
        found = self.file(words[0]) if words else None
        if found is None or found[0] in shell.scripts or len(shell.scripts) >= _MOST_SCRIPTS:
            return
        file, name = found
        shell.scripts.append(file)
        if text := _script_text(file):
            whole = Text(text, 0, tuple(range(len(text))), (True,) * len(text), name)
            yield from self.text(whole, shell)

    def file(self, word: Word) -> tuple[Path, str] | None:
        """Returns the file of the config's folders that a word names, and its relative path."""
        path = PurePosixPath(word.text)
        for folder in self.folders:
            for file in folder.files:
                inside = file.relative_to(folder.path)
                there = PurePosixPath(folder.place, inside)
                if path == there or (not path.is_absolute() and path.name == file.name):
                    return file, f"{folder.path.name}/{inside}"
        return None


def _name(word: Word) -> str:
    """Returns the name of a program without its folder."""
    return PurePosixPath(word.text).name or word.text


def _assignments(words: tuple[Word, ...]) -> tuple[tuple[Word, ...], dict[str, str]]:
    """Returns the command after its leading assignments, and the assigned variables."""
    assigned: dict[str, str] = {}
    for at, word in enumerate(words):
        found = _ASSIGNMENT.fullmatch(word.text)
        if found is None:
            return words[at:], assigned
        assigned[found[1]] = found[2]
    return (), assigned


def _export(words: tuple[Word, ...], shell: _Shell) -> None:
    """Exports the variables of an `export` command."""
    for word in words:
        if found := _ASSIGNMENT.fullmatch(word.text):
            shell.exported[found[1]] = found[2]
        elif word.text in shell.plain:
            shell.exported[word.text] = shell.plain[word.text]


def _python_program(words: tuple[Word, ...]) -> tuple[Word, ...]:
    """Returns the module or the script that Python runs, with its arguments."""
    at = 1
    while at < len(words):
        text = words[at].text
        if text == "-m":
            return words[at + 1 :]
        if not text.startswith("-"):
            return words[at:]
        if text == "-c":
            return ()
        at += 2 if text in ("-X", "-W") else 1
    return ()


def _last_of_name(words: tuple[Word, ...], command: tuple[str, ...]) -> int | None:
    """Returns the index of the last word of a server's name; None if it is another program.

    Options may precede a subcommand, as in `flask --app a run`.
    """
    if _name(words[0]) != command[0]:
        return None
    last = 0
    for subcommand in command[1:]:
        texts = [word.text for word in words[last + 1 :]]
        if subcommand not in texts:
            return None
        at = texts.index(subcommand)
        if at and not texts[0].startswith("-"):
            return None
        last += at + 1
    return last


def _text_of_word(word: Word, text: Text | None) -> Text:
    """Returns the text of a word, with the places of its characters in the container's command."""
    if text is None:
        length = len(word.text)
        return Text(word.text, word.places[0], tuple(range(length)), (True,) * length)
    return Text(
        word.text,
        text.word,
        tuple(text.places[place] for place in word.places),
        tuple(
            inside and text.quoted[place]
            for place, inside in zip(word.places, word.quoted, strict=True)
        ),
        text.script,
    )


def _script_text(file: Path) -> str:
    """Returns the text of a shell script; empty for other files."""
    if file.stat().st_size > _MOST_CHARACTERS:
        return ""
    text = file.read_text(errors="replace")
    first = text.partition("\n")[0]
    if first.startswith("#!"):
        return text if re.search(r"\b(ba|da|a|z|k)?sh\b", first) else ""
    return text if file.suffix in ("", ".sh") else ""
