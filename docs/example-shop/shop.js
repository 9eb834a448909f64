// A shop page that asks for designs, shows them, takes likes, and recommends garments.
// `settings.json` and `session` come from server.py: the first is public, the second is this visitor's.
const settings = await (await fetch("settings.json")).json();
const { Toile, ToileError } = await import(`${settings.toile}/toile.js`);

const toile = new Toile({
  url: settings.toile,
  key: settings.key,
  session: async () => {
    const answer = await fetch("session", { method: "POST" });
    if (!answer.ok) throw new Error(`the shop answered ${answer.status}`);
    return answer.text();
  },
});
const byId = (id) => document.getElementById(id);

function card(item, caption) {
  const made = byId("card").content.cloneNode(true).firstElementChild;
  made.dataset.item = item.garment_id ?? item.id;
  made.querySelector("figcaption").textContent = caption;
  toile.show(made.querySelector("img"), item, { variant: "card", format: "webp" }).catch(tell);
  const buttons = { like: made.querySelector(".like"), dislike: made.querySelector(".dislike") };
  for (const [kind, button] of Object.entries(buttons)) {
    button.addEventListener("click", () => said(kind, item, buttons));
  }
  return made;
}

async function said(kind, item, buttons) {
  try {
    await toile[kind](item);
    for (const [name, button] of Object.entries(buttons)) button.setAttribute("aria-pressed", name === kind);
    await Promise.all([believed(), garments()]);
  } catch (error) {
    tell(error);
  }
}

function why(design) {
  const labels = Object.values(design.condition ?? {}).join(", ");
  const liked = (design.reasons ?? []).length ? ` - near to ${design.reasons.length} things you liked` : "";
  return labels + liked;
}

async function designs() {
  const list = byId("designs");
  list.setAttribute("aria-busy", "true");
  try {
    const made = await toile.design({ model: settings.model, count: settings.count });
    list.replaceChildren(...made.map((design) => card(design, why(design))));
  } catch (error) {
    tell(error);
  } finally {
    list.setAttribute("aria-busy", "false");
  }
}

async function garments() {
  const found = await toile.recommendations({ count: 6 });
  byId("garments").replaceChildren(
    ...found.map((one) => card(one, `${Math.round(100 * one.probability)}% likely to be yours`)),
  );
}

async function believed() {
  const { beliefs } = await toile.taste();
  byId("believed").replaceChildren(
    ...beliefs.slice(0, 4).flatMap((belief) => {
      const words = document.createElement("span");
      words.textContent = belief.text;
      if (!belief.swatch) return [words, " "];
      const swatch = document.createElement("span");
      swatch.className = "swatch";
      swatch.style.background = belief.swatch;
      return [swatch, words, " "];
    }),
  );
}

function tell(error) {
  const box = byId("problem");
  box.hidden = false;
  box.textContent = error instanceof ToileError ? `${error.message} (${error.reason})` : String(error);
}

byId("more").addEventListener("click", designs);
await Promise.allSettled([designs(), garments().catch(tell), believed().catch(tell)]);
document.body.dataset.ready = "yes";
