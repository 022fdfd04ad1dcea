"""`cavmae-sync serve`: search a library over HTTP, on this machine."""

from pathlib import Path
from typing import Annotated, get_args

from cyclopts import Parameter
from cyclopts.validators import Number

from cavmae_sync.choices import EncoderName
from cavmae_sync.cli.libraries import open_library_model
from cavmae_sync.cli.options import ComputeOptions, EncodeOptions
from cavmae_sync.cli.terminal import Terminal
from cavmae_sync.errors import ConfigError

#: The only addresses that are listened on.
_LOOPBACK = "127.0.0.1"


def serve(
    library: Path,
    /,
    *,
    port: Annotated[int, Parameter(validator=Number(gte=0, lte=65535), help="0 takes a free one.")] = 8765,
    model: Path | None = None,
    probe: Annotated[Path | None, Parameter(help="Probe whose classes may be asked for.")] = None,
    compute: ComputeOptions = ComputeOptions(),
) -> None:
    """Answer searches of a library over HTTP, for programs and pages on this machine.

    Only this machine can ask, under its own names, and no page of another site. Files may be added to the
    library meanwhile. The addresses are described at the address that is printed. Ctrl-C ends it. Needs the
    extra search.

    Example: cavmae-sync serve my-library

    Args:
        library: Folder of the library, made by `index add`.
        model: The model, where the library does not know it or it lies elsewhere now.
    """
    try:
        import uvicorn

        from cavmae_sync.page.app import make_app
        from cavmae_sync.page.service import SearchService
    except ImportError as error:
        raise ConfigError("serve needs FastAPI and uvicorn: pip install 'cavmae-sync[search]'.") from error
    from cavmae_sync.embedding.library import open_library
    from cavmae_sync.tasks.classification.probe import Probe

    encode = EncodeOptions(precision=compute.precision, device=compute.device)
    opened, encoder = open_library(library), None
    if opened.record.encoder.kind in get_args(EncoderName):
        encoder, _ = open_library_model(library, model, compute=encode)
    service = SearchService(opened, encoder, probe=None if probe is None else Probe.load(probe))
    console = Terminal(stderr=True)
    console.print("calibrating")
    service.warm_up()
    server = uvicorn.Server(
        uvicorn.Config(make_app(service), host=_LOOPBACK, port=port, log_level="warning", access_log=False)
    )
    with server.config.bind_socket() as listening:
        console.print(
            f"http://{_LOOPBACK}:{listening.getsockname()[1]}/ answers until Ctrl-C", soft_wrap=True
        )
        try:
            server.run(sockets=[listening])
        finally:
            service.close()
