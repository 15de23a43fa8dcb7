"""The command `doctor`: the demands of a stack's servers, compared with a cluster."""

from trussform.cli.doctor.doctor import examine
from trussform.cli.doctor.finding import Finding
from trussform.cli.doctor.kubectl import KubectlError

__all__ = ["Finding", "KubectlError", "examine"]
