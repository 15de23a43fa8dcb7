"""The auth of each kind of route, and the sources that may connect to the pods."""

from typing import Any

import pytest
from support.workspace import Workspace, plans_of
from trussform import stack_file
from trussform.plan import Plan
from trussform.problem import Problem, ProblemError

ROUTES: dict[str, dict[str, Any]] = {
    "gateway": {"kind": "gateway", "name": "public"},
    "envoy-gateway": {"kind": "gateway", "name": "public", "controller": "envoy-gateway"},
    "traefik": {"kind": "gateway", "name": "public", "controller": "traefik"},
    "ingress traefik": {"kind": "ingress", "controller": "traefik"},
    "ingress nginx": {"kind": "ingress", "controller": "nginx"},
    "none": {"kind": "none"},
}
KEYS = {"kind": "api-key", "keys": ["ci"]}
FORWARD = {"kind": "forward", "service": "guard", "namespace": "guards"}
NO_KEYS = (
    "auth.kind: API keys need Envoy Gateway, and the route does not name it; "
    "add `controller: envoy-gateway` to the route, or use `kind: forward`"
)
NO_WORDS = (
    "route: the Gateway API has no forward auth, so each controller needs its own object; "
    "add `controller: envoy-gateway` or `controller: traefik` to the route"
)
NO_GRPC = (
    "auth: ingress-nginx returns an HTML page to gRPC clients that fail auth; "
    "use a Gateway for a gRPC server"
)


def planned(
    workspace: Workspace,
    protocol: str = "http",
    known: tuple[str, ...] = (),
    **stage: Any,
) -> tuple[Plan, list[Problem]]:
    """The plan of a stage with values for the `known` secrets, and what there is to say of it."""
    workspace.write_config({"runtime": {"transport": {"kind": protocol}}})
    secrets = {name: {"secure": "v1:x"} for name in known}
    stage = {"ingress_from": [{"namespace": "gateways"}], **stage}
    stack = workspace.write_stack(stage, **{"trussform:secrets": secrets})
    plans, problems = plans_of(stack_file.read_stack(stack))
    return plans["server"], problems


def told(problems: list[Problem], level: str = "error") -> list[str]:
    return [
        f"{p.field}: {p.message}; {p.fix}" if p.field else p.message
        for p in problems
        if p.level == level
    ]


@pytest.mark.parametrize("protocol", ["http", "grpc"])
@pytest.mark.parametrize("route", ROUTES)
def test_everybody_may_be_let_in_by_every_route(
    workspace: Workspace, route: str, protocol: str
) -> None:
    plan, problems = planned(workspace, protocol, route=ROUTES[route], auth="none")
    assert (told(problems), plan.auth.kind) == ([], "none")


@pytest.mark.parametrize("protocol", ["http", "grpc"])
@pytest.mark.parametrize(
    ("route", "complaints"),
    [
        ("gateway", [NO_KEYS]),
        ("envoy-gateway", []),
        ("traefik", [NO_KEYS]),
        ("ingress traefik", [NO_KEYS]),
        ("ingress nginx", [NO_KEYS]),
        ("none", []),
    ],
)
def test_keys_want_envoy_gateway(
    workspace: Workspace, route: str, complaints: list[str], protocol: str
) -> None:
    plan, problems = planned(workspace, protocol, ("ci",), route=ROUTES[route], auth=KEYS)
    assert told(problems) == complaints
    assert told(problems, "blocks-deploy") == []
    assert plan.auth.kind == ("none" if route == "none" else "api-key")


@pytest.mark.parametrize(
    ("protocol", "route", "complaints"),
    [
        *((protocol, "gateway", [NO_WORDS]) for protocol in ("http", "grpc")),
        *((protocol, "envoy-gateway", []) for protocol in ("http", "grpc")),
        *((protocol, "traefik", []) for protocol in ("http", "grpc")),
        *((protocol, "ingress traefik", []) for protocol in ("http", "grpc")),
        ("http", "ingress nginx", []),
        ("grpc", "ingress nginx", [NO_GRPC]),
        *((protocol, "none", []) for protocol in ("http", "grpc")),
    ],
)
def test_an_auth_service_wants_a_controller_that_is_known(
    workspace: Workspace, protocol: str, route: str, complaints: list[str]
) -> None:
    plan, problems = planned(workspace, protocol, route=ROUTES[route], auth=FORWARD)
    assert told(problems) == complaints
    assert plan.auth.kind == ("none" if route == "none" else "forward")


@pytest.mark.parametrize("route", [route for route in ROUTES if route != "none"])
def test_a_route_to_the_outside_needs_auth(workspace: Workspace, route: str) -> None:
    _, problems = planned(workspace, route=ROUTES[route], auth=None)
    (complaint,) = told(problems)
    assert complaint == (
        "auth: the stage has a route and no `auth`; write `auth: {kind: api-key, "
        "keys: [CLIENT]}`, or `auth: none` to accept all requests"
    )


def test_without_a_route_nobody_is_asked(workspace: Workspace) -> None:
    plan, problems = planned(workspace, route=ROUTES["none"], auth=KEYS)
    assert (plan.auth.kind, plan.auth.keys, problems) == ("none", (), [])
    assert planned(workspace, route=ROUTES["none"], auth=None)[1] == []


def test_a_key_that_the_stack_has_not_stops_an_up_and_names_the_command(
    workspace: Workspace,
) -> None:
    envoy, auth = ROUTES["envoy-gateway"], {"kind": "api-key", "keys": ["ci", "web.app"]}
    _, problems = planned(workspace, known=("other",), route=envoy, auth=auth)
    lines = [
        str(problem).removeprefix(f"{workspace.stack}:")
        for problem in problems
        if problem.level == "blocks-deploy"
    ]
    at = workspace.stack.read_text().splitlines().index("      keys:") + 1
    assert [line.partition(": ")[0] for line in lines] == [f"{at + 1}:9", f"{at + 2}:9"]
    assert told(problems, "blocks-deploy") == [
        "auth.keys[0]: the stack has no value for the secret `ci`; "
        "run: pulumi config set --secret --path 'trussform:secrets.ci'",
        "auth.keys[1]: the stack has no value for the secret `web.app`; "
        "run: pulumi config set --secret --path 'trussform:secrets[\"web.app\"]'",
    ]
    assert [problem.field for problem in problems[:1]] == ["trussform:secrets.other"]


def test_a_server_may_have_keys_of_its_own(workspace: Workspace) -> None:
    own = {"kind": "api-key", "keys": ["batch"]}
    servers: dict[str, Any] = {"server": {"path": "server", "auth": own}}
    stage: dict[str, Any] = {"route": ROUTES["envoy-gateway"], "auth": KEYS, "servers": servers}
    plan, problems = planned(workspace, "http", (), **stage)
    assert plan.auth.keys == ("batch",)
    assert told(problems, "blocks-deploy") == [
        "servers.server.auth.keys[0]: the stack has no value for the secret `batch`; "
        "run: pulumi config set --secret --path 'trussform:secrets.batch'"
    ]
    plan, problems = planned(workspace, "http", ("batch",), **{**stage, "auth": None})
    assert (plan.auth.keys, problems) == (("batch",), [])
    servers["server"] |= {"auth": "none"}
    plan, problems = planned(workspace, "http", (), **stage)
    assert (plan.auth.kind, problems) == ("none", [])


def test_both_keys_of_a_client_need_values_while_they_rotate(workspace: Workspace) -> None:
    auth = {**KEYS, "rotating": {"ci": "ci_next"}}
    plan, problems = planned(workspace, known=("ci",), route=ROUTES["envoy-gateway"], auth=auth)
    assert (plan.auth.keys, str(plan.auth)) == (
        ("ci", "ci_next"),
        "API keys: ci (two keys); checked by a SecurityPolicy",
    )
    assert told(problems, "blocks-deploy") == [
        "auth.rotating.ci: the stack has no value for the secret `ci_next`; "
        "run: pulumi config set --secret --path 'trussform:secrets.ci_next'"
    ]


@pytest.mark.parametrize(
    ("rotating", "complaint"),
    [
        ({"web": "x", "app": "y"}, "`rotating` names `app`, `web`, which `keys` does not list; "
                                   "name only clients of `keys`"),
        ({"ci": "ci"}, "a secret of `rotating` is also the key of another client; "
                       "use a separate second secret for each client"),
    ],
)  # fmt: skip
def test_rotating_keys_are_of_the_clients(
    workspace: Workspace, rotating: dict[str, str], complaint: str
) -> None:
    workspace.write_config()
    auth = {**KEYS, "rotating": rotating}
    with pytest.raises(ProblemError) as raised:
        stack_file.read_stack(
            workspace.write_stack({"route": ROUTES["envoy-gateway"], "auth": auth})
        )
    assert str(raised.value).endswith(complaint)


def test_keys_of_an_existing_secret_are_nobodys_here(workspace: Workspace) -> None:
    auth = {"kind": "api-key", "existing": "clients"}
    plan, problems = planned(workspace, route=ROUTES["envoy-gateway"], auth=auth)
    assert (plan.auth.keys, problems) == ((), [])
    assert str(plan.auth) == "API keys: those of the Secret clients; checked by a SecurityPolicy"


@pytest.mark.parametrize("secrets", [{"existing": "mine"}, {"store": "vault"}])
def test_keys_can_only_be_made_of_pulumis_secrets(
    workspace: Workspace, secrets: dict[str, str]
) -> None:
    _, problems = planned(workspace, route=ROUTES["envoy-gateway"], auth=KEYS, secrets=secrets)
    assert [(problem.field, problem.level) for problem in problems] == [("auth.keys", "error")]
    assert problems[0].fix == (
        "create a Secret with two entries per client, `KEY` and `Api-Key KEY`, and write "
        "`existing: NAME`"
    )


def test_explain_says_how_callers_are_known(workspace: Workspace) -> None:
    envoy = ROUTES["envoy-gateway"]
    plan, _ = planned(workspace, known=("ci",), route=envoy, auth=KEYS)
    assert str(plan.auth) == "API keys: ci; checked by a SecurityPolicy"
    admits = (
        "the gateway accepts requests with `Authorization: Bearer KEY` or "
        "`Authorization: Api-Key KEY`"
    )
    assert plan.auth.why == admits
    plan, _ = planned(workspace, "grpc", known=("ci",), route=envoy, auth=KEYS)
    assert plan.auth.why == f"{admits}, or with the header `baseten-authorization`"
    plan, _ = planned(workspace, route=envoy, auth=FORWARD)
    assert str(plan.auth) == "auth service guard.guards; checked by a SecurityPolicy"
    asks = "the gateway asks the auth service, which accepts a request with a 2xx response"
    assert plan.auth.why == asks
    plan, _ = planned(workspace, route=envoy, auth="none")
    everyone = "the stage has `auth: none`; everyone who reaches the gateway can call the server"
    assert plan.auth.why == everyone


GATEWAY = {"kind": "gateway", "name": "public", "namespace": "gateways"}


@pytest.mark.parametrize(
    ("peers", "route", "warned"),
    [
        (None, GATEWAY, False),
        ([], GATEWAY, True),
        ([{"namespace": "others"}], GATEWAY, True),
        ([{"namespace": "others"}, {"namespace": "gateways"}], GATEWAY, False),
        ([{"cidr": "10.0.0.0/8"}], GATEWAY, False),
        ([{"namespace": "others"}], {"kind": "none"}, False),
        ([{"namespace": "others"}], {"kind": "ingress", "controller": "nginx"}, False),
    ],
)
def test_peers_without_the_gateway_are_a_warning(
    workspace: Workspace, peers: list[dict[str, str]] | None, route: dict[str, Any], warned: bool
) -> None:
    plan, problems = planned(workspace, ingress_from=peers, route=route)
    told = [(problem.field, problem.level) for problem in problems]
    assert told == ([("ingress_from", "warning")] if warned else [])
    if warned:
        assert problems[0].message.startswith(
            "`ingress_from` does not list the Gateway's namespace `gateways`"
        )
    assert plan.ingress.restricted == (peers is not None)


def test_explain_says_who_may_connect(workspace: Workspace) -> None:
    def shown(peers: list[dict[str, str]] | None) -> str:
        return str(planned(workspace, ingress_from=peers)[0].ingress)

    assert shown(None) == "open to every pod of the cluster"
    assert shown([]) == "closed"
    peers = [{"namespace": "gateways"}, {"cidr": "10.1.2.3"}]
    assert shown(peers) == "open to namespace gateways, 10.1.2.3/32"


STORE = {"store": "vault", "path": "models/"}


def test_a_store_is_asked_for_what_the_config_declares(workspace: Workspace) -> None:
    config = {
        "secrets": {"token": None},
        "docker_server": {"start_command": "sh -c 'x /secrets/other'"},
    }
    plan, problems = workspace.plan(config, {"secrets": STORE})
    assert (plan.secrets.names, plan.secrets.undeclared) == (("token",), ())
    assert [problem.level for problem in problems] == ["warning"]
    message = "the command reads /secrets/other, and `secrets` does not declare it"
    assert problems[0].message == message
    assert str(plan.secrets) == "/secrets/token from the store vault"
    assert "`secrets.store` of the stage, refreshed every 1h" in plan.secrets.why


def test_a_store_of_secrets_needs_no_value_of_the_stack(workspace: Workspace) -> None:
    plan, problems = workspace.plan({"secrets": {"token": None}}, {"secrets": STORE})
    assert (plan.secrets.any, problems) == (True, [])
    plan, _ = workspace.plan(None, {"secrets": STORE})
    assert (plan.secrets.any, plan.secrets.store) == (False, None)


def test_a_login_is_not_made_of_a_stores_secrets(workspace: Workspace) -> None:
    auth = {"auth_method": "REGISTRY_SECRET", "secret_name": "hub"}
    config = {"base_image": {"image": "registry.example.com/a:1", "docker_auth": auth}}
    plan, (problem,) = workspace.plan(config, {"secrets": STORE})
    assert (plan.pull.logins, problem.level) == ((), "blocks-deploy")
    assert "kubectl create secret docker-registry NAME -n models" in problem.fix
    assert problem.fix.endswith("add `pull_secret: NAME`")
    assert workspace.plan(config, {"secrets": STORE, "pull_secret": "login"})[1] == []
