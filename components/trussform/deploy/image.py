"""The image of a server as an output: looked up, built and pushed, or as the plan has it.

The SDKs of Docker are imported where they are used: most updates look up and build nothing.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pulumi

from trussform import image_reference
from trussform.deploy.secrets import Secrets, account, value_of
from trussform.manifests import build_context
from trussform.plan import Plan
from trussform.plan.digest import DigestPlan
from trussform.plan.image import Build

if TYPE_CHECKING:
    import pulumi_docker as docker

CONTEXTS = Path(".trussform")
"""The folder of build contexts, below the program's folder: the same path on every
machine, as Pulumi takes another path for another build."""


def image(
    name: str,
    plan: Plan,
    registry: pulumi.Input[str] | None,
    secrets: Secrets,
    look_up: docker.Provider | None,
    parent: pulumi.Resource,
) -> pulumi.Output[str]:
    """Returns the image as `repository@sha256:…`, or with its tag if the stage is offline."""
    base = resolved(plan.digest, plan, look_up, parent)
    build = plan.image.build
    if build is None:
        return base
    context = base.apply(lambda known: _write(plan, build, known))
    full_name = pulumi.Output.all(registry, context).apply(
        lambda known: build_context.name(known[0], plan.name, known[1]["tag"])
    )
    if plan.image.offline:
        pulumi.Output.all(full_name, context).apply(
            lambda known: pulumi.log.info(
                f"would build {known[0]} from {known[1]['folder']}/Dockerfile", parent
            )
        )
        return full_name
    if build.buildkit:
        return _built_by_buildkit(name, build, full_name, context, secrets, parent)
    import pulumi_docker as docker

    built = docker.Image(
        f"{name}-image",
        image_name=full_name,
        build=docker.DockerBuildArgs(
            context=context["folder"],
            dockerfile=pulumi.Output.concat(context["folder"], "/Dockerfile"),
            platform=build.platform,
        ),
        opts=pulumi.ResourceOptions(parent=parent),
    )
    return built.repo_digest


def _built_by_buildkit(
    name: str,
    build: Build,
    full_name: pulumi.Output[str],
    context: pulumi.Output[dict[str, str]],
    secrets: Secrets,
    parent: pulumi.Resource,
) -> pulumi.Output[str]:
    try:
        import pulumi_docker_build as buildkit
    except ImportError:
        message = "the stage's builder is buildkit, and pulumi-docker-build is not installed"
        raise pulumi.RunError(f"{message}; run: pip install 'trussform[buildkit]'") from None
    built = buildkit.Image(
        f"{name}-image",
        tags=[full_name],
        push=True,
        build_on_preview=False,
        context={"location": context["folder"]},
        dockerfile={"location": pulumi.Output.concat(context["folder"], "/Dockerfile")},
        platforms=[buildkit.Platform(build.platform)],
        secrets={
            secret: pulumi.Output.secret(value_of(secrets, secret)) for secret in build.secrets
        },
        opts=pulumi.ResourceOptions(parent=parent),
    )
    return pulumi.Output.all(full_name, built.digest).apply(
        lambda known: image_reference.by_digest(known[0], known[1])
    )


def resolved(
    image: DigestPlan, plan: Plan, look_up: docker.Provider | None, parent: pulumi.Resource
) -> pulumi.Output[str]:
    """Returns an image by the digest that the plan knows, or that its registry has now.

    `look_up` has the server's own logins alone; for other registries, the machine's login applies.
    """
    if not image.look_up:
        return pulumi.Output.from_input(image.reference)
    import pulumi_docker as docker

    theirs = [login.registry for login in plan.pull.logins]
    own = image is plan.digest or image_reference.registry(image.name) in theirs
    opts = pulumi.InvokeOutputOptions(parent=parent, provider=look_up if own else None)
    found = docker.get_registry_image_output(name=image.name, opts=opts)
    return found.sha256_digest.apply(lambda digest: image_reference.by_digest(image.name, digest))


def registry_provider(
    name: str, plan: Plan, secrets: Secrets, parent: pulumi.Resource
) -> docker.Provider | None:
    """Returns the provider that looks up images with the server's logins; None if it has no use."""
    images = (plan.digest, plan.fetcher.image)
    if not plan.pull.logins or not any(image and image.look_up for image in images):
        return None
    import pulumi_docker as docker

    accounts = [(login.registry, account(login, secrets)) for login in plan.pull.logins]
    return docker.Provider(
        f"{name}-look-up",
        registry_auth=[
            {
                "address": registry,
                "username": known.apply(lambda pair: pair[0]),
                "password": known.apply(lambda pair: pair[1]),
            }
            for registry, known in accounts
        ],
        opts=pulumi.ResourceOptions(parent=parent),
    )


def _write(plan: Plan, build: Build, base: str) -> dict[str, str]:
    context = build_context.context(build, base)
    folder = CONTEXTS / plan.labels.environment / plan.name / "image"
    # The folder is Trussform's own, whatever an interrupted run has left there.
    shutil.rmtree(folder, ignore_errors=True)
    return {"folder": folder.as_posix(), "tag": build_context.write(context, folder)}
