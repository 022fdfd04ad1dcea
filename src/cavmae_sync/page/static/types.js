/**
 * Answers of the service, as types. Nothing runs here.
 *
 * @typedef {{root: string, path: string, is_offline: boolean}} Place
 *
 * @typedef {object} Hit Moment of a file.
 * @property {string} content SHA-256 of the file.
 * @property {Place[]} places
 * @property {number} start_seconds
 * @property {number} stop_seconds
 * @property {number} offset_seconds
 * @property {number} score
 * @property {number | null} sound
 * @property {number | null} picture
 * @property {number | null} probability
 *
 * @typedef {object} Found Answer to a question.
 * @property {string} query Name of the question, to ask again.
 * @property {Hit[]} hits
 * @property {number | null} matches
 * @property {number} cutoff
 * @property {boolean} is_exact
 * @property {number} num_contents
 * @property {number} num_damaged
 * @property {number} searched_seconds
 * @property {string} about
 * @property {By} by
 * @property {number} seconds
 *
 * @typedef {"sound" | "picture" | "both"} By
 * @typedef {"sound" | "picture" | "video" | "vectors"} Kind
 *
 * @typedef {object} Options Options of a search; see /docs.
 * @property {By | null} [by]
 * @property {number} [top]
 * @property {number} [cutoff]
 * @property {string[]} [root]
 * @property {string} [folder]
 * @property {("sound" | "picture")[]} [has]
 * @property {string | null} [after]
 * @property {string | null} [before]
 * @property {number} [min_seconds]
 * @property {number | null} [max_seconds]
 *
 * @typedef {object} Source Frames and sizes of a file.
 * @property {[number, number] | null} rate Frames per second, as a fraction.
 * @property {boolean} is_steady
 * @property {boolean} is_drop_frame
 * @property {number} start_frame
 * @property {number} first_seconds
 * @property {number | null} num_frames
 * @property {number | null} width
 * @property {number | null} height
 * @property {number | null} sample_rate_hz
 * @property {number} num_channels
 * @property {number} duration_seconds
 * @property {string[]} remarks
 *
 * @typedef {object} Facts A file of the library.
 * @property {string} content
 * @property {Place[]} places
 * @property {number} seconds
 * @property {boolean} has_sound
 * @property {boolean} has_picture
 * @property {boolean} is_offline
 * @property {Source | null} source
 * @property {string | null} problem Why its frames are not known.
 *
 * @typedef {object} Listed
 * @property {string} content
 * @property {string} root
 * @property {string} path
 * @property {boolean} is_offline
 * @property {number} seconds
 * @property {boolean} has_sound
 * @property {boolean} has_picture
 *
 * @typedef {object} Status State of the library.
 * @property {number} num_clips
 * @property {number} num_files
 * @property {number} num_pending
 * @property {number} num_failed
 * @property {number} num_gone
 * @property {number} num_offline
 * @property {number} num_without_sound
 * @property {number} num_without_picture
 * @property {number} clip_seconds
 * @property {number} num_bytes
 * @property {{name: string, path: string, is_offline: boolean, num_files: number}[]} roots
 * @property {{is_running: boolean, about: string, error: string}} indexing
 * @property {string} library
 * @property {string} encoder
 * @property {string} weights
 * @property {string | null} trained_on
 * @property {boolean} takes_media
 * @property {boolean} has_maps
 * @property {boolean} has_words
 * @property {string[]} classes
 * @property {boolean} may_add
 *
 * @typedef {{root: string, path: string, reason: string | null, message: string | null}} Failure
 *
 * @typedef {object} Strip How a question fits along a file.
 * @property {number[]} start_seconds
 * @property {number[]} score
 * @property {number[] | null} probability
 * @property {number} step_seconds
 * @property {number} duration_seconds
 *
 * @typedef {object} Similarity
 * @property {number[]} query_seconds
 * @property {number[]} file_seconds
 * @property {{query: string, file: string, values: (number | null)[][]}[]} cosines
 * @property {(number | null)[][] | null} own
 *
 * @typedef {object} Agreement
 * @property {string} verdict
 * @property {string | null} reason
 * @property {{second: number, agreement: number | null, low: number | null, mid: number | null,
 *   high: number | null, state: string}[]} seconds
 *
 * @typedef {{seconds: number, is_silent: boolean, made_by: string, values: number[][]}} SoundMap
 * @typedef {{state: string, fraction: number, reason: string | null}} Playable
 * @typedef {{name: string, suffix: string, about: string}} Format
 *
 * @typedef {object} Taught State of a taught class.
 * @property {string} name
 * @property {"sound" | "picture" | "both"} sense
 * @property {number} num_yes
 * @property {number} num_no
 * @property {number} num_marks All marks, checks and those that cannot tell too.
 * @property {string} state In words: what it can say, or what it needs.
 * @property {boolean} is_fitted
 * @property {{value: number, low: number, high: number} | null} precision
 * @property {string} probe Folder of the probe, for the command line.
 *
 * @typedef {Hit & {how?: string}} Proposal
 */
export {};
