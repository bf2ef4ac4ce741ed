// The world map: degrees are the drawing's units, north is up, tracks break where they cross 180 degrees.

const SVG = "http://www.w3.org/2000/svg";
const PARIS = { latitude_deg: 48.8566, longitude_deg: 2.3522 };
const TICK_MINUTES = 30;

export function worldMap(svg) {
  const land = draw(svg, "g", { class: "land" });
  draw(svg, "path", { class: "grid", d: graticule() });
  const night = draw(svg, "path", { class: "night" });
  const past = draw(svg, "path", { class: "track past" });
  const next = draw(svg, "path", { class: "track next" });
  const ticks = draw(svg, "g", {});
  const city = draw(svg, "g", {});
  draw(city, "circle", { class: "city", r: 0.9, cx: PARIS.longitude_deg, cy: -PARIS.latitude_deg });
  draw(city, "text", { class: "tick-label", x: PARIS.longitude_deg + 2, y: -PARIS.latitude_deg - 1 }).textContent = "Paris";
  const expected = draw(svg, "circle", { class: "expected", r: 3.6, visibility: "hidden" });
  const fix = draw(svg, "circle", { class: "fix", r: 2, visibility: "hidden" });
  coastline(land);

  return {
    track(rows, now) {
      past.setAttribute("d", line(rows.filter((row) => Date.parse(row.time) <= now)));
      next.setAttribute("d", line(rows.filter((row) => Date.parse(row.time) >= now)));
      label(ticks, rows.filter((row) => Date.parse(row.time) > now));
    },
    night: (now) => night.setAttribute("d", nightArea(now)),
    fix: (row) => put(fix, row),
    expected: (row) => put(expected, row),
  };
}

// The point of a track at a moment, along the straight line between its neighbours, 30 s apart.
export function along(rows, now) {
  const after = rows.findIndex((row) => Date.parse(row.time) > now);
  if (after < 1) return null;
  const [a, b] = [rows[after - 1], rows[after]];
  const part = (now - Date.parse(a.time)) / (Date.parse(b.time) - Date.parse(a.time));
  const east = ((b.longitude_deg - a.longitude_deg + 540) % 360) - 180;
  return {
    latitude_deg: a.latitude_deg + part * (b.latitude_deg - a.latitude_deg),
    longitude_deg: ((a.longitude_deg + part * east + 540) % 360) - 180,
  };
}

function draw(parent, name, attributes) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return parent.appendChild(element);
}

function put(circle, row) {
  circle.setAttribute("visibility", row ? "visible" : "hidden");
  if (!row) return;
  circle.setAttribute("cx", row.longitude_deg);
  circle.setAttribute("cy", -row.latitude_deg);
}

function graticule() {
  let d = "";
  for (let lon = -150; lon < 180; lon += 30) d += `M${lon},-90V90`;
  for (let lat = -60; lat <= 60; lat += 30) d += `M-180,${lat}H180`;
  return d;
}

async function coastline(group) {
  const { units_a_degree: units, rings } = await (await fetch("static/coastline.json")).json();
  let d = "";
  for (const ring of rings) {
    d += `M${ring[0] / units} ${-ring[1] / units}l`;
    for (let i = 2; i < ring.length; i += 2) d += `${ring[i] / units} ${-ring[i + 1] / units} `;
    d += "z";
  }
  // Rings that cross 180 degrees run on beyond the edge: a copy on either side brings them back.
  for (const shift of [-360, 0, 360]) draw(group, "path", { d, transform: `translate(${shift})` });
}

function line(rows) {
  let d = "";
  let before = null;
  for (const { longitude_deg: lon, latitude_deg: lat } of rows) {
    const jump = before === null ? 0 : lon - before.lon;
    if (Math.abs(jump) > 180) {
      const edge = jump < 0 ? 180 : -180;
      const part = (edge - before.lon) / (jump < 0 ? jump + 360 : jump - 360);
      const at = -(before.lat + part * (lat - before.lat));
      d += `L${edge} ${at}M${-edge} ${at}L${lon} ${-lat}`;
    } else {
      d += `${before === null ? "M" : "L"}${lon.toFixed(2)} ${(-lat).toFixed(2)}`;
    }
    before = { lon, lat };
  }
  return d;
}

function label(group, rows) {
  group.replaceChildren();
  for (const row of rows) {
    const time = new Date(row.time);
    if (time.getUTCSeconds() || time.getUTCMinutes() % TICK_MINUTES) continue;
    draw(group, "circle", { class: "tick", r: 1.2, cx: row.longitude_deg, cy: -row.latitude_deg });
    const left = row.longitude_deg > 160;
    draw(group, "text", {
      class: "tick-label",
      x: row.longitude_deg + (left ? -2 : 2),
      y: -row.latitude_deg + 5,
      "text-anchor": left ? "end" : "start",
    }).textContent = row.time.slice(11, 16);
  }
}

// Where the Sun is below the horizon. Its place to 0.01 degrees: Astronomical Almanac, low-precision formulas, page C5.
function nightArea(now) {
  const radians = Math.PI / 180;
  const days = now / 86400000 - 10957.5; // since J2000, UT for TT
  const mean = (357.528 + 0.9856003 * days) * radians;
  const ecliptic = (280.46 + 0.9856474 * days + 1.915 * Math.sin(mean) + 0.02 * Math.sin(2 * mean)) * radians;
  const obliquity = 23.439 * radians;
  const ascension = Math.atan2(Math.cos(obliquity) * Math.sin(ecliptic), Math.cos(ecliptic)) / radians;
  const declination = Math.asin(Math.sin(obliquity) * Math.sin(ecliptic));
  const sidereal = 280.46062 + 360.98564737 * days;
  let d = "";
  for (let lon = -180; lon <= 180; lon += 2) {
    const hour = (sidereal + lon - ascension) * radians;
    const lat = Math.atan2(-Math.cos(hour), Math.tan(declination)) / radians;
    // Branch of the terminator that lies in [-90, 90].
    const folded = lat > 90 ? lat - 180 : lat < -90 ? lat + 180 : lat;
    d += `${d ? "L" : "M"}${lon} ${(-folded).toFixed(2)}`;
  }
  return `${d}${declination > 0 ? "V90H-180" : "V-90H-180"}z`;
}
