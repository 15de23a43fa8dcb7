"""Trussform's rules as a policy pack: `pulumi preview --policy-pack FOLDER`."""

from pulumi_policy import PolicyPack
from trussform.deploy.policy_pack import POLICIES

PolicyPack("trussform", policies=[*POLICIES])
