"""One DockerServer for each server of the stack: `pulumi up --stack dev`."""

import pulumi
from trussform.deploy import DockerServer, read_stack

stack = read_stack()
for name, args in stack.servers.items():
    server = DockerServer(name, args, opts=stack.opts)
    pulumi.export(
        name,
        {
            "predict_url": server.predict_url,
            "sync_url": server.sync_url,
            "image": server.image,
            "namespace": server.namespace,
            "service": server.service,
            "environment": server.environment,
        },
    )
