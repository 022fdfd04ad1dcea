/** Requests to the service. Errors carry the sentence that the service says. */
import { S } from "./strings.js";

/** @import * as T from "./types.js" */

export class ServiceError extends Error {}

/**
 * @param {string} path
 * @param {RequestInit} [how]
 * @returns {Promise<Response>}
 */
async function request(path, how = {}) {
  let answer;
  try {
    answer = await fetch(path, { credentials: "same-origin", ...how });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new ServiceError(S.errors.unreachable);
  }
  if (answer.ok) return answer;
  const text = await answer.text().catch(() => "");
  let said = "";
  try {
    const content = JSON.parse(text);
    said = typeof content.error === "string" ? content.error : "";
  } catch {
    said = answer.headers.get("content-type")?.startsWith("text/plain") ? text : "";
  }
  throw new ServiceError(said || S.errors.other(answer.status));
}

/** @param {string} path @param {Record<string, string | number | null | undefined>} [query] */
function address(path, query = {}) {
  const given = Object.entries(query).filter(([, value]) => value !== null && value !== undefined);
  if (given.length === 0) return path;
  return `${path}?${new URLSearchParams(given.map(([name, value]) => [name, String(value)]))}`;
}

/**
 * @param {string} path
 * @param {Record<string, string | number | null | undefined>} [query]
 * @param {AbortSignal} [signal]
 * @returns {Promise<any>}
 */
const get = async (path, query, signal) =>
  (await request(address(path, query), signal ? { signal } : {})).json();

/** @param {string} path @param {unknown} body */
const send = (path, body) =>
  request(path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });

/** @param {string} path @param {unknown} [body] @returns {Promise<any>} */
const post = async (path, body = {}) => (await send(path, body)).json();

/** @param {string} content */
const of = (content) => `/api/contents/${encodeURIComponent(content)}`;
/** @param {string} name */
const taught = (name) => `/api/taught/${encodeURIComponent(name)}`;

export const api = {
  /** @returns {Promise<T.Status>} */
  status: () => get("/api/status"),
  /** @returns {Promise<T.Failure[]>} */
  failures: () => get("/api/failures"),
  /** @param {string} path */
  addFolder: (path) => post("/api/folders", { path }),
  update: () => post("/api/update"),
  /** @param {string} text @param {number} first @returns {Promise<{num_files: number, files: T.Listed[]}>} */
  files: (text, first) => get("/api/contents", { text, first, most: 100 }),
  /** @param {string} content @returns {Promise<T.Facts>} */
  facts: (content) => get(of(content)),
  /** @param {string} content @param {number} seconds */
  thumbnail: (content, seconds) => address(`${of(content)}/thumbnail`, { seconds: seconds.toFixed(2) }),
  /** @param {string} content @returns {Promise<number[]>} */
  peaks: (content) => get(`${of(content)}/peaks`),
  /** @param {string} content @param {number} from @param {number} to @returns {Promise<number[]>} */
  peaksOf: (content, from, to) =>
    get(`${of(content)}/peaks`, { start_seconds: from.toFixed(3), stop_seconds: to.toFixed(3) }),
  /** @param {string} content @returns {Promise<T.Playable>} */
  playable: (content) => get(`${of(content)}/playable`),
  /** @param {string} content */
  media: (content) => `${of(content)}/playable/media`,
  /** @param {string} content @returns {Promise<T.Agreement>} */
  agreement: (content) => get(`${of(content)}/agreement`),
  /** @param {string} content @param {number} seconds @returns {Promise<T.SoundMap>} */
  map: (content, seconds) => get(`${of(content)}/map`, { seconds: seconds.toFixed(3) }),
  /** @param {string} content @param {number} from @param {number} to */
  cut: (content, from, to) =>
    address(`${of(content)}/cut`, { start_seconds: from.toFixed(4), stop_seconds: to.toFixed(4) }),

  /**
   * @param {T.Kind} kind
   * @param {Blob} file
   * @param {string} name
   * @param {T.Options} options
   * @returns {Promise<T.Found>}
   */
  byFile: async (kind, file, name, options) => {
    const form = new FormData();
    form.append("file", file, name);
    form.append("options", JSON.stringify(options));
    return (await request(`/api/search/${kind}`, { method: "POST", body: form })).json();
  },
  /** @param {string} text @param {T.Options} options @returns {Promise<T.Found>} */
  byText: (text, options) => post("/api/text", { text, ...options }),
  /** @param {string} text @param {T.Options} options @returns {Promise<T.Found>} */
  byClass: (text, options) => post("/api/class", { text, ...options }),
  /**
   * @param {{content: string, start_seconds: number, stop_seconds: number}} moment
   * @param {("sound" | "picture")[]} senses
   * @param {T.Options} options
   * @returns {Promise<T.Found>}
   */
  like: (moment, senses, options) => post("/api/like", { ...moment, senses, ...options }),
  /** @param {string} content @param {number} seconds @param {string | null} box @param {T.Options} options @returns {Promise<T.Found>} */
  byFrame: (content, seconds, box, options) => post("/api/frame", { content, seconds, box, ...options }),
  /** @param {string} query @param {T.Options} options @returns {Promise<T.Found>} */
  again: (query, options) => post(`/api/queries/${encodeURIComponent(query)}`, options),
  /** @param {string} query @param {string} content @param {T.By} by @returns {Promise<T.Strip>} */
  strip: (query, content, by) => get(`/api/queries/${encodeURIComponent(query)}/strip`, { content, by }),
  /** @param {string} query @param {string} content @param {number} start_seconds @returns {Promise<T.Similarity>} */
  similarity: (query, content, start_seconds) =>
    get(`/api/queries/${encodeURIComponent(query)}/similarity`, { content, start_seconds }),

  /** @returns {Promise<T.Format[]>} */
  formats: () => get("/api/formats"),
  /** @param {unknown} body @returns {Promise<Blob>} */
  export: async (body) => (await send("/api/export", body)).blob(),

  /** @returns {Promise<T.Taught[]>} */
  taughtAll: () => get("/api/taught"),
  /** @param {string} name @param {string} sense @returns {Promise<T.Taught>} */
  taughtNew: (name, sense) => post("/api/taught", { name, sense }),
  /** @param {string} name @returns {Promise<T.Taught>} */
  taught: (name) => get(taught(name)),
  /** @param {string} name @param {unknown[]} marks @returns {Promise<T.Taught>} */
  mark: (name, marks) => post(`${taught(name)}/marks`, { marks }),
  /** @param {string} name @returns {Promise<T.Taught>} */
  undo: (name) => post(`${taught(name)}/undo`),
  /** @param {string} name @param {number} count @returns {Promise<T.Proposal[]>} */
  proposals: (name, count) => get(`${taught(name)}/next`, { count }),
  /** @param {string} name @param {number} count @returns {Promise<T.Proposal[]>} */
  ranked: (name, count) => get(`${taught(name)}/found`, { count }),
  /** @param {string} name @param {"csv" | "raven"} format */
  marksFile: (name, format) => address(`${taught(name)}/marks`, { format }),
};

/** Let the browser save something. @param {Blob} content @param {string} name */
export function download(content, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(content);
  link.download = name;
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
