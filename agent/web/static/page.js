import { bytes, cameraFacts, cameraState, DISK_LOW_BYTES, duration, hourFacts, lastHour, linkState, nextContact, number, oldest, plural, runtime, spentToday, verdict } from "/static/words.js";
import { LiveImages } from "/static/pictures.js";

const POLL_MS = 2000;
const RETRY_MS = 1000;
const PATIENCE_MS = 5000;

const $ = (id) => document.getElementById(id);
const images = new LiveImages();
const cards = new Map();
let heardAt = null;

// Text goes in as text: names and details come from cameras, brokers and configuration, and are never markup.
function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function tone(element, value) {
  if (element.dataset.tone !== value) element.dataset.tone = value;
}

// Rows of a definition list, in place, so that a reader's selection and a screen reader's position stay.
function fillFacts(list, facts) {
  const rows = facts.filter(([, value]) => value !== "");
  while (list.children.length > rows.length) list.lastElementChild.remove();
  while (list.children.length < rows.length) {
    const row = list.appendChild(document.createElement("div"));
    row.append(document.createElement("dt"), document.createElement("dd"));
  }
  rows.forEach(([name, value, mood = ""], i) => {
    say(list.children[i].firstElementChild, name);
    say(list.children[i].lastElementChild, value);
    tone(list.children[i], mood);
  });
}

function fillClasses(body, classes, colours) {
  while (body.children.length > classes.length) body.lastElementChild.remove();
  while (body.children.length < classes.length) {
    const row = body.appendChild(document.createElement("tr"));
    const head = row.appendChild(document.createElement("th"));
    head.scope = "row";
    head.append(document.createElement("i"), document.createElement("span"));
    for (let cell = 0; cell < 3; cell += 1) row.appendChild(document.createElement("td"));
  }
  classes.forEach((row, i) => {
    const [head, unique, mean, most] = body.children[i].children;
    head.firstElementChild.style.background = colours[row.class_name] ?? "transparent";
    say(head.lastElementChild, row.class_name);
    say(unique, number(row.unique));
    say(mean, number(row.occupancy_mean, 1));
    say(most, number(row.occupancy_max));
  });
}

function card(name) {
  if (!cards.has(name)) {
    const element = $("camera").content.cloneNode(true).firstElementChild;
    element.dataset.camera = name;
    say(element.querySelector("h3"), name);
    element.setAttribute("aria-label", `Camera ${name}`);
    element.querySelector("img").alt = `Live picture of ${name} with a box round each thing found`;
    $("cameras").append(element);
    images.add(name, element.querySelector("figure"));
    cards.set(name, element);
  }
  return cards.get(name);
}

function showCamera(camera, status) {
  const element = card(camera.camera);
  const live = status.live.cameras[camera.camera] ?? { colours: {}, viewers: 0 };
  const state = cameraState(camera, status.live.now, status.sight[camera.camera]);
  const stateLine = element.querySelector(".state");
  tone(stateLine, state.tone);
  say(stateLine, state.words);
  say(element.querySelector(".detail"), camera.detail);
  if (camera.width) element.style.setProperty("--shape", `${camera.width} / ${camera.height}`);

  const hour = lastHour(camera.camera, status.hour);
  say(element.querySelector(".watched"), hour.watched);
  element.querySelector(".bar span").style.width = `${Math.min(100, (hour.observedS / 3600) * 100)}%`;
  const finding = element.querySelector(".finding");
  finding.hidden = !hour.finding;
  tone(finding, hour.tone);
  say(finding, hour.finding);
  element.querySelector("table").hidden = !hour.classes.length;
  fillClasses(element.querySelector("tbody"), hour.classes, live.colours);

  fillFacts(element.querySelector(".measures"), hourFacts(camera.camera, status.hour, status.measures));
  say(element.querySelector(".fine"), cameraFacts(camera, status.analysed_fps[camera.camera] ?? 0, status.service[camera.camera]));
  images.told(camera.camera, live.viewers);
}

function spent(link) {
  return link.daily_bytes && link.today_bytes >= 0.8 * link.daily_bytes ? "warn" : "";
}

function showLink({ link, outbox, set_aside: last, live }) {
  const state = linkState(link);
  tone($("link-state"), state.tone);
  say($("link-state"), state.words);
  say($("link-detail"), link.detail);
  const on = link.state !== "off";
  fillFacts($("link"), [
    ["Broker", link.broker],
    ["Waiting here", outbox.entries ? `${plural(outbox.entries, "message")}, ${bytes(outbox.size_bytes)}` : "nothing"],
    ["The oldest waits for", outbox.entries ? oldest(outbox, live.now) : ""],
    ["Sent, not yet confirmed", on ? plural(link.in_flight, "message") : ""],
    ["Confirmed", on && link.confirmed_through ? `all up to message ${number(link.confirmed_through)}` : ""],
    ["Sent since start", on ? `${plural(link.sent_messages, "message")}, ${bytes(link.sent_bytes)}` : ""],
    ["On the wire today (UTC)", on ? spentToday(link) : "", spent(link)],
    ["Next contact", link.state === "asleep" ? nextContact(link) : ""],
    ["Connected since start", on ? plural(link.connects, "time") : ""],
    ["Laid aside, cannot be sent", outbox.quarantined ? plural(outbox.quarantined, "message") : "", "warn"],
    ["Why, of the last", last ? `${last.channel}: ${last.reason}` : "", "warn"],
  ]);
}

function showBox(status) {
  say($("box"), `${status.site} / ${status.device}`);
  fillFacts($("machine"), [
    ["Model", status.model_name],
    ["Runs on", runtime(status.backend)],
    ["Disk free", bytes(status.disk_free_bytes), status.disk_free_bytes < DISK_LOW_BYTES ? "warn" : ""],
    ["History on disk", bytes(status.database_bytes)],
    ["Running for", duration(status.uptime_s)],
    ["Hedgerow", status.version],
  ]);
}

function show(status) {
  const { tone: mood, headline, lines } = verdict(status);
  tone(document.body, mood);
  say($("headline"), headline);
  say($("lines"), lines.join(" "));
  document.title = `${headline} · ${status.device}`;
  const names = new Set(status.cameras.map((camera) => camera.camera));
  for (const [name, element] of cards) {
    if (names.has(name)) continue;
    images.remove(name);
    element.remove();
    cards.delete(name);
  }
  status.cameras.forEach((camera) => showCamera(camera, status));
  showLink(status);
  showBox(status);
  for (const id of ["cameras-section", "facts-section"]) $(id).hidden = false;
  $("main").removeAttribute("aria-busy");
}

function heard() {
  heardAt = performance.now();
  $("silence").hidden = true;
  document.body.classList.remove("silent");
  images.resume();
}

function unheard(problem) {
  const age = heardAt === null ? "" : ` What you see is ${duration((performance.now() - heardAt) / 1000)} old.`;
  say($("silence"), `${problem}${age} Trying again.`);
  $("silence").hidden = false;
  document.body.classList.add("silent");
  document.title = "No answer · Hedgerow";
  images.pause();
}

// From the origin, which is without the user and password that a person may have typed: browsers refuse those here.
const STATUS = new URL("/api/status", location.origin);

async function ask() {
  let response;
  try {
    response = await fetch(STATUS, { cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS) });
    const answer = await response.json();
    if (response.ok) return { answer };
    if (response.status === 401) return { problem: "The box asks for its password: load the page again." };
    return { problem: `The box answers, but cannot say how it is: ${answer.error}.` };
  } catch {
    return { problem: response ? "The box answers, but cannot say how it is." : "The box does not answer." };
  }
}

async function poll() {
  if (document.hidden) return setTimeout(poll, POLL_MS);
  const { answer, problem } = await ask();
  if (answer) {
    heard();
    show(answer);
  } else {
    unheard(problem);
  }
  return setTimeout(poll, problem ? RETRY_MS : POLL_MS);
}

poll();
