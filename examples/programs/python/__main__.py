"""A server in a program of its own: a platform stack gives its namespace, domain and Gateway."""

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
    # Writes YAML to a folder, without a cluster.
    stage |= {"render_to": render_to, "secrets": {"existing": "models"}}

cluster = kubernetes.Provider(
    "cluster", context=settings.get("context"), render_yaml_to_directory=render_to
)
embeddings = DockerServer(
    "embeddings",
    {
        "config": "../../servers/infinity-embeddings",
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
