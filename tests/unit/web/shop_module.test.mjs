// The module for shop pages, over a server that is only played. Run by test_shop_module.py.
import assert from "node:assert/strict";
import { test } from "node:test";
import { pathToFileURL } from "node:url";

const { Toile, ToileError } = await import(pathToFileURL(process.env.MODULE));
const KEY = "toile_pub_abc";
const DESIGN = { id: "des_1", image_url: "/v1/designs/des_1/image", condition: { category: "dress" } };
const DONE = { state: "succeeded", url: "/v1/jobs/job_1", result: { designs: [DESIGN] } };

function played(...answers) {
  const sent = [];
  const fetch = async (url, request) => {
    sent.push({ url: new URL(url), ...request });
    const answer = answers.length > 1 ? answers.shift() : answers[0];
    if (answer instanceof Error) throw answer;
    const [status, body, headers = {}] = answer;
    return new Response(JSON.stringify(body), { status, headers });
  };
  return { sent, fetch };
}

function toile(fetch, session = async () => "toile_session_1\n") {
  return new Toile({ url: "https://toile.example/", key: KEY, session, fetch });
}

test("a secret key in a page is refused before anything is sent", () => {
  assert.throws(() => new Toile({ key: "toile_secret", session: async () => "" }), TypeError);
  assert.throws(() => new Toile({ key: KEY }), TypeError);
});

test("designs are asked for, waited for and returned", async () => {
  const queued = { state: "queued", url: "/v1/jobs/job_1" };
  const { sent, fetch } = played([202, queued], [200, { ...queued, state: "running" }], [200, DONE]);
  assert.deepEqual(await toile(fetch).design({ model: "summer", count: 1 }), [DESIGN]);
  assert.equal(sent[0].headers.Authorization, "Bearer toile_session_1");
  assert.equal(sent[0].headers["X-Toile-Key"], KEY);
  assert.deepEqual(JSON.parse(sent[0].body), { priority: "interactive", model: "summer", count: 1 });
  assert.equal(sent[2].url.href, "https://toile.example/v1/jobs/job_1?wait=25");
  assert.ok(!("Idempotency-Key" in sent[1].headers));
});

test("what did not get through is sent again with the same key", async () => {
  const busy = [503, { detail: "busy", reason: "queue_full", retryable: true }, { "Retry-After": "0" }];
  const { sent, fetch } = played(new TypeError("network"), busy, [201, {}]);
  await toile(fetch).like(DESIGN);
  assert.equal(sent.length, 3);
  assert.equal(new Set(sent.map((one) => one.headers["Idempotency-Key"])).size, 1);
  assert.deepEqual(JSON.parse(sent[2].body), { preferences: [{ kind: "like", item: "des_1" }] });
});

test("two requests have two keys", async () => {
  const { sent, fetch } = played([201, {}]);
  const one = toile(fetch);
  await one.like("gar_1");
  await one.dislike({ garment_id: "gar_2" });
  assert.notEqual(sent[0].headers["Idempotency-Key"], sent[1].headers["Idempotency-Key"]);
});

test("a session that is over is asked for anew, once", async () => {
  let sessions = 0;
  const session = async () => `toile_session_${(sessions += 1)}`;
  const over = [401, { detail: "over", reason: "unauthorized" }];
  const { sent, fetch } = played(over, [200, { items: [] }]);
  assert.deepEqual(await toile(fetch, session).recommendations(), []);
  assert.deepEqual(sent.map((one) => one.headers.Authorization), ["Bearer toile_session_1", "Bearer toile_session_2"]);
  const { fetch: never } = played(over);
  await assert.rejects(toile(never, session).taste(), (error) => error instanceof ToileError && error.status === 401);
  assert.equal(sessions, 4);
});

test("several requests at once share one session", async () => {
  let sessions = 0;
  const { fetch } = played([200, { items: [] }]);
  const one = toile(fetch, async () => `toile_session_${(sessions += 1)}`);
  await Promise.all([one.recommendations(), one.similar("des_1"), one.similar({ id: "gar_1" })]);
  assert.equal(sessions, 1);
});

test("what is refused is told as it was told", async () => {
  const told = { detail: "No such model.", reason: "not_found", request_id: "r1", details: { a: 1 } };
  const { sent, fetch } = played([404, told]);
  await assert.rejects(toile(fetch).design({ model: "x" }), (error) => {
    assert.deepEqual(
      [error.message, error.reason, error.status, error.requestId, error.details],
      ["No such model.", "not_found", 404, "r1", { a: 1 }],
    );
    return true;
  });
  assert.equal(sent.length, 1);
});

test("a job that failed says why", async () => {
  const failed = { ...DONE, state: "failed", error: { reason: "expired", message: "Too late." } };
  const { fetch } = played([202, failed]);
  await assert.rejects(toile(fetch).walk("des_1", "des_2"), /Too late/);
});

test("a server that asks for much patience is told of at once", async () => {
  const { sent, fetch } = played([429, { detail: "slow", reason: "rate_limited" }, { "Retry-After": "3600" }]);
  await assert.rejects(toile(fetch).taste(), (error) => error.status === 429);
  assert.equal(sent.length, 1);
});

test("waiting ends when the page gives up", async () => {
  const { fetch } = played([202, { state: "queued", url: "/v1/jobs/job_1" }]);
  const leaving = new AbortController();
  setTimeout(() => leaving.abort(), 20);
  await assert.rejects(toile(fetch).design({ model: "m" }, { signal: leaving.signal }), { name: "AbortError" });
});

test("a shop that gives no session is a problem with a reason", async () => {
  const { fetch } = played([200, {}]);
  const session = async () => { throw new Error("logged out"); };
  await assert.rejects(toile(fetch, session).taste(), (error) => error.reason === "no_session");
});
