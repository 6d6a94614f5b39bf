"""MCP servers to be run as subprocesses: `python mcp_servers.py stdio` or `http`.

`http` takes a free port of the loopback and prints it.
"""

from __future__ import annotations

import os
import socket
import sys

import anyio
from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError

server = MCPServer("orders", version="1.2")


@server.tool()
def status(order: int) -> str:
    """The state of an order."""
    return f"order {order} is on its way ü"


@server.tool()
def raises(text: str) -> str:
    """Raises."""
    raise ToolError(text)


@server.tool()
async def hangs() -> str:
    """Never ends."""
    await anyio.sleep_forever()
    return ""


@server.tool()
def dies() -> str:
    """Takes the server down."""
    os._exit(1)


@server.tool()
def huge(size: int) -> str:
    """A long answer."""
    return "x" * size


@server.tool()
def variable(name: str) -> str:
    """A variable of the server's environment."""
    return repr(os.environ.get(name))


@server.tool()
def process_id() -> int:
    """The server's process."""
    return os.getpid()


@server.tool(name="files/read")
def unusual(path: str) -> str:
    """A tool whose name models cannot use."""
    return path


def main() -> None:
    match sys.argv[1]:
        case "stdio":
            sys.stdout.write("a server that prints where it should not\n")
            sys.stdout.flush()
            server.run("stdio")
        case "http":
            serve()
        case "endless":
            while True:
                sys.stdout.write("x" * 1_000_000)


def serve() -> None:
    import uvicorn

    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen()  # before the port is told, so that nobody is turned away
    sys.stdout.write(f"{listening.getsockname()[1]}\n")
    sys.stdout.flush()
    app = server.streamable_http_app()
    config = uvicorn.Config(app, log_level="critical", timeout_graceful_shutdown=1)
    anyio.run(lambda: uvicorn.Server(config).serve(sockets=[listening]))


if __name__ == "__main__":
    main()
