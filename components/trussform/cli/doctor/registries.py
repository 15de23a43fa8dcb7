"""The registries that `pulumi up` pushes images to."""

from collections.abc import Iterator, Mapping

import requests

from trussform.cli import registry
from trussform.cli.doctor.finding import Finding
from trussform.cli.doctor.kubectl import Kubectl
from trussform.plan import Plan


def check_registries(plans: Mapping[str, Plan], kubectl: Kubectl) -> Iterator[Finding]:
    """Yields a finding for each registry, as seen from this machine."""
    builds = (plan.image.build for plan in plans.values())
    for name in sorted({build.registry for build in builds if build and build.registry}):
        host = name.partition("/")[0]
        try:
            registry.ping(host)
        except requests.RequestException as error:
            fix = "check the network, or correct `registry` of the stage"
            text = f"does not answer this machine: {type(error).__name__}"
            yield Finding("problem", f"registry {host}", text, fix)
        else:
            yield Finding("fine", f"registry {host}", "answers this machine")
