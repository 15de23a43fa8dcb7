"""A server that says what it was asked, and fails when it is told to."""

import asyncio
import hashlib
import os
import time

from aiohttp import WSMsgType, web

STARTED = time.time()
state = {"ready": True, "alive": True}


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
    """Two chunks with a silent gap between them."""
    response = web.StreamResponse()
    await response.prepare(request)
    await response.write(b"first\n")
    await asyncio.sleep(float(request.query["gap"]))
    await response.write(b"last\n")
    return response


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
    kind = {"/ready": "ready", "/live": "alive"}[request.path]
    if kind == "alive" and not state["alive"]:
        await asyncio.sleep(3600)
    return web.Response(status=200 if state[kind] else 503)


async def change(request: web.Request) -> web.Response:
    """`/change?ready=no` makes the server say that it is not ready; `alive=no` makes it hang."""
    state.update({name: value == "yes" for name, value in request.query.items()})
    return web.json_response(state)


app = web.Application(client_max_size=1 << 30)
app.router.add_get("/ready", health)
app.router.add_get("/live", health)
app.router.add_get("/stream", stream)
app.router.add_get("/download", download)
app.router.add_get("/slow", slow)
app.router.add_get("/files", files)
app.router.add_get("/change", change)
app.router.add_route("*", "/{any:.*}", echo)
web.run_app(app, port=9000, handle_signals=True, shutdown_timeout=60)
