"""Options that several sub-commands have."""

from __future__ import annotations

from typing import Annotated

import typer

Store = Annotated[
    str | None, typer.Option("--store", metavar="URL", help="Work on a store directly. [env: SIGNOFF_STORE]")
]
Server = Annotated[
    str | None,
    typer.Option("--server", metavar="URL", help="Ask a server. [env: SIGNOFF_SERVER; default: http://127.0.0.1:4437]"),
]
Token = Annotated[
    str | None, typer.Option("--token", metavar="JWT", help="The bearer token for --server. [env: SIGNOFF_TOKEN]")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
Host = Annotated[str, typer.Option("--host", help="The address to listen on.")]
Port = Annotated[int, typer.Option("--port", min=0, max=65535, help="The port to listen on; 0 picks a free one.")]
Page = Annotated[str | None, typer.Option("--page", metavar="DIR", help="Serve a built page at /.")]
Origins = Annotated[
    list[str] | None,
    typer.Option("--allow-origin", metavar="ORIGIN", help="Let pages of this origin call the API. May be repeated."),
]
AccessLog = Annotated[bool, typer.Option("--access-log", help="Log every request.")]
Limit = Annotated[int, typer.Option("--limit", min=1, max=500, help="How many to show.")]
Cursor = Annotated[str | None, typer.Option("--cursor", help="Where the previous page ended.")]
