"""Known servers, with the setting of their host and their behaviour at SIGTERM.

`source` names the origin of each row: a repository with its release, and the file.
"""

from typing import NamedTuple


class Server(NamedTuple):
    """A server program."""

    name: str
    commands: tuple[tuple[str, ...], ...]
    """The programs or Python modules that start it, each with its subcommands."""
    source: str
    """The origin of this row."""
    loopback: bool = False
    """True if it listens only on 127.0.0.1 by default."""
    options: tuple[str, ...] = ("--host",)
    """The options that set the host; Trussform adds the first."""
    variable: str | None = None
    """The environment variable that sets the host."""
    ports: tuple[str, ...] = ("--port",)
    """The options that set the port."""
    port: int | None = None
    """The default port, if host and port are one setting: `HOST:PORT`."""
    instead: tuple[str, ...] = ()
    """Other options that may set the socket, such as a Unix socket or a configuration file."""
    others: tuple[str, ...] = ()
    """Other variables that may set the host."""
    marker: str | None = None
    """Text that the whole command must contain to start this server."""
    folder: str | None = None
    """The folder that its script must be in, in lower case."""
    skips: int = 0
    """The number of arguments between the command and its first option."""
    drains: bool | None = None
    """True if it finishes running requests after SIGTERM without a time limit; None: unknown."""
    gauges: tuple[str, ...] = ()
    """The metrics that it always reports at `/metrics`: the requests that run, and that wait."""


_BIND = ("--bind", "-b")

SERVERS = (
    Server(
        "vLLM",
        (
            ("vllm", "serve"),
            ("vllm.entrypoints.openai.api_server",),
            ("vllm.entrypoints.api_server",),
            ("vllm.entrypoints.cli.main", "serve"),
        ),
        "vllm-project/vllm, main, undated: vllm/entrypoints/openai/cli_args.py (host: None, "
        "all addresses); `--shutdown-timeout` (0.18 and later, default 0: running requests are "
        "aborted): github.com/vllm-project/vllm/pull/34730 and 43208",
        instead=("--uds",),
        drains=False,
        gauges=("vllm:num_requests_running", "vllm:num_requests_waiting"),
    ),
    Server(
        "Aphrodite",
        (
            ("aphrodite", "run"),
            ("aphrodite", "serve"),
            ("aphrodite.entrypoints.openai.api_server",),
            ("aphrodite.endpoints.openai.api_server",),
        ),
        "aphrodite-engine/aphrodite-engine 0.20.0: aphrodite/entrypoints/openai/cli_args.py, "
        "aphrodite/engine/arg_utils.py (shutdown_timeout: 0)",
        drains=False,
    ),
    Server(
        "SGLang",
        (("sglang.launch_server",), ("sglang", "serve")),
        "sglang 0.5.23 on PyPI: sglang/srt/arg_groups/fields/serving.py; at SIGTERM it waits for "
        "its requests and then kills what may still be sending the last one: "
        "sglang/srt/managers/tokenizer_manager.py",
        loopback=True,
    ),
    Server(
        "SGLang's router",
        (
            ("sglang_router.launch_router",),
            ("sglang_router.launch_server",),
            ("sglang-router", "launch"),
            ("smg", "launch"),
        ),
        "sgl-project/sglang: rust/readme.md (early releases: 127.0.0.1), sgl-router/py_src/"
        "sglang_router/router_args.py (later ones: 0.0.0.0)",
        loopback=True,
    ),
    Server(
        "TEI",
        (("text-embeddings-router",),),
        "huggingface/text-embeddings-inference 1.9.3: router/src/main.rs (0.0.0.0), "
        "router/src/shutdown.rs, router/src/http/server.rs (axum's graceful shutdown, unlimited)",
        options=("--hostname",),
        ports=("--port", "-p"),
        drains=True,
    ),
    Server(
        "TGI",
        (("text-generation-launcher",),),
        "huggingface/text-generation-inference 3.3.7: launcher/src/main.rs (0.0.0.0; "
        "graceful_termination_timeout ends it)",
        options=("--hostname",),
        ports=("--port", "-p"),
        drains=False,
    ),
    Server(
        "llama-server",
        (("llama-server",), ("llama", "serve")),
        "ggml-org/llama.cpp, main, undated: common/arg.cpp (LLAMA_ARG_HOST), "
        "tools/server/server.cpp (SIGTERM ends the loop that makes tokens)",
        loopback=True,
        variable="LLAMA_ARG_HOST",
        drains=False,
    ),
    Server(
        "llama.cpp's server",
        (("server",),),
        "ggml-org/llama.cpp before June 2024, when llama-server was `server`: "
        "examples/server/README.md",
        loopback=True,
        marker=".gguf",
        drains=False,
    ),
    Server(
        "llama_cpp.server",
        (("llama_cpp.server",),),
        "abetlen/llama-cpp-python 0.3.35: llama_cpp/server/settings.py (localhost), "
        "llama_cpp/server/__main__.py (HOST wins over the option)",
        loopback=True,
        variable="HOST",
    ),
    Server(
        "Ollama",
        (("ollama", "serve"), ("ollama", "start")),
        "ollama/ollama 0.33.0-rc2: envconfig/config.go (Host; ConnectableHost: a client takes "
        "0.0.0.0 as 127.0.0.1), server/routes.go (SIGTERM closes all connections)",
        loopback=True,
        options=(),
        variable="OLLAMA_HOST",
        port=11434,
        drains=False,
    ),
    Server(
        "LMDeploy",
        (("lmdeploy", "serve", "api_server"), ("lmdeploy", "serve", "proxy")),
        "InternLM/lmdeploy 0.16.0: lmdeploy/cli/serve.py (0.0.0.0)",
        options=("--server-name", "--server_name"),
        ports=("--server-port", "--server_port"),
    ),
    Server(
        "trtllm-serve disaggregated",
        (("trtllm-serve", "disaggregated"), ("trtllm-serve", "disaggregated_mpi_worker")),
        "NVIDIA/TensorRT-LLM@00209af: tensorrt_llm/commands/serve.py (its file names the host)",
        options=(),
        ports=(),
    ),
    Server(
        "trtllm-serve",
        (("trtllm-serve",), ("tensorrt_llm.commands.serve",)),
        "NVIDIA/TensorRT-LLM@00209af: tensorrt_llm/commands/serve.py (localhost; a first word "
        "other than a subcommand is the model, so options come after it)",
        loopback=True,
        options=("--host",),
        skips=1,
    ),
    Server(
        "Infinity",
        (("infinity_emb", "v2"), ("infinity_emb", "v1")),
        "michaelfeil/infinity 0.0.77: libs/infinity_emb/infinity_emb/env.py (0.0.0.0)",
        variable="INFINITY_HOST",
    ),
    Server(
        "mlx_lm.server",
        (("mlx_lm.server",), ("mlx_lm", "server")),
        "ml-explore/mlx-lm 0.31.3: mlx_lm/server.py (no handler of SIGTERM)",
        loopback=True,
        drains=False,
    ),
    Server(
        "whisper-server",
        (("whisper-server",),),
        "ggml-org/whisper.cpp 1.9.3: examples/server/server.cpp",
        loopback=True,
    ),
    Server(
        "Xinference",
        (("xinference-local",),),
        "xorbitsai/inference 3.2.0: xinference/deploy/cmdline.py, xinference/deploy/local.py "
        "(SIGTERM exits)",
        loopback=True,
        options=("--host", "-H"),
        ports=("--port", "-p"),
        drains=False,
    ),
    Server(
        "Ray Serve",
        (("serve", "run"), ("serve", "start"), ("ray", "serve", "run")),
        "ray-project/ray 2.x: python/ray/serve/_private/constants.py "
        "(RAY_SERVE_DEFAULT_HTTP_HOST), python/ray/serve/scripts.py (older: --host)",
        loopback=True,
        options=("--host", "-h", "--http-host"),
        variable="RAY_SERVE_DEFAULT_HTTP_HOST",
        ports=("--port", "-p", "--http-port"),
    ),
    Server(
        "granian",
        (("granian",),),
        "emmett-framework/granian 2.8.1: granian/cli.py (auto_envvar_prefix GRANIAN)",
        loopback=True,
        variable="GRANIAN_HOST",
        instead=("--uds",),
    ),
    Server(
        "uvicorn",
        (("uvicorn",),),
        "encode/uvicorn 0.35.0: uvicorn/main.py (auto_envvar_prefix UVICORN), docs/settings.md; "
        "requests finish, but WebSockets and the streams of sse-starlette are closed",
        loopback=True,
        variable="UVICORN_HOST",
        instead=("--uds", "--fd"),
    ),
    Server(
        "gunicorn",
        (("gunicorn",), ("gunicorn.app.wsgiapp",)),
        "benoitc/gunicorn 26.1.0: gunicorn/config.py (127.0.0.1:8000, or 0.0.0.0:$PORT; "
        "graceful_timeout: 30 s)",
        loopback=True,
        options=_BIND,
        port=8000,
        instead=("--config", "-c"),
        others=("PORT", "GUNICORN_CMD_ARGS"),
        drains=False,
    ),
    Server(
        "hypercorn",
        (("hypercorn",),),
        "pgjones/hypercorn 0.18.0: src/hypercorn/config.py (127.0.0.1:8000; graceful_timeout: 3 s)",
        loopback=True,
        options=_BIND,
        port=8000,
        instead=("--config", "-c", "--insecure-bind"),
        drains=False,
    ),
    Server(
        "daphne",
        (("daphne",),),
        "django/daphne 4.2.2: daphne/cli.py",
        loopback=True,
        options=("-b", "--bind"),
        ports=("-p", "--port"),
        instead=("-u", "--unix-socket", "--fd", "-e", "--endpoint"),
    ),
    Server(
        "Flask",
        (("flask", "run"),),
        "pallets/flask 3.1.3: src/flask/cli.py (auto_envvar_prefix FLASK)",
        loopback=True,
        options=("--host", "-h"),
        variable="FLASK_RUN_HOST",
        ports=("--port", "-p"),
        drains=False,
    ),
    Server(
        "fastapi dev",
        (("fastapi", "dev"),),
        "fastapi/fastapi-cli 0.0.32: src/fastapi_cli/cli.py (127.0.0.1)",
        loopback=True,
    ),
    Server(
        "fastapi run",
        (("fastapi", "run"),),
        "fastapi/fastapi-cli 0.0.32: src/fastapi_cli/cli.py (0.0.0.0)",
    ),
    Server(
        "ComfyUI",
        (("main.py",),),
        "comfyanonymous/ComfyUI, main, undated: comfy/cli_args.py",
        loopback=True,
        options=("--listen",),
        folder="comfyui",
        drains=False,
    ),
    Server(
        "LightLLM",
        (("lightllm.server.api_server",),),
        "ModelTC/lightllm 1.0.1: lightllm/server/api_cli.py",
        loopback=True,
    ),
    Server(
        "TabbyAPI",
        (("main.py",), ("start.py",)),
        "theroyallab/tabbyAPI, main, undated: common/config_models.py (127.0.0.1), "
        "common/tabby_config.py (variables win over config.yml)",
        loopback=True,
        variable="TABBY_NETWORK_HOST",
        folder="tabbyapi",
    ),
    Server(
        "moshi.server",
        (("moshi.server",),),
        "kyutai-labs/moshi 0.2.12 and NVIDIA/personaplex: moshi/moshi/server.py (localhost)",
        loopback=True,
    ),
    Server(
        "moshi-server",
        (("moshi-server", "worker"),),
        "kyutai-labs/moshi 0.2.12: rust/moshi-server/src/main.rs (0.0.0.0)",
        options=("--addr", "-a"),
    ),
    Server(
        "BentoML",
        (("bentoml", "serve"),),
        "bentoml/BentoML 1.4.38: src/bentoml/_internal/configuration/v2/"
        "default_configuration.yaml (0.0.0.0), src/bentoml_cli/serve.py",
        options=("--host",),
        variable="BENTOML_HOST",
    ),
    Server(
        "MLServer",
        (("mlserver", "start"),),
        "SeldonIO/MLServer 1.6: mlserver/settings.py (0.0.0.0; prefix MLSERVER_)",
        options=(),
        variable="MLSERVER_HOST",
    ),
    Server(
        "Triton",
        (("tritonserver",),),
        "triton-inference-server/server, 2023: src/command_line_parser.h (0.0.0.0; "
        "exit_timeout_secs: 30)",
        options=("--http-address", "--grpc-address"),
        ports=(),
        drains=False,
    ),
    Server(
        "http.server",
        (("http.server",),),
        "docs.python.org/3/library/http.server.html (all addresses)",
        options=("--bind", "-b"),
        drains=False,
    ),
    Server(
        "gradio",
        (("gradio",),),
        "gradio-app/gradio, main, undated: gradio/http_server.py (127.0.0.1)",
        loopback=True,
        options=(),
        variable="GRADIO_SERVER_NAME",
    ),
    Server(
        "Streamlit",
        (("streamlit", "run"),),
        "streamlit/streamlit 1.39: lib/streamlit/config.py (server.address unset: all addresses)",
        options=("--server.address",),
        variable="STREAMLIT_SERVER_ADDRESS",
    ),
    Server(
        "koboldcpp",
        (("koboldcpp.py",), ("koboldcpp",), ("koboldcpp-linux-x64",)),
        "LostRuins/koboldcpp 1.76: koboldcpp.py (all addresses)",
    ),
)
