"""What a platform stack hands over: where servers go and how they are reached."""

import pulumi

pulumi.export("namespace", "models")
pulumi.export("domain", "models.example.com")
pulumi.export("gateway", "public")
pulumi.export("gateway_namespace", "gateways")
pulumi.export("registry", "registry.example.com/models")
