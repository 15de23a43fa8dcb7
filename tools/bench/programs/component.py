"""The same objects by hand: one component for each server."""

import by_hand
import pulumi


class Server(pulumi.ComponentResource):
    def __init__(self, name: str, objects: list[by_hand.Object]) -> None:
        super().__init__("bench:index:Server", name)
        by_hand.register(name, objects, parent=self)
        self.register_outputs({})


for name, objects in by_hand.read_servers().items():
    Server(name, objects)
    by_hand.export(name)
