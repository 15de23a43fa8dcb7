"""Config + Stage -> Plan: one decision per file."""

from trussform.plan.plan import Plan, plan

__all__ = ["Plan", "plan"]
