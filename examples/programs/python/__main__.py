"""A server in a program of its own: a platform stack gives its namespace, domain and Gateway."""

import pulumi
import pulumi_kubernetes as kubernetes
from trussform import DockerServer

settings = pulumi.Config()
platform = pulumi.StackReference(settings.require("platform"))
cluster = kubernetes.Provider("cluster", context=settings.get("context"))

llama = DockerServer(
    "llama",
    {
        "config_path": "../../servers/vllm-llama-3.1-8b",
        "stage": {
            "environment": pulumi.get_stack(),
            "route": {"kind": "gateway"},
            "auth": {"kind": "none"},
        },
        "secrets": {"hf_access_token": settings.require_secret("hfAccessToken")},
        "platform": {
            "namespace": platform.require_output("namespace"),
            "domain": platform.require_output("domain"),
            "gateway": {
                "name": platform.require_output("gateway"),
                "namespace": platform.require_output("gatewayNamespace"),
            },
            "registry": platform.require_output("registry"),
        },
    },
    opts=pulumi.ResourceOptions(provider=cluster),
)

pulumi.export("predictUrl", llama.predict_url)
