"""Decides everything about one server: `Given` -> `Plan`, one decision per file."""

from trussform.plan.given import Given
from trussform.plan.known_secrets import UNKNOWN, KnownSecrets
from trussform.plan.plan import Plan, build_plan

__all__ = ["UNKNOWN", "Given", "KnownSecrets", "Plan", "build_plan"]
