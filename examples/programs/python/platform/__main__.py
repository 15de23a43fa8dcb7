"""A platform stack: it exports the values that other stacks pass as `platform`."""

import pulumi

pulumi.export("namespace", "models")
pulumi.export("domain", "models.example.com")
pulumi.export("gateway", "public")
pulumi.export("gatewayNamespace", "gateways")
pulumi.export("registry", "registry.example.com/models")
