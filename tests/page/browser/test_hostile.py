"""A page of another origin tries to read results, and cannot; a token keeps others out."""

import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from playwright.sync_api import Browser, expect

from cavmae_sync.page.guard import LOOPBACK, Access

from ..served import Served, serving
from .conftest import wait_until

HOSTILE = """<!doctype html><meta charset=utf-8><title>hostile</title><body><script>
const target = "SERVICE";
const tried = {};
async function attempt(name, work) {
  try { tried[name] = await work(); } catch (error) { tried[name] = "refused"; }
}
const loaded = (tag, src) => new Promise((done) => {
  const element = document.createElement(tag);
  element.onload = () => done(element.naturalWidth === 0 ? "refused" : "loaded");
  element.onerror = () => done("refused");
  element.src = src;
  document.body.append(element);
});
(async () => {
  await attempt("read", async () => (await (await fetch(target + "api/status")).text()));
  await attempt("sent", async () => (await (await fetch(target + "api/text", {method: "POST",
    headers: {"content-type": "application/json"}, body: '{"text": "x"}'})).text()));
  await attempt("opaque", async () => (await (await fetch(target + "api/folders", {method: "POST",
    mode: "no-cors", body: '{"path": "/etc"}'})).text()) || "refused");
  await attempt("picture", () => loaded("img", target + "api/contents/CONTENT/thumbnail"));
  await attempt("script", () => loaded("script", target + "static/main.js"));
  await attempt("socket", () => new Promise((done) => {
    const socket = new WebSocket(target.replace("http", "ws") + "api/status");
    socket.onopen = () => done("opened"); socket.onerror = () => done("refused");
  }));
  await attempt("window", async () => {
    const opened = window.open(target); await new Promise((done) => setTimeout(done, 800));
    return opened.document.body.textContent;
  });
  const frame = document.createElement("iframe"); frame.src = target; document.body.append(frame);
  await new Promise((done) => setTimeout(done, 800));
  await attempt("frame", async () => frame.contentDocument.body.textContent || "refused");
  window.tried = tried;
})();
</script>"""


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        pass


def test_a_page_of_another_origin_reads_nothing(browser: Browser, served: Served, tmp_path: Path):
    content = next((served.library / "parts").rglob("*.arrow")).stem
    page_text = HOSTILE.replace("SERVICE", served.address).replace("CONTENT", content)
    (tmp_path / "index.html").write_text(page_text, "utf-8")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    context = browser.new_context()
    for host in ("127.0.0.1", "localhost"):  # the same site by another port, and another site
        page = context.new_page()
        page.goto(f"http://{host}:{server.server_port}/")
        wait_until(page, "window.tried !== undefined")
        tried = page.evaluate("() => window.tried")
        assert set(tried.values()) == {"refused"}, tried
        assert len(tried) == 8
    context.close()
    server.shutdown()
    server.server_close()


def test_others_need_the_token(browser: Browser, served: Served):
    access = Access(names=LOOPBACK, token="t" * 32)
    with serving(served.footage, served.library, served.embedder, access=access) as guarded:
        context = browser.new_context()
        page = context.new_page()
        page.goto(guarded.address)
        expect(page.locator("body")).to_contain_text("needs its token")
        page.goto(f"{guarded.address}?token={'u' * 32}")
        expect(page.locator("body")).to_contain_text("needs its token")
        page.goto(f"{guarded.address}?token={'t' * 32}")
        expect(page.locator("#status-line")).to_contain_text("12 files")
        assert page.url == guarded.address
        context.close()
