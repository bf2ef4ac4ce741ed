// Values of the API -> words; null becomes a dash, never a number.

export const NONE = "–";

const wholes = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

export function number(value, digits = 0, unit = "") {
  if (value === null || value === undefined) return NONE;
  const text = digits ? value.toFixed(digits) : wholes.format(value);
  return unit ? `${text}\u202f${unit}` : text;
}

export function counted(count, name, names = `${name}s`) {
  return `${number(count)} ${count === 1 ? name : names}`;
}

export function signed(value, digits, unit = "") {
  if (value === null || value === undefined) return NONE;
  return (value < 0 ? "−" : "+") + number(Math.abs(value), digits, unit);
}

export function degrees(value, positive, negative, digits = 4) {
  return `${Math.abs(value).toFixed(digits)}° ${value < 0 ? negative : positive}`;
}

export function place(row, digits = 4) {
  return `${degrees(row.latitude_deg, "N", "S", digits)}, ${degrees(row.longitude_deg, "E", "W", digits)}`;
}

export function minute(text) {
  return text ? text.slice(0, 16).replace("T", " ") : NONE;
}

export function second(text) {
  return text ? text.slice(0, 19).replace("T", " ") : NONE;
}

export function timeOfDay(text) {
  return text ? text.slice(11, 19) : NONE;
}

export function duration(seconds) {
  if (seconds === null || seconds === undefined) return NONE;
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${String(s % 60).padStart(2, "0")} s`;
  if (s < 172800) return `${Math.floor(s / 3600)} h ${String(Math.floor((s % 3600) / 60)).padStart(2, "0")} min`;
  return `${(s / 86400).toFixed(1)} days`;
}

export function percent(fraction) {
  // A day with a hole must not round up to a whole one.
  return `${(Math.floor(fraction * 1000) / 10).toFixed(1)}\u202f%`;
}
