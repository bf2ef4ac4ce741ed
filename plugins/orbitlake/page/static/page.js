// Asks the API again and again and hands its answers to the panels; shows at once when they grow old.

import { altitudeChart, errorChart, speedChart, windowChart } from "./charts.js";
import { counted, duration, minute, second } from "./format.js";
import { along, worldMap } from "./map.js";
import * as panels from "./panels.js";
import * as state from "./state.js";
import { movable, scrubber } from "./view.js";

const SOON_MS = 5000;
const OFTEN_MS = 15000;
const SELDOM_MS = 60000;
const MOST_FIXES = 5000;
const DAYS = 14;

const answers = {};
const map = worldMap(panels.byId("map"));
let clockOffsetMs = 0;

// The server's clock: a browser's may be wrong, and ages must not be.
const now = () => Date.now() + clockOffsetMs;

const view = scrubber(map, { now, track: () => answers.track?.rows ?? [], changed: showMapWords });
movable(panels.byId("map"), panels.byId("map-box"));
let passes = null;

async function ask(name, parameters = {}) {
  let response;
  try {
    response = await fetch(`api/${name}?${new URLSearchParams(parameters)}`, { credentials: "same-origin" });
  } catch {
    throw new state.Unanswered("offline", "");
  }
  if (!response.ok) throw await state.refusal(response, name);
  const answer = await response.json();
  clockOffsetMs = Date.parse(answer.as_of) - Date.now();
  answers[name] = answer;
  if (answer.sql) panels.query(name, answer.sql, answer.call);
  return answer.rows;
}

async function askWhole(name, parameters) {
  await ask(name, parameters);
  return answers[name];
}

async function showLatest() {
  await Promise.all([ask("latest"), ask("freshness"), ask("alerts")]);
  const [fix] = answers.latest.rows;
  panels.latestFix(fix);
  panels.expectedAltitude(answers.track?.now);
  map.fix(fix);
  state.showUpstream(answers.freshness.upstream);
  state.showAlerts(answers.alerts.rows, answers.alerts.folder, second);
  tick();
}

async function showTrack() {
  await ask("track");
  const { rows, now: here } = answers.track;
  view.show();
  panels.expectedAltitude(here);
  showMapWords();
  panels.note("track-note", rows.length ? "" : "No issue of the ephemeris covers these hours: no track is drawn.");
}

function showMapWords() {
  panels.byId("map-words").textContent = panels.mapWords(answers.latest?.rows[0], answers.track?.now)
    + (view.dayShown() ? ` The fixes of ${view.dayShown()} are drawn.` : "");
}

async function showDay() {
  const date = panels.byId("track-day").value;
  const rows = date ? await ask("day", { date }) : null;
  // Another day may have been chosen while this one was asked for.
  if (panels.byId("track-day").value !== date) return;
  view.choose(rows && { date, rows });
  panels.byId("day-query").hidden = !date;
  panels.note("day-note", rows ? `${counted(rows.length, "fix", "fixes")} of ${date}, the first of each minute; the line breaks where none was seen.` : "");
  showMapWords();
}

async function showSpeed() {
  const [fixes, windows] = await Promise.all([ask("fixes", { hours: 1, limit: MOST_FIXES }), ask("windows", { hours: 6 })]);
  const [end, hourAgo, sixHoursAgo] = [0, 1, 6].map((hours) => now() - hours * 3600000);
  const settled = windows.filter((row) => !row.is_filling);
  speedChart(panels.byId("speed"), fixes, windows.filter((row) => Date.parse(row.window_start) > hourAgo), [hourAgo, end]);
  windowChart(panels.byId("windows"), windows, [sixHoursAgo, end]);
  panels.note("speed-words", panels.spread(fixes, "velocity_km_s", 2, "km/s", ["speed", "speeds"], "the last hour"));
  panels.note("windows-words", panels.spread(settled, "avg_velocity_km_s", 3, "km/s", ["whole minute", "whole minutes"], "the last 6 hours"));
}

async function showFeeds() {
  panels.auditTable(await ask("position_audit"));
}

async function showDays() {
  const [rows, gaps] = await Promise.all([ask("days", { count: DAYS }), ask("gaps", { count: DAYS })]);
  panels.dayTable(rows, gaps, now());
  panels.note("gaps-words", panels.gapWords(gaps, DAYS));
  panels.dayChoice(rows, view.dayShown());
}

async function showIssues() {
  const before = answers.issues?.rows[0]?.issue;
  // The page begins with the newest issue, which needs no name to be asked about.
  const [rows, newest] = await Promise.all([ask("issues", { limit: 20 }), answers.issues ? null : askIssue()]);
  const select = panels.byId("issue");
  const chosen = select.value && select.value !== before ? select.value : rows[0]?.issue;
  select.replaceChildren(...rows.map((row, i) => panels.element(
    "option", { value: row.issue, ...(row.issue === chosen ? { selected: "" } : {}) }, minute(row.creation_date) + (i ? "" : ", the newest"),
  )));
  select.disabled = !rows.length;
  panels.byId("object").textContent = rows.length ? `${rows[0].object_name} · ${rows[0].object_id}` : "of the spacecraft, from the published tables";
  if (newest || rows[0]?.issue !== before || !answers.burns) await showIssue(newest);
  else panels.issueFacts(rows.find((row) => row.issue === chosen));
}

async function showAudit() {
  const [ledger, errors] = await Promise.all([ask("burn_history"), ask("prediction_error")]);
  panels.ledgerTable(ledger);
  // Two issues are needed for an error; until then there is nothing to be drawn.
  panels.byId("errors-card").hidden = !errors.length;
  errorChart(panels.byId("errors"), errors);
  panels.note("errors-words", panels.errorWords(errors));
}

// What now is comes first: passes, and the files that show them, are asked for once all else is there.
async function showPasses() {
  if (!passes) {
    const [{ passPanel }, { calendarPanel }] = await Promise.all([import("./passes.js"), import("./calendar.js")]);
    const calendar = calendarPanel({ failing: run });
    passes = passPanel({ ask: askWhole, now, map, changed: calendar.show, failing: run });
  }
  await passes.show();
}

function askIssue(issue) {
  const parameters = issue ? { issue } : {};
  return Promise.all([ask("burns", parameters), ask("altitude", parameters)]);
}

async function showIssue(answer) {
  const issue = panels.byId("issue").value;
  const [burns, orbits] = answer ?? await askIssue(issue);
  panels.issueFacts(answers.issues.rows.find((row) => row.issue === issue));
  panels.burnTable(burns);
  panels.note("altitude-words", orbits.length
    ? `${counted(orbits.length, "orbit")}: ${Math.min(...orbits.map((row) => row.lowest_km)).toFixed(1)} to ${Math.max(...orbits.map((row) => row.highest_km)).toFixed(1)} km; mean ${orbits[0].mean_km.toFixed(1)} km in the first, ${orbits.at(-1).mean_km.toFixed(1)} km in the last.`
    : "No ephemeris has been ingested yet.");
  altitudeChart(panels.byId("altitude"), orbits, burns, now());
}

// Each second: the clock, the age, the place by the ephemeris, and what can still be said of feed and stream.
function tick() {
  panels.byId("clock").textContent = `${new Date(now()).toISOString().slice(0, 19).replace("T", " ")} UTC`;
  if (view.isLive() && answers.track) map.expected(along(answers.track.rows, now()));
  passes?.tick();
  const verdicts = state.verdictsAt(answers.freshness, now());
  state.showVerdicts(verdicts);
  state.announce(verdicts);
  if (!answers.freshness || !answers.latest) return;
  const [fix] = answers.latest.rows;
  const [feed, stream] = verdicts;
  const cause = [feed, stream].find(({ level }) => level !== "ok");
  const age = fix ? (now() - Date.parse(fix.event_time)) / 1000 : null;
  const isOld = fix && age > answers.freshness.fix_stale_after_s && feed.state !== "simulated time";
  const why = isOld ? `; ${cause ? `${cause === feed ? "feed" : "stream"}: ${cause.state}` : "records arrive, but nothing newer of this object was published"}` : "";
  const when = feed.state === "simulated time" ? "in simulated time" : `${duration(age)} ago${why}`;
  panels.byId("age").textContent = fix ? when : "";
  panels.byId("age").classList.toggle("stale", Boolean(isOld && cause?.level === "wrong"));
}

async function run(task) {
  try {
    await task();
    state.succeeded(task);
    return true;
  } catch (error) {
    state.failed(task, error, now());
    tick();
    return false;
  }
}

function every(intervalMs, task) {
  let waiting = 0;
  const again = async () => {
    clearTimeout(waiting);
    const hasFailed = !document.hidden && !await run(task);
    clearTimeout(waiting);
    // The banner stands until each question has an answer again: one asked seldom must not keep it.
    waiting = setTimeout(again, hasFailed ? SOON_MS : intervalMs);
  };
  // A window that comes to the front must not speak of when it went to the back.
  document.addEventListener("visibilitychange", () => document.hidden || again());
  addEventListener("online", again);
  return again();
}

// Airflow keeps its choice of light or dark under this key; alone, the page follows the system.
function applyTheme() {
  const chosen = localStorage.getItem("theme");
  if (chosen === "dark" || chosen === "light") document.documentElement.dataset.theme = chosen;
  else delete document.documentElement.dataset.theme;
}

applyTheme();
addEventListener("storage", (event) => event.key === "theme" && applyTheme());
panels.byId("issue").addEventListener("change", () => run(showIssue));
panels.byId("track-day").addEventListener("change", () => run(showDay));
setInterval(tick, 1000);
// The night and the track move on without a network, too.
setInterval(view.show, OFTEN_MS);
const first = [
  every(SOON_MS, showLatest),
  every(OFTEN_MS, showTrack),
  every(OFTEN_MS, showSpeed),
  every(OFTEN_MS, showFeeds),
  every(SELDOM_MS, showIssues),
  every(SELDOM_MS, showDays),
  every(SELDOM_MS, showAudit),
];
Promise.all(first).then(() => every(SELDOM_MS, showPasses));
