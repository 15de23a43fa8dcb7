"""The same objects by hand, without a component."""

import by_hand
import pulumi

for name, objects in by_hand.read_servers().items():
    by_hand.register(name, objects, pulumi.ResourceOptions())
    by_hand.export(name)
