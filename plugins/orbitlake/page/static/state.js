// What the page can say of feed, stream and ephemeris, and of itself: unknown is a verdict, too.

import { byId, element, note } from "./panels.js";

const SUBJECTS = { feed: "Feed", stream: "Stream", issues: "Ephemeris" };
const OLD_ANSWER_MS = 15000;

// Why a question has no answer; the first kind that there is tells the sentence for the whole page.
const KINDS = ["signed-out", "forbidden", "offline", "server"];

export class Unanswered extends Error {
  constructor(kind, detail) {
    super(detail);
    this.kind = kind;
  }
}

export async function refusal(response, name) {
  if (response.status === 401) return new Unanswered("signed-out", "");
  if (response.status === 403) return new Unanswered("forbidden", "");
  let detail = "";
  try {
    ({ detail } = await response.json());
  } catch {
    // A proxy's page, say: the status alone tells.
  }
  return new Unanswered("server", `${response.status} to ${name}${typeof detail === "string" && detail ? `: ${detail.slice(0, 300)}` : ""}`);
}

const failures = new Map();
let failingSince = null;

export function failed(task, error, now) {
  failingSince ??= now;
  failures.set(task, error instanceof Unanswered ? error : new Unanswered("server", error.message));
  showConnection();
}

export function succeeded(task) {
  if (!failures.delete(task)) return;
  if (!failures.size) failingSince = null;
  showConnection();
}

// One sentence: what is wrong, since when, and what to do.
function showConnection() {
  const kind = KINDS.find((each) => [...failures.values()].some((error) => error.kind === each));
  const banner = byId("connection");
  banner.hidden = !kind;
  if (!kind) return;
  const since = new Date(failingSince).toISOString().slice(11, 19);
  const detail = [...failures.values()].find((error) => error.kind === kind).message;
  const login = element("a", { href: "./" }, "sign in again");
  const words = {
    "signed-out": [`You have been signed out (noticed at ${since} UTC): `, login, "; until then this page shows what it last knew."],
    forbidden: ["You may not read this page's data: ask an administrator for the right to read assets, or ", login, " as someone who may."],
    offline: [`The server has not answered since ${since} UTC: check your network, and whether Airflow runs; this page keeps asking and shows what it last knew.`],
    server: [`The server has answered with an error since ${since} UTC (${detail}): its log tells more; this page keeps asking and shows what it last knew.`],
  }[kind];
  // Read out by an alert: once, not at each question.
  const text = words.map((word) => word.textContent ?? word).join("");
  if (banner.textContent !== text) banner.replaceChildren(...words);
}

// The verdicts of the newest answer, or unknown where that is too old to speak of now.
export function verdictsAt(answer, now) {
  const answered = answer ? Date.parse(answer.as_of) : null;
  if (answer && now - answered <= OLD_ANSWER_MS) return answer.verdicts;
  const since = answered ? ` since ${new Date(answered).toISOString().slice(11, 19)} UTC` : "";
  return Object.keys(SUBJECTS).map((subject) => ({
    subject, state: `unknown${since}`, level: "unknown", text: "this page has no newer answer", clears: "",
  }));
}

export function showVerdicts(verdicts) {
  byId("states").replaceChildren(...verdicts.map((verdict) => element(
    "li", { "data-level": verdict.level, "data-subject": verdict.subject, title: verdict.text },
    `${SUBJECTS[verdict.subject]}: ${verdict.state}`, element("span", { class: "unseen" }, `, ${verdict.text}`),
  )));
  const told = verdicts.filter(({ level }) => level === "wrong" || level === "wait" || level === "none");
  byId("causes").replaceChildren(...told.map((verdict) => element(
    "li", { "data-level": verdict.level },
    `${SUBJECTS[verdict.subject]}, ${verdict.state}: ${verdict.text}.${verdict.clears ? ` It ends with ${verdict.clears}.` : ""}`,
  )));
}

let announced = null;

// Read out once for each change that matters; numbers and times in it change all the while.
export function announce(verdicts) {
  const state = verdicts.map(({ subject, state: is, level }) => (level === "ok" ? `${subject} ok` : `${subject} ${level === "unknown" ? level : is}`)).join();
  if (announced !== null && announced !== state) {
    const words = verdicts.map((verdict) => `${SUBJECTS[verdict.subject]}: ${verdict.state}.`).join(" ");
    byId("announcement").textContent = words;
  }
  announced = state;
}

export function showUpstream(upstream) {
  const kind = upstream.startsWith("replay") ? "Replayed data" : upstream === "simulator" ? "Simulated data" : `Data of upstream ${upstream}`;
  note("upstream", upstream === "live" ? "" : kind);
  byId("upstream").title = `This data root holds numbers of: ${upstream}`;
}

export function showAlerts(rows, folder, minute) {
  byId("alerts").hidden = !rows.length;
  note("alerts-note", rows.length ? `Raised by watch_freshness and by failed runs; each is a file in ${folder} below the data root.` : "");
  byId("alert-list").replaceChildren(...rows.map((row) => element(
    "li", {},
    element("strong", {}, row.name), element("span", { class: "muted" }, ` since ${minute(row.since)} UTC`),
    element("p", {}, row.text), ...(row.clears ? [element("p", { class: "muted" }, `Cleared by ${row.clears}.`)] : []),
  )));
}
