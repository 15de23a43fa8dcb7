"""A third stack that calls the server: it asks the models stack for the URL."""

import pulumi

models = pulumi.StackReference(pulumi.Config().require("models"))
pulumi.export("llama_url", models.require_output("predictUrl"))
