"""Weights on a Hugging Face hub: names of repositories, and the one file that is fetched for a name.

A path that exists always wins over a name. The client library is imported late: that takes 0.3 s.
"""

import logging
import re
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn

from cavmae_sync.checks import first_names
from cavmae_sync.errors import WeightsError

#: Name of the weights file in a repository or folder that we write.
MODEL_FILE: Final = "model.safetensors"
#: The weights in the folder of a run.
RUN_FILE: Final = "weights.safetensors"

#: Name of the model that comes with the package, and its folder, as `save_pretrained` writes one.
BUNDLED_NAME: Final = "small"
BUNDLED_FOLDER: Final = Path(__file__).parent / "bundled" / BUNDLED_NAME

#: Endings of weights files, the preferred ones first.
_SUFFIXES: Final = ((".safetensors",), (".pth", ".pt", ".bin"))

#: Start of a name that can only mean the hub. A command line gives a `Path`, where two slashes become one.
_SCHEME: Final = re.compile(r"hf:/{1,2}")
_REPOSITORY: Final = r"(?P<repository>[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)"
_REVISION: Final = r"(?:@(?P<revision>refs/[\w-]+/[^/]+|[^/@]+))?"
_PLAIN: Final = re.compile(_REPOSITORY + _REVISION, re.ASCII)
_WHOLE: Final = re.compile(_REPOSITORY + _REVISION + r"(?:/(?P<file>.+))?", re.ASCII)

_DEFAULT_REVISION: Final = "main"
_TIMEOUT_SECONDS: Final = 10.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class HubAddress:
    """Address of weights on a hub.

    Attributes:
        repository: `organisation/name`.
        revision: Branch, tag or commit.
        file: File in the repository; None for the one weights file that it holds.
    """

    repository: str
    revision: str = _DEFAULT_REVISION
    file: str | None = None

    def __str__(self) -> str:
        revision = "" if self.revision == _DEFAULT_REVISION else f"@{self.revision}"
        return f"{self.repository}{revision}" + (f"/{self.file}" if self.file else "")


def parse_address(text: str | Path) -> HubAddress | None:
    """Address on a hub that a text names, or None where it can only be a path.

    A text without `hf://` is an address if it is `organisation/name` or `organisation/name@revision`. It is a
    path if it exists, lies in a folder that exists, or ends like a weights file.

    >>> parse_address("org/name@v2")
    HubAddress(repository='org/name', revision='v2', file=None)
    >>> parse_address("hf://org/name/best.pth").file
    'best.pth'
    >>> parse_address("runs/first/weights.safetensors") is None
    True

    Raises:
        WeightsError: It starts with `hf://` and is not an address.
    """
    text = str(text)
    if scheme := _SCHEME.match(text):
        match = _WHOLE.fullmatch(text[scheme.end() :])
        if match is None or ".." in re.split(r"[/@]", text):
            raise WeightsError(
                f"{text} is not an address on the hub. Write hf://organisation/name, "
                "hf://organisation/name@revision or hf://organisation/name/file.pth."
            )
        return _address(match)
    match = _PLAIN.fullmatch(text)
    is_path = (
        match is None
        or ".." in re.split(r"[/@]", text)
        or Path(text).exists()
        or Path(text).parent.is_dir()
        or text.lower().endswith(tuple(suffix for kind in _SUFFIXES for suffix in kind))
    )
    return None if match is None or is_path else _address(match)


def find_weights(path_or_id: str | Path, *, revision: str | None = None) -> Path:
    """Find the weights file that a path or a name on a hub means. From a hub that one file is fetched.

    Args:
        path_or_id: "small", the model that comes with the package, unless a file or folder of that name
            exists; a file; a folder that `save_pretrained` or training wrote; `organisation/name`, with
            `@revision` for a branch, tag or commit; or `hf://organisation/name/file` for one file of several.
        revision: The same as `@revision`.

    Returns:
        A path. One that does not exist is returned as it is; reading it raises the error.

    Raises:
        WeightsError: The hub cannot be reached and nothing was kept, it has no such repository, revision
            or file, or shows it to nobody without access.
    """
    if str(path_or_id) == BUNDLED_NAME and not Path(path_or_id).exists():
        return _local(BUNDLED_FOLDER)
    address = parse_address(path_or_id)
    if address is None:
        if revision is not None:
            raise WeightsError(f"{path_or_id} is a path, which has no revision {revision!r}. Leave it out.")
        return _local(Path(path_or_id))
    if revision is not None:
        address = HubAddress(repository=address.repository, revision=revision, file=address.file)
    return _fetch(address)


@contextmanager
def hub_errors(doing: str, repository: str, *, revision: str = _DEFAULT_REVISION) -> Generator[None]:
    """Turn errors of the client library into errors that say what to do.

    Args:
        doing: What was tried, as the start of a sentence.
        repository: The repository.
        revision: Its revision.

    Raises:
        WeightsError: Instead of any error of the hub.
    """
    from huggingface_hub import constants, errors

    log_in = "Log in with `hf auth login` or set HF_TOKEN"
    try:
        yield
    except errors.GatedRepoError as error:
        problem = f"{repository} is gated. Ask for access at {constants.ENDPOINT}/{repository}. {log_in}."
        raise WeightsError(f"{doing} failed: {problem}") from error
    except errors.RevisionNotFoundError as error:
        problem = f"{repository} has no revision {revision!r}. Name a branch, a tag or a commit of it."
        raise WeightsError(f"{doing} failed: {problem}") from error
    except errors.RepositoryNotFoundError as error:
        problem = (
            f"{constants.ENDPOINT} has no {repository}, or shows it only with access. Check the spelling. "
            f"{log_in} if it is private. If a file or folder was meant: there is none of this name here."
        )
        raise WeightsError(f"{doing} failed: {problem}") from error
    except errors.HfHubHTTPError as error:
        reason = f"the hub answered {error.response.status_code}: {_first_line(error)}"
        hint = log_in if error.response.status_code in (401, 403) else "Try again later"
        raise WeightsError(f"{doing} failed, {reason}. {hint}.") from error
    except errors.HFValidationError as error:
        raise WeightsError(
            f"{doing} failed: {repository} is not the name of a repository. {_first_line(error)}"
        ) from error
    except (errors.HTTPError, errors.OfflineModeIsEnabled) as error:
        raise WeightsError(f"{doing} failed: {_why_unreachable(error)}") from error


def choose_file(names: Sequence[str], address: HubAddress) -> str:
    """Choose the file of a repository that holds the weights.

    Args:
        names: Files of the repository.
        address: What was asked for.

    Raises:
        WeightsError: None of them, or several and none has the usual name. They are listed.
    """
    if address.file is not None:
        return address.file if address.file in names else _refuse(names, address, f"has no {address.file}")
    if MODEL_FILE in names:
        return MODEL_FILE
    for suffixes in _SUFFIXES:
        found = [name for name in names if name.lower().endswith(suffixes)]
        if len(found) == 1:
            return found[0]
        if found:
            raise WeightsError(
                f"{address} has {len(found)} weights files: {first_names(found, most=8)}. "
                f"Name one, as in hf://{address}/{found[0]}."
            )
    return _refuse(names, address, "has no weights (.safetensors, .pth)")


def _local(path: Path) -> Path:
    for name in (MODEL_FILE, RUN_FILE):
        if (path / name).is_file():
            return path / name
    if not path.exists() and _PLAIN.fullmatch(str(path)) and path.parent.is_dir():
        raise WeightsError(
            f"{path} does not exist. There is a folder {path.parent}, so it was taken for a path; if it "
            f"is the name of a repository, write hf://{path}."
        )
    return path


def _fetch(address: HubAddress) -> Path:
    from huggingface_hub import HfApi, errors, hf_hub_download

    repository, revision = address.repository, address.revision
    with hub_errors(f"Loading {address}", repository, revision=revision):
        try:
            # One request without retries: without a connection the client's own way takes 23 s to fail.
            info = HfApi().model_info(repository, revision=revision, timeout=_TIMEOUT_SECONDS)
        except errors.HfHubHTTPError:
            raise
        except (errors.HTTPError, errors.OfflineModeIsEnabled) as error:
            return _kept(address, error)
        name = choose_file([sibling.rfilename for sibling in info.siblings or ()], address)
        return Path(hf_hub_download(repository, name, revision=revision))


def _kept(address: HubAddress, error: Exception) -> Path:
    """File that was fetched before, for when the hub cannot be reached."""
    from huggingface_hub import errors, snapshot_download

    try:
        folder = Path(snapshot_download(address.repository, revision=address.revision, local_files_only=True))
    except errors.LocalEntryNotFoundError:
        raise WeightsError(
            f"Loading {address} failed: {_why_unreachable(error)} It was not fetched before either. "
            "If a file or folder was meant: there is none of this name here."
        ) from error
    names = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
    path = folder / choose_file(names, address)
    if not isinstance(error, errors.OfflineModeIsEnabled):
        _log.warning("%s Using %s as it was fetched before.", _why_unreachable(error), path)
    return path


def _why_unreachable(error: Exception) -> str:
    from huggingface_hub import constants, errors

    if isinstance(error, errors.OfflineModeIsEnabled):
        return "HF_HUB_OFFLINE is set, so that no hub is asked."
    reason = _first_line(error)
    return f"the hub {constants.ENDPOINT} cannot be reached ({reason}). Check the connection and HF_ENDPOINT."


def _address(match: re.Match[str]) -> HubAddress:
    found = match.groupdict()
    return HubAddress(
        repository=found["repository"],
        revision=found["revision"] or _DEFAULT_REVISION,
        file=found.get("file"),
    )


def _refuse(names: Sequence[str], address: HubAddress, problem: str) -> NoReturn:
    place = f"{address.repository} (revision {address.revision})"
    raise WeightsError(f"{place} {problem}. Its files: {first_names(names, most=8) or 'none'}.")


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
