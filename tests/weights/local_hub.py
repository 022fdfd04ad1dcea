"""A small hub on this machine: the parts of the Hugging Face HTTP interface that publishing and loading use.

It keeps commits in memory and speaks to the real client library over 127.0.0.1. Files travel inside the
commit ("regular" upload), as small files do on the real one.
"""

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

_API = re.compile(
    r"/api/models/(?P<name>[^/]+/[^/]+)(?:/(?P<action>revision|preupload|commit)/(?P<revision>.+))?"
)
_FILE = re.compile(r"/(?P<name>[^/]+/[^/]+)/resolve/(?P<revision>[^/]+)/(?P<file>.+)")


@dataclass
class Repository:
    """One repository: its commits, oldest first, and what branches and tags point at."""

    private: bool = False
    gated: bool = False
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)

    def commit(self, files: Mapping[str, bytes], *, revision: str = "main") -> str:
        """A new commit with some files replaced; its hash."""
        everything = {**self.commits.get(self.refs.get(revision, ""), {}), **files}
        parts = [revision, str(len(self.commits)), *(f"{n}{hash(c)}" for n, c in everything.items())]
        sha = hashlib.sha1("\n".join(parts).encode()).hexdigest()
        self.commits[sha] = everything
        self.refs[revision] = sha
        return sha

    def find(self, revision: str) -> str | None:
        """The commit that a branch, a tag or a hash names."""
        return self.refs.get(revision, revision if revision in self.commits else None)


class LocalHub:
    """The server; `requests` lists what it was asked, as `GET /path`."""

    def __init__(self) -> None:
        self.repositories: dict[str, Repository] = {}
        self.requests: list[str] = []
        self.token = "hf_of_the_tests"
        self._server = _Server(self)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @contextmanager
    def running(self) -> Iterator["LocalHub"]:
        thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self.stop()
            thread.join()

    def stop(self) -> None:
        """From now on connections are refused."""
        self._server.shutdown()
        self._server.server_close()

    def downloads(self) -> list[str]:
        """Names of the files that were fetched."""
        found = [_FILE.fullmatch(line.removeprefix("GET ")) for line in self.requests]
        return [match["file"] for match in found if match is not None]


class _Server(ThreadingHTTPServer):
    def __init__(self, hub: LocalHub) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.hub = hub


class _Handler(BaseHTTPRequestHandler):
    @property
    def hub(self) -> LocalHub:
        assert isinstance(self.server, _Server)
        return self.server.hub

    def do_HEAD(self) -> None:
        self._get()

    def do_GET(self) -> None:
        self._get()

    def do_POST(self) -> None:
        path = self._begin()
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if path == "/api/validate-yaml":
            self._answer({"errors": [], "warnings": []})
        elif not self._may_write():
            self._refuse(401, None, "Invalid username or password.")
        elif path == "/api/repos/create":
            self._create(json.loads(body))
        elif (match := _API.fullmatch(path)) and match["action"] == "preupload":
            files = json.loads(body)["files"]
            chosen = {"uploadMode": "regular", "shouldIgnore": False}
            self._answer({"files": [{"path": each["path"], **chosen} for each in files]})
        elif match and match["action"] == "commit":
            self._commit(match["name"], unquote(match["revision"]), body)
        else:
            self._refuse(404, None, "Not found")

    def _get(self) -> None:
        path = self._begin()
        match = _API.fullmatch(path) or _FILE.fullmatch(path)
        repository = self.hub.repositories.get(match["name"]) if match else None
        if match is None or repository is None or (repository.private and not self._may_write()):
            self._refuse(401, "RepoNotFound", "Repository not found")
            return
        if repository.gated and "resolve" in path:
            self._refuse(403, "GatedRepo", "Access to this model is restricted")
            return
        revision = unquote(match["revision"] or "main")
        sha = repository.find(revision)
        if sha is None and (revision != "main" or "resolve" in path):
            self._refuse(404, "RevisionNotFound", "Invalid rev id")
        elif "file" in match.groupdict():
            self._send_file(repository, str(sha), unquote(match["file"]))
        else:
            files = repository.commits.get(sha or "", {})
            about = {"id": match["name"], "sha": sha, "private": repository.private, "tags": []}
            self._answer(about | {"siblings": [{"rfilename": name} for name in files]})

    def _create(self, wanted: dict[str, Any]) -> None:
        name = f"{wanted['organization']}/{wanted['name']}"
        exists = name in self.hub.repositories
        if not exists:
            self.hub.repositories[name] = Repository(private=wanted.get("visibility") == "private")
        content = {"url": f"{self.hub.url}/{name}", "name": name}
        self._answer(content | ({"error": "exists"} if exists else {}), status=409 if exists else 200)

    def _commit(self, name: str, revision: str, body: bytes) -> None:
        lines = [json.loads(line) for line in body.splitlines()]
        files = {
            line["value"]["path"]: base64.b64decode(line["value"]["content"])
            for line in lines
            if line["key"] == "file"
        }
        sha = self.hub.repositories[name].commit(files, revision=revision)
        self._answer({"commitUrl": f"{self.hub.url}/{name}/commit/{sha}", "commitOid": sha})

    def _send_file(self, repository: Repository, sha: str, name: str) -> None:
        content = repository.commits[sha].get(name)
        if content is None:
            self._refuse(404, "EntryNotFound", "Entry not found", commit=sha)
            return
        etag = hashlib.sha1(content).hexdigest()
        self._send(200, content, {"ETag": f'"{etag}"', "X-Repo-Commit": sha, "Accept-Ranges": "bytes"})

    def _may_write(self) -> bool:
        return self.headers.get("Authorization") == f"Bearer {self.hub.token}"

    def _begin(self) -> str:
        path = urlsplit(self.path).path
        self.hub.requests.append(f"{self.command} {path}")
        return path

    def _answer(self, content: object, *, status: int = 200) -> None:
        self._send(status, json.dumps(content).encode(), {"Content-Type": "application/json"})

    def _refuse(self, status: int, code: str | None, message: str, *, commit: str | None = None) -> None:
        headers = {"X-Error-Code": code, "X-Error-Message": message, "X-Repo-Commit": commit}
        self._send(status, b"", {name: value for name, value in headers.items() if value is not None})

    def _send(self, status: int, content: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """The tests look at `requests` instead."""
