"""The support of every field of Truss."""

from typing import Literal, NamedTuple


class FieldSupport(NamedTuple):
    """The support of one field."""

    kind: Literal["supported", "mapped", "ignored", "refused"]
    """`supported`: the field means the same as in Truss. `mapped`: it becomes a Kubernetes field.
    `ignored`: Trussform does not use it, and warns. `refused`: it is an error unless its value has
    no effect."""
    text: str
    """The result of the field, the reason why it has no effect, or, for `refused`, the fix."""


def _supported(text: str) -> FieldSupport:
    return FieldSupport("supported", text)


def _mapped(text: str) -> FieldSupport:
    return FieldSupport("mapped", text)


def _ignored(text: str) -> FieldSupport:
    return FieldSupport("ignored", text)


def _refused(text: str) -> FieldSupport:
    return FieldSupport("refused", text)


_OWN_SERVER = "only Truss's own server reads it"
_CLASS = "describes a model class, which a custom server does not have"

SUPPORT: dict[str, FieldSupport] = {
    "model_name": _mapped("the label `trussform/model-name`; the stage names the server"),
    "model_metadata": _mapped("an annotation of the Deployment; its tags are also labels"),
    "model_metadata.example_model_input": _mapped(
        "the body of the `curl` command in `trussform explain`"
    ),
    "description": _supported("part of `/app/config.yaml`"),
    "base_image.image": _mapped(
        "the container's `image` or the base of the build, pinned by digest"
    ),
    "base_image.python_executable_path": _supported(
        "the Python that requirements are installed for"
    ),
    "base_image.docker_auth": _mapped("a Secret in `imagePullSecrets`, or the nodes' identity"),
    "docker_server.start_command": _mapped("the container's `command`"),
    "docker_server.server_port": _mapped("the port of the container, the Service and the probes"),
    "docker_server.predict_endpoint": _mapped("`/environments/{env}/predict`"),
    "docker_server.readiness_endpoint": _mapped("the path of the startup and readiness probes"),
    "docker_server.liveness_endpoint": _mapped("the path of the liveness probe"),
    "docker_server.run_as_user_id": _mapped("`runAsUser`; all capabilities are dropped"),
    "docker_server.no_build": _supported("the base image runs as it is"),
    "requirements": _supported("installed by the image build"),
    "requirements_file": _supported(
        "installed by the image build; `pyproject.toml` and `uv.lock` too"
    ),
    "system_packages": _supported("installed by the image build"),
    "build_commands": _supported("run by the image build"),
    "build.arguments": _mapped(
        "variables of `build_commands` and of the installation of requirements"
    ),
    "build.secret_to_path_mapping": _mapped(
        "files that only the build commands can read; the stage needs `builder: buildkit`"
    ),
    "build.model_server": _ignored(_CLASS),
    "build.no_cache": _ignored("an option of Truss's command line"),
    "data_dir": _supported("copied to `/app/data` by the image build"),
    "model_module_dir": _supported("copied to `/app/model` by the image build"),
    "bundled_packages_dir": _supported("copied to `/packages` by the image build"),
    "external_package_dirs": _supported(
        "copied to `/packages` by the image build, from within the config's repository"
    ),
    "external_data": _supported("downloaded to `/app/data/…` by the image build"),
    "environment_variables": _mapped("`env`; values become text as in Truss"),
    "secrets": _mapped("the files `/secrets/NAME` from a Secret; the stack has the values"),
    "resources.cpu": _mapped("the CPU request; never a limit"),
    "resources.memory": _mapped("the memory request; never a limit"),
    "resources.accelerator": _mapped("a GPU limit, node affinity and toleration"),
    "resources.use_gpu": _supported("Truss derives it from `accelerator`"),
    "resources.node_count": _supported("only 1 is allowed"),
    "resources.instance_type": _mapped(
        "the accelerator, CPU and memory of that machine in Baseten's table"
    ),
    "resources.fabric": _refused("remove it; a server has one node"),
    "runtime.predict_concurrency": _supported(
        "the default of `autoscaling.concurrency_target`; Trussform does not enforce it"
    ),
    "runtime.transport": _mapped("the kind of route and probes"),
    "runtime.transport.ping_interval_seconds": _ignored(
        "pings go from end to end; set them in your server"
    ),
    "runtime.transport.ping_timeout_seconds": _ignored(
        "pings go from end to end; set them in your server"
    ),
    "runtime.is_websocket_endpoint": _supported("the old name of `transport: {kind: websocket}`"),
    "runtime.health_checks.startup_threshold_seconds": _mapped("the startup probe"),
    "runtime.health_checks.stop_traffic_threshold_seconds": _mapped("the readiness probe"),
    "runtime.health_checks.restart_threshold_seconds": _mapped("the liveness probe"),
    "runtime.health_checks.restart_check_delay_seconds": _mapped("the liveness probe's delay"),
    "runtime.streaming_read_timeout": _ignored("the stage's `request_timeout` replaces it"),
    "runtime.enable_tracing_data": _ignored(_OWN_SERVER),
    "runtime.enable_debug_logs": _ignored(_OWN_SERVER),
    "runtime.truss_server_version_override": _ignored(_OWN_SERVER),
    "runtime.egress_restrictions": _mapped(
        "a NetworkPolicy; domain names need `network_policy: cilium` in the stage"
    ),
    "runtime.oidc": _refused("bind the namespace's service account in your cloud"),
    "runtime.remote_ssh": _refused("use `kubectl exec`"),
    "weights": _mapped("a read-only volume at `mount_location`, filled by an init container"),
    "model_cache": _mapped("a volume at `/app/model_cache/…`, filled by an init container"),
    "hf_cache": _supported("the old name of `model_cache`"),
    "cache_internal": _ignored("Baseten's cache; Truss's build does not read it"),
    "bdn": _refused("remove it; only Baseten's network delivers it"),
    "training_checkpoints": _refused("remove it; only Baseten's training writes them"),
    "trt_llm": _refused("remove it; only Baseten's engine builder reads it"),
    "bis_llm": _refused("remove it; only Baseten's inference stack reads it"),
    "examples_filename": _ignored(_OWN_SERVER),
    "python_version": _supported("the version of Truss's base image; used without `base_image`"),
    "input_type": _ignored(_CLASS),
    "model_framework": _ignored(_CLASS),
    "model_type": _ignored(_CLASS),
    "model_class_filename": _ignored(_CLASS),
    "model_class_name": _ignored(_CLASS),
    "use_local_src": _ignored(_OWN_SERVER),
    "live_reload": _ignored(_OWN_SERVER),
    "apply_library_patches": _ignored(_OWN_SERVER),
    "spec_version": _ignored("only one version exists"),
}
"""The support by the field's path."""
