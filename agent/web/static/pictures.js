// Live images: streams for the few that are in sight, single pictures for the rest, nothing for those that nobody sees.

const STREAMS_MAX = 3; // a browser opens six connections to one box, and the status needs one
const SINGLE_MS = 2000;
const STREAM_AGAIN_MS = 30000; // after a refusal: all places were taken
// A browser does not say when a stream has ended, and may not know: a phone that changed networks waits for ever. So a
// stream is opened anew when the box says that nobody watches, and in any case now and then.
const STREAM_PROVEN_MS = 5000;
const STREAM_RENEW_MS = 60000;

export class LiveImages {
  #images = new Map();
  #paused = false;
  #count = 0;

  constructor() {
    this.observer = new IntersectionObserver((entries) => {
      for (const entry of entries) this.#images.get(entry.target.dataset.name).visible = entry.isIntersecting;
      this.#arrange();
    }, { rootMargin: "25%" });
    document.addEventListener("visibilitychange", () => this.#arrange());
    setInterval(() => this.#arrange(), SINGLE_MS);
  }

  add(name, figure) {
    const image = figure.querySelector("img");
    const still = figure.querySelector("canvas");
    const entry = { name, figure, image, still, visible: false, mode: "off", streamAfter: 0, streamSince: 0, viewers: 0 };
    this.#images.set(name, entry);
    figure.dataset.name = name;
    image.addEventListener("load", () => {
      veil(entry, "");
      keep(entry);
    });
    image.addEventListener("error", () => this.#failed(entry));
    offerFullScreen(figure);
    this.observer.observe(figure);
  }

  remove(name) {
    const entry = this.#images.get(name);
    this.observer.unobserve(entry.figure);
    this.#images.delete(name);
    stop(entry);
  }

  // How many watch this camera, as the box counts them.
  told(name, viewers) {
    const entry = this.#images.get(name);
    entry.viewers = viewers;
    keep(entry);
  }

  // The box is silent: show what was seen last, and ask for nothing.
  pause() {
    if (this.#paused) return;
    this.#paused = true;
    this.#images.forEach(stop);
  }

  resume() {
    if (!this.#paused) return;
    this.#paused = false;
    this.#images.forEach((entry) => { entry.streamAfter = 0; });
    this.#arrange();
  }

  #arrange() {
    if (this.#paused) return;
    let streams = 0;
    for (const entry of this.#images.values()) {
      if (!entry.visible || document.hidden) {
        stop(entry);
      } else if (streams < STREAMS_MAX && performance.now() >= entry.streamAfter) {
        streams += 1;
        this.#stream(entry);
      } else {
        this.#single(entry);
      }
    }
  }

  #stream(entry) {
    const age = performance.now() - entry.streamSince;
    const lost = age > STREAM_PROVEN_MS && entry.viewers === 0;
    if (entry.mode === "stream" && !lost && age < STREAM_RENEW_MS) return;
    entry.mode = "stream";
    entry.streamSince = performance.now();
    if (!entry.image.naturalWidth) veil(entry, "Waiting for the picture…");
    this.#load(entry, "live.mjpeg");
  }

  #single(entry) {
    if (entry.mode === "single" && !entry.image.complete) return; // a slow link: one at a time
    entry.mode = "single";
    this.#load(entry, "snapshot.jpg");
  }

  #load(entry, what) {
    this.#count += 1;
    entry.image.src = new URL(`/cameras/${encodeURIComponent(entry.name)}/${what}?${this.#count}`, location.origin);
  }

  #failed(entry) {
    if (this.#paused || entry.mode === "off") return;
    if (entry.mode === "stream") {
      entry.streamAfter = performance.now() + STREAM_AGAIN_MS;
      this.#single(entry);
    } else {
      veil(entry, "The picture does not come.");
    }
  }
}

// A still behind the image: a browser shows nothing where a stream has ended, but the last picture is worth seeing.
function keep({ image, still }) {
  if (!image.naturalWidth) return;
  still.width = image.naturalWidth;
  still.height = image.naturalHeight;
  still.getContext("2d").drawImage(image, 0, 0);
}

function stop(entry) {
  if (entry.mode === "off") return;
  entry.mode = "off";
  entry.image.removeAttribute("src"); // which also closes the connection
}

function veil(entry, text) {
  const element = entry.figure.querySelector(".veil");
  element.hidden = !text;
  element.textContent = text;
}

function offerFullScreen(figure) {
  if (!document.fullscreenEnabled) return;
  const button = figure.querySelector(".enlarge");
  button.hidden = false;
  button.addEventListener("click", () => (document.fullscreenElement ? document.exitFullscreen() : figure.requestFullscreen()));
  figure.addEventListener("fullscreenchange", () => {
    button.textContent = document.fullscreenElement ? "Close" : "Full screen";
  });
}
