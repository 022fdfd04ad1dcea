/** The page: its parts are made once and then follow the state. */
import { makeAsk } from "./ask.js";
import { byId, h } from "./dom.js";
import { listenForKeys, openHelp } from "./keys.js";
import { followStatus, libraryButton, makeStatusLine } from "./library.js";
import { makeResults } from "./results.js";
import { on, state } from "./state.js";
import { S } from "./strings.js";
import { makeTeach, openTeach } from "./teach.js";
import { makeTray } from "./tray.js";
import { makeViewer } from "./viewer.js";

function makeTop() {
  const line = h("span", { class: "note", id: "status-line", role: "status" });
  const note = h("p", { class: "limits", hidden: true });
  const teaching = h("section", { class: "teaching", id: "teaching", hidden: true });
  byId("skip").textContent = S.skip;
  byId("top").replaceChildren(
    h("h1", {}, S.title),
    line,
    h(
      "nav",
      { "aria-label": S.library.title },
      libraryButton("open-library"),
      h("button", { type: "button", class: "quiet", id: "open-teach", onclick: openTeach }, S.teach.open),
      h("button", { type: "button", class: "quiet", id: "open-help", onclick: openHelp }, S.help.open),
    ),
    note,
    teaching,
  );
  makeStatusLine(line);
  makeTeach(teaching);
  on("status", () => {
    const what = state.status?.trained_on ?? null;
    note.hidden = what === null;
    note.textContent = what === null ? "" : S.library.trainedOn(what);
  });
}

makeTop();
makeAsk();
makeResults();
makeViewer();
makeTray();
listenForKeys();
window.addEventListener("beforeunload", (event) => state.selected.size > 0 && event.preventDefault());
void followStatus();
