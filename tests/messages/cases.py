"""Configs and stages with problems; each message of the library comes from one of them."""

from typing import Any

SERVER = "docker_server"
WEIGHT = {"source": "hf://o/m@main", "mount_location": "/models/a"}
COMMIT = "hf://o/m@" + "0" * 40
GATEWAY = {"kind": "gateway", "name": "public", "namespace": "gateways"}
ENVOY = {**GATEWAY, "controller": "envoy-gateway"}
NGINX = {"kind": "ingress", "controller": "nginx"}
GRPC = {"runtime": {"transport": {"kind": "grpc"}}}
DIGEST = "python@sha256:" + "1" * 64

CONFIGS: dict[str, dict[str, Any]] = {
    "types": {
        SERVER: {"server_port": "http", "start_command": 1},
        "requirements": "six",
        "environment_variables": ["A"],
        "python_version": "py1",
        "resources": {"node_count": True},
        "runtime": 5,
    },
    "fields": {
        SERVER: {"server_prot": 8000},
        "dockerserver": {},
        "weights": [{"source": "hf://a/b"}],
    },
    "endpoints": {
        SERVER: {
            "predict_endpoint": "predict",
            "readiness_endpoint": "/ready?full=1",
            "liveness_endpoint": "/a/../b",
        }
    },
    "odd endpoints": {
        SERVER: {
            "predict_endpoint": "/" + "a" * 1025,
            "readiness_endpoint": "/ä",
            "start_command": " ",
            "run_as_user_id": 60000,
        }
    },
    "no command": {SERVER: {"start_command": None}},
    "images": {
        "base_image": {"image": "My/Image:1 2", "python_executable_path": "python3"},
    },
    "an image with a login": {"base_image": {"image": "https://user@example.com/image"}},
    "an image in capitals": {"base_image": {"image": "registry.example.com/Server"}},
    "names": {
        "environment_variables": {"1A": "x"},
        "secrets": {"a b": None, "token": {"a": 1}},
        "system_packages": ["a b"],
        "data_dir": ".",
        "model_module_dir": "../x",
        "bundled_packages_dir": "a" * 300,
        "build": {"no_cache": True, "arguments": {"a-b": "c"}},
    },
    "a real secret": {"secrets": {"token": "hf_" + "a1" * 17}},
    "requirements twice": {"requirements": ["six"], "requirements_file": "requirements.txt"},
    "weights twice": {
        "weights": [WEIGHT],
        "model_cache": [
            {"repo_id": "a/b", "revision": "main", "use_volume": True, "volume_folder": "b"}
        ],
    },
    "two ways in": {SERVER: {"run_as_user_id": 1}, "runtime": {"remote_ssh": {"enabled": True}}},
    "docker_auth": {
        "base_image": {
            "image": "a/b:1",
            "docker_auth": {"auth_method": "AWS_IAM", "registry": "https://x/y"},
        }
    },
    "another docker_auth": {
        "base_image": {
            "image": "a/b:1",
            "docker_auth": {
                "auth_method": "GCP_OIDC",
                "aws_oidc_role_arn": "arn",
                "secret_name": "a b",
            },
        }
    },
    "a strange registry": {
        "base_image": {
            "image": "a/b:1",
            "docker_auth": {"auth_method": "AWS_IAM", "registry": "https://x y"},
        }
    },
    "many problems": {f"field{i}": i for i in range(1001)},
    "a field of another method": {
        "base_image": {
            "image": "a/b:1",
            "docker_auth": {
                "auth_method": "AWS_OIDC",
                "aws_oidc_role_arn": "arn",
                "aws_oidc_region": "r",
                "gcp_oidc_service_account": "x",
            },
        }
    },
    "two secrets of one source": {
        "weights": [
            {
                **WEIGHT,
                "auth_secret_name": "a",
                "auth": {"auth_method": "CUSTOM_SECRET", "auth_secret_name": "b"},
            }
        ]
    },
    "missing docker_auth": {
        "base_image": {"image": "a/b:1", "docker_auth": {"auth_method": "AWS_OIDC"}}
    },
    "amounts": {"resources": {"cpu": "four", "memory": "lots", "node_count": 2}},
    "accelerator": {"resources": {"accelerator": "L5"}},
    "accelerator count": {"resources": {"accelerator": "L4:x"}},
    "accelerator type": {"resources": {"accelerator": 4}},
    "egress": {
        "runtime": {
            "egress_restrictions": {"ip_allow_list": ["10.x"], "fqdn_allow_list": ["a b"]},
            "truss_server_version_override": "new",
        }
    },
    "sources": {
        "weights": [
            {"source": "ftp://a", "mount_location": "/a"},
            {"source": "s3://", "mount_location": "/b"},
            {"source": "s3://b@main", "mount_location": "c"},
            {**WEIGHT, "auth_secret_name": "a", "auth": {"auth_secret_name": "b"}},
        ]
    },
    "mounts": {"weights": [WEIGHT, WEIGHT]},
    "model_cache": {
        "model_cache": [
            {"repo_id": "a/b", "use_volume": True},
            {"repo_id": "a/b", "use_volume": True, "revision": "m", "volume_folder": "b"},
            {"repo_id": "a/b", "use_volume": True, "revision": "main"},
        ]
    },
    "unsupported": {"runtime": {"remote_ssh": {"enabled": True}}, "trt_llm": {"build": {}}},
    "a large config": {"model_metadata": {"text": "x" * 150_000, "more": "y" * 60_000}},
    "shell syntax": {SERVER: {"start_command": "serve | tee log"}},
    "an open quote": {SERVER: {"start_command": "serve 'a"}},
    "a comment": {SERVER: {"start_command": "# serve"}},
    "a variable first": {SERVER: {"start_command": "A=b serve"}},
    "supervisor": {SERVER: {"start_command": "serve %(ENV_A)s"}},
    "loopback": {SERVER: {"start_command": "vllm serve m --host 127.0.0.1 --port 8000"}},
    "an unknown loopback": {SERVER: {"start_command": "serve --host localhost"}},
    "a server with a file": {
        SERVER: {"start_command": "gunicorn -c conf.py app", "server_port": 8000}
    },
    "ignored": {"live_reload": True, "python_version": "py311"},
    "floating": {"base_image": {"image": "vllm/vllm-openai:latest"}},
    "a placeholder": {"base_image": {"image": "<your-registry>/server:v1"}},
    "Baseten's own": {
        SERVER: {
            "server_port": 8080,
            "predict_endpoint": "/v1/websocket",
            "start_command": "vllm serve m --port 9000 --tensor-parallel-size 2",
        },
        "resources": {"accelerator": "L4"},
        "environment_variables": {"PATH": "/x", "PORT": "1", "CUDA_VISIBLE_DEVICES": "0"},
    },
    "a build's secrets": {
        "build": {"secret_to_path_mapping": {"token": "/run/token"}},
    },
    "a build's paths": {
        "build_commands": ["true"],
        "build": {"secret_to_path_mapping": {"token": "token", "other": "/run/other"}},
    },
    "no_build": {
        SERVER: {"no_build": True, "start_command": None, "run_as_user_id": 1000},
        "requirements": ["six"],
        "external_data": [{"url": "https://example.com/x", "local_data_path": "x"}],
    },
    "downloads": {"external_data": [{"url": "ftp://x", "local_data_path": "../x"}]},
    "folders": {"external_package_dirs": ["../nowhere"]},
    "a missing file": {"requirements_file": "missing.txt"},
    "grpc": GRPC,
    "a written secret": {"secrets": {"token": "<your token>"}},
    "read secrets": {SERVER: {"start_command": "sh -c 'cat /secrets/token'"}},
    "a missing secret": {"secrets": {"token": None}},
    "instance type": {"resources": {"instance_type": "nonsense"}},
    "an instance type of unknown size": {"resources": {"instance_type": "B300"}},
    "identities": {"weights": [{"source": COMMIT.replace("hf", "s3"), "mount_location": "/app"}]},
    "places": {
        "weights": [
            {"source": "hf://a", "mount_location": "/app"},
            {"source": COMMIT, "mount_location": "/models/a:b"},
            {"source": COMMIT, "mount_location": "/models/a:b/c"},
            {"source": COMMIT, "mount_location": "/x\n"},
            {"source": "azure://a", "mount_location": "/y"},
            {
                "source": "s3://bucket",
                "mount_location": "/z",
                "auth": {
                    "auth_method": "AWS_OIDC",
                    "aws_oidc_role_arn": "arn",
                    "aws_oidc_region": "r",
                },
            },
        ]
    },
    "patterns": {
        "weights": [
            {**WEIGHT, "allow_patterns": ["/a", "{a,b}.txt"]},
            {**WEIGHT, "mount_location": "/models/b", "ignore_patterns": ["**"]},
        ]
    },
    "the hub's cache": {
        "model_cache": [{"repo_id": "a/b", "revision": "main", "use_volume": False}],
        "environment_variables": {"HF_HUB_CACHE": "/x", "HUGGINGFACE_HUB_CACHE": "/y"},
    },
    "restricted weights": {
        "weights": [WEIGHT],
        "runtime": {"egress_restrictions": {"fqdn_allow_list": ["example.com"]}},
    },
    "a private image": {
        "base_image": {
            "image": "a/b:1",
            "docker_auth": {"auth_method": "REGISTRY_SECRET", "secret_name": "login"},
        }
    },
    "a private image by identity": {
        "base_image": {"image": "a/b:1", "docker_auth": {"auth_method": "AWS_IAM"}}
    },
    "a private image that is built on": {
        "base_image": {"image": "a/b:1", "docker_auth": {"auth_method": "AWS_IAM"}},
        "requirements": ["six"],
    },
    "large weights": {"weights": [WEIGHT], "resources": {"accelerator": "H100:8"}},
}

STAGES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "types": ({}, {"replicas": "two", "servers": [], "tags": "latest", "auth": 5}),
    "fields": ({}, {"replica": 1, "peers": [], "route": {"kind": "gatway"}}),
    "a former name of a range": ({}, {"ingress_from": [{"address": "10.0.0.0/8"}]}),
    "a path with NUL": ({}, {"servers": {"a": {"path": "a\0"}}}),
    "numbers": ({}, {"replicas": True}),
    "names": (
        {},
        {
            "environment": "Dev",
            "namespace": "a_b",
            "domain": "a b",
            "registry": "x y",
            "pull_secret": "-",
            "gpu": {
                "label": "a b",
                "resource": "nvidia",
                "products": {"L5": ["x"], "L4": ["a b"]},
            },
            "weights": {"storage": {"kind": "node", "path": "../x"}, "image": "a b"},
            "ingress_from": [{"cidr": "10.x"}],
            "digests": {"a": "sha256:1"},
            "servers": {"": {"path": "a" * 300}, "x": {"path": "x", "image": "a:1"}},
        },
    ),
    "a former name of the service account": ({}, {"service_account": "reader"}),
    "a pod": (
        {},
        {
            "pod": {
                "service_account": "A",
                "priority_class": "a b",
                "labels": {"a b": "x", "pod-template-hash": "x", "c": "d e"},
                "annotations": {"trussform/config.yaml": "x"},
                "fs_group": "group",
                "requests": {"cpu": "many", "gpu": 1},
                "limits": {"memory": "much"},
                "termination_grace_period": 5,
                "tolerations": [
                    {"value": "x"},
                    {"key": "a", "operator": "Exists", "value": "x"},
                    {"key": "a", "toleration_seconds": 5},
                    {"key": "a", "effect": "NoRun"},
                ],
            },
            "gpu": {"resources": {"L5": "x", "L4": "mig"}, "taint": "a b", "spot": "yes"},
        },
    ),
    "auth": (
        {},
        {
            "auth": {
                "kind": "forward",
                "service": "s",
                "namespace": "n",
                "path": "//?",
                "headers": ["a b"],
            }
        },
    ),
    "keys": ({}, {"auth": {"kind": "api-key"}}),
    "keys twice": ({}, {"auth": {"kind": "api-key", "keys": ["a", "a"]}}),
    "rotating": ({}, {"auth": {"kind": "api-key", "keys": ["a"], "rotating": {"b": "c"}}}),
    "one key of two": (
        {},
        {"auth": {"kind": "api-key", "keys": ["a", "b"], "rotating": {"a": "b"}}},
    ),
    "offline secrets": ({}, {"render_to": "out"}),
    "a secret in the stage": ({}, {"domain": {"secure": "v1:x"}}),
    "no auth": ({}, {"auth": None}),
    "keys without Envoy": ({}, {"auth": {"kind": "api-key", "keys": ["ci"]}}),
    "keys from elsewhere": (
        {},
        {"auth": {"kind": "api-key", "keys": ["ci"]}, "route": ENVOY, "secrets": {"existing": "s"}},
    ),
    "forward without a controller": (
        {},
        {"auth": {"kind": "forward", "service": "s", "namespace": "n"}},
    ),
    "forward for gRPC": (
        GRPC,
        {
            "auth": {"kind": "forward", "service": "s", "namespace": "n"},
            "route": {**NGINX, "scheme": "http"},
        },
    ),
    "no host and no Gateway": ({}, {"domain": None, "route": {"kind": "gateway", "name": None}}),
    "an endpoint that nginx misreads": ({SERVER: {"predict_endpoint": "/a;b"}}, {"route": NGINX}),
    "sources of requests": ({}, {"ingress_from": [{"namespace": "others"}]}),
    "no label": ({"resources": {"accelerator": "L4"}}, {"gpu": {"dialect": "aks"}}),
    "limits below the requests": (
        {"resources": {"cpu": "4", "memory": "8Gi"}},
        {"pod": {"limits": {"cpu": "1", "memory": "4Gi"}}},
    ),
    "two limits of the shutdown": (
        {},
        {"pod": {"termination_grace_period": 60}, "deadlines": {"drain": 60}},
    ),
    "two runtimes": (
        {"resources": {"accelerator": "L4"}},
        {"gpu": {"runtime_class": "nvidia"}, "pod": {"runtime_class": "kata"}},
    ),
    "several GPUs with the default memory": ({"resources": {"accelerator": "H100:8"}}, {}),
    "an image of unknown libraries on GKE": (
        {
            "base_image": {"image": DIGEST.replace("python", "example.com/a")},
            "resources": {"accelerator": "L4"},
        },
        {"gpu": {"dialect": "gke"}, "route": {"kind": "none"}},
    ),
    "GKE without its controller": ({}, {"gpu": {"dialect": "gke"}}),
    "a path that GKE cannot ask": (
        {SERVER: {"readiness_endpoint": "/a@b"}},
        {"route": {**GATEWAY, "controller": "gke"}},
    ),
    "gRPC on GKE": (GRPC, {"route": {**GATEWAY, "controller": "gke"}}),
    "auth that pods can pass by": (
        {},
        {"auth": {"kind": "api-key", "existing": "clients"}, "route": ENVOY},
    ),
    "two owners of the replicas": ({}, {"replicas": 2, "autoscaling": {}}),
    "autoscaling that Baseten would refuse": (
        {},
        {
            "autoscaling": {
                "min_replica": -1,
                "scale_down_delay": 4000,
                "target_in_flight_tokens": 5,
                "prometheus": "prometheus:9090",
                "triggers": [{"metadata": {}}],
            }
        },
    ),
    "a trigger with a number": (
        {},
        {
            "autoscaling": {
                "triggers": [{"type": "cron", "metadata": {"desiredReplicas": 2}}],
            }
        },
    ),
    "gRPC through KEDA": (GRPC, {"autoscaling": {"max_replica": 2}, "route": ENVOY}),
    "bounds in the wrong order": ({}, {"autoscaling": {"min_replica": 3, "max_replica": 2}}),
    "zero without a route": ({}, {"autoscaling": {}, "route": {"kind": "none"}}),
    "zero with an Ingress": ({}, {"autoscaling": {}, "route": NGINX}),
    "zero on GKE": ({}, {"autoscaling": {}, "route": {**GATEWAY, "controller": "gke"}}),
    "a load that nothing counts": (
        {},
        {"autoscaling": {"min_replica": 1}, "route": {"kind": "none"}},
    ),
    "zero with a short timeout": ({}, {"autoscaling": {}, "request_timeout": 60}),
    "auth that pods can pass by through KEDA": (
        {},
        {
            "autoscaling": {},
            "auth": {"kind": "api-key", "existing": "clients"},
            "route": ENVOY,
            "ingress_from": [{"namespace": "gateways"}],
        },
    ),
    "offline": ({}, {"render_to": "out", "secrets": {"existing": "s"}}),
    "not locked": ({}, {"tags": "locked"}),
    "no builder": ({"requirements": ["six"]}, {"builder": "none"}),
    "no registry": ({"requirements": ["six"]}, {"registry": None}),
    "replicas of one volume": ({"weights": [{**WEIGHT, "source": COMMIT}]}, {"replicas": 2}),
    "a login from elsewhere": (CONFIGS["a private image"], {"secrets": {"existing": "s"}}),
    "servers of one name": (
        {},
        {
            "servers": {
                "server": {"path": "server"},
                "b c": {"path": "server"},
                "b-c-b9a04b8c": {"path": "server"},
            }
        },
    ),
    "a server without a folder": ({}, {"servers": {"ghost": {"path": "nowhere"}}}),
    "an override that deletes nothing": (
        {},
        {"servers": {"server": {"path": "server", "config": {"secrets": {"a": None}}}}},
    ),
}

FILES = {
    "not YAML": "a: [",
    "NUL": 'a: "\\0"',
    "a tag": "a: !python/object:os.system x",
    "a date": "a: 2026-99-99",
    "a key that is a number": "1: a",
    "a key that is a list": "[a]: b",
    "a merge of a text": "<<: a",
    "duplicate keys": "a: 1\na: 2",
    "a list": "- a",
    "deep": "[" * 70 + "]" * 70,
    "aliases": "a: &a [x, x, x, x, x, x, x, x, x, x]\n"
    + "".join(f"{c}: &{c} [{', '.join([f'*{b}'] * 10)}]\n" for b, c in ("ab", "bc", "cd", "de")),
    "a control character": "a: \x01",
    "directives": "%TAG ! x\n" * 120,
    "long": "a: " + "x" * 300_000,
    "large": "a: " + "x" * 1_100_000,
    "many values": "[" + "1," * 25_000 + "]",
}
