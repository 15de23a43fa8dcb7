"""The stage block -> Stage: the settings of one environment."""

from trussform.stage.auth import ApiKeyAuth, Auth, ForwardAuth
from trussform.stage.autoscaling import Autoscaling
from trussform.stage.gpu import Dialect, Gpu
from trussform.stage.ingress import CidrPeer, NamespacePeer, Peer
from trussform.stage.names import Digest, is_digest
from trussform.stage.pod import Amounts, Pod, Toleration
from trussform.stage.route import GatewayRoute, IngressRoute, IssuedTls, NoRoute, Route, SecretTls
from trussform.stage.secrets import ExistingSecret, ExternalSecrets
from trussform.stage.stage import Server, ServerStage, Settings, Stage
from trussform.stage.storage import ClaimStorage, ExistingStorage, NodeStorage, Storage

__all__ = [
    "Amounts",
    "ApiKeyAuth",
    "Auth",
    "Autoscaling",
    "CidrPeer",
    "ClaimStorage",
    "Dialect",
    "Digest",
    "ExistingSecret",
    "ExistingStorage",
    "ExternalSecrets",
    "ForwardAuth",
    "GatewayRoute",
    "Gpu",
    "IngressRoute",
    "IssuedTls",
    "NamespacePeer",
    "NoRoute",
    "NodeStorage",
    "Peer",
    "Pod",
    "Route",
    "SecretTls",
    "Server",
    "ServerStage",
    "Settings",
    "Stage",
    "Storage",
    "Toleration",
    "is_digest",
]
