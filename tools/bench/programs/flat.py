"""The same objects by hand, without a component."""

import by_hand

for name, objects in by_hand.read_servers().items():
    by_hand.register(name, objects)
    by_hand.export(name)
