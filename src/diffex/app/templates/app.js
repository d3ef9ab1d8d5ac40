"use strict";

// One page of the app. Every text from the server goes through textContent; one question at a time is in
// flight, a newer one aborts it, and the server answers only the latest of each page.

const byId = (id) => document.getElementById(id);

function hear() {
  const news = new EventSource("/news");
  news.onmessage = (event) => {
    const told = JSON.parse(event.data);
    if (told.worker) showWorker(told);
    if (told.job) document.dispatchEvent(new CustomEvent("job", { detail: told }));
  };
  news.onerror = () => showWorker({ worker: "gone", why: "The app does not answer: is it still running?" });
  addEventListener("pagehide", () => news.close());
}

let workerWas = "";
function showWorker(told) {
  const box = byId("worker");
  const words = { starting: "The worker opens the model…", ended: told.why, failed: told.why, gone: told.why };
  const restarted = workerWas === "ended" && told.worker === "starting";
  if (!restarted) box.firstElementChild.textContent = words[told.worker] || "";
  box.classList.toggle("loud", told.worker === "failed" || told.worker === "gone");
  box.hidden = told.worker === "ready";
  if (!restarted) workerWas = told.worker;
  if (told.worker === "ready") document.dispatchEvent(new Event("workerready"));
  if (told.worker === "ended") document.dispatchEvent(new Event("workerended"));
}

async function ask(path, body, signal) {
  const raw = body instanceof Blob;
  const response = await fetch(path, {
    method: "POST",
    body: raw ? body : JSON.stringify(body),
    headers: { "content-type": raw ? "application/octet-stream" : "application/json" },
    signal,
  });
  const isJson = (response.headers.get("content-type") || "").startsWith("application/json");
  const answer = isJson ? await response.json() : { error: await response.text() };
  if (!response.ok) throw new Error(typeof answer.error === "string" ? answer.error : "The question was not understood.");
  return answer;
}

function element(tag, text, name) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  if (name) made.className = name;
  return made;
}

function live() {
  const bench = byId("bench");
  const sliders = [...document.querySelectorAll(".slider input")];
  const channel = byId("channel");
  const page = crypto.randomUUID();
  let cell = bench.dataset.cell;
  let number = 0;
  let flight = null;
  let rest = 0;

  const strengths = () => sliders.map((one) => Number(one.value));

  async function update(full) {
    clearTimeout(rest);
    if (!cell) return;
    if (flight) flight.abort();
    const mine = new AbortController();
    flight = mine;
    document.querySelector(".edited").classList.add("busy");
    const shown = channel && channel.value !== "" ? Number(channel.value) : null;
    try {
      const answer = await ask("/edit", { page, number: number++, cell, strengths: strengths(), full, channel: shown }, mine.signal);
      if (answer.stale || flight !== mine) return;
      show(answer, full);
      trouble("");
      if (!full) rest = setTimeout(() => update(true), 350);
    } catch (error) {
      if (error.name !== "AbortError") trouble(error.message);
    } finally {
      if (flight === mine) {
        flight = null;
        document.querySelector(".edited").classList.remove("busy");
      }
    }
  }

  function trouble(text) {
    byId("trouble").textContent = text;
    byId("trouble").hidden = !text;
  }

  function show(answer, full) {
    byId("cellname").textContent = answer.name;
    byId("original-figure").hidden = !answer.pictures.original;
    for (const name of ["original", "null", "edit"]) {
      if (answer.pictures[name]) byId(name).src = answer.pictures[name];
    }
    byId("depth").textContent = full ? `in ${answer.depth} steps` : `preview in ${answer.depth} steps`;
    showMaps(byId("maps"), answer.maps);
    showNumbers(answer);
  }

  function showMaps(box, maps) {
    box.replaceChildren(...maps.map((one) => {
      const figure = element("figure");
      const image = element("img");
      image.src = one.source;
      image.alt = `What changed: ${one.name}`;
      figure.append(image, element("figcaption", one.name));
      return figure;
    }));
  }

  function showNumbers(answer) {
    const target = answer.classes.find((one) => one.target);
    const moved = strengths().some((value) => value !== 0);
    const [before, after] = answer.said;
    byId("verdict").textContent = !moved
      ? `The classifier says ${before}; ${target.name} ${target.percents[0]}. Move a slider.`
      : `${target.name}: ${target.percents[0]} → ${target.percents[1]}, margin ${answer.margin.change}. ` +
        (before === after ? `The classifier still says ${after}.` : `The classifier now says ${after}, no more ${before}.`);
    byId("classes").replaceChildren(...answer.classes.map((one) => {
      const row = element("tr", undefined, one.target ? "wanted" : "");
      const name = element("th", one.name);
      name.scope = "row";
      const bars = element("td", undefined, "bars");
      one.shares.forEach((share, i) => {
        const bar = element("progress", undefined, i ? "after" : "before");
        bar.max = 1;
        bar.value = share;
        bar.setAttribute("aria-label", `${one.name}, ${i ? "edit" : "null edit"}`);
        bars.append(bar);
      });
      row.append(name, element("td", one.percents[0], "num"), element("td", one.percents[1], "num"), bars,
        element("td", `${one.logits[0]} → ${one.logits[1]}`, "num"));
      return row;
    }));
    byId("measured").replaceChildren(...answer.measured.map((one) => {
      const row = element("tr");
      const name = element("th", one.unit ? `${one.words}, ${one.unit}` : one.words);
      name.scope = "row";
      row.append(name, ...[one.before, one.after, one.change].map((text) => element("td", text, "num")));
      return row;
    }));
  }

  function choose(name) {
    cell = name;
    for (const button of document.querySelectorAll(".thumb")) {
      button.setAttribute("aria-pressed", String(button.dataset.cell === cell));
    }
    update(false);
  }

  async function take(file) {
    try {
      const { cell: name, name: title } = await ask(`/drop?name=${encodeURIComponent(file.name.slice(0, 200))}`, file);
      const item = element("li");
      const button = element("button", undefined, "thumb");
      button.type = "button";
      button.dataset.cell = name;
      button.title = title;
      button.setAttribute("aria-label", title);
      const image = element("img");
      image.src = `/thumb/${name}`;
      image.alt = "";
      image.width = image.height = 64;
      button.append(image);
      item.append(button);
      byId("tray").append(item);
      trouble("");
      choose(name);
    } catch (error) {
      trouble(error.message);
    }
  }

  function showSliders() {
    sliders.forEach((one, i) => { byId(`value${i}`).textContent = Number(one.value).toFixed(2); });
  }

  for (const one of sliders) {
    one.addEventListener("input", () => { showSliders(); update(false); });
  }
  byId("reset").addEventListener("click", () => {
    for (const one of sliders) one.value = 0;
    showSliders();
    update(false);
  });
  if (channel) channel.addEventListener("change", () => update(true));
  byId("tray").addEventListener("click", (event) => {
    const button = event.target.closest(".thumb");
    if (button) choose(button.dataset.cell);
  });
  byId("file").addEventListener("change", (event) => {
    if (event.target.files.length) take(event.target.files[0]);
    event.target.value = "";
  });
  const drop = byId("drop");
  addEventListener("dragover", (event) => { event.preventDefault(); drop.classList.add("over"); });
  addEventListener("dragleave", () => drop.classList.remove("over"));
  addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    if (event.dataTransfer.files.length) take(event.dataTransfer.files[0]);
  });
  let ended = false;
  document.addEventListener("workerended", () => { ended = true; });
  document.addEventListener("workerready", () => {
    if (ended) update(false);
    ended = false;
  });

  const start = byId("start");
  const cancel = byId("cancel");
  function job(running, line) {
    start.disabled = running;
    cancel.disabled = !running;
    byId("jobbar").hidden = !running;
    byId("jobline").textContent = line;
  }
  start.addEventListener("click", async () => {
    byId("found").hidden = true;
    byId("jobbar").removeAttribute("value");
    job(true, "Begun.");
    try {
      await ask("/job", { cell });
    } catch (error) {
      job(false, error.message);
    }
  });
  cancel.addEventListener("click", () => {
    ask("/cancel", {}).catch((error) => job(false, error.message));
  });
  document.addEventListener("workerended", () => { if (!cancel.disabled) job(false, "The search ended with the worker."); });
  document.addEventListener("job", (event) => {
    const told = event.detail;
    if (told.job === "progress") {
      job(true, `${told.name}: ${told.what}, step ${told.done + 1} of ${told.total}`);
      byId("jobbar").max = told.total;
      byId("jobbar").value = told.done + 1;
    } else if (told.job === "done") {
      const target = told.classes.find((one) => one.name === told.wanted);
      job(false, told.flipped
        ? `${told.name} becomes ${told.wanted}: ${target.percents[0]} → ${target.percents[1]}.`
        : `${told.name} could not be made ${told.wanted} while it still looks real.`);
      byId("job-null").src = told.pictures.null;
      byId("job-edit").src = told.pictures.edit;
      showMaps(byId("job-maps"), told.maps);
      byId("job-parts").textContent = told.parts;
      byId("found").hidden = false;
    } else {
      job(false, told.job === "cancelled" ? `${told.name}: cancelled.` : told.why);
    }
  });
  showSliders();
  choose(cell);
}

hear();
if (document.body.dataset.page === "live") live();
