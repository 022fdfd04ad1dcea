/** The player: a moment of a file, to look at, to trim, to search from, and to look behind. */
import { api } from "./api.js";
import { ask, askLike } from "./actions.js";
import { options } from "./ask.js";
import { agreementPart, later, similarityPart } from "./details.js";
import { announce, byId, h } from "./dom.js";
import { BoxTool, MapOverlay } from "./overlay.js";
import { Player } from "./player.js";
import { changed, fileOf, nameOf, on, state, toggleSelected } from "./state.js";
import { partsOf } from "./strips.js";
import { markButtons, markCurrent } from "./teach.js";
import { S } from "./strings.js";
import { Frames } from "./timecode.js";
import { Waveform } from "./waveform.js";

/** @import * as T from "./types.js" */

const ASK_AGAIN_MS = 700;
/** Who steps through frames wants the map of the last one. */
const MAP_AFTER_MS = 300;

/** @type {ReturnType<typeof build> | null} */
let parts = null;
/** @type {string} */
let opened = "";
let turn = 0;

/** Whether the file of the current moment is the one in the player. */
const isLoaded = () => opened !== "" && opened === state.current?.hit.content;

export function makeViewer() {
  parts = build();
  on("current", open);
  on("selected", tellSelected);
  on("teaching", fillMarks);
  on("marked", fillMarks);
  on("status", () => {
    if (parts !== null) parts.mapButton.hidden = !(state.status?.has_maps ?? false);
  });
}

function build() {
  const video = h("video", { class: "screen", playsInline: true, preload: "auto", tabIndex: -1, "aria-label": S.viewer.label });
  const said = h("p", { class: "note", role: "status" });
  const player = new Player(video, tick);
  const map = new MapOverlay(video, (text) => {
    said.textContent = text;
  });
  const box = new BoxTool(video, (area) => {
    const hit = state.current?.hit;
    if (hit) ask((how) => api.byFrame(hit.content, player.frames.middle(player.frame), area, how), options());
  });
  const wave = new Waveform({
    label: S.viewer.position,
    onSeek: (seconds) => player.seek(seconds),
    onSpan: setSpan,
    positionText: () => S.viewer.positionText(player.frames.timecode(player.frame), player.frame),
  });
  const time = h("output", { class: "timecode", "aria-label": S.viewer.position });
  const from = h("output", { class: "timecode" });
  const to = h("output", { class: "timecode" });
  const length = h("output", { class: "timecode" });
  const title = h("h2", {});
  const about = h("p", { class: "note about" });
  const play = button("viewer-play", S.viewer.play, () => player.toggle(), "main");
  const selectButton = button("viewer-select", S.viewer.select, toggleSelected);
  const mapButton = button("viewer-map", S.viewer.map, toggleMap);
  const cut = h("a", { class: "button", id: "viewer-cut", download: "", href: "#" }, S.viewer.cut);
  const boxButton = button("viewer-box", S.viewer.box, openBox);
  const more = h("div", { class: "later-list" });
  const likeSound = button("like-sound", S.viewer.likeSound, () => askLike(["sound"], options()));
  const likePicture = button("like-picture", S.viewer.likePicture, () => askLike(["picture"], options()));
  const marks = h("div", { class: "player-marks", hidden: true });
  const likes = h(
    "fieldset",
    { class: "row" },
    h("legend", {}, S.viewer.like),
    likeSound,
    likePicture,
    button("like-both", S.viewer.likeBoth, () => askLike([], options())),
  );
  const root = byId("viewer");
  root.setAttribute("aria-label", S.viewer.label);
  root.replaceChildren(
    h("header", {}, title, button("viewer-close", S.viewer.close, closeViewer, "quiet", S.library.close)),
    h("div", { class: "stage" }, video, map.canvas, box.layer),
    h(
      "div",
      { class: "row" },
      play,
      button("frame-back", S.viewer.frameBack, () => player.stepFrame(-1), "icon", "◀"),
      button("frame-on", S.viewer.frameOn, () => player.stepFrame(1), "icon", "▶"),
      time,
      button("copy-timecode", S.viewer.copyTimecode, copyTimecode, "quiet"),
    ),
    wave.element,
    h(
      "div",
      { class: "row spans" },
      button("set-in", S.viewer.setIn, setIn), from,
      button("set-out", S.viewer.setOut, setOut), to, length,
    ),
    h("p", { class: "note" }, S.viewer.spanHelp),
    marks,
    h("div", { class: "row" }, selectButton, cut, mapButton, boxButton),
    likes,
    said,
    more,
    about,
  );
  video.addEventListener("play", () => setPlaying(true));
  video.addEventListener("pause", () => setPlaying(false));
  return { video, player, map, box, wave, time, from, to, length, title, about, play, selectButton, mapButton, boxButton, cut, more, said, likeSound, likePicture, marks };
}

/**
 * @param {string} id
 * @param {string} text
 * @param {() => void} onclick
 * @param {string} [style]
 * @param {string} [sign] Sign that is shown instead of the text.
 */
function button(id, text, onclick, style = "", sign) {
  return h("button", { type: "button", id, class: style, onclick, title: sign ? text : undefined, "aria-label": sign ? text : undefined }, sign ?? text);
}

const the = () => /** @type {ReturnType<typeof build>} */ (parts);

/** @param {boolean} isPlaying */
function setPlaying(isPlaying) {
  the().play.textContent = isPlaying ? S.viewer.pause : S.viewer.play;
  if (isPlaying) the().map.hide();
  the().mapButton.setAttribute("aria-pressed", "false");
}

/** Open the moment that is current now. */
async function open() {
  const current = state.current;
  byId("viewer").hidden = current === null;
  byId("desk").classList.toggle("with-viewer", current !== null);
  if (current === null) return;
  const { hit } = current;
  const mine = (turn += 1);
  const p = the();
  p.player.isHeld = false;
  p.player.isOpening = true;
  p.title.textContent = fileOf(hit);
  p.map.hide();
  p.box.close();
  p.said.textContent = "";
  tellSelected();
  if (isStacked()) byId("viewer").scrollIntoView({ block: "start" });
  if (opened !== hit.content) {
    opened = "";
    p.player.clear();
    p.wave.setFile(1, []);
    p.about.textContent = "";
    p.said.textContent = S.viewer.loading;
    for (const each of [p.from, p.to, p.length, p.time]) each.textContent = "";
    /** @type {T.Facts} */
    let facts;
    try {
      facts = await api.facts(hit.content);
    } catch (error) {
      if (mine === turn) p.said.textContent = error instanceof Error ? error.message : String(error);
      return;
    }
    if (mine !== turn) return;
    await load(facts, mine);
    if (mine !== turn) return;
  }
  fillMore(hit);
  fillMarks();
  refresh();
  const range = { from: current.from, to: current.to };
  p.player.seek(range.from);
  if (!p.video.hasAttribute("src")) return;
  await seeked(p.video);
  if (mine !== turn) return;
  p.player.isOpening = false;
  if (!p.player.isHeld && p.player.frames.count > 1) p.player.play(range.to);
}

/** @param {T.Facts} facts @param {number} mine */
async function load(facts, mine) {
  const p = the();
  const seconds = facts.source?.duration_seconds ?? facts.seconds;
  p.player.setFrames(new Frames(facts.source, seconds));
  p.boxButton.disabled = !facts.has_picture || facts.is_offline;
  p.likeSound.disabled = !facts.has_sound;
  p.likePicture.disabled = !facts.has_picture;
  p.mapButton.disabled = !facts.has_picture || !facts.has_sound || facts.is_offline;
  p.video.classList.toggle("no-picture", !facts.has_picture);
  const rate = facts.source?.rate;
  const sentences = [
    facts.places.map((place) => `${place.root}/${place.path}`).join(", "),
    rate ? S.viewer.rate(rate[0] / rate[1]) : "",
    ...(facts.source?.remarks ?? []),
    facts.problem ?? "",
    `${S.viewer.hash} ${facts.content}`,
  ];
  p.about.textContent = sentences.filter(Boolean).join(" · ");
  if (facts.is_offline) {
    p.said.textContent = S.viewer.offline;
    opened = facts.content;
    return;
  }
  if (facts.has_sound)
    api.peaks(facts.content).then((peaks) => {
      if (mine === turn || state.current?.hit.content === facts.content) p.wave.setFile(seconds, peaks);
      drawFit();
    }, () => p.wave.setFile(seconds, []));
  else p.wave.setFile(seconds, []);
  if (!(await whenPlayable(facts.content, mine))) return;
  the().said.textContent = "";
  p.video.src = api.media(facts.content);
  opened = facts.content;
}

/** Wait for the copy that browsers play, where one is needed. @param {string} content @param {number} mine */
async function whenPlayable(content, mine) {
  for (;;) {
    const found = await api.playable(content).catch((error) => ({ state: "failed", fraction: 0, reason: String(error.message) }));
    if (mine !== turn) return false;
    if (found.state === "ready" || found.state === "not needed") return true;
    if (found.state === "failed") {
      the().said.textContent = found.reason ?? "";
      opened = content;
      return false;
    }
    the().said.textContent = `${S.viewer.preparing} ${S.viewer.made(found.fraction * 100)}`;
    await new Promise((done) => setTimeout(done, ASK_AGAIN_MS));
  }
}

/** @param {HTMLVideoElement} video */
function seeked(video) {
  if (video.readyState >= 2 && !video.seeking) return Promise.resolve();
  return new Promise((done) => {
    video.addEventListener("seeked", () => done(undefined), { once: true });
    video.addEventListener("error", () => done(undefined), { once: true });
  });
}

/** Where the question fits, below the waveform. */
async function drawFit() {
  const found = state.view?.found;
  const hit = state.current?.hit;
  if (!found || !hit) return;
  const strip = await api.strip(found.query, hit.content, found.by).catch(() => null);
  if (strip !== null && state.current?.hit.content === hit.content) the().wave.setStrip(partsOf(strip, the().wave.seconds));
}

/** Yes and no of the moment in the player, while a class is taught. */
function fillMarks() {
  const hit = state.current?.hit;
  the().marks.hidden = state.teaching === null || hit === undefined;
  if (state.teaching === null || hit === undefined) return;
  the().marks.replaceChildren(markButtons(hit, markCurrent));
}

/** Whether the player stands above the list, as on telephones. */
const isStacked = () => getComputedStyle(byId("desk")).gridTemplateColumns.split(" ").length === 1;

/** @param {T.Hit} hit */
function fillMore(hit) {
  const found = state.view?.found;
  const made = [];
  if (found && (state.view?.hits.includes(hit) ?? false)) made.push(later(S.viewer.similarity, () => similarityPart(found.query, hit)));
  made.push(later(S.viewer.agreement, () => agreementPart(hit.content, (seconds) => the().player.seek(seconds))));
  the().more.replaceChildren(...made);
}

/** The player shows another frame. */
function tick() {
  if (parts === null) return;
  const { player, time, wave, map } = parts;
  time.textContent = player.frames.timecode(player.frame);
  time.dataset["frame"] = String(player.frame);
  wave.setPosition(player.seconds);
  if (!player.isPlaying && map.isOn && shownFrame !== player.frame) {
    clearTimeout(mapTimer);
    mapTimer = setTimeout(() => map.isOn && !player.isPlaying && showMap(), MAP_AFTER_MS);
  }
}

/** In and out have changed. */
function refresh() {
  const current = state.current;
  if (current === null) return;
  const { player, from, to, length, wave, cut } = the();
  from.textContent = player.frames.timecode(player.frames.at(current.from));
  to.textContent = player.frames.timecode(player.frames.at(current.to - 1e-3));
  length.textContent = S.viewer.length((current.to - current.from).toFixed(2));
  wave.setSpan(current.from, current.to);
  cut.href = api.cut(current.hit.content, current.from, current.to);
  const chosen = state.selected.get(nameOf(current.hit));
  if (chosen && (chosen.from !== current.from || chosen.to !== current.to)) {
    [chosen.from, chosen.to] = [current.from, current.to];
    changed("selected");
  }
}

/** @param {number} from @param {number} to */
function setSpan(from, to) {
  if (state.current === null || !isLoaded() || !(to > from)) return;
  [state.current.from, state.current.to] = [from, to];
  refresh();
}

export function setIn() {
  const current = state.current;
  if (current === null || !isLoaded()) return;
  const at = the().player.frames.start(the().player.frame);
  setSpan(at, current.to > at ? current.to : Math.min(at + 1, the().wave.seconds));
}

/** The frame that is shown is the last one of the moment. */
export function setOut() {
  const current = state.current;
  if (current === null || !isLoaded()) return;
  const at = the().player.frames.start(the().player.frame + 1);
  setSpan(current.from < at ? current.from : Math.max(at - 1, 0), at);
}

export function goIn() {
  if (state.current !== null) the().player.seek(state.current.from);
}

function tellSelected() {
  const current = state.current;
  if (current === null || parts === null) return;
  const isSelected = state.selected.has(nameOf(current.hit));
  parts.selectButton.textContent = isSelected ? S.viewer.unselect : S.viewer.select;
  parts.selectButton.setAttribute("aria-pressed", String(isSelected));
}

let shownFrame = -1;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let mapTimer;

function showMap() {
  const hit = state.current?.hit;
  if (!hit) return;
  const { player, map } = the();
  shownFrame = player.frame;
  map.show(hit.content, player.frames.middle(player.frame));
}

export function toggleMap() {
  const { map, player, mapButton } = the();
  if (mapButton.disabled || mapButton.hidden) return;
  if (map.isOn) map.hide();
  else {
    player.pause();
    showMap();
  }
  mapButton.setAttribute("aria-pressed", String(map.isOn));
}

export function openBox() {
  if (the().boxButton.disabled) return;
  the().player.pause();
  the().map.hide();
  the().box.open();
}

async function copyTimecode() {
  const text = the().time.textContent ?? "";
  let said = S.viewer.copied;
  try {
    await navigator.clipboard.writeText(text); // browsers offer it to this machine's own address, and over TLS
  } catch {
    said = S.viewer.notCopied(text);
  }
  the().said.textContent = said;
  announce(said);
}

export function closeViewer() {
  the().player.pause();
  the().map.hide();
  state.current = null;
  changed("current");
  byId("results").focus();
}

/** Close what is open over the picture. Returns whether anything was. */
export function closeOverlay() {
  const { box, map, mapButton } = the();
  const wasOpen = box.isOpen || map.isOn;
  box.close();
  map.hide();
  mapButton.setAttribute("aria-pressed", "false");
  return wasOpen;
}

export const player = () => the().player;
