"""The files, folders, users and variables of a container, as docs/container.md promises them.

Four servers, each small: one whose image is built, one whose base runs as it is, one that runs as
a user in an image that was not built for it, and one with `no_build`.
"""

import json
from collections.abc import Iterator

import pytest
import yaml
from support.cluster import cluster, needed
from support.deployed import Deployed, destroy, kubectl, pods

ENVIRONMENT = "container"
NAMESPACE = f"models-{ENVIRONMENT}"
USER = 4321
AS_IT_IS = {"no_build": True, "start_command": "exec python3 -m http.server 9000"}
SERVERS = ("built", "plain", "user", "unbuilt")


@pytest.fixture(scope="module", autouse=True)
def container(deployed: Deployed, token: str) -> Iterator[None]:
    small = {"path": "servers/small"}
    own = {"base_image": {"image": needed(cluster().images.user, "images.user")}}
    servers = {
        "built": {"path": "servers/container"},
        "plain": small,
        "user": {**small, "config": {**own, "docker_server": {"run_as_user_id": USER}}},
        "unbuilt": {**small, "config": {"docker_server": AS_IT_IS}},
    }
    deployed.up(ENVIRONMENT, {"servers": servers}, token=token)
    yield
    destroy(deployed, ENVIRONMENT)


def inside(server: str, script: str) -> str:
    """Returns what a shell in the server's container says to a script."""
    where = ("-n", NAMESPACE, f"deployment/{server}", "-c", "server")
    return kubectl("exec", *where, "--", "sh", "-c", script).strip()


def variables(server: str) -> dict[str, str]:
    """The environment of process 1, which is the server or the shell that started it."""
    script = "import json; f = open('/proc/1/environ'); print(json.dumps(f.read().split(chr(0))))"
    lines = json.loads(inside(server, f'python3 -c "{script}"'))
    return dict(line.split("=", 1) for line in lines if line)


@pytest.mark.parametrize("server", ["built", "plain", "user"])
def test_the_config_is_a_file_that_says_what_the_author_wrote(server: str) -> None:
    config = yaml.safe_load(inside(server, "cat /app/config.yaml"))
    assert config["model_name"] in ("container", "small")
    assert config["secrets"] == {"token": None}


def test_no_build_brings_no_config_into_the_image() -> None:
    assert inside("unbuilt", "ls /app/config.yaml 2>/dev/null || echo none") == "none"


@pytest.mark.parametrize("server", SERVERS)
def test_the_environments_name_is_in_basetens_file(server: str) -> None:
    text = inside(server, "cat /etc/b10_dynamic_config/environment")
    assert json.loads(text) == {"name": ENVIRONMENT}


@pytest.mark.parametrize("server", SERVERS)
def test_secrets_are_files_that_are_only_read(server: str, token: str) -> None:
    assert inside(server, "cat /secrets/token") == token
    assert inside(server, "touch /secrets/mine 2>/dev/null || echo refused") == "refused"


def test_what_a_build_command_puts_into_tmp_is_there() -> None:
    assert inside("built", "ls /tmp/made") == "server.py"
    assert inside("built", "tr '\\0' ' ' < /proc/1/cmdline") == "python3 /tmp/made/server.py"


def test_tmp_of_a_built_image_is_open_to_all_and_has_nothing_of_the_build() -> None:
    assert inside("built", "stat -c %a /tmp") == "1777"
    assert inside("built", "ls -d /tmp/trussform 2>/dev/null || echo none") == "none"


@pytest.mark.parametrize("server", SERVERS)
def test_tmp_and_shared_memory_are_writable(server: str) -> None:
    assert inside(server, "echo yes > /tmp/mine && cat /tmp/mine") == "yes"
    assert inside(server, "echo yes > /dev/shm/mine && cat /dev/shm/mine") == "yes"
    assert " tmpfs " in inside(server, "grep ' /dev/shm ' /proc/mounts")


@pytest.mark.parametrize("folder", ["/app", "/tmp", "/workspace", "/packages", "$HOME"])
@pytest.mark.parametrize("server", ["built", "user"])
def test_the_folders_of_baseten_are_writable(server: str, folder: str) -> None:
    assert inside(server, f"echo yes > {folder}/tried && cat {folder}/tried") == "yes"


def test_a_user_in_a_foreign_image_finds_what_the_image_has_there() -> None:
    assert inside("user", "id -u") == str(USER)
    assert "own.txt" in inside("user", "ls /app").split()


@pytest.mark.parametrize("server", SERVERS)
def test_the_servers_group_is_the_one_that_reads_its_secrets(server: str) -> None:
    assert "60000" in inside(server, "id -G").split()


def test_the_folders_beside_the_config_are_where_truss_puts_them() -> None:
    assert inside("built", "ls /app/data") == "server.py"
    assert inside("built", "cat /packages/bundled.py") == 'HERE = "packages"'


def test_requirements_beside_the_config_are_installed() -> None:
    script = "import importlib.metadata as m; print(m.version('iniconfig'))"
    assert inside("built", f'python3 -c "{script}"') == "2.0.0"


def test_a_built_image_has_the_user_app_and_its_home() -> None:
    assert inside("built", "id -u app") == "60000"
    assert inside("built", "stat -c %U /home/app /app/made") == "app\napp"


def test_a_build_command_has_the_variables_of_trusss_build() -> None:
    assert inside("built", "cat /app/made/variables") == "/app /root noninteractive"


@pytest.mark.parametrize("server", SERVERS)
def test_the_variables_of_baseten_are_set(server: str) -> None:
    found = variables(server)
    assert (found["APP_HOME"], found["PORT"]) == ("/app", "9000")
    assert found["BT_MODEL_ID"] == server
    (pod,) = pods(NAMESPACE, server)
    assert found["HOSTNAME"] == pod["metadata"]["name"]
    assert found["BT_MODEL_DEPLOYMENT_ID"] == pod["metadata"]["labels"]["pod-template-hash"]
    assert found.get("PYTHON_EXECUTABLE") == (None if server == "unbuilt" else "python3")


def test_a_reserved_variable_of_the_config_is_not_there() -> None:
    found = variables("built")
    assert found["GIVEN"] == "given"
    assert "/usr/bin" in found["PATH"].split(":")
    assert {"HOST", "K_SERVICE", "REDIS_SERVICE_PORT"}.isdisjoint(found)
    assert found.get("KUBERNETES_SERVICE_HOST") != "mine"


def test_a_built_image_looks_for_programs_in_the_home_too() -> None:
    assert "/root/.local/bin" in variables("built")["PATH"].split(":")


@pytest.mark.parametrize("server", SERVERS)
def test_the_working_directory_is_the_images(server: str) -> None:
    assert inside(server, "readlink /proc/1/cwd") == "/"


def test_no_process_of_trusss_stands_beside_the_server() -> None:
    assert inside("built", "cat /proc/1/comm") == "python3"
    assert inside("built", "ls -d /docker_server /control 2>/dev/null || echo none") == "none"


def test_port_8080_is_free() -> None:
    script = "import socket; socket.create_server(('', 8080)); print('free')"
    assert inside("built", f'python3 -c "{script}"') == "free"
