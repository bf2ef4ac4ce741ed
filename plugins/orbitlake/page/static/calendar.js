// A calendar to subscribe to by a link that is a secret, or to download; and files for other programs.

import { byId, element, note } from "./panels.js";
import { refusal } from "./state.js";

const JOB = "PYTHONPATH=plugins python jobs/export.py";

export function calendarPanel({ failing }) {
  let site = null;

  const wanted = () => ({
    site: site.name,
    visible: byId("calendar-visible").checked,
    min_elevation_deg: Math.min(90, Math.max(0, Number(byId("calendar-elevation").value) || 0)),
  });

  async function send(method, body) {
    const response = await fetch("api/calendar_link", {
      method, credentials: "same-origin", ...(body ? { headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) } : {}),
    });
    if (response.status === 409) {
      note("calendar-state", (await response.json()).detail);
      return null;
    }
    if (!response.ok) throw await refusal(response, "calendar_link");
    return response;
  }

  async function make() {
    const response = await send("POST", wanted());
    if (!response) return;
    byId("calendar-link").value = new URL((await response.json()).path, location.href.split("?")[0]).href;
    byId("calendar-made").hidden = false;
    note("calendar-state", `This link is a secret: whoever has it reads this calendar of ${site.name}, and nothing else, without a login. Subscribe to it in your calendar program.`);
    byId("calendar-link").select();
  }

  async function revoke() {
    if (!await send("DELETE")) return;
    forget();
    note("calendar-state", "All calendar links that you made are void now.");
  }

  // A link on show would be that of other choices.
  function forget() {
    byId("calendar-made").hidden = true;
    byId("calendar-link").value = "";
    note("calendar-state", "");
    show(site);
  }

  function show(of) {
    if (of?.name !== site?.name) {
      site = of;
      forget();
    }
    byId("calendar").hidden = !site;
    if (!site) return;
    const { site: name, visible, min_elevation_deg: least } = wanted();
    byId("calendar-download").href = `api/exports/passes.ics?${new URLSearchParams(wanted())}`;
    byId("export-csv").href = `api/exports/passes.csv?${new URLSearchParams({ site: name })}`;
    const condition = `${visible ? "visible passes" : "passes"}${least ? ` at least ${least}° high` : ""} over ${name}`;
    byId("calendar-download").setAttribute("aria-label", `Download the calendar of ${condition}`);
    byId("export-commands").textContent = ["oem", "omm", "czml", `ics --site ${quoted(name)}${visible ? " --visible" : ""}`, "csv passes"].map((what) => `${JOB} ${what}`).join("\n");
  }

  for (const id of ["calendar-visible", "calendar-elevation"]) byId(id).addEventListener("change", forget);
  byId("calendar-make").addEventListener("click", () => failing(make));
  byId("calendar-revoke").addEventListener("click", () => failing(revoke));
  byId("calendar-copy").hidden = !navigator.clipboard;
  byId("calendar-copy").addEventListener("click", async () => {
    await navigator.clipboard.writeText(byId("calendar-link").value);
    byId("calendar-copy").textContent = "Copied";
    setTimeout(() => { byId("calendar-copy").textContent = "Copy"; }, 2000);
  });
  byId("commands").append(
    element("summary", {}, "Commands"),
    element("p", {}, "The same files in a shell in the checkout:"),
    element("pre", { id: "export-commands", tabindex: "0", "aria-label": "Commands" }),
  );
  return { show };
}

const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;
