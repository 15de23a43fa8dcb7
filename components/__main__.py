"""The component as a Pulumi plugin from a checkout, for programs in other languages."""

import sys

if sys.version_info < (3, 11):  # noqa: UP036
    sys.exit(f"trussform needs Python 3.11 or later, and this is {sys.version.split()[0]}")

from trussform.deploy.plugin import main

if __name__ == "__main__":
    main()
