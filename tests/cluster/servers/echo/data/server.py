"""A server that says what it was asked, and fails when it is told to."""

import asyncio
import hashlib
import os
import time

from aiohttp import WSMsgType, web

STARTED = time.time()
state = {"ready": True, "alive": True}
probed: dict[str, float] = {}
released = asyncio.Event()


async def echo(request: web.Request) -> web.StreamResponse:
    """The request as it arrived: method, path as sent, size and hash of the body."""
    if request.headers.get("Upgrade", "").lower() == "websocket":
        return await socket(request)
    total, size = hashlib.sha256(), 0
    async for chunk in request.content.iter_chunked(1 << 16):
        total.update(chunk)
        size += len(chunk)
    return web.json_response(
        {
            "method": request.method,
            "path": request.raw_path,
            "size": size,
            "sha256": total.hexdigest(),
            "pod": os.environ["HOSTNAME"],
            "started": STARTED,
        }
    )


async def stream(request: web.Request) -> web.StreamResponse:
    """Two chunks; the second after `silence` seconds, or when `/release` is asked for."""
    response = web.StreamResponse()
    await response.prepare(request)
    await response.write(b"first\n")
    if "silence" in request.query:
        await asyncio.sleep(float(request.query["silence"]))
    else:
        await released.wait()
        released.clear()
    await response.write(b"last\n")
    return response


async def release(request: web.Request) -> web.Response:
    released.set()
    return web.Response()


async def download(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    for _ in range(int(request.query["megabytes"])):
        await response.write(b"\0" * (1 << 20))
    return response


async def socket(request: web.Request) -> web.WebSocketResponse:
    """Says each message back, in capitals."""
    response = web.WebSocketResponse()
    await response.prepare(request)
    async for message in response:
        if message.type is WSMsgType.TEXT:
            await response.send_str(message.data.upper())
    return response


async def slow(request: web.Request) -> web.Response:
    await asyncio.sleep(float(request.query["seconds"]))
    return web.Response(text="finished")


async def files(request: web.Request) -> web.Response:
    """Who runs here, what can be read and what can be written."""
    writable = {}
    for folder in ("/app", "/tmp", "/dev/shm"):
        try:
            with open(f"{folder}/written", "w") as file:
                file.write("yes")
            writable[folder] = True
        except OSError as error:
            writable[folder] = str(error)
    secret = "/secrets/token"
    return web.json_response(
        {
            "uid": os.getuid(),
            "writable": writable,
            "app": sorted(os.listdir("/app")),
            "secret": open(secret).read() if os.path.exists(secret) else None,
            "mode": oct(os.stat(secret).st_mode & 0o777) if os.path.exists(secret) else None,
            "environment": dict(os.environ),
            "process": open("/proc/1/comm").read().strip(),
        }
    )


async def health(request: web.Request) -> web.Response:
    probed.setdefault(request.path, time.time() - STARTED)
    kind = {"/ready": "ready", "/live": "alive"}[request.path]
    if kind == "alive" and not state["alive"]:
        time.sleep(3600)  # The whole server hangs, and hears no signal either.
    return web.Response(status=200 if state[kind] else 503)


async def probes(request: web.Request) -> web.Response:
    """How many seconds after its start the server was first asked for each kind of health."""
    return web.json_response(probed)


async def change(request: web.Request) -> web.Response:
    """`/change?ready=no` makes the server say that it is not ready; `alive=no` makes it hang."""
    state.update({name: value == "yes" for name, value in request.query.items()})
    return web.json_response(state)


app = web.Application(client_max_size=1 << 30)
app.router.add_get("/ready", health)
app.router.add_get("/live", health)
app.router.add_get("/probes", probes)
app.router.add_get("/stream", stream)
app.router.add_get("/release", release)
app.router.add_get("/download", download)
app.router.add_get("/slow", slow)
app.router.add_get("/files", files)
app.router.add_get("/change", change)
app.router.add_route("*", "/{any:.*}", echo)
web.run_app(app, port=9000, handle_signals=True, shutdown_timeout=60)
