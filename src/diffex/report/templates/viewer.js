// Real cells by strength. Pictures come as sheets of tiles; an edit is the null edit plus its change.

const pen = (canvas) => canvas.getContext("2d", { willReadFrequently: true });

async function grey(png) {
  const image = new Image();
  image.src = `data:image/png;base64,${png}`;
  await image.decode();
  const canvas = make("canvas", { width: image.width, height: image.height });
  const context = pen(canvas);
  context.drawImage(image, 0, 0);
  const colours = context.getImageData(0, 0, image.width, image.height).data;
  const bytes = new Uint8Array(image.width * image.height);
  for (let i = 0; i < bytes.length; i += 1) bytes[i] = colours[4 * i];
  return { bytes, width: image.width };
}

/** Let the browser scroll and draw before the next piece of work. */
const pause = () => new Promise((done) => setTimeout(done));

async function greys(pngs) {
  const found = [];
  for (const png of pngs) {
    found.push(await grey(png));
    await pause();
  }
  return found;
}

/** Cut one tile out of a sheet of tiles and turn its bytes into numbers. */
function tile(sheet, row, column, [height, width], decode) {
  const found = new Float32Array(height * width);
  for (let y = 0; y < height; y += 1) {
    const start = (row * height + y) * sheet.width + column * width;
    for (let x = 0; x < width; x += 1) found[y * width + x] = decode(sheet.bytes[start + x]);
  }
  return found;
}

const runs = new Map();

/** Pictures and look of a run; all its viewers share one look. */
function openRun(name) {
  if (!runs.has(name)) {
    const cells = data(`${name}-cells`);
    const look = cells.channels.map(({ colour, low, high }) => ({ colour, low, high, on: true }));
    const sheets = Promise.all([greys(cells.original), greys(cells.null)]);
    runs.set(name, { cells, look, sheets, viewers: new Set() });
  }
  return runs.get(name);
}

function planes(cells, sheets, cell) {
  return cells.channels.map(({ floor, ceiling, root }, c) => {
    const decode = (byte) => floor + (ceiling - floor) * (byte / 255) ** (root ? 2 : 1);
    return tile(sheets[c], cell, 0, cells.size, decode);
  });
}

/** Fill a canvas; `colour` writes red, green and blue of a pixel in their place. */
function paint(canvas, colour) {
  const context = pen(canvas);
  const picture = context.createImageData(canvas.width, canvas.height);
  picture.data.fill(255);
  for (let i = 0; i < canvas.width * canvas.height; i += 1) colour(i, picture.data, 4 * i);
  context.putImageData(picture, 0, 0);
}

function inColour(run, channels) {
  const parts = run.look.map(({ on, low, high, colour }, c) => {
    const rgb = run.cells.colours[colour].map((part) => 255 * part);
    return { on, low, span: Math.max(high - low, 1e-12), rgb, root: run.cells.channels[c].root, plane: channels[c] };
  });
  const shown = parts.filter((part) => part.on);
  return (i, target, at) => {
    let [red, green, blue] = [0, 0, 0];
    for (const { plane, low, span, root, rgb } of shown) {
      const share = Math.min(1, Math.max(0, (plane[i] - low) / span));
      const level = root ? Math.sqrt(share) : share;
      red += rgb[0] * level;
      green += rgb[1] * level;
      blue += rgb[2] * level;
    }
    target[at] = red;
    target[at + 1] = green;
    target[at + 2] = blue;
  };
}

function diverging(stops, change, limit) {
  return (i, target, at) => {
    const place = ((Math.min(1, Math.max(-1, change[i] / limit)) + 1) / 2) * (stops.length - 1);
    const below = Math.min(Math.floor(place), stops.length - 2);
    for (let k = 0; k < 3; k += 1) {
      target[at + k] = stops[below][k] + (place - below) * (stops[below + 1][k] - stops[below][k]);
    }
  };
}

function drawBar(canvas, length) {
  const context = pen(canvas);
  const [margin, thick] = [Math.max(2, Math.round(canvas.height / 16)), Math.max(1, Math.round(canvas.height / 40))];
  const place = [margin, canvas.height - margin - thick, length, thick];
  const under = context.getImageData(...place).data;
  const mean = under.reduce((sum, value, i) => (i % 4 === 3 ? sum : sum + value), 0) / (0.75 * under.length);
  context.fillStyle = mean < 140 ? "#fff" : "#000";
  context.fillRect(...place);
}

const round = (value) => Number(value.toPrecision(3)).toLocaleString("en", { maximumSignificantDigits: 3 }).replace("-", "\u2212");

async function view(viewer) {
  const run = openRun(viewer.dataset.run);
  const edits = data(viewer.dataset.edits);
  const [[originals, nulls], changes] = await Promise.all([run.sheets, greys(edits.changes)]);
  const find = (selector) => viewer.querySelector(selector);
  const [slider, which, of] = [find(".strength input"), find(".which"), find(".of")];
  const canvases = Object.fromEntries(all(viewer, "canvas").map((one) => [one.dataset.pane, one]));
  const steps = edits.steps.map((step, i) => ({ ...step, i }));
  const zero = steps.filter((step) => Number(step.strength.replace("\u2212", "-")) < 0).length;
  steps.splice(zero, 0, { strength: "0", said: "null edit: nothing is changed", real: true, i: -1 });

  function pictures() {
    const [cell, step] = [Number(which.value), steps[slider.value]];
    const original = planes(run.cells, originals, cell);
    const plain = planes(run.cells, nulls, cell);
    const change = plain.map((plane, c) => {
      if (step.i < 0) return new Float32Array(plane.length);
      return tile(changes[c], cell, step.i, run.cells.size, (byte) => ((byte - 128) / 127) * edits.scales[c]);
    });
    const edit = plain.map((plane, c) => plane.map((value, i) => value + change[c][i]));
    return { step, cell, original, plain, change, edit };
  }

  function draw() {
    const { step, cell, original, plain, change, edit } = pictures();
    const channel = Number(of.value);
    const { limit, name } = run.cells.channels[channel];
    paint(canvases.original, inColour(run, original));
    paint(canvases.null, inColour(run, plain));
    paint(canvases.edit, inColour(run, edit));
    paint(canvases.change, diverging(run.cells.diverging, change[channel], limit));
    drawBar(canvases.original, run.cells.bar);
    const unreal = step.real ? [] : [make("span", { class: "unreal" }, "⚠ does not look real")];
    const words = [`Strength ${step.strength}`, step.said].filter(Boolean).join(": ");
    find(".said").replaceChildren(words, ...(unreal.length ? [". ", ...unreal] : []));
    slider.setAttribute("aria-valuetext", find(".said").textContent);
    const id = run.cells.ids[cell];
    canvases.edit.setAttribute("aria-label", `${id}, edit at strength ${step.strength}`);
    canvases.original.setAttribute("aria-label", `${id}, original`);
    canvases.null.setAttribute("aria-label", `${id}, null edit`);
    canvases.change.setAttribute("aria-label", `${id}, ${name}, edit minus null edit`);
    find(".key").textContent =
      `Difference of ${name}: full blue is ${round(-limit)}, white 0, full red ${round(limit)} grey values. ` +
      "Means of effect and flips are over all images of the run, not of this one.";
  }

  slider.max = String(steps.length - 1);
  slider.value = String(edits.start + (edits.start >= zero ? 1 : 0));
  of.value = String(edits.shown);
  for (const control of [slider, which, of]) control.addEventListener("input", draw);
  run.viewers.add({ draw, sync: offerLook(viewer, run) });
  savers.set(viewer, () => pixelTable(run, pictures()));
  await pause();
  draw();
}

function pixelTable(run, { step, cell, original, plain, edit }) {
  const lines = [["cell", "strength", "channel", "row", "column", "original", "null_edit", "edit"]];
  run.cells.channels.forEach(({ name }, c) => {
    original[c].forEach((value, i) => {
      const [row, column] = [Math.floor(i / run.cells.size[1]), i % run.cells.size[1]];
      const numbers = [value, plain[c][i], edit[c][i]].map((one) => one.toPrecision(5));
      lines.push([run.cells.ids[cell], step.strength, name, row, column, ...numbers]);
    });
  });
  return csv(lines);
}

/** Wire the controls of colours and contrast; returns what brings them up to date. */
function offerLook(viewer, run) {
  const first = run.cells.channels;
  const boxes = all(viewer, "fieldset[data-channel]");
  const redraw = () => run.viewers.forEach((one) => (one.sync(), one.draw()));

  function sync() {
    boxes.forEach((box, c) => {
      const { floor, ceiling } = first[c];
      box.querySelector(".on").checked = run.look[c].on;
      box.querySelector(".colour").value = run.look[c].colour;
      for (const end of ["low", "high"]) {
        const input = box.querySelector(`.${end}`);
        input.value = String(Math.round((100 * (run.look[c][end] - floor)) / (ceiling - floor)));
        input.nextElementSibling.textContent = round(run.look[c][end]);
        input.setAttribute("aria-valuetext", `${round(run.look[c][end])} grey values`);
      }
    });
  }

  boxes.forEach((box, c) => {
    box.addEventListener("input", ({ target }) => {
      const { floor, ceiling } = first[c];
      if (target.matches(".on")) run.look[c].on = target.checked;
      else if (target.matches(".colour")) run.look[c].colour = target.value;
      else run.look[c][target.className] = floor + (target.value / 100) * (ceiling - floor);
      redraw();
    });
  });
  viewer.querySelector(".reset").addEventListener("click", () => {
    first.forEach(({ colour, low, high }, c) => Object.assign(run.look[c], { colour, low, high, on: true }));
    redraw();
  });
  sync();
  return sync;
}
