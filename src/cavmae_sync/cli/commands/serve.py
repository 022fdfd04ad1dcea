"""`cavmae-sync serve`: a page to search a library, on this machine."""

import secrets
import socket
import sys
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, get_args

from cyclopts import Parameter
from cyclopts.validators import Number

from cavmae_sync.choices import EncoderName
from cavmae_sync.cli.libraries import model_of, open_library_model
from cavmae_sync.cli.models import trained_on
from cavmae_sync.cli.options import ComputeOptions, EncodeOptions, Switch
from cavmae_sync.cli.terminal import Terminal
from cavmae_sync.errors import ConfigError

if TYPE_CHECKING:
    from cavmae_sync.page.guard import Access
    from cavmae_sync.page.service import SearchService

_LOOPBACK = "127.0.0.1"
_TOKEN_BYTES = 24
#: Seconds that open answers have when the service stops: a player that is paused never ends its own.
_STOP_SECONDS = 3


def serve(
    library: Path,
    /,
    *,
    port: Annotated[int, Parameter(validator=Number(gte=0, lte=65535), help="0 takes a free one.")] = 8765,
    host: Annotated[
        str, Parameter(help="Address to listen on. Another than this machine's own asks for a token.")
    ] = _LOOPBACK,
    name: Annotated[
        list[str] | None, Parameter(help="Name of this machine that visitors use; may be repeated.")
    ] = None,
    may_add: Annotated[
        Switch, Parameter(help="Let everybody with the token add folders of this machine.")
    ] = False,
    without_browser: Annotated[Switch, Parameter(help="Do not open the page in a browser.")] = False,
    model: Path | None = None,
    probe: Annotated[Path | None, Parameter(help="Probe whose classes may be asked for.")] = None,
    compute: ComputeOptions = ComputeOptions(),
) -> None:
    """Open a page to search a library: by a sound, a picture, the microphone, or a moment of it.

    Only this machine can ask, under its own names, and no page of another site. With --host 0.0.0.0 others
    of the network can too, who have the token that is printed; what they send is not encrypted. Files may be
    added to the library meanwhile, on the page too. Programs find the addresses at /docs. Ctrl-C ends it.
    Needs the extras search and edit.

    Example: cavmae-sync serve my-library

    Args:
        library: Folder of the library, made by `index add`.
        model: The model, where the library does not know it or it lies elsewhere now.
    """
    try:
        import uvicorn

        from cavmae_sync.page.app import make_app
    except ImportError as error:
        raise ConfigError("serve needs FastAPI and uvicorn: pip install 'cavmae-sync[search]'.") from error
    access = _access(host, name or [])
    service = _service(
        library, model=model, probe=probe, compute=compute, may_add=may_add or access.token is None
    )
    console = Terminal(stderr=True)
    console.print("calibrating")
    service.warm_up()
    app = make_app(service, access=access)
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            host=host,
            port=port,
            log_level="warning",
            access_log=False,
            timeout_graceful_shutdown=_STOP_SECONDS,
        )
    )
    with server.config.bind_socket() as listening:
        listening.listen()  # who opens the address at once waits, and is not refused
        shown = _LOOPBACK if host == "0.0.0.0" else f"[{host}]" if ":" in host else host  # noqa: S104
        address = f"http://{shown}:{listening.getsockname()[1]}/"
        if access.token is not None:
            address += f"?token={access.token}"
        console.print(f"{address} answers until Ctrl-C", soft_wrap=True)
        if sys.stderr.isatty() and not without_browser:
            webbrowser.open(address)
        try:
            server.run(sockets=[listening])
        finally:
            service.close()


def _service(
    library: Path, *, model: Path | None, probe: Path | None, compute: ComputeOptions, may_add: bool
) -> "SearchService":
    from cavmae_sync.embedding.library import open_library
    from cavmae_sync.page.service import SearchService
    from cavmae_sync.tasks.classification.probe import Probe

    encode = EncodeOptions(precision=compute.precision, device=compute.device)
    opened, encoder, about = open_library(library), None, None
    if opened.record.encoder.kind in get_args(EncoderName):
        encoder, _ = open_library_model(library, model, compute=encode)
        used = model or model_of(library)
        about = None if used is None else trained_on(used)
    return SearchService(
        opened,
        encoder,
        probe=None if probe is None else Probe.load(probe),
        model=model,
        trained_on=about,
        may_add=may_add,
    )


def _access(host: str, names: list[str]) -> "Access":
    """Access of this machine alone, or of everybody with the token."""
    from cavmae_sync.page.guard import LOOPBACK, Access

    if host in LOOPBACK:
        return Access(names=LOOPBACK | {each.lower() for each in names})
    own = {socket.gethostname().lower(), host.lower(), *(each.lower() for each in names)}
    return Access(names=LOOPBACK | own, token=secrets.token_urlsafe(_TOKEN_BYTES))
