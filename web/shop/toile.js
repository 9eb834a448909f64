/**
 * Toile in a shop's page: designs for the shopper who looks at it, what they like, and garments
 * that suit them. One file, no dependencies; an ES module for any browser since 2021.
 *
 *   import { Toile } from "https://toile.shop.example/toile.js";
 *   const toile = new Toile({ key: "toile_pub_...", session: async () => (await fetch("/toile-session")).text() });
 *   const designs = await toile.design({ model: "summer", count: 4 });
 *   await toile.show(document.querySelector("img"), designs[0]);
 *   await toile.like(designs[0]);
 *
 * Every request is sent again, with the same Idempotency-Key, when the network breaks or the server
 * asks for patience: nothing is made or said twice. A session that is over is asked for anew, once.
 */

const TRIES = 5;
const FIRST_PAUSE = 400; // ms; doubles
const LONGEST_PAUSE = 20_000; // ms; a server that asks for more is told of as an error
const WAIT = 25; // s that one long poll asks for
const AGAIN = new Set([408, 425, 429, 502, 503, 504, 507]);

/** A request that Toile refused, or that never got through. */
export class ToileError extends Error {
  /**
   * @param {string} message what happened, and how to mend it
   * @param {{status?: number, reason?: string, retryable?: boolean, requestId?: string, details?: object}} [told]
   *   `status` is 0 where no answer came; `reason` is the word for the kind of problem, as in /docs.
   */
  constructor(message, { status = 0, reason = "network", retryable = true, requestId = null, details = {} } = {}) {
    super(message);
    this.name = "ToileError";
    Object.assign(this, { status, reason, retryable, requestId, details });
  }
}

/** One shopper's way to Toile. */
export class Toile {
  #url;
  #key;
  #session;
  #token = null;
  #fetch;
  #shown = new WeakMap();

  /**
   * @param {object} options
   * @param {string} options.key the shop's publishable key, `toile_pub_...`
   * @param {() => Promise<string>} options.session asks your own server for a session token
   *   (`POST /v1/shoppers/{ref}/sessions`); called when there is none, and when one is over
   * @param {string} [options.url] where Toile is; where this module came from, if not given
   * @param {typeof fetch} [options.fetch] for tests
   */
  constructor({ key, session, url = new URL(".", import.meta.url).href, fetch = globalThis.fetch }) {
    if (!/^toile_pub_/.test(key ?? "")) {
      throw new TypeError("`key` must be a publishable key, toile_pub_...; a secret key must never stand in a page.");
    }
    if (typeof session !== "function") {
      throw new TypeError("`session` must be a function that asks your server for a session token.");
    }
    this.#url = url.replace(/\/+$/, "");
    this.#key = key;
    this.#session = session;
    this.#fetch = (...args) => fetch(...args);
  }

  /**
   * Make designs for the shopper.
   * @param {object} request as `POST /v1/design-jobs` takes it: `model` or `release`, `count`, `condition`, ...
   * @param {{signal?: AbortSignal}} [options]
   * @returns {Promise<object[]>} designs with `id`, `image_url`, `score` and `reasons`
   */
  design(request, options = {}) {
    return this.#made("/v1/design-jobs", { priority: "interactive", ...request }, options);
  }

  /** Make designs around one: `count`, `strength` 0 to 1, `condition` for what shall be otherwise. */
  variations(design, request = {}, options = {}) {
    return this.#made(`/v1/designs/${part(id(design))}/variations`, request, options);
  }

  /** Make designs between two of one release. */
  mix(first, second, request = {}, options = {}) {
    return this.#made("/v1/designs/mix", { first: id(first), second: id(second), ...request }, options);
  }

  /** Make an animation from one design to another and back. */
  async walk(first, second, request = {}, options = {}) {
    const made = await this.#made("/v1/designs/walk", { first: id(first), second: id(second), ...request }, options);
    return made[0];
  }

  /** Say that the shopper likes a design or garment. */
  like(item) {
    return this.say([{ kind: "like", item: id(item) }]);
  }

  /** Say that the shopper dislikes a design or garment. */
  dislike(item) {
    return this.say([{ kind: "dislike", item: id(item) }]);
  }

  /** Say that the shopper took one where they could have had the other. */
  choose(item, over) {
    return this.say([{ kind: "choice", item: id(item), over: id(over) }]);
  }

  /** Say what the shopper wants: `want("colour", "#1f3a5f")`; with `{ hard: true }` nothing else is shown. */
  want(attribute, value, { hard = false } = {}) {
    return this.say([{ kind: "want", attribute, value, hard }]);
  }

  /** Say what the shopper does not want. */
  avoid(attribute, value, { hard = false } = {}) {
    return this.say([{ kind: "avoid", attribute, value, hard }]);
  }

  /** Say several things at once, up to 500, in the order in which they were said; all count or none. */
  say(preferences) {
    return this.#json("POST", "/v1/shoppers/me/preferences", { body: { preferences } });
  }

  /** Return what is believed of the shopper, in words and swatches. */
  taste({ catalog } = {}) {
    return this.#json("GET", "/v1/shoppers/me/taste", { query: { catalog } });
  }

  /** Return garments of the catalog for the shopper, the best first. */
  async recommendations({ count = 12, catalog, relevance } = {}) {
    const query = { count, catalog, relevance };
    return (await this.#json("GET", "/v1/shoppers/me/recommendations", { query })).items;
  }

  /** Return the garments on sale that look most like a design or garment. */
  async similar(item, { count = 6 } = {}) {
    const noun = id(item).startsWith("des_") ? "designs" : "garments";
    return (await this.#json("GET", `/v1/${noun}/${part(id(item))}/similar`, { query: { count } })).items;
  }

  /**
   * Return the picture of a design or garment, as a Blob.
   * @param {object} item anything with an `image_url`
   * @param {{variant?: "thumbnail"|"card"|"detail", format?: "png"|"webp"|"avif", signal?: AbortSignal}} [options]
   */
  async picture(item, { variant, format, signal } = {}) {
    const answer = await this.#ask("GET", item.image_url, { query: { variant, format }, signal });
    return answer.blob();
  }

  /** Show the picture of a design or garment in an <img>; what it showed before is let go. */
  async show(image, item, options = {}) {
    const address = URL.createObjectURL(await this.picture(item, options));
    URL.revokeObjectURL(this.#shown.get(image));
    this.#shown.set(image, address);
    image.src = address;
    if (!image.alt) image.alt = words(item);
    return image;
  }

  async #made(path, body, { signal } = {}) {
    let job = await this.#json("POST", path, { body, signal });
    while (!["succeeded", "failed", "cancelled"].includes(job.state)) {
      const asked = Date.now();
      job = await this.#json("GET", job.url, { query: { wait: WAIT }, signal });
      if (job.state === "queued" && Date.now() - asked < 500) await pause(500, signal); // a busy server answers at once
    }
    if (job.state === "succeeded") return job.result.designs;
    const { message, ...told } = job.error ?? { message: "The job was cancelled.", reason: "cancelled" };
    throw new ToileError(message, { status: 200, retryable: job.state === "failed", ...told });
  }

  async #json(method, path, options) {
    const answer = await this.#ask(method, path, options);
    return answer.json();
  }

  async #ask(method, path, { body, query = {}, signal } = {}) {
    const address = new URL(this.#url + path);
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined && value !== null) address.searchParams.set(name, value);
    }
    const headers = { "X-Toile-Key": this.#key };
    if (method !== "GET") headers["Idempotency-Key"] = unique();
    if (body !== undefined) headers["Content-Type"] = "application/json";
    const request = { method, headers, body: body === undefined ? undefined : JSON.stringify(body), signal };
    let renewed = false;
    for (let tries = 1; ; tries += 1) {
      const token = (this.#token ??= this.#session());
      const answer = await this.#send(address, request, await this.#named(token));
      if (answer.ok) return answer;
      const error = answer instanceof ToileError ? answer : await problem(answer);
      if (error.status === 401 && !renewed) {
        renewed = true;
        if (this.#token === token) this.#token = null; // unless another request has asked for a new one already
        continue;
      }
      const patience = error.pause ?? FIRST_PAUSE * 2 ** (tries - 1) * (0.75 + Math.random() / 2);
      if (tries >= TRIES || patience > LONGEST_PAUSE || !(error.status === 0 || AGAIN.has(error.status))) throw error;
      await pause(patience, signal);
    }
  }

  async #named(token) {
    try {
      return (await token).trim();
    } catch (cause) {
      this.#token = null;
      throw new ToileError(`The shop gave no session for this shopper (${cause.message}).`, { reason: "no_session" });
    }
  }

  async #send(address, request, token) {
    try {
      return await this.#fetch(address, {
        ...request,
        headers: { ...request.headers, Authorization: `Bearer ${token}` },
        credentials: "omit",
        redirect: "error",
      });
    } catch (cause) {
      if (cause.name === "AbortError") throw cause;
      return new ToileError(`Toile at ${address.origin} could not be reached (${cause.message}).`);
    }
  }
}

async function problem(answer) {
  const told = await answer.json().catch(() => ({}));
  const error = new ToileError(told.detail ?? `Toile answered ${answer.status}.`, {
    status: answer.status,
    reason: told.reason ?? "unknown",
    retryable: told.retryable ?? false,
    requestId: told.request_id ?? answer.headers.get("X-Request-Id"),
    details: told.details ?? {},
  });
  const seconds = Number(answer.headers.get("Retry-After") ?? NaN);
  if (!Number.isNaN(seconds)) error.pause = 1000 * seconds;
  return error;
}

function id(item) {
  const found = typeof item === "string" ? item : (item?.garment_id ?? item?.id);
  if (!found) throw new TypeError("Expected a design, a garment, or the id of one.");
  return found;
}

function words(item) {
  return item.condition ? `A design: ${Object.values(item.condition).join(", ")}` : "A garment";
}

const part = encodeURIComponent;

function unique() {
  // randomUUID is there over https alone, and on localhost.
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function pause(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, milliseconds);
    if (signal?.aborted) stop();
    else signal?.addEventListener("abort", stop, { once: true });
  });
}
