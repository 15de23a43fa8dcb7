"""A server in a program of your own: the platform stack says where, the config says what."""

import pulumi
import pulumi_kubernetes as kubernetes
from trussform import DockerServer

settings = pulumi.Config()
platform = pulumi.StackReference(settings.require("platform"))

stage = {
    "environment": pulumi.get_stack(),
    "route": {"kind": "gateway"},
    "auth": "none",
}
render_to = settings.get("renderTo")
if render_to:
    # For a look without a cluster: YAML in a folder.
    stage |= {"render_to": render_to, "secrets": {"existing": "models"}}

cluster = kubernetes.Provider(
    "cluster", context=settings.get("context"), render_yaml_to_directory=render_to
)
embeddings = DockerServer(
    "embeddings",
    {
        "config": "../infinity-embeddings",
        "stage": stage,
        "platform": {
            "namespace": platform.require_output("namespace"),
            "domain": platform.require_output("domain"),
            "gateway": {
                "name": platform.require_output("gateway"),
                "namespace": platform.require_output("gateway_namespace"),
            },
            "registry": platform.require_output("registry"),
        },
    },
    opts=pulumi.ResourceOptions(provider=cluster),
)

pulumi.export("predict_url", embeddings.predict_url)
