"""The secrets that a server reads from those that the stack or the program gives."""

from trussform.config import Config
from trussform.plan.pull import named_logins
from trussform.plan.secrets import read_by_command
from trussform.plan.weights import Weights
from trussform.stage import ApiKeyAuth, Stage


def given_secrets(config: Config, stage: Stage, name: str, weights: Weights) -> frozenset[str]:
    """Returns the names of the secrets whose given values the server `name` can read.

    A field that this stage makes no use of counts too, as `secret_to_path_mapping` with the
    builder `none`. The files at `/secrets` count only where the stage's secrets are Pulumi's.
    """
    auths = (stage.auth, stage.server(name).auth)
    names = [key for auth in auths if isinstance(auth, ApiKeyAuth) for key in auth.secrets]
    names += [login.secret for login in named_logins(config)]
    names += config.build.secret_to_path_mapping
    if stage.secrets == "pulumi":
        names += [*config.secrets, *read_by_command(config)]
        names += [source.secret for source in weights.sources if source.secret]
    return frozenset(names)
