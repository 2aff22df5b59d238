// Facts in, words out. Nothing here touches the page.

const THIN = "\u202f"; // groups digits the same in every country: 12 400

export function number(value, digits = 0) {
  return value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits }).replaceAll(",", THIN);
}

export function plural(count, one, many = `${one}s`) {
  return `${number(count)} ${count === 1 ? one : many}`;
}

export function bytes(count) {
  const units = ["bytes", "kB", "MB", "GB", "TB"];
  const step = count < 1000 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(count) / 3));
  const value = count / 1000 ** step;
  return `${number(value, step > 0 && value < 100 ? 1 : 0)} ${units[step]}`;
}

export function duration(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min`;
  if (whole < 48 * 3600) return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
  return `${Math.floor(whole / 86400)} days`;
}

// How long ago an instant of this run of the agent was, by the box's monotonic clock: this machine's clock may be wrong,
// and the box's date may have been set since.
export function secondsSince(instant, now) {
  return Math.max(0, (now.monotonic_ns - instant.monotonic_ns) / 1e9);
}

const CAMERA = {
  starting: ["calm", "Starting"],
  live: ["good", "Live"],
  ended: ["calm", "Recording over"],
  unreachable: ["bad", "Not answering"],
  unauthorised: ["bad", "Refusing the user name or password"],
  stalled: ["bad", "Connected, but sending no pictures"],
  failed: ["bad", "Sending what cannot be read"],
  refused: ["bad", "Switched on, but taking no connection"],
  unsupported: ["bad", "Sending a kind of video that cannot be decoded here"],
  "decoder-lost": ["bad", "Its decoder crashed or hung, and starts again"],
};

// What keeps a camera from seeing, though its pictures come.
const SIGHT = {
  dark: "Live, but its picture is dark",
  overexposed: "Live, but its picture is white",
  covered: "Live, but covered, or in fog",
  blurred: "Live, but blurred: dirty, wet or out of focus",
  frozen: "Live, but showing the same picture again and again",
  moved: "Live, but looking elsewhere than it did: check zones and lines",
};

// How a camera does, [tone, words]: what keeps it from seeing is as bad as no picture. One that was moved sees, elsewhere.
function condition(camera, sight) {
  if (camera.state === "live" && SIGHT[sight]) return [sight === "moved" ? "warn" : "bad", SIGHT[sight]];
  return CAMERA[camera.state] ?? ["calm", camera.state];
}

export function cameraState(camera, now, sight) {
  const [tone, words] = condition(camera, sight);
  const dated = words !== SIGHT[sight]; // since when it does not see is not told
  return { tone, words: dated ? `${words} for ${duration(secondsSince(camera.since, now))}` : words };
}

const FAILURES = {
  ended: "ended",
  unreachable: "not answering",
  refused: "refused",
  unauthorised: "unauthorised",
  stalled: "stalled",
  failed: "unreadable",
  unsupported: "of an unknown kind",
  "decoder-lost": "decoder lost",
};

export function cameraFacts(camera, fps, service) {
  const slowed = service && service.granted_fps < 0.9 * service.wanted_fps;
  const wanted = slowed ? ` of the ${number(service.wanted_fps, 1)} wanted` : "";
  const looking = [fps > 0 ? `Looking at ${number(fps, 1)}${wanted} pictures a second` : "Looking at no pictures"];
  if (camera.width) looking.push(`${camera.width} × ${camera.height}`);
  if (service?.cost_ms) looking.push(`${number(service.cost_ms)} ms each${service.tiles > 1 ? ` in ${service.tiles} tiles` : ""}`);
  const facts = [looking.join(", ")];
  if (slowed) facts.push("the box is at its limit");
  if (camera.frames_still) facts.push(`${number((100 * camera.frames_still) / camera.frames_captured)} % of them showed nothing new`);
  if (camera.frames_dropped) facts.push(`${number(camera.frames_dropped)} of ${number(camera.frames_captured)} passed over`);
  if (camera.frames_late) facts.push(`${number(camera.frames_late)} came too late`);
  if (camera.resizes) facts.push(`changed its picture's size ${plural(camera.resizes, "time")}`);
  for (const [state, times] of Object.entries(camera.failures)) facts.push(`${FAILURES[state] ?? state} ${plural(times, "time")}`);
  if (camera.reconnects) facts.push(`reconnected ${plural(camera.reconnects, "time")}`);
  return `${facts.join("; ")}.`;
}

// What the last hour says of one camera. "Nothing there" and "could not see" are different things.
export function lastHour(name, hour) {
  const rows = hour.filter((row) => row.camera === name && row.zone === "*");
  const observedS = rows.find((row) => row.class_name === "*")?.observed_s ?? 0;
  const classes = rows.filter((row) => row.class_name !== "*" && (row.unique > 0 || row.occupancy_max > 0));
  classes.sort((a, b) => b.unique - a.unique || a.class_name.localeCompare(b.class_name));
  if (observedS <= 0) {
    return { observedS: 0, classes: [], tone: "bad", watched: "watched nothing", finding: "Could not see, so nobody knows what was there." };
  }
  const share = observedS >= 3570 ? "watched all 60 min" : `watched ${observedS < 60 ? `${Math.round(observedS)} s` : Math.floor(observedS / 60)} of 60 min`;
  return { observedS, classes, tone: "calm", watched: share, finding: classes.length ? "" : "Nothing there: it watched and saw nothing to count." };
}

const SHARE = (value) => `${number(100 * value)} %`;

// What holds nine times of ten around a sum whose variance is known, never below nothing: "290 to 328".
function likely(count, variance) {
  const half = 1.645 * Math.sqrt(variance);
  return `${number(Math.max(0, count - half))} to ${number(count + half)}`;
}

// How to say a measure of the last hour: its name in words, and its value; `of` gives the total of a measure beside it.
// Others are not shown here: `hedgerow status` has them all.
const MEASURES = {
  dwell_s: ["stayed", (m) => `${number(m.mean, 1)} s on average`],
  speed_m_s: ["speed", (m) => `${number(m.mean, 1)} m/s on average`],
  canopy_cover: ["green cover", (m) => SHARE(m.mean)],
  ripeness: ["ripe", (m) => `${SHARE(m.mean)} on average of ${number(m.readings)}`],
  ripeness_80_100: ["riper than 80 %", (m, of) => `${number(m.total)} of ${number(of("ripeness", "readings"))}`],
  size_mm: ["size", (m) => `${number(m.mean)} mm on average of ${number(m.readings)}`],
  row_fruit: ["found along the row", (m) => number(m.total)],
  row_count: ["along the row", (m, of) => `${number(m.total)}, likely ${likely(m.total, of("row_count_variance", "total"))}`],
};

// A class is not told where all classes together are, nor what was found of a row once its count can be told.
function toldElsewhere(m, all) {
  const of = m.name === "row_fruit" ? "row_count" : m.name;
  return m.class_name !== "*" && all.some((other) => other.zone === m.zone && other.name === of && other.class_name === "*");
}

// What zones, lines and the farm's measures say of the last hour: [name, value] each.
export function hourFacts(name, hour, measures) {
  const zones = hour.filter((row) => row.camera === name && row.zone !== "*" && row.class_name === "*");
  const facts = zones.map((row) => [`Zone ${row.zone}`, `${number(row.unique)} counted, ${number(row.occupancy_mean, 1)} in it on average`]);
  const own = measures.filter((m) => m.camera === name);
  const crossed = (line, way) => own.find((m) => m.zone === line && m.name === way && m.class_name === "*")?.total ?? 0;
  const lines = new Set(own.filter((m) => m.name.startsWith("crossed_")).map((m) => m.zone));
  for (const line of lines) facts.push([`Line ${line}`, `${number(crossed(line, "crossed_in"))} in, ${number(crossed(line, "crossed_out"))} out`]);
  for (const m of own) {
    if (!(m.name in MEASURES) || toldElsewhere(m, own)) continue;
    const [words, value] = MEASURES[m.name];
    const of = (other, column) => own.find((o) => o.name === other && o.zone === m.zone && o.class_name === m.class_name)?.[column] ?? 0;
    const where = [m.zone, m.class_name].filter((part) => part !== "*").join(", ");
    facts.push([where ? `${where}: ${words}` : words[0].toUpperCase() + words.slice(1), value(m, of)]);
  }
  return facts;
}

const LINK = {
  off: ["calm", "No broker is set: everything stays on this box"],
  connecting: ["calm", "Connecting"],
  online: ["good", "Connected"],
  offline: ["warn", "No link. The box keeps everything and tries again."],
  asleep: ["calm", "Asleep until its next time to send"],
  refused: ["bad", "Another box uses this box's name. Nothing is sent until that is put right."],
};

export function linkState(link) {
  const [tone, words] = LINK[link.state] ?? ["calm", link.state];
  return { tone, words };
}

export const DISK_LOW_BYTES = 1e9;

// One headline for somebody who has five seconds, and the sentences behind it.
export function verdict(status) {
  const { cameras, link, outbox } = status;
  const states = cameras.map((camera) => condition(camera, status.sight[camera.camera])[0]);
  const blind = cameras.filter((_, i) => states[i] === "bad");
  const moved = cameras.filter((_, i) => states[i] === "warn");
  const lines = [...cameraLines(status, [...blind, ...moved]), ...linkLines(link, outbox, status.live.now)];
  const low = status.disk_free_bytes < DISK_LOW_BYTES;
  if (status.clock_unset) lines.push("The clock is not set: times are an estimate, and are put right when it is.");
  if (low) lines.push(`The disk is nearly full: ${bytes(status.disk_free_bytes)} free.`);
  if (blind.length) return { tone: "bad", headline: blindHeadline(blind, cameras), lines };
  if (low) return { tone: "warn", headline: "The disk is nearly full", lines };
  if (status.clock_unset) return { tone: "warn", headline: "The clock is not set", lines };
  if (moved.length) return { tone: "warn", headline: movedHeadline(moved, cameras), lines };
  if (link.state === "offline") return { tone: "warn", headline: "All well here, but no link", lines };
  if (link.state === "refused") return { tone: "warn", headline: "Another box uses this box's name", lines };
  if (outbox.quarantined) return { tone: "warn", headline: "Something could not be sent", lines };
  if (states.includes("good")) return { tone: "good", headline: "All is well", lines };
  return { tone: "calm", headline: cameras.some((camera) => camera.state === "starting") ? "Starting" : "At rest", lines };
}

const NAMED_MOST = 3;
const ALL_LIVE = { 1: "The camera is live.", 2: "Both cameras are live." };

function blindHeadline(blind, cameras) {
  if (cameras.length === 1) return "The camera does not see";
  if (blind.length === cameras.length) return "No camera sees";
  if (blind.length === 1) return `${blind[0].camera} does not see`;
  return `${blind.length} of ${cameras.length} cameras do not see`;
}

function movedHeadline(moved, cameras) {
  if (cameras.length === 1) return "The camera was moved";
  return moved.length === 1 ? `${moved[0].camera} was moved` : `${moved.length} of ${cameras.length} cameras were moved`;
}

function cameraLines({ cameras, sight }, unwell) {
  const words = (camera) => condition(camera, sight[camera.camera])[1];
  const live = cameras.filter((camera) => camera.state === "live").length;
  if (live === cameras.length && !unwell.length) return [ALL_LIVE[live] ?? `All ${live} cameras are live.`];
  if (cameras.length === 1) return [`${words(cameras[0])}.`];
  const named = unwell.slice(0, NAMED_MOST).map((camera) => `${camera.camera}: ${lower(words(camera))}.`);
  return [...named, `${number(live)} of ${cameras.length} cameras ${live === 1 ? "is" : "are"} live.`];
}

function lower(words) {
  return words[0].toLowerCase() + words.slice(1);
}

function linkLines(link, outbox, now) {
  const lines = [];
  if (link.state === "off") lines.push("Nothing leaves this box: no broker is set.");
  else if (outbox.entries === 0) lines.push("Everything found has been delivered.");
  else if (link.state === "asleep") lines.push(`${plural(outbox.entries, "message")} kept until ${nextContact(link)}.`);
  else if (link.state === "online") lines.push(`${plural(outbox.entries, "message")} on the way to the cloud.`);
  else lines.push(`${plural(outbox.entries, "message")} kept until there is a link, the oldest for ${oldest(outbox, now)}.`);
  if (outbox.quarantined) lines.push(`${plural(outbox.quarantined, "message")} can never be sent and lie aside.`);
  return lines;
}

export function nextContact(link) {
  if (link.next_contact_ms === null) return "a time to send is set";
  return new Date(link.next_contact_ms).toLocaleString([], { weekday: "short", hour: "2-digit", minute: "2-digit" });
}

// What the link has cost today, and of how much.
export function spentToday(link) {
  if (!link.daily_bytes) return bytes(link.today_bytes);
  return `${bytes(link.today_bytes)} of ${bytes(link.daily_bytes)}`;
}

export function oldest(outbox, now) {
  return outbox.oldest_utc_ns === null ? "" : duration((now.utc_ns - outbox.oldest_utc_ns) / 1e9);
}

const RUNTIMES = { openvino: "OpenVINO", onnxruntime: "ONNX Runtime" };

export function runtime(backend) {
  return RUNTIMES[backend] ?? backend;
}
