"""Plans as YAML: the objects that `pulumi up` would create, for review and for kubectl."""

import shlex
from collections.abc import Iterator
from pathlib import Path

from trussform import manifests
from trussform.manifests import DeployValues, Manifest, build_context
from trussform.manifests.auth import key_entries
from trussform.manifests.yaml_text import to_yaml
from trussform.plan import Plan


def stream(plans: dict[str, Plan]) -> str:
    """Returns all objects of all servers as one multi-document YAML."""
    documents = [to_yaml(namespace) for namespace in _namespaces(plans)]
    for plan in plans.values():
        documents += [_document(plan, manifest) for manifest in objects(plan)]
    return "".join(f"---\n{document}" for document in documents)


def write(plans: dict[str, Plan], out: Path) -> Iterator[Path]:
    """Write `out/<server>/*.yaml` and `out/<server>/image/`, giving each file as it is written."""
    for namespace in _namespaces(plans):
        # The name sorts first, and kubectl applies a folder in order.
        yield _file(out / f"0-namespace-{namespace['metadata']['name']}.yaml", to_yaml(namespace))
    for plan in plans.values():
        folder = out / plan.name
        for stale in folder.glob("*.yaml"):
            if stale.name.partition("-")[0].removesuffix(".yaml") in _KINDS:
                stale.unlink()
        image = plan.digest.reference
        if plan.image.build is not None:
            context = build_context.context(plan.image.build, image)
            tag = build_context.write(context, folder / "image")
            image = build_context.name(plan.image.build.registry, plan.name, tag)
            yield folder / "image" / "Dockerfile"
        for manifest in _objects(plan, image):
            yield _file(folder / _file_name(plan, manifest), _document(plan, manifest))


def _file_name(plan: Plan, manifest: Manifest) -> str:
    kind, name = manifest["kind"].lower(), manifest["metadata"]["name"]
    if kind == "referencegrant":
        return f"{kind}.yaml"  # Its name has the namespace, which is not the server's.
    if name == plan.names.auth_policy:
        return f"auth-{kind}.yaml"  # Sorts before the routes, so that none is ever open.
    return f"{kind}{name.removeprefix(plan.name)}.yaml"


def _document(plan: Plan, manifest: Manifest) -> str:
    note = _secret_note(plan) if manifest["kind"] == "Deployment" else ""
    return note + to_yaml(manifest)


def known_values(plan: Plan) -> DeployValues[str]:
    """Returns the values of a deploy that are known without one."""
    return manifests.deploy_values(plan, lambda *parts: "".join(map(str, parts)))


def objects(plan: Plan) -> list[Manifest]:
    """Returns the objects of one server, with the names that are known without a deploy."""
    return _objects(plan, _image(plan))


def _objects(plan: Plan, image: str) -> list[Manifest]:
    values = known_values(plan)
    fetcher = plan.fetcher.image
    return manifests.render_objects(
        plan,
        values._replace(
            image=image,
            fetcher=fetcher.reference if fetcher else "",
            secret=plan.secrets.secret,
            login=plan.names.registry_login if plan.pull.logins else None,
            api_keys=_api_keys(plan),
        ),
    )


def _image(plan: Plan) -> str:
    build = plan.image.build
    if build is None:
        return plan.digest.reference
    tag = build_context.tag(build_context.context(build, plan.digest.reference))
    return build_context.name(build.registry, plan.name, tag)


def _api_keys(plan: Plan) -> str:
    return plan.auth.existing or plan.names.api_keys


def _secret_note(plan: Plan) -> str:
    note = ""
    if plan.secrets.any and plan.secrets.store is None:
        files = " ".join(f"--from-file={key}=FILE" for key in plan.secrets.names)
        note += _needs(plan, "generic", plan.secrets.secret, files)
    if plan.pull.logins:
        servers = shlex.join(f"--docker-server={login.registry}" for login in plan.pull.logins)
        options = f"{servers} --docker-username=… …"
        note += _needs(plan, "docker-registry", plan.names.registry_login, options)
    if plan.auth.kind == "api-key":
        clients = plan.auth.keys or ("CLIENT",)
        entries = [entry for key in clients for entry in key_entries(key, "KEY").items()]
        literals = " ".join(f"--from-literal={name}={shlex.quote(text)}" for name, text in entries)
        note += _needs(plan, "generic", _api_keys(plan), literals)
    return note


def _needs(plan: Plan, kind: str, name: str, options: str) -> str:
    command = f"kubectl create secret {kind} {name} -n {plan.namespace.name} {options}".rstrip()
    return f"# Needs the Secret {name}; make it with: {command}\n"


def _namespaces(plans: dict[str, Plan]) -> list[Manifest]:
    names = {plan.namespace.name: None for plan in plans.values() if plan.namespace.create}
    return [manifests.namespace(name) for name in names]


_KINDS = (
    "persistentvolumeclaim",
    "configmap",
    "externalsecret",
    "auth",
    "poddisruptionbudget",
    "networkpolicy",
    "ciliumnetworkpolicy",
    "deployment",
    "service",
    "httproute",
    "grpcroute",
    "backendtrafficpolicy",
    "healthcheckpolicy",
    "gcpbackendpolicy",
    "ingress",
    "middleware",
    "interceptorroute",
    "referencegrant",
    "scaledobject",
)
"""The beginnings of the names of rendered files; a new render deletes the old ones."""


def _file(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path
