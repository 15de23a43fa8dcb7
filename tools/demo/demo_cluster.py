"""`make demo-cluster`: the embedding example on a real cluster, up to a vector in an answer."""

import json
import shlex
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import program
import yaml
from program import ROOT
from testbed import settings
from testbed.settings import Settings

QUESTION = {"input": "The weather is lovely today."}


def main() -> None:
    program.without_engine()
    file = settings.file()
    if not file:
        sys.exit("no cluster: cluster.yaml does not exist; `make demo-cluster` boots a cluster")
    cluster = settings.read(file)
    folder = ROOT / ".demo-cluster" / cluster_id()
    program.copy(folder)
    fit_to_cluster(folder, cluster)
    url = program.up(folder, "cluster")["minilm"].value["predict_url"]
    header = "Content-Type: application/json"
    command = ["curl", url, "-H", header, "-d", json.dumps(QUESTION), *through_gateway(cluster)]
    print(f"\n$ {shlex.join(command)}", flush=True)
    # The gateway hears of a new route a moment later, and nobody waits for that.
    patient = ["--silent", "--show-error", "--fail", "--retry", "30", "--retry-all-errors"]
    asked = subprocess.run(
        [*command, *patient, "--retry-delay", "1"], stdout=subprocess.PIPE, text=True, check=False
    )
    if asked.returncode != 0:
        sys.exit("the server did not answer, as curl says above")
    print(f"{asked.stdout[:300]}…")
    vector = json.loads(asked.stdout)["data"][0]["embedding"]
    print(f"\n{QUESTION['input']!r} became {len(vector)} numbers.")
    print("Try another text by the same line. `make cluster-down` ends a cluster booted for this.")


def cluster_id() -> str:
    """Returns a name for this cluster, so that its state has a folder of its own."""
    words = ["get", "namespace", "kube-system", "--output", "jsonpath={.metadata.uid}"]
    asked = subprocess.run(["kubectl", *words], stdout=subprocess.PIPE, text=True, check=False)
    if asked.returncode != 0:
        sys.exit("the cluster does not answer, as kubectl says above")
    return asked.stdout


def fit_to_cluster(folder: Path, cluster: Settings) -> None:
    """Let the stage say what this cluster has, where it is not the one of `make cluster`."""
    file = folder / "stacks/Pulumi.cluster.yaml"
    stack = yaml.safe_load(file.read_text())
    stage = stack["config"]["trussform:stage"]
    gateway = urlsplit(cluster.gateways["traefik"])
    stage["registry"] = cluster.registry
    stage["route"] |= {"scheme": gateway.scheme, "port": gateway.port}
    base = stage["servers"]["minilm"]["config"]["base_image"]
    base["image"] = cluster.images.python
    file.write_text(yaml.safe_dump(stack, sort_keys=False))


def through_gateway(cluster: Settings) -> list[str]:
    """Returns curl's options for the gateway; names below `localhost` need none."""
    gateway = urlsplit(cluster.gateways["traefik"])
    if gateway.hostname in ("127.0.0.1", "localhost"):
        return []
    return ["--connect-to", f"::{gateway.hostname}:{gateway.port or ''}"]


if __name__ == "__main__":
    main()
